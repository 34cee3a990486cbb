"""Measurement errors of the features: checked on the host, drawn on the device.

Training sees every row with fresh noise in every pass; prediction averages over draws of what the
features may have been. So a network trained at one noise level answers at a higher one.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from numpy.typing import ArrayLike

from sfumato.errors import ShapeError
from sfumato.preprocessing.frames import unmasked


def noise_factors(X_err: ArrayLike, *, shape: tuple[int, int]) -> np.ndarray:
    """Standard deviations (n, c), or Cholesky factors (n, c, c) of covariances, from `X_err`.

    Parameters
    ----------
    X_err : standard deviations (n, c) or (c,) for all rows, or covariances (n, c, c); units of X.
    shape : (n, c) of the features.

    Raises
    ------
    ShapeError
        `X_err` has another shape.
    ValueError
        An error is negative or missing, or a covariance is not positive definite; the row is named.
    """
    errors = np.asarray(unmasked(X_err), float)
    n, c = shape
    if errors.shape == (c,):
        errors = np.broadcast_to(errors, (n, c))
    if errors.shape not in ((n, c), (n, c, c)):
        allowed = f"({n}, {c}) for standard deviations or ({n}, {c}, {c}) for covariances"
        raise ShapeError(f"`X_err` must have shape {allowed}; got {errors.shape}.")
    if errors.ndim == 2:
        bad = ~(np.isfinite(errors) & (errors >= 0))
        if bad.any():
            row, column = (int(i[0]) for i in np.nonzero(bad))
            message = f"`X_err` is {errors[row, column]:g} in row {row + 1}, column {column + 1}"
            raise ValueError(f"{message}; standard deviations must be finite and at least 0.")
        return errors
    symmetric = np.isclose(errors, np.swapaxes(errors, 1, 2), rtol=1e-6, atol=0).all(axis=(1, 2))
    smallest = np.where(symmetric, np.linalg.eigvalsh(np.nan_to_num(errors))[:, 0], -1.0)
    fine = np.isfinite(errors).all(axis=(1, 2)) & (smallest > 0)
    if not fine.all():
        row = int(np.argmax(~fine))
        message = f"The covariance `X_err` of row {row + 1} is not symmetric and positive definite"
        raise ValueError(f"{message} (smallest eigenvalue {smallest[row]:g}).")
    return np.linalg.cholesky(errors)


def disturbed(
    x: Float[Array, "*shape n"], factors: Array, *, key: PRNGKeyArray
) -> Float[Array, "*shape n"]:
    """Examples with one draw of their noise; factors (n, *shape), or (n, c, c) for columns."""
    noise = jax.random.normal(key, x.shape, x.dtype)
    if factors.ndim == x.ndim:
        return x + jnp.moveaxis(factors, 0, -1) * noise
    return x + jnp.einsum("nij,jn->in", factors, noise)


def excess_factors(factors: np.ndarray, trained: np.ndarray | None) -> np.ndarray:
    """Factors of the noise beyond that of training, whose mean covariance is `trained` (c, c).

    Where a row is less noisy than training there is nothing to add: its excess is 0.
    """
    if trained is None:
        return factors
    if factors.ndim == 2:
        return np.sqrt(np.maximum(factors**2 - np.diagonal(trained), 0.0))
    covariance = factors @ np.swapaxes(factors, 1, 2) - trained
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))[:, None, :]


def mean_covariance(factors: np.ndarray) -> np.ndarray:
    """Mean covariance (c, c) of rows with these factors."""
    if factors.ndim == 2:
        return np.diag(np.mean(factors**2, axis=0))
    return np.mean(factors @ np.swapaxes(factors, 1, 2), axis=0)
