"""What a set of predicted distributions must tell, and its densities and cdf at points.

Two kinds of evaluation have two kinds of name, so that no method guesses what a shape meant:
per object (`log_prob`, `pit`: one value of y for each) and curves (`pdf`, `cdf`: one grid for
all).
"""

import warnings
from abc import abstractmethod
from collections.abc import Callable
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from sfumato._numerics import doubles, row_chunks, trapezoid_weights
from sfumato.errors import ShapeError
from sfumato.pdfs._objects import Objects

_UNRESOLVED = 0.01
"""Probability that may be lost or invented on a grid without a word."""


class Evaluated(Objects):
    """n densities of a scalar that can be evaluated; axis 0 is always the object. Immutable."""

    # -- to implement -------------------------------------------------------------------------

    @property
    @abstractmethod
    def support(self) -> tuple[float, float]:
        """Bounds outside which every density is zero; may be infinite."""

    @property
    @abstractmethod
    def _width(self) -> int:
        """Numbers needed to evaluate one object at one point, for sizing chunks."""

    @abstractmethod
    def _log_density(self, y: np.ndarray) -> np.ndarray:
        """Log-density at each object's own points, (n, j) to (n, j)."""

    def _density(self, y: np.ndarray) -> np.ndarray:
        """Density at each object's own points, (n, j) to (n, j)."""
        return np.exp(self._log_density(y))

    @abstractmethod
    def _cdf(self, y: np.ndarray) -> np.ndarray:
        """Cumulative distribution at each object's own points, (n, j) to (n, j)."""

    @abstractmethod
    def nodes(self) -> np.ndarray:
        """Each object's own increasing points (n, g) that resolve its density."""

    @abstractmethod
    def _bracket(self) -> tuple[np.ndarray, np.ndarray]:
        """Per object, two points between which all but 1e-15 of the probability lies."""

    @abstractmethod
    def mean(self) -> np.ndarray:
        """Expectation of each object, (n,), units of y."""

    @abstractmethod
    def variance(self) -> np.ndarray:
        """Variance of each object, (n,), units of y squared."""

    @abstractmethod
    def sample(self, n_draws: int, *, random_state: int | np.random.Generator = 0) -> np.ndarray:
        """Draws (n_draws, n)."""

    # -- given ---------------------------------------------------------------------------------

    def _by_rows(self, function: Callable[[Self], np.ndarray], *, points: int) -> np.ndarray:
        """`function` of cache-sized sets of rows, joined along the object axis."""
        joined: np.ndarray | None = None
        for rows in row_chunks(len(self), width=points * self._width):
            part = function(self._take(rows))
            if joined is None:
                joined = np.empty((len(self), *part.shape[1:]), part.dtype)
            joined[rows] = part
        return function(self) if joined is None else joined

    def _own(self, y: ArrayLike, *, name: str) -> np.ndarray:
        values = np.asarray(doubles(y), float)
        if values.shape != (len(self),):
            message = f"`{name}` must have one value per object, shape ({len(self)},)"
            raise ShapeError(f"{message}; got shape {values.shape}. For curves use pdf or cdf.")
        return values

    @staticmethod
    def _curve_grid(grid: ArrayLike) -> np.ndarray:
        values = np.asarray(grid, float)
        if values.ndim != 1 or values.size == 0:
            message = "`grid` must be one-dimensional and not empty"
            raise ShapeError(f"{message}; got shape {values.shape}. For own points use log_prob.")
        return values

    def moved_in(self, y: np.ndarray) -> np.ndarray:
        """Values (n,) as training would have seen them: those on a bound a margin inside."""
        return y

    def log_prob(self, y: ArrayLike) -> np.ndarray:
        """Log-density of object i at ``y[i]``, (n,); -inf outside the support."""
        return self._log_density(self._own(y, name="y")[:, None])[:, 0]

    def pit(self, y: ArrayLike) -> np.ndarray:
        """Probability integral transform ``F_i(y[i])``, (n,), in [0, 1]."""
        return self._cdf(self._own(y, name="y")[:, None])[:, 0]

    def pdf(self, grid: ArrayLike) -> np.ndarray:
        """Densities (n, g) on one grid shared by all, per unit of y."""
        points = self._curve_grid(grid)
        return self._by_rows(
            lambda rows: rows._density(_repeat(points, len(rows))), points=points.size
        )

    def on_points(self, points: np.ndarray) -> np.ndarray:
        """Densities (n, g) that are about to be taken for linear between points (g,).

        Warns of objects that these do not resolve.
        """
        density = self.pdf(points)
        self.warn_of_unresolved(points, density @ trapezoid_weights(points))
        return density

    def warn_of_unresolved(self, points: np.ndarray, area: np.ndarray) -> None:
        """Count the objects whose densities integrate to an area (n,) on points that is not 1."""
        off = np.abs(area - 1) > _UNRESOLVED
        if off.any():
            where = f"{points.size} points from {points[0]:g} to {points[-1]:g}"
            message = f"{off.sum()} of {len(self)} objects lie outside or between {where}"
            found = f"their densities integrate to {area[off].min():.2g} to {area[off].max():.2g}"
            cure = "and are stretched to 1: choose a finer or wider grid"
            warnings.warn(f"{message}: {found} there, {cure}.", stacklevel=4)

    def warn_of_coarse(self, points: np.ndarray, average: np.ndarray) -> None:
        """Say that points (g,) do not hold or resolve the average density (g,) of a set."""
        if abs(np.trapezoid(average, points) - 1) > _UNRESOLVED:
            where = f"{points.size} points from {points[0]:g} to {points[-1]:g}"
            message = f"The average density lies outside or between {where}"
            warnings.warn(
                f"{message}: it is stretched to 1, choose a finer or wider grid.", stacklevel=3
            )

    def density_at(self, points: ArrayLike) -> np.ndarray:
        """Densities (n, j) at each object's own points (n, j), per unit of y."""
        values = np.asarray(points, float)
        if values.ndim != 2 or values.shape[0] != len(self):
            message = f"`points` must have shape ({len(self)}, j)"
            raise ShapeError(f"{message}; got {values.shape}. For one shared grid use pdf.")
        return self._density(values)

    def cdf(self, grid: ArrayLike) -> np.ndarray:
        """Cumulative distributions (n, g) on one grid shared by all."""
        points = self._curve_grid(grid)
        return self._by_rows(lambda rows: rows._cdf(_repeat(points, len(rows))), points=points.size)

    def std(self) -> np.ndarray:
        """Standard deviation of each object, (n,)."""
        return np.sqrt(self.variance())

    def points_of(self, grid: ArrayLike | None) -> np.ndarray:
        """The points of a grid that was given, or of the one by default."""
        return self.default_grid() if grid is None else self._curve_grid(grid)

    def default_grid(self, n_points: int = 1001) -> np.ndarray:
        """Equally spaced points over the support, or eight deviations beyond the means."""
        low, high = self.support
        if not (np.isfinite(low) and np.isfinite(high)):
            mean, std = self.mean(), self.std()
            low = low if np.isfinite(low) else float(np.min(mean - 8 * std))
            high = high if np.isfinite(high) else float(np.max(mean + 8 * std))
        inset = 1e-6 * (high - low)  # a Beta density may be infinite at the very bounds
        return np.linspace(low + inset, high - inset, n_points)


def _repeat(points: np.ndarray, n: int) -> np.ndarray:
    return np.broadcast_to(points, (n, points.size))
