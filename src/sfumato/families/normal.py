"""The Normal component, for standardised targets on the real line."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy import special

from sfumato.families._base import SPREAD, Component, Kind, Scaling, Shapes, Values
from sfumato.families._special import HALF_LOG_2PI


@dataclass(frozen=True)
class Normal(Component):
    """Normal distribution with parameters ``loc`` and ``scale``.

    The scale has a floor, in units of the standard deviation of the target, because the likelihood
    of a mixture is unbounded when one component collapses onto one row.
    """

    scale_floor: float = 0.01
    name: str = "normal"
    parameters: tuple[str, str] = ("loc", "scale")
    support: tuple[float, float] = (-np.inf, np.inf)
    kind: Kind = "continuous"
    scaling: Scaling = "standard"
    shapes: Shapes = ((), ())
    raw_shapes: Shapes = ((), ())
    sharpens: ClassVar[bool] = True

    def constrain(self, first: Array, second: Array) -> tuple[Array, Array]:
        """`loc` as it is; `scale` = softplus + floor."""
        return first, jax.nn.softplus(second) + self.scale_floor

    def unconstrain(self, mean: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Raw values whose component has this mean and standard deviation."""
        return mean, np.log(np.expm1(np.maximum(std - self.scale_floor, 1e-3)))

    def log_precision(self, first: Values, second: Values) -> Values:
        """Log of 1 / variance."""
        return -2.0 * jnp.log(second)

    def narrow(
        self, log_weights: Values, params: Sequence[Values], log_factor: Values | float
    ) -> tuple[Values, Sequence[Values]]:
        """Precision is 1 / variance."""
        first, second = params
        return log_weights, (first, second * jnp.exp(-0.5 * log_factor))

    def log_prob(self, y: Array, first: Array, second: Array) -> Array:
        """Log-density, JAX."""
        standardised = (y - first) / second
        return -0.5 * standardised**2 - jnp.log(second) - HALF_LOG_2PI

    def mixture_log_prob(self, u: Array, log_weights: Array, *params: Array) -> Array:
        """Log-density of the mixture over the leading axis; see `normal_mixture_log_prob`."""
        return normal_mixture_log_prob(u, log_weights, *params)

    def log_density(self, y: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Exact log-density."""
        return -0.5 * ((y - first) / second) ** 2 - np.log(second) - HALF_LOG_2PI

    def cdf(self, y: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Exact cumulative distribution."""
        return special.ndtr((y - first) / second)

    def moments(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance."""
        return first, second**2

    def admits(self, u: np.ndarray) -> np.ndarray:
        """Every number."""
        return np.isfinite(u)

    def nodes(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Around the mean, in standard deviations."""
        return first[..., None] + second[..., None] * SPREAD

    def reach(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Forty standard deviations to either side."""
        return first - 40 * second, first + 40 * second

    def sample(self, rng: np.random.Generator, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """One draw for each pair of parameters."""
        return rng.normal(first, second)


# -- a mixture of them, with the gradient of one pass ----------------------------------------------


def _forward(u: Array, log_weights: Array, loc: Array, scale: Array) -> tuple[Array, tuple]:
    inverse = 1.0 / scale
    z = (u - loc) * inverse
    terms = log_weights - 0.5 * z * z + jnp.log(inverse)
    top = jnp.max(terms, axis=0)
    shares = jnp.exp(terms - top)
    total = jnp.sum(shares, axis=0)
    return top + jnp.log(total) - HALF_LOG_2PI, (shares, total, z, inverse)


@jax.custom_vjp
def normal_mixture_log_prob(u: Array, log_weights: Array, loc: Array, scale: Array) -> Array:
    r"""Log-density of a mixture of Normals over the leading axis, (K, ...) to (...).

    The gradient is written with the responsibilities :math:`r_k` that the forward pass has found
    already, so exponentials are taken once (Bishop 1994, equations 35 to 39):

    .. math:: \partial_{\ln\pi_k} = r_k, \quad \partial_{\mu_k} = r_k z_k / \sigma_k, \quad
              \partial_{\sigma_k} = r_k (z_k^2 - 1) / \sigma_k .

    Parameters
    ----------
    u : values (...).
    log_weights, loc, scale : parameters (K, ...), the weights normalised.
    """
    return _forward(u, log_weights, loc, scale)[0]


def _backward(saved: tuple, slope: Array) -> tuple[Array, ...]:
    shares, total, z, inverse = saved
    responsibility = shares * (slope / total)
    by_loc = responsibility * z * inverse
    by_scale = responsibility * (z * z - 1.0) * inverse
    return -jnp.sum(by_loc, axis=0), responsibility, by_loc, by_scale


normal_mixture_log_prob.defvjp(_forward, _backward)
