"""Affine scalers of features, fitted on training rows; columns first, missing values filled."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


class AffineScaler(eqx.Module):
    """``(x - centre) / scale`` of each feature; missing (not finite) values become 0.

    A scaled 0 is the training centre, so a missing value is filled by the typical one. Whether it
    *was* missing is the business of a feature transform that sets a flag.
    """

    centre: Float[Array, " f"]
    scale: Float[Array, " f"]

    def __call__(self, x: Float[Array, "f *n"]) -> Float[Array, "f *n"]:
        """Scale one example, or a batch of them behind the features."""
        shape = (-1, *(1,) * (x.ndim - 1))
        scaled = (x - self.centre.reshape(shape)) / self.scale.reshape(shape)
        return jnp.clip(jnp.where(jnp.isfinite(scaled), scaled, 0.0), -FARTHEST, FARTHEST)

    def only_first(self, n_features: int) -> "AffineScaler":
        """The same scaler for the first features; the others (flags, levels) pass as they are."""
        scaled = jnp.arange(self.centre.size) < n_features
        return AffineScaler(jnp.where(scaled, self.centre, 0.0), jnp.where(scaled, self.scale, 1.0))


FARTHEST = 20.0
"""Scaled features are clipped here: far outside training a network's output means nothing."""


def _safe(scale: np.ndarray) -> np.ndarray:
    return np.where(scale > 0, scale, 1.0)


def _spread(x: np.ndarray) -> np.ndarray:
    """Standard deviation per column, of finite values."""
    centred = x - np.nanmean(x, axis=0)
    # squares of what is 1e-200 or 1e200 are 0 or infinite
    largest = _safe(np.nanmax(np.abs(centred), axis=0, initial=0.0))
    return largest * np.nanstd(centred / largest, axis=0)


def fit_standard(x: np.ndarray) -> AffineScaler:
    """Mean and standard deviation of the finite values of each column of x, (n, f)."""
    finite = _finite(x)
    centre, scale = np.nanmean(finite, axis=0), _safe(_spread(finite))
    return AffineScaler(jnp.asarray(centre, jnp.float32), jnp.asarray(scale, jnp.float32))


def fit_robust(x: np.ndarray) -> AffineScaler:
    """Median and interquartile range / 1.349 of the finite values of each column of x, (n, f).

    A column whose quartiles coincide (a rare flag) is scaled by its standard deviation.
    """
    finite = _finite(x)
    q25, centre, q75 = np.nanquantile(finite, [0.25, 0.5, 0.75], axis=0)
    scale = np.where(q75 > q25, (q75 - q25) / 1.349, _spread(finite))
    return AffineScaler(jnp.asarray(centre, jnp.float32), jnp.asarray(_safe(scale), jnp.float32))


def fit_none(x: np.ndarray) -> AffineScaler:
    """The identity, for features that are scaled already."""
    return AffineScaler(jnp.zeros(x.shape[1], jnp.float32), jnp.ones(x.shape[1], jnp.float32))


def _finite(x: np.ndarray) -> np.ndarray:
    """Columns with NaN for what is not finite; those of nothing else are 0, as they are filled."""
    known = np.isfinite(x)
    return np.where(known, np.asarray(x, float), np.where(known.any(axis=0), np.nan, 0.0))


SCALERS = {"robust": fit_robust, "standard": fit_standard, "none": fit_none}
"""The one table from a scaler's name to the function that fits it."""
