"""What every set of predicted distributions can do, from its density, its cdf and its nodes.

Everything here is in double precision and exact to the stated tolerance; the fast approximate
statistics for very many objects are in `sfumato.pdfs.statistics`.
"""

import warnings
from abc import abstractmethod
from typing import Literal, Self, Union

import numpy as np
from numpy.typing import ArrayLike

from sfumato._numerics import (
    count_peaks,
    cumulative_trapezoid,
    invert_increasing,
    maximise,
    trapezoid_weights,
)
from sfumato.errors import ShapeError
from sfumato.pdfs._evaluation import Evaluated
from sfumato.pdfs._priors import (
    Curve,
    Outside,
    check_within,
    knots_of,
    limited,
    on_grid,
    prior_ratio,
    range_of,
)

Density = Union[Curve, "AbstractPDFs"]
"""A density of the target: a function of a grid, a set of one PDF, a histogram (counts, edges), or
the targets themselves."""

_MUCH_OUTSIDE = 0.1
_EVEN = (np.arange(1000) + 0.5) / 1000
_MOST_NUMBERS, _FEWEST_POINTS, _MOST_POINTS = 1 << 22, 1001, 16_001
"""Densities in a set on a grid by default, and the points of one."""


class AbstractPDFs(Evaluated):
    """n predicted densities of a scalar target; axis 0 is always the object. Immutable."""

    @abstractmethod
    def stack(
        self, weights: ArrayLike | None = None, *, grid: ArrayLike | None = None
    ) -> "AbstractPDFs":
        """One object: the (weighted) average density of all, exact or, faster, on a grid."""

    def component_pdf(self, grid: ArrayLike) -> np.ndarray | None:
        """Weighted densities (n, K, g) whose sum is `pdf`; None of what is no mixture."""
        return None

    def to_grid(self, grid: ArrayLike | None = None) -> "Gridded":
        """Densities on `grid`, renormalised there; by default 1,001 points over the support."""
        points = self.points_of(grid)
        return self._gridded(points, self.on_points(points))

    # -- another prior -------------------------------------------------------------------------

    @property
    def training_prior(self) -> "AbstractPDFs | None":
        """The density of the training targets, a set of one, if it is known."""
        return None

    def reweight(
        self,
        new_prior: Density,
        *,
        training_prior: Density | Literal["auto"] | None = "auto",
        grid: ArrayLike | None = None,
        outside: Outside = "zero",
    ) -> "AbstractPDFs":
        r"""Replace the prior that the training set implied by another one.

        .. math:: p'(y|x) \propto p(y|x) \, \frac{p_\mathrm{new}(y)}{p_\mathrm{train}(y)}

        A network learns the posterior under the density of its training targets; what it says of
        a sample with other targets follows by exchanging the two priors.

        Parameters
        ----------
        new_prior : density of the targets in the sample the predictions are for, up to a factor:
            a function of the grid (g,), a set of one PDF, or a histogram as ``numpy.histogram``
            returns it (counts, edges).
        training_prior : that of the training targets, in the same forms, or an array of the
            targets themselves. ``"auto"`` is the one kept with the predictions of a fitted model;
            None means flat, so that `new_prior` is the ratio itself.
        grid : where the product is formed; by default 1,001 to 16,001 points, where the densities
            need them. Objects that it does not resolve are counted in a warning.
        outside : beyond the training targets nothing was learnt. ``"zero"`` leaves no probability
            there (but to objects that have none elsewhere), ``"edge"`` holds the training prior at
            its value at their edge. Objects with more than a tenth there are counted in a warning;
            `mass_outside` says which.

        Returns
        -------
        PDFs of the same length, on a grid (counts: on their whole numbers).

        Raises
        ------
        ValueError
            A prior is negative or not finite, ``"auto"`` has nothing to go by, or a reweighted
            density vanishes everywhere.
        """
        points = self._curve_grid(grid) if grid is not None else self.prior_points(new_prior)
        ratio, trained = self.prior_ratio(points, new_prior, training_prior)
        weights, areas = trapezoid_weights(points), []

        def product(rows: Self) -> np.ndarray:
            density = rows.pdf(points)
            areas.append(density @ weights)
            return density * limited(density, ratio, trained, outside)

        density = self._by_rows(product, points=points.size)
        self.warn_of_unresolved(points, np.concatenate(areas))
        return self._gridded(points, density)

    @abstractmethod
    def _gridded(self, points: np.ndarray, density: np.ndarray) -> "Gridded":
        """Densities (n, g) of any scale, as a set on a grid."""

    def prior_points(self, new_prior: Density) -> np.ndarray:
        """Points where the densities of all need them, and at the edges of a prior."""
        n_points = int(np.clip(_MOST_NUMBERS // max(len(self), 1), _FEWEST_POINTS, _MOST_POINTS))
        rows = np.unique(np.linspace(0, len(self) - 1, min(len(self), 400)).astype(int))
        nodes = np.unique(self._take(rows).nodes())
        ranks = np.linspace(0, nodes.size - 1, min(nodes.size, n_points)).round().astype(int)
        low, high = self._bracket()
        ends = np.array([low.min(), high.max()])
        knots = knots_of(_curve_of(new_prior))
        knots = knots[(knots > ends[0]) & (knots < ends[1])]
        return np.unique(np.concatenate([nodes[ranks], ends, knots]))

    def mass_outside(self, training_prior: Density | Literal["auto"] = "auto") -> np.ndarray:
        """Probability of each object (n,) beyond the range of the training targets.

        Parameters
        ----------
        training_prior : as in `reweight`, in a form that has a range: not a function.
        """
        ends = self._range_of(training_prior)
        if ends is None:
            raise ValueError("A function has no range. Give the training targets themselves.")
        cdf = self.cdf(np.array(ends))
        return cdf[:, 0] + 1 - cdf[:, 1]

    def _known(self, training_prior: Density | str) -> Density:
        """The training prior that was given, or the one that was kept."""
        if not isinstance(training_prior, str):
            return training_prior
        if training_prior != "auto" or self.training_prior is None:
            message = "`training_prior='auto'` needs predictions of a fitted regressor"
            raise ValueError(f"{message}. Give the training targets, or None for a flat prior.")
        return self.training_prior

    def _range_of(self, training_prior: Density | str) -> tuple[float, float] | None:
        known = self._known(training_prior)
        return known.support if isinstance(known, AbstractPDFs) else range_of(known)

    def prior_ratio(
        self, points: np.ndarray, new_prior: Density, training_prior: Density | str | None = "auto"
    ) -> tuple[np.ndarray, np.ndarray]:
        """New prior over training prior at points (g,), and which of them were trained on.

        Warns of objects with much probability elsewhere; see `reweight`.
        """
        check_within(new_prior, self.support)
        new = on_grid(_curve_of(new_prior), points, name="new_prior")
        if training_prior is None:
            return new, np.ones(points.size, bool)
        known = self._known(training_prior)
        self._warn_of_mass_outside(known)
        return prior_ratio(points, new, on_grid(_curve_of(known), points, name="training_prior"))

    def _warn_of_mass_outside(self, training_prior: Density) -> None:
        ends = self._range_of(training_prior)
        if ends is None:
            return
        n = int(np.sum(self.mass_outside(training_prior) > _MUCH_OUTSIDE))
        if n:
            message = f"{n} of {len(self)} objects have more than a tenth of their probability"
            where = f"outside the training targets' range, {ends[0]:g} to {ends[1]:g}"
            warnings.warn(f"{message} {where}: see mass_outside().", stacklevel=4)

    def quantiles(self, levels: ArrayLike) -> np.ndarray:
        """Values below which each object has the given probabilities, (n, q).

        Found on each object's own cdf by safeguarded Newton steps, to 1e-10 of the bracket.

        Raises
        ------
        ValueError
            A level is not strictly between 0 and 1.
        """
        probabilities = np.atleast_1d(np.asarray(levels, float))
        if probabilities.ndim != 1:
            raise ShapeError(f"`levels` must be one-dimensional; got shape {probabilities.shape}.")
        if np.any(~(probabilities > 0) | ~(probabilities < 1)):
            raise ValueError(f"`levels` must lie strictly between 0 and 1; got {levels}.")
        return self._by_rows(lambda rows: rows._invert(probabilities), points=self._n_nodes())

    def _invert(self, levels: np.ndarray) -> np.ndarray:
        nodes, table = self._cdf_table()
        start = np.empty((len(self), levels.size))
        for row, (c, x) in enumerate(zip(table, nodes, strict=True)):
            start[row] = np.interp(levels, c, x)
        return self._solve(np.broadcast_to(levels, start.shape), start)

    def _solve(self, targets: np.ndarray, start: np.ndarray) -> np.ndarray:
        """Points (n, q) at which each object's exact cdf reaches its own targets (n, q)."""
        low, high = (_repeat_columns(edge, targets.shape[1]) for edge in self._bracket())
        # the bracket of a heavy-tailed density is far wider than the density
        width = np.minimum(high - low, 10 * _repeat_columns(self.std(), targets.shape[1]))
        return invert_increasing(
            self._cdf,
            self._density,
            targets,
            lower=low,
            upper=high,
            start=start,
            width=width,
            tolerance=1e-10,
        )

    def _cdf_table(self) -> tuple[np.ndarray, np.ndarray]:
        """Nodes (n, g) and the cdf there, by the trapezoid rule where that holds, ending at 1."""
        nodes, density = self._table()
        with np.errstate(over="ignore", invalid="ignore"):
            table = cumulative_trapezoid(density, nodes)
        rough = _rough(table[:, -1])
        if rough.size:
            exact = self._take(rough)._cdf(nodes[rough])
            table[rough] = np.maximum.accumulate(exact, axis=1)
        return nodes, table / table[:, -1:]

    def median(self) -> np.ndarray:
        """Median of each object, (n,)."""
        return self.quantiles([0.5])[:, 0]

    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        nodes = self.nodes()
        return nodes, self._density(nodes)

    def mode(self) -> np.ndarray:
        """Place of the highest density of each object, (n,)."""
        return self._by_rows(lambda rows: rows._mode(), points=self._n_nodes())

    def mode_and_quantiles(
        self, levels: np.ndarray, *, with_mode: bool
    ) -> tuple[np.ndarray | None, np.ndarray]:
        """Mode (n,), if asked for, and quantiles (n, q) of very many: fast, not always exact."""
        quantiles = self.quantiles(levels) if levels.size else np.zeros((len(self), 0))
        return self.mode() if with_mode else None, quantiles

    def _n_nodes(self) -> int:
        return self[:1].nodes().shape[1] if len(self) else 1

    def quadrature_size(self) -> int:
        """Numbers needed to evaluate one object on its own nodes, for sizing chunks of rows."""
        return self._n_nodes() * self._width

    def _mode(self) -> np.ndarray:
        nodes, density = self._table()
        best = np.argmax(density, axis=1)[:, None]
        # two nodes on either side: the next may be the same place again
        low = np.take_along_axis(nodes, np.maximum(best - 2, 0), axis=1)
        high = np.take_along_axis(nodes, np.minimum(best + 2, nodes.shape[1] - 1), axis=1)
        return maximise(self._log_density, lower=low, upper=high)[:, 0]

    def n_modes(self, *, threshold: float = 0.01) -> np.ndarray:
        """Number of local maxima at least `threshold` times as high as the highest, (n,)."""

        def count(rows: Self) -> np.ndarray:
            return count_peaks(rows._table()[1], threshold=threshold)

        return self._by_rows(count, points=self._n_nodes())

    def entropy(self) -> np.ndarray:
        """Differential entropy of each object in nats, (n,), by quadrature on its own nodes."""

        def integrate(rows: Self) -> np.ndarray:
            nodes, density = rows._table()
            with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
                integrand = np.where(density > 0, -density * np.log(density), 0.0)
                values = np.trapezoid(integrand, nodes, axis=1)
                rough = _rough(np.trapezoid(density, nodes, axis=1))
            if rough.size:  # over equal steps in probability instead
                few = rows._take(rough)
                values[rough] = -np.mean(few._log_density(few.quantiles(_EVEN)), axis=1)
            return values

        return self._by_rows(integrate, points=self._n_nodes())

    def interval(
        self,
        level: float,
        *,
        kind: Literal["equal-tailed", "highest-density"] = "equal-tailed",
    ) -> np.ndarray:
        """Bounds (n, 2) of the interval that holds probability `level`.

        Parameters
        ----------
        level : probability, strictly between 0 and 1.
        kind : ``"equal-tailed"`` leaves the same probability on both sides; ``"highest-density"``
            is the shortest single interval (of a bimodal density it may span a gap).

        Raises
        ------
        ValueError
            `level` is outside (0, 1) or `kind` is unknown.
        """
        if not 0 < level < 1:
            raise ValueError(f"`level` must lie strictly between 0 and 1; got {level}.")
        if kind == "equal-tailed":
            return self.quantiles([0.5 - level / 2, 0.5 + level / 2])
        if kind == "highest-density":
            return self._by_rows(lambda rows: rows._shortest(level), points=self._n_nodes())
        allowed = "'equal-tailed' or 'highest-density'"
        raise ValueError(f"`kind` must be {allowed}; got {kind!r}.")

    def _shortest(self, level: float) -> np.ndarray:
        """Shortest interval: the best lower tail among 400, its two quantiles exact."""
        nodes, table = self._cdf_table()
        tails = np.linspace(0, 1 - level, 402)[1:-1]
        chosen, start = np.empty(len(self)), np.empty((len(self), 2))
        for row, (c, x) in enumerate(zip(table, nodes, strict=True)):
            low, high = np.interp(tails, c, x), np.interp(tails + level, c, x)
            best = np.argmin(high - low)
            chosen[row], start[row] = tails[best], (low[best], high[best])
        return self._solve(np.stack([chosen, chosen + level], axis=1), start)


class Gridded(AbstractPDFs):
    """Densities (n, g) on one grid (g,)."""

    grid: np.ndarray
    density: np.ndarray


def _rough(mass: np.ndarray) -> np.ndarray:
    """Rows whose nodes do not give their probability (n,): a pole, or parts too thin for them."""
    return np.flatnonzero(~(np.abs(mass - 1) < 0.01))


def _repeat_columns(values: np.ndarray, n: int) -> np.ndarray:
    return np.repeat(values[:, None], n, axis=1)


def _curve_of(prior: Density) -> Curve:
    if not isinstance(prior, AbstractPDFs):
        return prior
    if len(prior) != 1:
        raise ValueError(f"A prior is a set of one PDF; got {len(prior)}. Choose one, or stack().")
    return lambda grid: prior.pdf(grid)[0]
