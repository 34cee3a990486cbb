"""Distributions known by weighted draws: what importance sampling and Markov chains leave behind.

Moments, cdf, PIT and quantiles are those of the draws themselves; only the density is an estimate.
Like every kernel estimate it is a little wide: its variance exceeds that of the draws by the
square of the kernel's width, 1 to 4 % for 6,000 to 300 draws of a Normal.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy import fft

from sfumato._numerics import row_chunks
from sfumato.errors import IncompatibleError, ShapeError
from sfumato.pdfs._base import AbstractPDFs
from sfumato.pdfs._objects import Rows
from sfumato.pdfs._shares import shares
from sfumato.pdfs.grid import GridPDFs

_CELLS = 1024
_REACH = 5.0  # widths of the kernel that the density extends beyond the outermost draws
_NEGLIGIBLE = 1e-12  # probability at either end whose draws are left out, so that ends mean much


class _Ladder(NamedTuple):  # the cdf
    places: np.ndarray  # (n, s + 2) draws in rising order between two ends
    levels: np.ndarray  # (n, s + 2)
    width: np.ndarray  # (n,) of the kernel


class _Curve(NamedTuple):  # the density, at the centres of equal cells
    start: np.ndarray  # (n,)
    step: np.ndarray  # (n,)
    density: np.ndarray  # (n, g)


@dataclass(frozen=True, eq=False)
class SamplePDFs(AbstractPDFs):
    r"""n distributions of a scalar, each known by s weighted draws.

    With the self-normalised weights :math:`w_i` of draws :math:`x_1 < x_2 < \dots`, the cdf runs
    linearly through :math:`F(x_i) = \sum_{j<i} w_j + w_i / 2` and reaches 0 and 1 five kernel
    widths beyond the outermost draws, or at a bound. The density is a Gaussian kernel estimate,
    reflected at finite bounds (Silverman 1986, section 2.10), of width

    .. math:: h = 0.9\, \min(\sigma, \mathrm{IQR} / 1.349)\, n_\mathrm{eff}^{-1/5}

    (ibid., equation 3.31) but at least 1/400 of the range of the draws; it is 0 where the cdf is
    0 or 1, so that truths far beyond all draws have a ``log_prob`` of -inf.

    Parameters
    ----------
    draws : (n, s), units of y. Draws of zero weight may be anything, and become NaN.
    log_weights : (n, s), each row up to a constant, -inf for zero weight; None for equal weights.
    bounds : between which all y lie; may be infinite.

    Raises
    ------
    ShapeError
        The shapes disagree.
    ValueError
        There are no draws, all weights of a row are zero, a weight is NaN or infinite, a draw that
        has weight is not finite or lies outside the bounds, or the bounds are no interval.
    """

    draws: np.ndarray
    log_weights: np.ndarray | None = None
    bounds: tuple[float, float] = (-np.inf, np.inf)

    def __post_init__(self) -> None:
        draws = np.asarray(self.draws, float)
        if draws.ndim != 2:
            message = "`draws` must have shape (n, s), one row for each object"
            raise ShapeError(f"{message}; got {draws.shape}. For one object use draws[None].")
        if draws.shape[1] == 0:
            message = "`draws` must hold at least one draw of each object"
            raise ValueError(f"{message}; got shape {draws.shape}. Leave such objects out.")
        low, high = (float(bound) for bound in self.bounds)
        if not low < high:
            message = f"`bounds` must be two numbers, the lower first; got {(low, high)}"
            raise ValueError(f"{message}. Use -inf and inf if there are none.")
        log_weights = None if self.log_weights is None else _normalised(self.log_weights, draws)
        if log_weights is not None:
            draws = np.where(log_weights > -np.inf, draws, np.nan)
        _check_draws(draws, log_weights, (low, high))
        object.__setattr__(self, "draws", draws)
        object.__setattr__(self, "log_weights", log_weights)
        object.__setattr__(self, "bounds", (low, high))

    def __len__(self) -> int:
        return self.draws.shape[0]

    def __repr__(self) -> str:
        kind = "equal weights" if self.log_weights is None else "weights"
        return f"SamplePDFs({len(self)} objects of {self.n_draws} draws with {kind})"

    def _take(self, rows: Rows) -> "SamplePDFs":
        log_weights = None if self.log_weights is None else self.log_weights[rows]
        part = SamplePDFs(self.draws[rows], log_weights, self.bounds)
        for name in ("_ladder", "_curve"):
            if name in self.__dict__:  # sorted and smoothed already: only selected
                known = self.__dict__[name]
                object.__setattr__(part, name, type(known)(*(values[rows] for values in known)))
        return part

    @classmethod
    def _joined(cls, parts: Sequence["SamplePDFs"]) -> "SamplePDFs":
        first = parts[0]
        for part in parts:
            if (part.n_draws, part.bounds) != (first.n_draws, first.bounds):
                message = "All parts must share bounds and number of draws"
                given = f"{first!r} in {first.bounds} and {part!r} in {part.bounds}"
                raise IncompatibleError(f"{message}; got {given}. Use resampled(n_draws) first.")
        draws = np.concatenate([part.draws for part in parts])
        if all(part.log_weights is None for part in parts):
            return SamplePDFs(draws, None, first.bounds)
        return SamplePDFs(draws, np.concatenate([np.log(p.weights) for p in parts]), first.bounds)

    def _by_rows(self, function: Callable[[Self], np.ndarray], *, points: int) -> np.ndarray:
        _ = self._curve  # before the rows are parted, so that they all have it
        return super()._by_rows(function, points=points)

    @property
    def n_draws(self) -> int:
        """Draws s of each object."""
        return self.draws.shape[1]

    @property
    def weights(self) -> np.ndarray:
        """Weights (n, s), each row of sum 1."""
        if self.log_weights is None:
            return np.full(self.draws.shape, 1.0 / self.n_draws)
        return np.exp(self.log_weights)

    @property
    def effective_size(self) -> np.ndarray:
        """Number of independent draws that each object's are worth, ``1 / sum w^2`` (Kong 1992)."""
        return 1.0 / np.sum(self.weights**2, axis=1)

    @property
    def support(self) -> tuple[float, float]:
        """The bounds."""
        return self.bounds

    @property
    def _width(self) -> int:
        return 4

    def mean(self) -> np.ndarray:
        """Weighted mean of the draws, (n,), exact."""
        return np.nansum(self.weights * self.draws, axis=1)

    def variance(self) -> np.ndarray:
        """Weighted variance of the draws, (n,), exact; divided by the sum of the weights."""
        return np.nansum(self.weights * (self.draws - self.mean()[:, None]) ** 2, axis=1)

    @cached_property
    def _ladder(self) -> _Ladder:
        places = np.empty((len(self), self.n_draws + 2))
        levels, width = np.empty_like(places), np.empty(len(self))
        for rows in row_chunks(len(self), width=4 * self.n_draws):
            places[rows], levels[rows], width[rows] = self._take(rows)._sorted()
        return _Ladder(places, levels, width)

    def _sorted(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What `_ladder` holds, of all rows at once."""
        draws = np.where(np.isnan(self.draws), np.inf, self.draws)
        order = np.argsort(draws, axis=1)
        places = np.take_along_axis(draws, order, axis=1)
        weights = np.take_along_axis(self.weights, order, axis=1)
        upto = np.cumsum(weights, axis=1)
        upto /= upto[:, -1:]
        edges = np.argmax(upto > _NEGLIGIBLE, axis=1), np.argmax(upto >= 1 - _NEGLIGIBLE, axis=1)
        first, last = (np.take_along_axis(places, edge[:, None], axis=1) for edge in edges)
        # draws without weight, sorted to the end, and negligible ones join their neighbours
        places = np.clip(places, first, last)
        levels = _middle_levels(places, upto)
        width = self._kernel_width(places, levels)
        low = np.maximum(first[:, 0] - _REACH * width, self.bounds[0])[:, None]
        high = np.minimum(last[:, 0] + _REACH * width, self.bounds[1])[:, None]
        # a draw on the bound itself would let the cdf jump there
        levels = np.where(places <= low, 0.0, np.where(places >= high, 1.0, levels))
        none, full = np.zeros((len(self), 1)), np.ones((len(self), 1))
        return np.hstack([low, places, high]), np.hstack([none, levels, full]), width

    def _kernel_width(self, places: np.ndarray, levels: np.ndarray) -> np.ndarray:
        """Silverman's rule (n,), but never so narrow that the cells or rounding show."""
        wanted = np.broadcast_to([0.25, 0.75], (len(self), 2))
        quartiles = _interpolate(wanted, levels, places)
        inner = (quartiles[:, 1] - quartiles[:, 0]) / 1.349
        std = self.std()
        spread = np.where(inner > 0, np.minimum(std, inner), std)
        farthest = np.maximum(np.abs(places[:, 0]), np.abs(places[:, -1]))
        width = np.maximum(0.9 * spread * self.effective_size**-0.2, 1e-9 * farthest)
        width = np.maximum(width, (places[:, -1] - places[:, 0]) / 400)
        return np.where(width > 0, width, 1e-9)

    def _cdf(self, y: np.ndarray) -> np.ndarray:
        return _interpolate(y, self._ladder.places, self._ladder.levels)

    def _solve(self, targets: np.ndarray, start: np.ndarray) -> np.ndarray:
        return _interpolate(targets, self._ladder.levels, self._ladder.places)

    def _invert(self, levels: np.ndarray) -> np.ndarray:
        targets = np.broadcast_to(levels, (len(self), levels.size))
        return self._solve(targets, targets)

    def _cdf_table(self) -> tuple[np.ndarray, np.ndarray]:
        nodes = self.nodes()
        return nodes, self._cdf(nodes)

    def _bracket(self) -> tuple[np.ndarray, np.ndarray]:
        return self._ladder.places[:, 0], self._ladder.places[:, -1]

    @cached_property
    def _curve(self) -> _Curve:
        low, high = self._bracket()
        step = (high - low) / _CELLS
        density = np.empty((len(self), _CELLS))
        weights = self.weights
        for rows in row_chunks(len(self), width=self.n_draws + _CELLS):
            draws, weight = self.draws[rows], weights[rows]
            cell = (draws - low[rows, None]) / step[rows, None]
            # of draws without weight, NaN, the cell does not matter
            cell = np.clip(np.where(weight > 0, cell, 0), 0, _CELLS - 1).astype(int)
            cell += _CELLS * np.arange(len(cell))[:, None]
            size = len(cell) * _CELLS
            mass = np.bincount(cell.ravel(), weight.ravel(), size).reshape(-1, _CELLS)
            density[rows] = _smooth(mass, self._ladder.width[rows] / step[rows])
        return _Curve(low, step, density / step[:, None])

    def _density(self, y: np.ndarray) -> np.ndarray:
        start, step, density = self._curve
        place = (y - start[:, None]) / step[:, None] - 0.5
        left = np.clip(np.nan_to_num(place), 0, _CELLS - 2).astype(int)
        fraction = np.clip(place - left, 0.0, 1.0)
        before = np.take_along_axis(density, left, axis=1)
        after = np.take_along_axis(density, left + 1, axis=1)
        low, high = (edge[:, None] for edge in self._bracket())
        return np.where((y >= low) & (y <= high), before + (after - before) * fraction, 0.0)

    def _log_density(self, y: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return np.log(self._density(y))

    def nodes(self) -> np.ndarray:
        """The two ends and the centres of 1,024 equal cells between them, (n, 1026)."""
        start, step, _ = self._curve
        low, high = (edge[:, None] for edge in self._bracket())
        return np.hstack([low, start[:, None] + step[:, None] * (np.arange(_CELLS) + 0.5), high])

    def _pick(self, levels: np.ndarray) -> np.ndarray:
        """The draws (n, j) at cumulative weights `levels` (n, j) in [0, 1), counted from below."""
        order = np.argsort(self.draws, axis=1)
        draws = np.take_along_axis(self.draws, order, axis=1)
        upto = np.cumsum(np.take_along_axis(self.weights, order, axis=1), axis=1)
        out = np.empty(levels.shape)
        for row, edges in enumerate(upto):
            # exactly 1 at the last draw that has weight: none without weight is ever picked
            out[row] = draws[row, np.searchsorted(edges / edges[-1], levels[row], side="right")]
        return out

    def sample(self, n_draws: int, *, random_state: int | np.random.Generator = 0) -> np.ndarray:
        """Draws (n_draws, n), taken by weight and with replacement from those there are."""
        rng = np.random.default_rng(random_state)
        return self._pick(rng.random((len(self), n_draws))).T

    def resampled(
        self, n_draws: int, *, random_state: int | np.random.Generator = 0
    ) -> "SamplePDFs":
        """The same distributions by `n_draws` draws of equal weight each.

        Systematic resampling (Kitagawa 1996, J. Comput. Graph. Stat. 5, 1) of the draws in rising
        order, in which they are given back: one of weight w is taken floor(n w) or ceil(n w) times,
        and no probability moves by more than 1 / n, where `sample` scatters by 1 / sqrt(n).

        Raises
        ------
        ValueError
            `n_draws` is below 1.
        """
        if n_draws < 1:
            raise ValueError(f"`n_draws` must be at least 1; got {n_draws}. Several hundred do.")
        offset = np.random.default_rng(random_state).random((len(self), 1))
        # (n - 1 + u) / n may round to 1, where no draw is
        levels = np.minimum((np.arange(n_draws) + offset) / n_draws, 1 - 1e-16)
        return SamplePDFs(self._pick(levels), None, self.bounds)

    def _gridded(self, points: np.ndarray, density: np.ndarray) -> GridPDFs:
        return GridPDFs(points, density)

    def stack(
        self, weights: ArrayLike | None = None, *, grid: ArrayLike | None = None
    ) -> "SamplePDFs | GridPDFs":
        """Average distribution as one object: all draws; with a `grid`, the average density there.

        All draws together are smoothed by their own kernel, as wide as the stack asks for; on a
        grid (g,), each object's by its own. `weights` (n,) are equal if not given.

        Raises
        ------
        ValueError
            There are no objects, or the weights are negative or all zero.
        """
        share = shares(weights, len(self))
        if grid is not None:
            points = self._curve_grid(grid)
            total = np.zeros(points.size)
            for rows in row_chunks(len(self), width=points.size * self._width):
                total = total + share[rows] @ self._take(rows).pdf(points)
            self.warn_of_coarse(points, total)
            return GridPDFs(points, total[None])
        if self.log_weights is None and np.ptp(share) == 0:
            return SamplePDFs(self.draws.reshape(1, -1), None, self.bounds)
        with np.errstate(divide="ignore"):
            log_weights = np.log(self.weights) if self.log_weights is None else self.log_weights
            log_weights = log_weights + np.log(share)[:, None]
        return SamplePDFs(self.draws.reshape(1, -1), log_weights.reshape(1, -1), self.bounds)


def _normalised(log_weights: ArrayLike, draws: np.ndarray) -> np.ndarray:
    """Log-weights (n, s) with rows of sum 1, checked."""
    values = np.asarray(log_weights, float)
    if values.shape != draws.shape:
        message = f"`log_weights` must have the shape of `draws`, {draws.shape}"
        raise ShapeError(f"{message}; got {values.shape}. Give None for equal weights.")
    bad = np.isnan(values) | (values == np.inf)
    if bad.any():
        row = int(np.argmax(bad.any(axis=1)))
        message = f"`log_weights` must be finite, or -inf for no weight; row {row} has NaN or +inf"
        raise ValueError(f"{message}. Set those to -inf.")
    most = np.max(values, axis=1, keepdims=True)
    if np.any(most == -np.inf):
        row = int(np.argmax(most[:, 0] == -np.inf))
        message = f"All weights of row {row} are zero; at least one draw must have weight"
        raise ValueError(f"{message}. Use a wider proposal or leave the object out.")
    shifted = values - most
    return shifted - np.log(np.sum(np.exp(shifted), axis=1, keepdims=True))


def _check_draws(
    draws: np.ndarray, log_weights: np.ndarray | None, bounds: tuple[float, float]
) -> None:
    """Refuse draws (n, s) that have weight and are not finite or outside the bounds."""
    infinite = ~np.isfinite(draws) & (True if log_weights is None else log_weights > -np.inf)
    outside = (draws < bounds[0]) | (draws > bounds[1])
    for wrong, rule, remedy in (
        (infinite, "Draws with weight must be finite", "Leave it out"),
        (outside, f"Draws must lie within `bounds` {bounds}", "Widen the bounds"),
    ):
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            message = f"{rule}; draw {column} of row {row} is {draws[row, column]:g}"
            raise ValueError(f"{message}. {remedy} or give it the log-weight -inf.")


def _interpolate(at: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Row by row, the values at points (n, j) of curves through x and y, (n, s) each."""
    out = np.empty(at.shape)
    for row in range(len(at)):
        out[row] = np.interp(at[row], x[row], y[row])
    return out


def _middle_levels(places: np.ndarray, upto: np.ndarray) -> np.ndarray:
    """Cdf (n, s) at sorted draws of cumulative weights `upto`: half of each draw's lies below it.

    Equal draws count as one, or the cdf would jump.
    """
    new = np.diff(places, axis=1) > 0
    start = np.ones((len(places), 1), bool)
    before = np.hstack([np.zeros_like(upto[:, :1]), upto[:, :-1]])
    below = np.maximum.accumulate(np.where(np.hstack([start, new]), before, 0.0), axis=1)
    to_end = np.where(np.hstack([new, start]), upto, 1.0)[:, ::-1]
    return 0.5 * (below + np.minimum.accumulate(to_end, axis=1)[:, ::-1])


def _smooth(mass: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Masses (n, g) of cells convolved with Gaussians of `width` (n,) cells, reflected at the ends.

    The cosine transform is that of a function mirrored at both ends, for which a convolution is a
    product. Rounding leaves noise of 1e-16 of the highest value; a floor keeps logarithms finite.
    """
    frequency = np.pi * np.arange(mass.shape[1]) / mass.shape[1]
    damping = np.exp(-0.5 * (width[:, None] * frequency) ** 2)
    smooth = np.asarray(fft.idct(np.asarray(fft.dct(mass, axis=1)) * damping, axis=1))
    smooth = np.maximum(smooth, 1e-15 * smooth.max(axis=1, initial=0.0, keepdims=True))
    return smooth / smooth.sum(axis=1, keepdims=True)
