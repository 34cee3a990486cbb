r"""A uniform distribution whose edges a gradient can move.

The density of a uniform variable does not change with its bounds except where it vanishes, so
maximum likelihood cannot move them. Here a uniform variable of the stated centre and width is
blurred by a logistic one of scale t, "edge":

.. math:: p(y) = \frac{1}{w} \left[\sigma\!\left(\frac{y - a}{t}\right)
          - \sigma\!\left(\frac{y - b}{t}\right)\right], \qquad a, b = c \mp w / 2,

a proper density for every t, with closed cdf and moments. For hard bins use ``histogram``.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from sfumato._numerics import invert_increasing


def soft_uniform_log_prob(u: Array, centre: Array, width: Array, edge: Array) -> Array:
    """Log-density in JAX, without the difference of two numbers that are nearly 1."""
    left, right = (u - centre + 0.5 * width) / edge, (u - centre - 0.5 * width) / edge
    between = jnp.log(-jnp.expm1(-jnp.maximum(width / edge, 1e-6)))
    return jax.nn.log_sigmoid(left) + jax.nn.log_sigmoid(-right) + between - jnp.log(width)


@dataclass(frozen=True)
class SoftUniform:
    """The same distribution in double precision, with the methods of a frozen SciPy one."""

    centre: np.ndarray
    width: np.ndarray
    edge: np.ndarray

    def _sides(self, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shift = (u - self.centre) / self.edge
        half = 0.5 * self.width / self.edge
        return shift + half, shift - half

    def logpdf(self, u: np.ndarray) -> np.ndarray:
        """Log-density."""
        left, right = self._sides(u)
        between = np.log(-np.expm1(-self.width / self.edge))
        return -np.logaddexp(0, -left) - np.logaddexp(0, right) + between - np.log(self.width)

    def cdf(self, u: np.ndarray) -> np.ndarray:
        """Cumulative distribution; from the far side where it is near 1."""
        left, right = self._sides(np.where(u > self.centre, 2 * self.centre - u, u))
        lower = (np.logaddexp(0, left) - np.logaddexp(0, right)) * self.edge / self.width
        return np.where(u > self.centre, 1 - lower, lower)

    def ppf(self, level: float | np.ndarray) -> np.ndarray:
        """Quantiles."""
        low, high = self.centre - self._far, self.centre + self._far
        targets = np.broadcast_to(level, np.broadcast_shapes(np.shape(level), low.shape))
        low, high = (np.broadcast_to(v, targets.shape) for v in (low, high))
        start = low + targets * (high - low)
        return invert_increasing(
            self.cdf, lambda u: np.exp(self.logpdf(u)), targets, lower=low, upper=high, start=start
        )

    @property
    def _far(self) -> np.ndarray:
        return 0.5 * self.width + 40 * self.edge

    def isf(self, level: float) -> np.ndarray:
        """Quantiles from above; the distribution is symmetric."""
        return 2 * self.centre - self.ppf(level)

    def mean(self) -> np.ndarray:
        """The centre."""
        return self.centre + 0 * self.width

    def var(self) -> np.ndarray:
        """Variances of the uniform and of the logistic variable."""
        return self.width**2 / 12 + (np.pi * self.edge) ** 2 / 3

    def rvs(self, size: tuple[int, ...], random_state: np.random.Generator) -> np.ndarray:
        """Sum of a uniform and a logistic draw."""
        uniform = self.centre + self.width * (random_state.random(size) - 0.5)
        return uniform + random_state.logistic(0.0, self.edge, size)


def soft_uniform_nodes(centre: np.ndarray, width: np.ndarray, edge: np.ndarray) -> np.ndarray:
    """Points along the plateau and, densely, across both edges; parameters end in an axis of 1."""
    offsets = np.concatenate([np.linspace(-7, 7, 15), [-28, -19, -12, 12, 19, 28]])
    plateau = centre + width * np.linspace(-0.5, 0.5, 17)
    sides = [centre + side * 0.5 * width + edge * offsets for side in (-1, 1)]
    return np.concatenate([plateau, *sides], axis=-1)
