"""The Normal component, for standardised targets on the real line."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy import special

from sfumato.families._base import SPREAD, Kind, Scaling, Shapes
from sfumato.families._special import HALF_LOG_2PI


@dataclass(frozen=True)
class Normal:
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

    def constrain(self, first: Array, second: Array) -> tuple[Array, Array]:
        """`loc` as it is; `scale` = softplus + floor."""
        return first, jax.nn.softplus(second) + self.scale_floor

    def unconstrain(self, mean: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Raw values whose component has this mean and standard deviation."""
        return mean, np.log(np.expm1(np.maximum(std - self.scale_floor, 1e-3)))

    def log_precision(self, first: Any, second: Any) -> Any:
        """Log of 1 / variance."""
        return -2.0 * jnp.log(second)

    def narrow(self, first: Any, second: Any, log_factor: Any) -> tuple[Any, Any]:
        """Precision is 1 / variance."""
        return first, second * jnp.exp(-0.5 * log_factor)

    def log_prob(self, y: Array, first: Array, second: Array) -> Array:
        """Log-density, JAX."""
        standardised = (y - first) / second
        return -0.5 * standardised**2 - jnp.log(second) - HALF_LOG_2PI

    def clip(self, y: Any) -> Any:
        """Nothing to do on the real line."""
        return y

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
