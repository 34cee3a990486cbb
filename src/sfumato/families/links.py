"""From unconstrained reals to valid parameters: one link for each constraint of NumPyro.

Positive parameters go through an exponential whose argument is softly limited, so that no output
of a network overflows and no gradient vanishes for good. All functions act on arrays with the
components first, the parameter's own axes next and the batch last.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy import special

LOG_LIMITS = (-12.0, 12.0)
"""Softly approached limits of the logarithm of a positive parameter."""

_LOGIT_LIMIT = 12.0


class Link(NamedTuple):
    """A map to valid parameters, its inverse, and how many reals it needs for a shape.

    Parameters
    ----------
    forward : JAX, raw (K, *raw shape, ...) and a floor to parameters (K, *shape, ...).
    inverse : NumPy, parameters and the floor to raw values.
    raw_shape : shape of a parameter to shape of its reals.
    """

    forward: Callable[[Array, float], Array]
    inverse: Callable[[np.ndarray, float], np.ndarray]
    raw_shape: Callable[[tuple[int, ...]], tuple[int, ...]] = tuple


def soft_limit(raw: Array, low: float, high: float) -> Array:
    """`raw` inside (low, high), the identity but for a rounding of the corners."""
    return high - jax.nn.softplus(high - low - jax.nn.softplus(raw - low))


def _positive(raw: Array, floor: float) -> Array:
    return floor + jnp.exp(soft_limit(raw, *LOG_LIMITS))


def _positive_inverse(value: np.ndarray, floor: float) -> np.ndarray:
    low, high = LOG_LIMITS
    return np.clip(np.log(np.maximum(value - floor, 1e-6)), low + 0.5, high - 0.5)


def _unit(raw: Array, floor: float) -> Array:
    return floor + (1 - 2 * floor) * jax.nn.sigmoid(soft_limit(raw, -_LOGIT_LIMIT, _LOGIT_LIMIT))


def _unit_inverse(value: np.ndarray, floor: float) -> np.ndarray:
    inside = (np.asarray(value, float) - floor) / (1 - 2 * floor)
    return special.logit(np.clip(inside, 1e-4, 1 - 1e-4))


def _lower_cholesky(raw: Array, floor: float) -> Array:
    """Rows of the lower triangle to (K, d, d, ...); the diagonal goes through the positive link."""
    size = int((np.sqrt(8 * raw.shape[1] + 1) - 1) / 2)
    rows, columns = np.tril_indices(size)
    diagonal = (rows == columns).reshape(1, -1, *(1,) * (raw.ndim - 2))
    values = jnp.where(diagonal, _positive(raw, floor), raw)
    empty = jnp.zeros((raw.shape[0], size, size, *raw.shape[2:]), raw.dtype)
    return empty.at[:, rows, columns].set(values)


def _lower_cholesky_inverse(value: np.ndarray, floor: float) -> np.ndarray:
    rows, columns = np.tril_indices(value.shape[-1])
    flat = value[..., rows, columns]
    return np.where(rows == columns, _positive_inverse(np.maximum(flat, 1e-6), floor), flat)


REAL = Link(lambda raw, _floor: raw, lambda value, _floor: np.asarray(value, float))
POSITIVE = Link(_positive, _positive_inverse)
UNIT = Link(_unit, _unit_inverse)
SIMPLEX = Link(
    lambda raw, floor: floor + (1 - floor * raw.shape[1]) * jax.nn.softmax(raw, axis=1),
    lambda value, _floor: np.log(np.maximum(value, 1e-6)),
)
LOWER_CHOLESKY = Link(
    _lower_cholesky, _lower_cholesky_inverse, lambda shape: (shape[0] * (shape[0] + 1) // 2,)
)


def link_of(constraint: object) -> Link:
    """The link of a NumPyro constraint.

    Raises
    ------
    ValueError
        There is no link for a constraint of its type.
    """
    from numpyro.distributions import constraints  # a second of imports: only where it is needed

    base = constraint
    while isinstance(base, type(constraints.independent(constraints.real, 1))):
        base = base.base_constraint
    for known, link in (
        (constraints.real_vector, REAL),
        (constraints.real, REAL),
        (constraints.unit_interval, UNIT),
        (constraints.simplex, SIMPLEX),
        (constraints.lower_cholesky, LOWER_CHOLESKY),
        (constraints.positive, POSITIVE),
        (constraints.nonnegative, POSITIVE),
    ):
        if type(base) is type(known):
            return link
    if vars(base).get("lower_bound") == 0:  # NumPyro spells "not negative" in several ways
        return POSITIVE
    raise ValueError(f"There is no link for the constraint {constraint}.")
