"""Estimators in bins, in a table and over a grid, beside the bounds that they cannot pass."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from sfumato.errors import ShapeError
from sfumato.plots._labels import (
    Scale,
    label_log,
    name_with_unit,
    prepare_edges,
    prepare_round,
)
from sfumato.plots._style import BAND, CYCLE, INK, TRUTH, new_figure, style

TO_SIGMA = 1.4826  # of a Gaussian, from its median absolute deviation
ERROR_OF_MAD = 1.1664  # times sigma over sqrt(n), for a Gaussian
BAR = "#aebfcd"


class BiasAndScatter(NamedTuple):
    """Errors of one estimator in b bins, for d parameters, each field (b, d) unless said."""

    centre: np.ndarray
    """(b,) median of what the bins are of; the bin's middle where it is empty."""
    count: np.ndarray
    """(b,) number of objects."""
    bias: np.ndarray
    """Mean of estimate minus truth; NaN in an empty bin."""
    bias_error: np.ndarray
    """Its standard error; NaN, as all that follow, below two objects."""
    scatter: np.ndarray
    """Standard deviation of estimate minus truth, with n - 1."""
    scatter_error: np.ndarray
    """Its standard error, for any distribution with a fourth moment."""
    robust: np.ndarray
    """1.4826 times the median absolute deviation from the median."""
    robust_error: np.ndarray
    """Its standard error were the errors Gaussian."""


def prepare_bias_and_scatter(
    estimates: ArrayLike, truths: ArrayLike, *, by: ArrayLike, edges: ArrayLike
) -> BiasAndScatter:
    r"""Bias and scatter of estimates in bins of something else, such as the signal-to-noise.

    The error of the standard deviation :math:`s` is :math:`\sqrt{(m_4 - m_2^2) / n} / (2 s)`, with
    the central moments :math:`m_k` of the bin, so that heavy tails enlarge it.

    Parameters
    ----------
    estimates, truths : (n, d) in the same units; (n,) for one parameter.
    by : (n,) what the bins are of.
    edges : (b + 1,) increasing; the last bin holds its upper edge, and what lies outside is left
        out.

    Raises
    ------
    ShapeError
        The shapes disagree.
    ValueError
        A value is not finite, or the edges do not increase.
    """
    predicted, true = (np.asarray(v, float) for v in (estimates, truths))
    place, ends = np.asarray(by, float), np.asarray(edges, float)
    if (
        predicted.shape != true.shape
        or predicted.ndim not in (1, 2)
        or place.shape != (len(predicted),)
    ):
        shapes = f"{predicted.shape}, {true.shape} and {place.shape}"
        message = "`estimates` and `truths` must be (n, d) and `by` (n,)"
        raise ShapeError(f"{message}; got {shapes}.")
    if ends.ndim != 1 or ends.size < 2 or not np.all(np.diff(ends) > 0):
        raise ValueError(f"`edges` must increase, two or more; got {ends.tolist()}.")
    errors = predicted - true
    errors = errors[:, None] if errors.ndim == 1 else errors
    lost = int(np.sum(~np.isfinite(errors).all(axis=1) | ~np.isfinite(place)))
    if lost:
        message = f"{lost} of {len(place)} rows are not finite"
        raise ValueError(f"{message}: leave failed fits out of all estimators, and say how many.")
    index = np.searchsorted(ends, place, side="right") - 1
    index[place == ends[-1]] = ends.size - 2
    rows = [
        _bin(errors[index == k], place[index == k], 0.5 * (ends[k] + ends[k + 1]))
        for k in range(ends.size - 1)
    ]
    return BiasAndScatter(*(np.array(field) for field in zip(*rows, strict=True)))


def _bin(errors: np.ndarray, place: np.ndarray, middle: float) -> tuple:
    """Fields of `BiasAndScatter` for the errors (n, d) of one bin."""
    n, none = len(errors), np.full(errors.shape[1], np.nan)
    centre = float(np.median(place)) if n else middle
    if n < 2:
        return (centre, n, errors[0] if n else none, *[none] * 5)
    bias = errors.mean(axis=0)
    second, fourth = (np.mean((errors - bias) ** k, axis=0) for k in (2, 4))
    scatter = np.sqrt(second * n / (n - 1))
    safe = np.where(scatter > 0, scatter, 1)
    scatter_error = np.sqrt(np.maximum(fourth - second**2, 0) / n) / (2 * safe)
    robust = TO_SIGMA * np.median(np.abs(errors - np.median(errors, axis=0)), axis=0)
    root = np.sqrt(n)
    return (
        centre,
        n,
        bias,
        scatter / root,
        scatter,
        scatter_error,
        robust,
        ERROR_OF_MAD * robust / root,
    )


