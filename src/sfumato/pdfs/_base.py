"""What every set of predicted distributions can do, from its density, its cdf and its nodes.

Two kinds of evaluation have two kinds of name, so that no method guesses what a shape meant:
per object (`log_prob`, `pit`: one value of y for each) and curves (`pdf`, `cdf`: one grid for
all). Everything here is in double precision and exact to the stated tolerance; the fast
approximate statistics for very many objects are in `sfumato.pdfs.statistics`.
"""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal, Self, TypeAlias, Union

import numpy as np
from numpy.typing import ArrayLike

from sfumato._numerics import (
    count_peaks,
    cumulative_trapezoid,
    invert_increasing,
    maximise,
    row_chunks,
)
from sfumato.errors import ShapeError
from sfumato.pdfs._priors import Curve, Outside, limited, on_grid, prior_ratio, range_of

Rows: TypeAlias = slice | np.ndarray | list[int]
Density = Union[Curve, "AbstractPDFs"]
"""A density of the target: a function of a grid, a set of one PDF, a histogram (counts, edges), or
the targets themselves."""

_MUCH_OUTSIDE = 0.1


class AbstractPDFs(ABC):
    """n predicted densities of a scalar target; axis 0 is always the object. Immutable."""

    # -- to implement -------------------------------------------------------------------------

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def _take(self, rows: Rows) -> Self:
        """The same objects in another order or number."""

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

    @abstractmethod
    def stack(
        self, weights: ArrayLike | None = None, *, grid: ArrayLike | None = None
    ) -> "AbstractPDFs":
        """One object: the (weighted) average density of all, exact or, faster, on a grid."""

    @abstractmethod
    def to_grid(self, grid: ArrayLike | None = None) -> "Gridded":
        """The same densities as `GridPDFs`; by default on 1,001 points over the support."""

    # -- given ---------------------------------------------------------------------------------

    training_prior: "AbstractPDFs | None" = None

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
        grid : where the product is formed; by default 1,001 points over the support.
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
        gridded = self.to_grid(grid)
        ratio, trained = self._prior_ratio(gridded.grid, new_prior, training_prior)
        return gridded.times(limited(gridded.density, ratio, trained, outside))

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

    def _prior_ratio(
        self,
        points: np.ndarray,
        new_prior: Density,
        training_prior: Density | str | None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """New prior over training prior at points (g,), and which of them were trained on."""
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

    def __getitem__(self, rows: int | Rows) -> Self:
        """Objects chosen by slice, mask or indices; an integer gives a set of one."""
        if isinstance(rows, int | np.integer):
            rows = [range(len(self))[int(rows)]]
        return self._take(rows)

    def _by_rows(self, function: Callable[[Self], np.ndarray], *, points: int) -> np.ndarray:
        """`function` of cache-sized sets of rows, joined along the object axis."""
        chunks = row_chunks(len(self), width=points * self._width)
        parts = [function(self._take(rows)) for rows in chunks]
        return np.concatenate(parts) if parts else function(self)

    def _own(self, y: ArrayLike, *, name: str) -> np.ndarray:
        values = np.asarray(y, float)
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
        """Nodes (n, g) and the cdf there by the trapezoid rule, ending at 1."""
        nodes, density = self._table()
        table = cumulative_trapezoid(density, nodes)
        return nodes, table / table[:, -1:]

    def median(self) -> np.ndarray:
        """Median of each object, (n,)."""
        return self.quantiles([0.5])[:, 0]

    def default_grid(self, n_points: int = 1001) -> np.ndarray:
        """Equally spaced points over the support, or eight deviations beyond the means."""
        low, high = self.support
        if not (np.isfinite(low) and np.isfinite(high)):
            mean, std = self.mean(), self.std()
            low = low if np.isfinite(low) else float(np.min(mean - 8 * std))
            high = high if np.isfinite(high) else float(np.max(mean + 8 * std))
        inset = 1e-6 * (high - low)  # a Beta density may be infinite at the very bounds
        return np.linspace(low + inset, high - inset, n_points)

    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        nodes = self.nodes()
        return nodes, self._density(nodes)

    def mode(self) -> np.ndarray:
        """Place of the highest density of each object, (n,)."""
        return self._by_rows(lambda rows: rows._mode(), points=self._n_nodes())

    def mode_and_quantiles(self, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mode (n,) and quantiles (n, q) for summaries of very many: fast, not always exact."""
        quantiles = self.quantiles(levels) if levels.size else np.zeros((len(self), 0))
        return self.mode(), quantiles

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
            with np.errstate(divide="ignore", invalid="ignore"):
                integrand = np.where(density > 0, -density * np.log(density), 0.0)
            return np.trapezoid(integrand, nodes, axis=1)

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

    @abstractmethod
    def times(self, factor: np.ndarray) -> "Gridded":
        """The same with all densities times a factor, (g,) or (n, g), normalised again."""


def _repeat(points: np.ndarray, n: int) -> np.ndarray:
    return np.broadcast_to(points, (n, points.size))


def _repeat_columns(values: np.ndarray, n: int) -> np.ndarray:
    return np.repeat(values[:, None], n, axis=1)


def _curve_of(prior: Density) -> Curve:
    return (lambda grid: prior.pdf(grid)[0]) if isinstance(prior, AbstractPDFs) else prior
