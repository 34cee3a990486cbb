"""Weights of objects in a stack."""

import numpy as np
from numpy.typing import ArrayLike

from sfumato._numerics import doubles
from sfumato.errors import ShapeError


def shares(weights: ArrayLike | None, n: int) -> np.ndarray:
    """Normalised weights of n objects."""
    if n == 0:
        raise ValueError("Cannot stack: there are no objects. Check the selection.")
    values = np.ones(n) if weights is None else np.asarray(doubles(weights), float)
    if values.shape != (n,):
        raise ShapeError(f"`weights` must have shape ({n},); got {values.shape}.")
    if np.any(~(values >= 0)) or not 0 < values.sum() < np.inf:
        raise ValueError("`weights` must be finite, not negative and not all zero.")
    return values / values.sum()