def plot_bias_and_scatter(
    results: Mapping[str, BiasAndScatter],
    *,
    names: Sequence[str],
    units: Sequence[str],
    bounds: np.ndarray | None = None,
    floors: np.ndarray | None = None,
    robust: bool = False,
    bounds_label: str = "Cramér–Rao bound",
    xlabel: str = "signal-to-noise",
) -> Figure:
    """Bias above, scatter below against the signal-to-noise, a column for each parameter.

    Parameters
    ----------
    results : from names of estimators to what `prepare_bias_and_scatter` gives, in the same bins.
    names, units : (d,) of the parameters.
    bounds, floors : (b, d) Cramér–Rao bound on the scatter of an unbiased estimator, and the
        least error that any estimator reaches on average over the prior; both as deviations.
    robust : draw the scatter from the median absolute deviation.
    bounds_label : what the bounds are.
    """
    _check_bins(results, names, units, {"bounds": bounds, "floors": floors})
    with style():
        d = len(names)
        figure, grid = new_figure(2, d, width=2.9 * d + 0.8, height=5.0, sharex=True)
        centre = next(iter(results.values())).centre
        beside = {"xscale": "log", "xlim": (0.8 * np.min(centre), 1.25 * np.max(centre))}
        for column, axes in enumerate(grid.T):
            # before anything is drawn: limits found from one bin, or on another scale, collapse
            axes[0].set(**beside)
            axes[1].set(**beside, yscale="log")
            for index, (name, result) in enumerate(results.items()):
                shift = 1.03 ** (index - 0.5 * (len(results) - 1))
                _draw_estimator(axes, result, column, index, shift, label=name, robust=robust)
            if bounds is not None:
                axes[1].plot(centre, bounds[:, column], color=INK, label=bounds_label)
            if floors is not None:
                axes[1].plot(centre, floors[:, column], color=INK, ls="--", label="Bayes floor")
            axes[0].axhline(0, color=INK, lw=0.8, zorder=1)
            axes[0].set(title=names[column], ylabel=name_with_unit("bias", units[column]))
            spread = "robust scatter" if robust else "scatter"
            axes[1].set(xlabel=xlabel, ylabel=name_with_unit(spread, units[column]))
            for axis in (axes[0].xaxis, axes[1].xaxis, axes[1].yaxis):
                label_log(axis)
        handles, labels = grid[1, 0].get_legend_handles_labels()
        entries = dict(zip(labels, handles, strict=True))
        # estimators first, which matplotlib lists last
        shown = [*results, *(name for name in entries if name not in results)]
        ordered = [entries[name] for name in shown]
        n_columns = min(len(shown), 2 * d)
        figure.legend(ordered, shown, loc="outside upper center", ncols=n_columns)
        figure.align_ylabels()
    return figure


def _check_bins(
    results: Mapping[str, BiasAndScatter],
    names: Sequence[str],
    units: Sequence[str],
    given: Mapping[str, np.ndarray | None],
) -> None:
    """Raise where the arguments of `plot_bias_and_scatter` disagree."""
    shape = next(iter(results.values())).bias.shape
    arrays = {f"estimator {name!r}": result.bias for name, result in results.items()}
    arrays |= {f"`{name}`": v for name, v in given.items() if v is not None}
    for name, array in arrays.items():
        if np.shape(array) != (shape[0], len(names)) or len(units) != len(names):
            expected = f"({shape[0]}, {len(names)}) for {len(names)} names, {len(units)} units"
            raise ShapeError(f"{name} must have shape {expected}; got {np.shape(array)}.")


def _draw_estimator(
    axes: np.ndarray,
    result: BiasAndScatter,
    column: int,
    index: int,
    shift: float,
    *,
    label: str,
    robust: bool,
) -> None:
    """One estimator in one column of `plot_bias_and_scatter`, moved sideways by a factor."""
    spread = (
        (result.robust, result.robust_error) if robust else (result.scatter, result.scatter_error)
    )
    for panel, (value, error) in zip(axes, ((result.bias, result.bias_error), spread), strict=True):
        panel.errorbar(
            result.centre * shift,
            value[:, column],
            error[:, column],
            ms=4.5,
            ls="none",
            capsize=2,
            lw=1.2,
            label=label,
            color=CYCLE[index % len(CYCLE)],
            marker="osD^v<>P"[index % 8],
        )


