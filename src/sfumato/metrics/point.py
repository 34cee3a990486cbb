"""Errors of point estimates, in the scaled form that photometric redshifts use."""

import numpy as np
from numpy.typing import ArrayLike

from sfumato.errors import ShapeError

SIGMA_PER_MAD = 1.4826
"""Standard deviation of a Gaussian per median absolute deviation, 1 / 0.67449."""


def scaled_errors(point: ArrayLike, truth: ArrayLike, *, offset: float = 1.0) -> np.ndarray:
    r"""Errors :math:`\delta = (\hat y - y) / (c + y)`, with c = 1 for redshifts.

    Parameters
    ----------
    point, truth : (n,) arrays in the same units; for c = 1, redshifts above -1.
    offset : the constant c. With ``inf`` the plain error is returned.

    Raises
    ------
    ShapeError
        The shapes differ or there are no rows.
    """
    estimate, true = np.asarray(point, float), np.asarray(truth, float)
    if estimate.shape != true.shape or estimate.ndim != 1 or estimate.size == 0:
        message = "`point` and `truth` must be of one shape (n,), n >= 1"
        raise ShapeError(f"{message}; got {estimate.shape} and {true.shape}.")
    return estimate - true if np.isinf(offset) else (estimate - true) / (offset + true)


def bias(delta: ArrayLike) -> float:
    """Median of the scaled errors."""
    return float(np.median(np.asarray(delta, float)))


def sigma_mad(delta: ArrayLike) -> float:
    r"""Scatter :math:`1.4826\,\mathrm{median}|\delta - \mathrm{median}(\delta)|`.

    Equals the standard deviation for Gaussian errors and ignores outliers; NaN gives NaN.

    Examples
    --------
    >>> round(sigma_mad([-0.1, 0.0, 0.0, 0.1, 5.0]), 5)
    0.14826
    """
    values = np.asarray(delta, float)
    return float(SIGMA_PER_MAD * np.median(np.abs(values - np.median(values))))


def outlier_fraction(delta: ArrayLike, *, threshold: float = 0.15) -> float:
    """Share of objects with an absolute scaled error above `threshold`."""
    return float(np.mean(np.abs(np.asarray(delta, float)) > threshold))


def outlier_fraction_lsst(delta: ArrayLike) -> float:
    r"""Share beyond ``max(0.06, 3 sigma_IQR)``, the LSST science requirement's form.

    It rewards wide cores, so never quote it alone.
    """
    values = np.asarray(delta, float)
    q25, q75 = np.quantile(values, [0.25, 0.75])
    return outlier_fraction(values, threshold=max(0.06, 3 * (q75 - q25) / 1.349))


def rmse(point: ArrayLike, truth: ArrayLike) -> float:
    """Root mean squared error, in the units of the target."""
    return float(np.sqrt(np.mean(scaled_errors(point, truth, offset=np.inf) ** 2)))
