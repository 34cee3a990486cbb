"""Components that a network does not move: the bins of a histogram, the classes of a classifier.

A histogram is a mixture of uniform densities on given bins, and a categorical distribution one of
point masses; only their weights are predicted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from sfumato.families._base import Component, Kind, Scaling, Shapes, Values


@dataclass(frozen=True)
class Bins(Component):
    """Uniform densities on adjacent bins of (0, 1), with `edges` (K + 1,) from 0 to 1."""

    edges: tuple[float, ...] | None = None
    margin: float = 1e-6
    name: str = "histogram"
    kind: Kind = "continuous"
    scaling: Scaling = "bounds"
    support: tuple[float, float] = (0.0, 1.0)
    parameters: tuple[str, ...] = ()
    shapes: Shapes = ()
    raw_shapes: Shapes = ()

    @property
    def constants(self) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper edge of each bin, (K,)."""
        edges = np.asarray(self.edges, float)
        return edges[:-1], edges[1:]

    def constrain(self) -> tuple[Array, ...]:
        """Nothing is predicted but the weights."""
        return ()

    def unconstrain(self, mean: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, ...]:
        """Nothing is predicted but the weights."""
        return ()

    def start_weights(self, u: np.ndarray) -> np.ndarray:
        """Share of the targets in each bin, (K,), none of them 0."""
        counts, _ = np.histogram(u, np.asarray(self.edges, float))
        return (counts + 0.5) / np.sum(counts + 0.5)

    def log_prob(self, u: Array) -> Array:
        """Log-density (K, ...) of each bin at u; -inf outside it."""
        lower, upper = (jnp.asarray(v, u.dtype).reshape(-1, *(1,) * u.ndim) for v in self.constants)
        inside = (u >= lower) & (u < upper)
        return jnp.where(inside, -jnp.log(upper - lower), -jnp.inf)

    def clip(self, u: Values) -> Values:
        """Targets moved inside the outermost edges."""
        return jnp.clip(u, self.margin, 1 - self.margin)

    def admits(self, u: np.ndarray) -> np.ndarray:
        """Targets between the outermost edges."""
        return (u >= 0) & (u <= 1)

    def log_density(self, u: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
        """Log-density; -inf outside the bin."""
        # the uppermost edge belongs to the last bin
        inside = (u >= lower) & ((u < upper) | ((u == upper) & (upper == 1.0)))
        with np.errstate(divide="ignore"):
            return np.log(inside / (upper - lower))

    def cdf(self, u: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
        """Cumulative distribution."""
        return np.clip((u - lower) / (upper - lower), 0.0, 1.0)

    def moments(self, lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance."""
        return 0.5 * (lower + upper), (upper - lower) ** 2 / 12

    def nodes(self, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
        """Both edges from the inside, where the density jumps, and three points between."""
        places = np.array([1e-9, 0.25, 0.5, 0.75, 1 - 1e-9])
        return lower[..., None] + (upper - lower)[..., None] * places

    def reach(self, lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The edges."""
        return lower, upper

    def sample(self, rng: np.random.Generator, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
        """One uniform draw in each bin."""
        return rng.uniform(lower, upper)


@dataclass(frozen=True)
class Points(Component):
    """Point masses on the classes 0 to `n_classes` - 1."""

    n_classes: int | None = None
    name: str = "categorical"
    kind: Kind = "count"
    scaling: Scaling = "none"
    parameters: tuple[str, ...] = ()
    shapes: Shapes = ()
    raw_shapes: Shapes = ()
    sharpens: ClassVar[bool] = True

    @property
    def support(self) -> tuple[float, float]:
        """First and last class."""
        return 0.0, float((self.n_classes or 1) - 1)

    @property
    def constants(self) -> tuple[np.ndarray]:
        """The classes, (K,)."""
        return (np.arange(self.n_classes or 1, dtype=float),)

    def constrain(self) -> tuple[Array, ...]:
        """Nothing is predicted but the weights."""
        return ()

    def unconstrain(self, mean: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, ...]:
        """Nothing is predicted but the weights."""
        return ()

    def start_weights(self, u: np.ndarray) -> np.ndarray:
        """Share of each class, (K,), none of them 0."""
        counts = np.bincount(u.astype(int), minlength=self.n_classes or 1)
        return (counts + 0.5) / np.sum(counts + 0.5)

    def log_prob(self, u: Array) -> Array:
        """0 at the class, -inf at the others, (K, ...)."""
        classes = jnp.asarray(self.constants[0], u.dtype).reshape(-1, *(1,) * u.ndim)
        return jnp.where(u == classes, 0.0, -jnp.inf)

    def log_precision(self, *params: Values) -> Values:
        """None: log-weights are what is sharpened, all alike."""
        return np.zeros(())

    def narrow(
        self, log_weights: Values, params: Sequence[Values], log_factor: Values | float
    ) -> tuple[Values, Sequence[Values]]:
        """The logits divided by a temperature."""
        return jax.nn.log_softmax(log_weights * jnp.exp(log_factor), axis=-1), params

    def admits(self, u: np.ndarray) -> np.ndarray:
        """The classes."""
        return np.isin(u, self.constants[0])

    def log_density(self, u: np.ndarray, place: np.ndarray) -> np.ndarray:
        """0 at the class, -inf elsewhere."""
        with np.errstate(divide="ignore"):
            return np.log((u == place).astype(float))

    def cdf(self, u: np.ndarray, place: np.ndarray) -> np.ndarray:
        """A step at the class."""
        return (u >= place).astype(float)

    def moments(self, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The class itself, without variance."""
        return place, np.zeros_like(place)

    def nodes(self, place: np.ndarray) -> np.ndarray:
        """The class."""
        return place[..., None]

    def reach(self, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The class."""
        return place, place

    def sample(self, rng: np.random.Generator, place: np.ndarray) -> np.ndarray:
        """The class."""
        return place
