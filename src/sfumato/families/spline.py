r"""A monotone rational-quadratic spline as cumulative distribution on (0, 1).

Between knots of widths w and heights h, with slopes d at the knots, the cdf is

.. math:: F = F_k + h_k \frac{s \xi^2 + d_k \xi (1 - \xi)}
              {s + (d_{k+1} + d_k - 2 s)\, \xi (1 - \xi)}, \qquad s = h_k / w_k,

with :math:`\xi` the place in the bin (Gregory & Delbourgo 1982; Durkan et al. 2019, Neural spline
flows, equations 4 and 5). It is smooth, closed in density, cdf and quantile, and can take any shape
that its knots resolve.
"""

from dataclasses import dataclass
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy import special

from sfumato._typing import AnyArray
from sfumato.families._base import Component, Kind, Scaling, Shapes, Values

_FLOOR = 1e-3
"""Smallest width, height and slope: no bin can vanish."""


@dataclass(frozen=True)
class Spline(Component):
    """One cdf on (0, 1) from `n_bins` rational-quadratic pieces; parameters as the network's."""

    n_bins: int = 16
    margin: float = 1e-6
    name: str = "spline"
    kind: Kind = "continuous"
    scaling: Scaling = "bounds"
    support: tuple[float, float] = (0.0, 1.0)
    parameters: tuple[str, ...] = ("widths", "heights", "slopes")

    @property
    def shapes(self) -> Shapes:
        """Bins, bins, and knots."""
        return (self.n_bins,), (self.n_bins,), (self.n_bins + 1,)

    @property
    def raw_shapes(self) -> Shapes:
        """As the parameters."""
        return self.shapes

    def constrain(self, *raw: Array) -> tuple[Array, ...]:
        """Softmax for widths and heights, softplus for slopes, all with a floor."""
        widths, heights = (
            _FLOOR + (1 - _FLOOR * self.n_bins) * jax.nn.softmax(part, axis=1) for part in raw[:2]
        )
        return widths, heights, _FLOOR + jax.nn.softplus(raw[2])

    def unconstrain(self, mean: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, ...]:
        """Equal heights between the quantiles of a Normal distribution cut to (0, 1)."""
        mean, std = mean[:, None], np.maximum(std, 1e-3)[:, None]
        low, high = special.ndtr(-mean / std), special.ndtr((1 - mean) / std)
        levels = np.linspace(0, 1, self.n_bins + 1)
        knots = mean + std * special.ndtri(np.clip(low + (high - low) * levels, 1e-12, 1 - 1e-12))
        knots[:, 0], knots[:, -1] = 0.0, 1.0
        widths = np.maximum(np.diff(knots, axis=1), 2 * _FLOOR)
        widths = widths / widths.sum(axis=1, keepdims=True)
        steep = 1 / self.n_bins / widths
        slopes = np.pad(np.sqrt(steep[:, 1:] * steep[:, :-1]), ((0, 0), (1, 1)), mode="edge")
        return np.log(widths), np.zeros_like(widths), np.log(np.expm1(np.clip(slopes, 1e-2, 50)))

    def log_prob(self, u: Array, *params: Array) -> Array:
        """Log-density, JAX."""
        last = [jnp.moveaxis(values, 1, -1) for values in params]
        return jnp.log(_evaluate(jnp, u, *last)[1])

    def clip(self, u: Values) -> Values:
        """Targets moved inside (margin, 1 - margin)."""
        return jnp.clip(u, self.margin, 1 - self.margin)

    def admits(self, u: np.ndarray) -> np.ndarray:
        """Targets between the bounds."""
        return (u >= 0) & (u <= 1)

    def log_density(self, u: np.ndarray, *params: np.ndarray) -> np.ndarray:
        """Log-density; -inf outside (0, 1)."""
        density = _evaluate(np, np.clip(u, 0, 1), *params)[1]
        with np.errstate(divide="ignore"):
            return np.where((u < 0) | (u > 1), -np.inf, np.log(density))

    def cdf(self, u: np.ndarray, *params: np.ndarray) -> np.ndarray:
        """Cumulative distribution."""
        return _evaluate(np, np.clip(u, 0, 1), *params)[0]

    def moments(self, *params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean ``1 - int F`` and variance, by Gauss-Legendre quadrature in every bin."""
        places, weights = np.polynomial.legendre.leggauss(12)
        widths = params[0]
        left = np.cumsum(widths, axis=-1) - widths
        points = left[..., None] + widths[..., None] * 0.5 * (1 + places)
        shape = (*widths.shape[:-1], -1)
        steps = (widths[..., None] * 0.5 * weights).reshape(shape)
        points = points.reshape(shape)
        survival = 1 - self.cdf(points, *(values[..., None, :] for values in params))
        mean = np.sum(steps * survival, axis=-1)
        return mean, np.sum(2 * steps * points * survival, axis=-1) - mean**2

    def nodes(self, *params: np.ndarray) -> np.ndarray:
        """Twelve points in every bin."""
        widths = params[0]
        left = np.cumsum(widths, axis=-1) - widths
        points = left[..., None] + widths[..., None] * np.linspace(0, 1, 13)[:-1]
        return points.reshape(*widths.shape[:-1], -1)

    def reach(self, *params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The bounds."""
        zeros = np.zeros(params[0].shape[:-1])
        return zeros, zeros + 1.0

    def sample(self, rng: np.random.Generator, *params: np.ndarray) -> np.ndarray:
        """Quantiles at uniform draws, by solving the quadratic of each bin."""
        widths, heights, slopes = params
        level = rng.random(widths.shape[:-1])
        tops = np.cumsum(heights, axis=-1)
        index = np.minimum(np.sum(level[..., None] >= tops, axis=-1), self.n_bins - 1)[..., None]

        def at(values: np.ndarray, where: np.ndarray) -> np.ndarray:
            return np.take_along_axis(values, where, axis=-1)[..., 0]

        h, w = at(heights, index), at(widths, index)
        d0, d1, s = at(slopes, index), at(slopes, index + 1), h / w
        rise = np.clip(level - (at(tops, index) - h), 0, h)
        bend = d0 + d1 - 2 * s
        a, b, c = h * (s - d0) + rise * bend, h * d0 - rise * bend, -s * rise
        root = np.sqrt(np.maximum(b * b - 4 * a * c, 0))
        place = np.clip(2 * c / (-b - root), 0, 1)  # Durkan et al. 2019, equation 29
        return at(np.cumsum(widths, axis=-1), index) - w * (1 - place)


def _evaluate(
    xp: ModuleType, u: AnyArray, widths: AnyArray, heights: AnyArray, slopes: AnyArray
) -> tuple[AnyArray, AnyArray]:
    """Cdf and density at u, in NumPy or JAX; parameters have their own axis last."""
    ends, tops = xp.cumsum(widths, axis=-1), xp.cumsum(heights, axis=-1)
    # the very numbers of the ends, or rounding would let a point lie in two bins
    starts = xp.concatenate([xp.zeros_like(ends[..., :1]), ends[..., :-1]], axis=-1)
    # as a mask, which is cheaper than a search where there are a dozen bins
    first = xp.arange(widths.shape[-1]) == 0
    last = xp.arange(widths.shape[-1]) == widths.shape[-1] - 1
    point = u[..., None]
    mask = ((point >= starts) | first) & ((point < ends) | last)

    def at(values: AnyArray) -> AnyArray:
        return xp.sum(xp.where(mask, values, 0.0), axis=-1)

    w, h, left, bottom = at(widths), at(heights), at(starts), at(tops - heights)
    d0, d1, s = at(slopes[..., :-1]), at(slopes[..., 1:]), h / w
    xi = xp.clip((u - left) / w, 0.0, 1.0)
    both = xi * (1 - xi)
    below = s + (d0 + d1 - 2 * s) * both
    cdf = bottom + h * (s * xi * xi + d0 * both) / below
    density = s * s * (d1 * xi * xi + 2 * s * both + d0 * (1 - xi) ** 2) / (below * below)
    return cdf, density
