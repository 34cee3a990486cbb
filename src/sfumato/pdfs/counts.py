"""Mixtures over whole numbers: counts and classes. What is a density elsewhere is a probability."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from sfumato._numerics import row_chunks
from sfumato.families import MixtureFamily, bound_component
from sfumato.pdfs._base import Density
from sfumato.pdfs._priors import Outside, limited
from sfumato.pdfs._shares import shares
from sfumato.pdfs.parametric import ParametricPDFs

_MOST_NUMBERS = 4096
"""Whole numbers of one object's table; a wider distribution is tabulated in steps."""


class CountPDFs(ParametricPDFs):
    """n predicted probability functions on the whole numbers; quantiles are whole numbers."""

    def pit(self, y: ArrayLike, *, random_state: int = 0) -> np.ndarray:
        r"""Randomised probability integral transform, (n,).

        .. math:: u = F(y - 1) + v\, [F(y) - F(y - 1)], \qquad v \sim U(0, 1),

        which is uniform if the probabilities are right (Czado, Gneiting & Held 2009, equation 1).
        """
        values = self._own(y, name="y")[:, None]
        below, at = self._cdf(values - 1)[:, 0], self._cdf(values)[:, 0]
        return below + np.random.default_rng(random_state).random(len(self)) * (at - below)

    def nodes(self) -> np.ndarray:
        """Whole numbers (n, g), rising from each object's own lowest."""
        low, high = self._bracket()
        low, high = np.floor(low), np.ceil(high)
        most = int(np.max(high - low, initial=0)) + 1
        step = np.maximum(1, np.ceil((high - low + 1) / _MOST_NUMBERS))
        return low[:, None] + step[:, None] * np.arange(min(most, _MOST_NUMBERS))

    def _bracket(self) -> tuple[np.ndarray, np.ndarray]:
        low, high = super()._bracket()
        bottom, top = self.support
        return np.maximum(low - 1, bottom), np.minimum(high + 1, top)

    def default_grid(self, n_points: int = 1001) -> np.ndarray:
        """The whole numbers from the lowest to the highest that any object reaches."""
        low, high = self._bracket()
        first, last = int(np.floor(low.min())), int(np.ceil(high.max()))
        step = max(1, -(-(last - first + 1) // max(n_points, _MOST_NUMBERS)))
        return np.arange(first, last + 1, step, dtype=float)

    def _invert(self, levels: np.ndarray) -> np.ndarray:
        """Smallest whole number whose cdf reaches each level, by bisection."""
        edges = self._bracket()
        low, high = (np.repeat(np.round(edge)[:, None], levels.size, axis=1) for edge in edges)
        low = low - 1
        # the last level below 1 may lie a rounding error above the stored cdf
        target = np.minimum(levels, 1 - 1e-12)
        while np.any(high - low > 1):
            middle = np.floor(0.5 * (low + high))
            reached = self._cdf(middle) >= target
            low, high = np.where(reached, low, middle), np.where(reached, middle, high)
        return high

    def _mode(self) -> np.ndarray:
        nodes, probability = self._table()
        return np.take_along_axis(nodes, np.argmax(probability, axis=1)[:, None], axis=1)[:, 0]

    def entropy(self) -> np.ndarray:
        """Shannon entropy of each object in nats, (n,)."""

        def add(rows: "CountPDFs") -> np.ndarray:
            nodes, p = rows._table()
            step = nodes[:, 1] - nodes[:, 0] if nodes.shape[1] > 1 else np.ones(len(rows))
            return step * np.sum(np.where(p > 0, -p * np.log(np.maximum(p, 1e-300)), 0.0), axis=1)

        return self._by_rows(add, points=self._n_nodes())

    def _shortest(self, level: float) -> np.ndarray:
        """Shortest range of whole numbers that holds at least the level."""
        nodes, p = self._table()
        out = np.empty((len(self), 2))
        for row, (numbers, cdf) in enumerate(zip(nodes, np.cumsum(p, axis=1), strict=True)):
            before = np.concatenate([[0.0], cdf[:-1]])
            last = np.searchsorted(cdf, before + level * (1 - 1e-12))
            fits = last < numbers.size
            length = np.where(fits, numbers[np.minimum(last, numbers.size - 1)] - numbers, np.inf)
            best = int(np.argmin(length))
            out[row] = numbers[best], numbers[min(last[best], numbers.size - 1)]
        return out

    def discrete_scores(self, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """CRPS ``sum (F(k) - 1[k >= y])^2`` and quadratic score ``sum p^2 - 2 p(y)``, (n,) each."""
        crps, quadratic = np.empty(len(self)), np.empty(len(self))
        for rows in row_chunks(len(self), width=self.quadrature_size() if len(self) else 1):
            part, truth = self._take(rows), y[rows][:, None]
            nodes, p = part._table()
            step = nodes[:, 1:2] - nodes[:, :1] if nodes.shape[1] > 1 else 1.0
            cdf = part._cdf(nodes)
            inside = step * np.sum((cdf - (nodes >= truth)) ** 2, axis=1, keepdims=True)
            beyond = np.maximum(nodes[:, :1] - truth, 0) + np.maximum(truth - nodes[:, -1:] - 1, 0)
            crps[rows] = (inside + beyond)[:, 0]
            quadratic[rows] = np.sum(step * p**2, axis=1) - 2 * part._density(truth)[:, 0]
        return crps, quadratic

    # -- probabilities as a table ---------------------------------------------------------------

    def tabulated(self, log_p: np.ndarray) -> "CountPDFs":
        """PDFs on the whole numbers from 0 whose log-probabilities are the rows of `log_p`."""
        family = MixtureFamily(
            bound_component("categorical", n_classes=log_p.shape[1]), log_p.shape[1]
        )
        norm = np.logaddexp.reduce(log_p, axis=1, keepdims=True)
        return CountPDFs(family, {"log_weights": (log_p - norm)[:, None, :]})

    def reweight(
        self,
        new_prior: Density,
        *,
        training_prior: Density | Literal["auto"] | None = "auto",
        grid: ArrayLike | None = None,
        outside: Outside = "zero",
    ) -> "CountPDFs":
        """As for densities, on the whole numbers from 0 (`grid` is not used)."""
        points = self.prior_points(new_prior)
        ratio, trained = self.prior_ratio(points, new_prior, training_prior)
        p = self.pdf(points)
        with np.errstate(divide="ignore"):
            return self.tabulated(np.log(p * limited(p, ratio, trained, outside)))

    def prior_points(self, new_prior: Density) -> np.ndarray:
        """The whole numbers from 0 that any object reaches."""
        return np.arange(int(self.default_grid()[-1]) + 1, dtype=float)

    def stack(
        self, weights: ArrayLike | None = None, *, grid: ArrayLike | None = None
    ) -> "CountPDFs":
        """Average probability function as one object; with a `grid`, tabulated up to its end."""
        if grid is None:
            return CountPDFs(self.family, *self._as_one(shares(weights, len(self))))
        points = np.arange(int(np.max(np.asarray(grid))) + 1, dtype=float)
        with np.errstate(divide="ignore"):
            return self.tabulated(np.log(shares(weights, len(self)) @ self.pdf(points))[None])
