"""Densities on one shared grid, linear between its points: what reweighting and stacking give."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from sfumato._numerics import cumulative_trapezoid, row_chunks, trapezoid_weights
from sfumato.errors import IncompatibleError, ShapeError
from sfumato.pdfs._base import Density, Gridded
from sfumato.pdfs._objects import Rows
from sfumato.pdfs._sample_density import sample_density
from sfumato.pdfs._shares import shares


@dataclass(frozen=True, eq=False)
class GridPDFs(Gridded):
    """n piecewise linear densities on `grid`, normalised at construction.

    Parameters
    ----------
    grid : (g,), strictly increasing, at least two points, units of y.
    density : (n, g), not negative; any positive scale.

    Raises
    ------
    ShapeError
        The shapes disagree.
    ValueError
        The grid does not increase, or a density is negative, not finite or zero everywhere.
    """

    grid: np.ndarray
    density: np.ndarray

    def __post_init__(self) -> None:
        grid, density = np.asarray(self.grid, float), np.asarray(self.density, float)
        if grid.ndim != 1 or density.ndim != 2 or density.shape[1] != grid.size or grid.size < 2:
            message = "`density` must have shape (n, g) for a `grid` of g >= 2 points"
            raise ShapeError(f"{message}; got {density.shape} and {grid.shape}.")
        if np.any(np.diff(grid) <= 0):
            raise ValueError("`grid` must increase strictly. Sort it and remove repeated points.")
        area = density @ trapezoid_weights(grid)
        lowest = np.min(density, axis=1, initial=0.0)
        bad = ~np.isfinite(area) | ~(lowest >= 0) | ~(area > 0)
        if bad.any():
            row = int(np.argmax(bad))
            message = f"Density of row {row} is negative, not finite or zero on the whole grid"
            raise ValueError(f"{message} [{grid[0]:g}, {grid[-1]:g}].")
        object.__setattr__(self, "grid", grid)
        object.__setattr__(self, "density", density / area[:, None])

    def __len__(self) -> int:
        return self.density.shape[0]

    def _take(self, rows: Rows) -> "GridPDFs":
        return GridPDFs(self.grid, self.density[rows])

    @classmethod
    def _joined(cls, parts: Sequence["GridPDFs"]) -> "GridPDFs":
        grid = parts[0].grid
        if any(not np.array_equal(part.grid, grid) for part in parts):
            raise IncompatibleError("All parts must share one grid. Use to_grid(grid) first.")
        return GridPDFs(grid, np.concatenate([part.density for part in parts]))

    @property
    def support(self) -> tuple[float, float]:
        """First and last point of the grid."""
        return float(self.grid[0]), float(self.grid[-1])

    @property
    def _width(self) -> int:
        return 4

    @cached_property
    def _cumulative(self) -> np.ndarray:
        return cumulative_trapezoid(self.density, self.grid)

    def _cell(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Left node of each point's cell, and the densities at both ends of the cell."""
        left = np.clip(np.searchsorted(self.grid, y, side="right") - 1, 0, self.grid.size - 2)
        low = np.take_along_axis(self.density, left, axis=1)
        high = np.take_along_axis(self.density, left + 1, axis=1)
        return left, low, high

    def _density(self, y: np.ndarray) -> np.ndarray:
        left, low, high = self._cell(y)
        fraction = (y - self.grid[left]) / np.diff(self.grid)[left]
        inside = (y >= self.grid[0]) & (y <= self.grid[-1])
        return np.where(inside, low + (high - low) * fraction, 0.0)

    def _log_density(self, y: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return np.log(self._density(y))

    def _cdf(self, y: np.ndarray) -> np.ndarray:
        y = np.clip(y, self.grid[0], self.grid[-1])
        left, low, high = self._cell(y)
        width = np.diff(self.grid)[left]
        t = y - self.grid[left]
        before = np.take_along_axis(self._cumulative, left, axis=1)
        return np.clip(before + low * t + 0.5 * (high - low) * t**2 / width, 0.0, 1.0)

    def nodes(self) -> np.ndarray:
        """The grid itself, for every object."""
        return np.broadcast_to(self.grid, self.density.shape)

    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        return self.nodes(), self.density

    def _mode(self) -> np.ndarray:
        """Exact: a density that is linear between points is highest at one of them."""
        return self.grid[np.argmax(self.density, axis=1)]

    def _bracket(self) -> tuple[np.ndarray, np.ndarray]:
        return np.full(len(self), self.grid[0]), np.full(len(self), self.grid[-1])

    def mean(self) -> np.ndarray:
        """Exact expectation of the piecewise linear density."""
        low, high = self.grid[:-1], self.grid[1:]
        weights = np.zeros(self.grid.size)
        weights[:-1] += (high - low) * (2 * low + high) / 6
        weights[1:] += (high - low) * (low + 2 * high) / 6
        return self.density @ weights

    def variance(self) -> np.ndarray:
        """Exact variance of the piecewise linear density."""
        mean, out = self.mean(), np.empty(len(self))
        step = np.diff(self.grid) / 12
        for rows in row_chunks(len(self), width=4 * self.grid.size):
            offset, density = self.grid - mean[rows, None], self.density[rows]
            low, high = offset[:, :-1], offset[:, 1:]
            first = (3 * low**2 + 2 * low * high + high**2) * density[:, :-1]
            second = (low**2 + 2 * low * high + 3 * high**2) * density[:, 1:]
            out[rows] = (first + second) @ step
        return out

    def sample(self, n_draws: int, *, random_state: int | np.random.Generator = 0) -> np.ndarray:
        """Draws (n_draws, n) by inverting each object's own piecewise quadratic cdf."""
        rng = np.random.default_rng(random_state)
        uniform = rng.random((n_draws, len(self)))
        draws = np.empty_like(uniform)
        steps = np.diff(self.grid)
        for row, (density, cumulative) in enumerate(
            zip(self.density, self._cumulative, strict=True)
        ):
            target = uniform[:, row] * cumulative[-1]
            left = np.clip(np.searchsorted(cumulative, target, "right") - 1, 0, steps.size - 1)
            slope = (density[left + 1] - density[left]) / steps[left]
            rest = np.maximum(target - cumulative[left], 0.0)
            root = np.sqrt(np.maximum(density[left] ** 2 + 2 * slope * rest, 0.0))
            with np.errstate(divide="ignore", invalid="ignore"):
                offset = 2 * rest / (density[left] + root)  # stable form of the quadratic's root
            draws[:, row] = self.grid[left] + np.clip(np.nan_to_num(offset), 0, steps[left])
        return draws

    def to_grid(self, grid: ArrayLike | None = None) -> "GridPDFs":
        """The same densities interpolated on another grid; without one, these."""
        if grid is None:
            return self
        points = self.points_of(grid)
        return GridPDFs(points, self.on_points(points))

    def points_of(self, grid: ArrayLike | None) -> np.ndarray:
        """The points of a grid that was given, or its own."""
        return self.grid if grid is None else self._curve_grid(grid)

    def stack(
        self, weights: ArrayLike | None = None, *, grid: ArrayLike | None = None
    ) -> "GridPDFs":
        """Average density as a set of one, on this grid or, interpolated, on another."""
        mean = shares(weights, len(self)) @ self.density
        return GridPDFs(self.grid, mean[None]).to_grid(grid)

    def _gridded(self, points: np.ndarray, density: np.ndarray) -> "GridPDFs":
        return GridPDFs(points, density)

    def prior_points(self, new_prior: Density) -> np.ndarray:
        """Its own grid."""
        return self.grid


def density_of(y: np.ndarray, weights: np.ndarray | None = None) -> GridPDFs:
    """Smooth density of a sample y (n,), as a set of one, on 401 points."""
    points, density = sample_density(y, weights)
    return GridPDFs(points, density[None])


def frequencies_of(y: np.ndarray, weights: np.ndarray | None = None) -> GridPDFs:
    """Frequencies of the counts y (n,), to be read at whole numbers; none of them 0."""
    counts = np.bincount(y.astype(int), weights=weights, minlength=2)[: 1 << 16].astype(float)
    return GridPDFs(np.arange(counts.size, dtype=float), (counts + 1e-3)[None])
