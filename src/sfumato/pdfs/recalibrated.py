"""PDFs whose probabilities have been mapped to others: what conformal recalibration gives."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy.interpolate import PchipInterpolator

from sfumato.errors import ShapeError
from sfumato.pdfs._base import AbstractPDFs
from sfumato.pdfs._objects import Rows
from sfumato.pdfs._shares import shares
from sfumato.pdfs.grid import GridPDFs


@dataclass(frozen=True, eq=False)
class LevelMap:
    """Monotone maps of [0, 1] onto itself, one for each group of objects.

    Between the knots they are cubic and monotone (Fritsch & Carlson 1980), so that a density stays
    continuous.

    Parameters
    ----------
    knots : (groups, g) stated probabilities, increasing from 0 to 1.
    levels : (g,) what they are mapped to, increasing from 0 to 1.
    """

    knots: np.ndarray
    levels: np.ndarray

    def __post_init__(self) -> None:
        knots, levels = np.atleast_2d(self.knots), np.asarray(self.levels, float)
        if knots.shape[1] != levels.size:
            message = "`knots` must have shape (groups, g) for `levels` of shape (g,)"
            raise ShapeError(f"{message}; got {knots.shape} and {levels.shape}.")
        object.__setattr__(self, "knots", knots)
        object.__setattr__(self, "levels", levels)

    @cached_property
    def _maps(self) -> list[PchipInterpolator]:
        return [PchipInterpolator(knots, self.levels) for knots in self.knots]

    def __call__(self, u: np.ndarray, group: np.ndarray) -> np.ndarray:
        """Mapped probabilities of u (n, j), by each row's group (n,)."""
        return self._each(u, group, order=0)

    def slope(self, u: np.ndarray, group: np.ndarray) -> np.ndarray:
        """Derivatives at u (n, j)."""
        return self._each(u, group, order=1)

    def _each(self, u: np.ndarray, group: np.ndarray, *, order: int) -> np.ndarray:
        out = np.empty(u.shape)
        for index, curve in enumerate(self._maps):
            rows = group == index
            values = curve(np.clip(u[rows], 0, 1), nu=order)
            out[rows] = np.clip(values, 0, 1) if order == 0 else np.maximum(values, 0)
        return out


@dataclass(frozen=True, eq=False)
class RecalibratedPDFs(AbstractPDFs):
    """Densities ``g(F(y)) p(y)`` with cdf ``G(F(y))``, for a map G with derivative g.

    Parameters
    ----------
    base : the PDFs as predicted.
    levels : the map G, one for each group.
    group : (n,) which map is each object's.
    """

    base: AbstractPDFs
    levels: LevelMap
    group: np.ndarray

    def __len__(self) -> int:
        return len(self.base)

    def _take(self, rows: Rows) -> "RecalibratedPDFs":
        return replace(self, base=self.base._take(rows), group=self.group[rows])

    @property
    def support(self) -> tuple[float, float]:
        """That of the PDFs as predicted."""
        return self.base.support

    @property
    def _width(self) -> int:
        return 2 * self.base._width

    def _log_density(self, y: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            slope = np.log(self.levels.slope(self.base._cdf(y), self.group))
        return self.base._log_density(y) + slope

    def _cdf(self, y: np.ndarray) -> np.ndarray:
        return self.levels(self.base._cdf(y), self.group)

    def nodes(self) -> np.ndarray:
        """Those of the PDFs as predicted."""
        return self.base.nodes()

    def _bracket(self) -> tuple[np.ndarray, np.ndarray]:
        return self.base._bracket()

    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance from the cdf on the nodes: what lies in a cell lies at its middle."""
        nodes = self.nodes()
        mass = np.diff(self._cdf(nodes), axis=1)
        middle, width = 0.5 * (nodes[:, 1:] + nodes[:, :-1]), np.diff(nodes, axis=1)
        total = mass.sum(axis=1)
        mean = np.sum(mass * middle, axis=1) / total
        spread = (middle - mean[:, None]) ** 2 + width**2 / 12
        return mean, np.sum(mass * spread, axis=1) / total

    def mean(self) -> np.ndarray:
        """Expectation of each object, (n,)."""
        return self._by_rows(lambda rows: rows._moments()[0], points=self._n_nodes())

    def variance(self) -> np.ndarray:
        """Variance of each object, (n,)."""
        return self._by_rows(lambda rows: rows._moments()[1], points=self._n_nodes())

    def sample(self, n_draws: int, *, random_state: int | np.random.Generator = 0) -> np.ndarray:
        """Draws (n_draws, n): quantiles at uniform levels."""
        levels = np.random.default_rng(random_state).uniform(1e-12, 1, (len(self), n_draws))
        nodes, table = self._cdf_table()
        start = np.stack([np.interp(*row) for row in zip(levels, table, nodes, strict=True)])
        return self._solve(levels, start).T

    def _gridded(self, points: np.ndarray, density: np.ndarray) -> GridPDFs:
        return GridPDFs(points, density)

    def stack(self, weights: ArrayLike | None = None, *, grid: ArrayLike | None = None) -> GridPDFs:
        """Average density of all objects on a grid."""
        points = self.points_of(grid)
        average = shares(weights, len(self)) @ self.pdf(points)
        self.warn_of_coarse(points, average)
        return GridPDFs(points, average[None])
