"""The Fisher information of pixels, and the Cramér–Rao bound."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Array

from sfumato.errors import ShapeError
from sfumato.galaxies.fit.model import Model, linearise


def fisher(model: Model, theta: Array, *, variance: Array | Callable[[Array], Array]) -> Array:
    r"""Fisher information of independent pixels about the parameters.

    .. math:: F_{ij} = \sum_\mathrm{pixels} \frac{1}{V} \frac{\partial m}{\partial \theta_i}
              \frac{\partial m}{\partial \theta_j}

    For Gaussian noise exact; for Poisson noise of many electrons the information is the same with
    V the total variance (the further term of a Gaussian whose variance depends on the parameters,
    ``(dV)^2 / 2 V^2``, is no part of it).

    Parameters
    ----------
    model : from parameters (p,) to pixels (m,).
    theta : (p,) where to linearise.
    variance : of the pixels, or a function from the noiseless pixels to it (`Noise.variance`).

    Returns
    -------
    (p, p) information.

    References
    ----------
    Kay (1993), Fundamentals of Statistical Signal Processing I, equation 3.31.
    """
    pixels, jacobian = linearise(model, theta)
    spread = variance(pixels) if callable(variance) else variance
    return (jacobian / spread) @ jacobian.T


def crb(information: np.ndarray) -> np.ndarray:
    """The Cramér–Rao bound: the smallest covariance (..., p, p) of an unbiased estimator.

    Parameters
    ----------
    information : (..., p, p) Fisher matrices; drop a parameter's row and column to know it.

    Raises
    ------
    ShapeError
        The matrices are not square.
    ValueError
        A matrix is singular or not finite: some combination of parameters does not show in the
        pixels.
    """
    matrices = np.asarray(information, float)
    if matrices.ndim < 2 or matrices.shape[-1] != matrices.shape[-2]:
        raise ShapeError(f"`information` must have shape (..., p, p); got {matrices.shape}.")
    out, singular = inverse(matrices)
    if np.any(singular):
        message = f"{int(np.sum(singular))} Fisher matrices are singular"
        raise ValueError(f"{message}: some parameters do not show in the pixels. Fix one of them.")
    return out


def inverse(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inverses (..., p, p) of positive matrices scaled to unit diagonal; NaN where singular."""
    scale = np.sqrt(np.maximum(np.diagonal(matrices, axis1=-2, axis2=-1), 0.0))
    outer = scale[..., :, None] * scale[..., None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        unit = matrices / outer
    finite = np.asarray(np.isfinite(unit).all(axis=(-2, -1)))
    unit = np.where(finite[..., None, None], unit, np.eye(matrices.shape[-1]))
    values, vectors = np.linalg.eigh(unit)
    singular = ~finite | (values[..., 0] < 1e-7)
    safe = np.where(values > 1e-7, values, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        out = (vectors / safe[..., None, :]) @ np.swapaxes(vectors, -1, -2) / outer
    return np.where(singular[..., None, None], np.nan, out), singular
