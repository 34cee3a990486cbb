"""Errors of point estimates, in the units of the target."""

import numpy as np
from numpy.typing import ArrayLike

from sfumato.errors import ShapeError


def errors(point: ArrayLike, truth: ArrayLike) -> np.ndarray:
    """Estimate minus truth, (n,), in the units of the target.

    Parameters
    ----------
    point, truth : (n,) arrays in the same units, n at least 1.

    Raises
    ------
    ShapeError
        The shapes differ or there are no rows.
    """
    estimate, true = np.asarray(point, float), np.asarray(truth, float)
    if estimate.shape != true.shape or estimate.ndim != 1 or estimate.size == 0:
        message = "`point` and `truth` must be of one shape (n,), n >= 1"
        raise ShapeError(f"{message}; got {estimate.shape} and {true.shape}.")
    return estimate - true


def rmse(point: ArrayLike, truth: ArrayLike) -> float:
    """Root mean squared error, in the units of the target."""
    return float(np.sqrt(np.mean(errors(point, truth) ** 2)))