def plot_table(
    rows: Sequence[tuple[str, ArrayLike]],
    columns: Sequence[tuple[str, str]],
    *,
    best: Literal["min", "max"] = "min",
    reference: ArrayLike | None = None,
    score: str = "RMSE",
    n_columns: int = 4,
) -> Figure:
    """Bars of a score, a panel for each parameter and a bar for each method, the best in colour.

    Parameters
    ----------
    rows : (method, (d,) scores), from the top; NaN where a method has none.
    columns : (name, unit) of the d parameters.
    best : whether the least or the greatest score is best.
    reference : (d,) floor of the scores, a vertical line; ratios to it stand beside the bars.
    score : what the bars are.
    n_columns : panels beside each other.
    """
    d = len(columns)
    named = dict(rows) | ({} if reference is None else {"reference": reference})
    for name, values in named.items():
        if np.shape(values) != (d,):
            raise ShapeError(f"{name!r} must hold {d} values; got shape {np.shape(values)}.")
    scores = np.array([values for _, values in rows], float)
    floor = None if reference is None else np.asarray(reference, float)
    if best not in ("min", "max"):
        raise ValueError(f"`best` must be 'min' or 'max'; got {best!r}.")
    width = min(n_columns, d)
    n_rows = -(-d // width)
    with style():
        height = n_rows * (0.27 * len(rows) + 0.75) + 0.4
        figure, grid = new_figure(
            n_rows, width, width=2.5 * width + 1.4, height=height, sharey=True
        )
        for axes in grid.flat[d:]:
            axes.set_visible(False)
        for index, (axes, column) in enumerate(zip(grid.flat, columns, strict=False)):
            target = None if floor is None else float(floor[index])
            _draw_bars(axes, scores[:, index], target, best)
            axes.set_title(name_with_unit(*column), loc="left")
        grid[0, 0].set(yticks=range(len(rows)), yticklabels=[name for name, _ in rows])
        grid[0, 0].set_ylim(len(rows) - 0.4, -0.6)
        figure.suptitle(score if floor is None else f"{score}, and its ratio to the floor")
    return figure


def _draw_bars(axes: Axes, scores: np.ndarray, floor: float | None, best: str) -> None:
    """One panel of `plot_table`."""
    there = np.isfinite(scores)
    if np.any(there):
        winner = (np.nanargmin if best == "min" else np.nanargmax)(scores)
        colours = [CYCLE[0] if k == winner else BAR for k in range(scores.size)]
        axes.barh(range(scores.size), np.where(there, scores, 0), height=0.7, color=colours)
    if floor is not None:
        axes.axvline(floor, color=TRUTH, lw=1.2)
    shown = np.array([*scores[there], *([] if floor is None else [floor])])
    top = float(np.max(shown, initial=0.0)) or 1.0
    decimals = max(0, 2 - int(np.floor(np.log10(np.min(shown[shown > 0], initial=top)))))
    for row, score in enumerate(scores):
        text = f"{score:.{decimals}f}" if there[row] else "–"
        if floor and there[row]:
            text += f"  ({score / floor:.2f}×)"
        start = max(score, floor or 0.0) if there[row] else 0.0
        axes.text(start + 0.03 * top, row, text, va="center", fontsize=8)
    if floor is not None:
        axes.set_xlabel(f"floor {floor:.{decimals}f}", color=TRUTH, loc="left", fontsize=8.5)
    axes.set_xlim(0, 1.75 * top)
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.set_xticks([])


def plot_map(
    x: ArrayLike,
    y: ArrayLike,
    values: ArrayLike,
    *,
    xlabel: str,
    ylabel: str,
    label: str,
    contours: Sequence[float] | None = None,
    x_scale: Scale = "linear",
    y_scale: Scale = "linear",
) -> Figure:
    """Positive values over a grid of two parameters in logarithmic colour, with named contours.

    Parameters
    ----------
    x, y : (n_x,) and (n_y,) increasing values of the parameters.
    values : (n_y, n_x); not finite where there is none, which is hatched.
    xlabel, ylabel, label : of the axes and of the colour bar, with units.
    contours : values of the contours; by default a few round ones.
    """
    heights = np.asarray(values, float)
    if heights.shape != (np.size(y), np.size(x)):
        shapes = f"{heights.shape} for ({np.size(y)}, {np.size(x)})"
        raise ShapeError(f"`values` must have shape (len(y), len(x)); got {shapes}.")
    there = heights[np.isfinite(heights)]
    if not (there.size and there.min() > 0):
        given = f"{there.min():g}" if there.size else "none that is finite"
        raise ValueError(f"a logarithmic map needs positive values; got {given}.")
    heights = np.where(np.isfinite(heights), heights, np.nan)
    edges = prepare_edges(x, scale=x_scale), prepare_edges(y, scale=y_scale)
    low, high = float(there.min()), float(there.max())
    levels = prepare_round(low, high) if contours is None else np.sort(contours)
    with style():
        figure, grid = new_figure(1, 1, width=5.6, height=4.2)
        axes = grid[0, 0]
        image = axes.pcolormesh(*edges, heights, norm=LogNorm(low, high), rasterized=True)
        around = [patheffects.withStroke(linewidth=2.2, foreground=INK)]
        lines = axes.contour(x, y, heights, levels=levels, colors="white", linewidths=1)
        lines.set(path_effects=around)
        for text in axes.clabel(lines, fmt="%g", fontsize=8.5):
            text.set_path_effects(around)
        axes.patch.set(facecolor=BAND, edgecolor="#7b8794", hatch="//////", lw=0)
        axes.set(xlabel=xlabel, ylabel=ylabel, xscale=x_scale, yscale=y_scale)
        for axis, scale in ((axes.xaxis, x_scale), (axes.yaxis, y_scale)):
            if scale == "log":
                label_log(axis)
        label_log(figure.colorbar(image, ax=axes, label=label).ax.yaxis)
    return figure
