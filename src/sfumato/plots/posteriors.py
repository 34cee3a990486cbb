"""Posteriors of several parameters, as densities of each and of each pair."""

from collections.abc import Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike
from scipy import ndimage, stats

from sfumato.errors import IncompatibleError, ShapeError
from sfumato.plots._labels import name_with_unit
from sfumato.plots._style import CYCLE, DEPTHS, INK, TRUTH, new_figure, style

MASSES = (0.68, 0.95)
BOUND, MAXIMUM = CYCLE[1], INK


def prepare_levels(density: ArrayLike, masses: ArrayLike) -> np.ndarray:
    """Thresholds (m,) of density: the cells at or above one are the fewest that hold its mass.

    Parameters
    ----------
    density : of any shape, not negative, on cells of one size; its scale does not matter.
    masses : (m,) shares of the total, strictly between 0 and 1.
    """
    cells, shares = np.sort(np.ravel(density))[::-1], np.asarray(masses, float)
    if not np.all((shares > 0) & (shares < 1)):
        raise ValueError(f"`masses` must lie strictly between 0 and 1; got {shares.tolist()}.")
    if not (np.all(np.isfinite(cells)) and cells[-1] >= 0 and cells[0] > 0):
        raise ValueError("`density` must be finite, nowhere negative and somewhere positive.")
    enclosed = np.cumsum(cells) / cells.sum()
    return cells[np.searchsorted(enclosed, shares - 1e-12)]


def prepare_density(
    samples: ArrayLike, weights: ArrayLike, edges: Sequence[np.ndarray], *, smooth: float = 1.0
) -> np.ndarray:
    """Density of weighted samples (s, k) on a grid of k axes, in inverse units of the axes.

    Parameters
    ----------
    weights : (s,) of any scale; the density integrates to one within the edges.
    edges : k arrays of evenly spaced edges.
    smooth : deviation of a Gaussian filter in cells, which widens the density in quadrature.
    """
    counts, _ = np.histogramdd(np.asarray(samples, float), bins=list(edges), weights=weights)
    if not counts.sum() > 0:
        raise ValueError("no sample of positive weight lies within the edges.")
    volume = np.prod([axis[1] - axis[0] for axis in edges])
    return ndimage.gaussian_filter(counts, smooth, mode="reflect") / (counts.sum() * volume)


def prepare_limits(samples: np.ndarray, weights: np.ndarray, *others: np.ndarray) -> np.ndarray:
    """Range (d, 2) of each axis: all but 0.2 % of the weight at either end, and every other point.

    Parameters
    ----------
    samples, weights : (s, d) and (s,).
    others : points (d,) that must be seen too.
    """
    ends = []
    for column in samples.T:
        order = np.argsort(column)
        share = np.cumsum(weights[order]) / weights.sum()
        ends.append(column[order][np.searchsorted(share, [0.002, 0.998])])
    low = np.min([np.array(ends)[:, 0], *others], axis=0)
    high = np.max([np.array(ends)[:, 1], *others], axis=0)
    margin = 0.05 * np.where(high > low, high - low, 1.0)
    return np.stack([low - margin, high + margin], axis=1)


def plot_corner(
    samples: ArrayLike,
    *,
    names: Sequence[str],
    units: Sequence[str],
    weights: ArrayLike | None = None,
    truth: ArrayLike | None = None,
    bound: ArrayLike | None = None,
    maximum: ArrayLike | None = None,
    bins: int = 30,
) -> Figure:
    """Posterior of d parameters: a density of each, 68 and 95 % regions of each pair.

    Parameters
    ----------
    samples : (s, d) from the posterior, in the units of the parameters.
    names, units : (d,) each; an empty unit for none.
    weights : (s,) of the samples; equal by default.
    truth : (d,), drawn as lines.
    bound : (d, d) Cramér–Rao covariance; a Gaussian around the truth, of which pairs show the
        ellipse that holds 68 %, as the inner region of the samples does.
    maximum : (d,) the fit of highest likelihood, a cross.
    bins : cells on each axis of the densities.
    """
    values = np.asarray(samples, float)
    w = np.ones(len(values)) if weights is None else np.asarray(weights, float)
    points = {"truth": truth, "maximum": maximum}
    points = {name: np.asarray(p, float) for name, p in points.items() if p is not None}
    covariance = None if bound is None else np.asarray(bound, float)
    _check_corner(values, w, (len(names), len(units)), points, covariance)
    seen = list(points.values())
    if covariance is not None:
        seen += [points["truth"] + k * np.sqrt(np.diag(covariance)) for k in (-2.6, 2.6)]
    limits = prepare_limits(values, w, *seen)
    edges = [np.linspace(low, high, bins + 1) for low, high in limits]
    d = values.shape[1]
    size = max(2.0 * d, 5.2) if d > 1 else 3.6
    with style():
        figure, grid = new_figure(d, d, width=size + 0.6, height=size + 0.4)
        _draw_corner(grid, values, w, edges, points, covariance)
        _label_corner(grid, [name_with_unit(*both) for both in zip(names, units, strict=True)])
        place = "upper right" if d > 1 else "outside upper center"
        handles = _corner_handles(points, covariance)
        figure.legend(handles=handles, loc=place, ncols=1 if d > 1 else 2)
        figure.align_labels()
    return figure


def _check_corner(
    values: np.ndarray,
    weights: np.ndarray,
    n_names: tuple[int, int],
    points: dict,
    bound: np.ndarray | None,
) -> None:
    """Raise where the arguments of a corner disagree."""
    if values.ndim != 2 or weights.shape != values.shape[:1] or not values.size:
        shapes = f"{values.shape} and {weights.shape}"
        raise ShapeError(f"`samples` and `weights` must be (s, d) and (s,); got {shapes}.")
    d = values.shape[1]
    if n_names != (d, d):
        raise ShapeError(f"{d} parameters need {d} `names` and `units`; got {n_names}.")
    for name, point in points.items():
        if point.shape != (d,):
            raise ShapeError(f"`{name}` must have shape ({d},); got {point.shape}.")
    if not (np.all(np.isfinite(weights)) and np.all(weights >= 0) and weights.sum() > 0):
        raise ValueError("`weights` must be finite, nowhere negative and somewhere positive.")
    if not np.all(np.isfinite(values)):
        raise ValueError("`samples` must be finite; leave out those that are not.")
    if bound is not None and bound.shape != (d, d):
        raise ShapeError(f"`bound` must have shape ({d}, {d}); got {bound.shape}.")
    if bound is not None and "truth" not in points:
        raise IncompatibleError("`bound` is drawn around the truth: give `truth` too.")


def _draw_corner(
    grid: np.ndarray,
    values: np.ndarray,
    weights: np.ndarray,
    edges: list,
    points: dict,
    bound: np.ndarray | None,
) -> None:
    """Draw the lower triangle and hide the upper one."""
    for (i, j), axes in np.ndenumerate(grid):
        if j > i:
            axes.set_visible(False)
            continue
        pair = [j, i] if i != j else [i]
        ends = [edges[k] for k in pair]
        density = prepare_density(values[:, pair], weights, ends)
        part = None if bound is None else bound[np.ix_(pair, pair)]
        draw = _draw_marginal if i == j else _draw_pair
        draw(axes, ends, density, part, {name: p[pair] for name, p in points.items()})


def _draw_marginal(
    axes: Axes, edges: list, density: np.ndarray, bound: np.ndarray | None, points: dict
) -> None:
    """Density of one parameter, with the Gaussian of the bound over it."""
    axes.stairs(density, edges[0], fill=True, color=DEPTHS[0])
    axes.stairs(density, edges[0], color=DEPTHS[3], lw=1.4)
    if "truth" in points:
        axes.axvline(points["truth"][0], color=TRUTH, lw=1)
    if bound is not None:
        x = np.linspace(edges[0][0], edges[0][-1], 300)
        curve = stats.norm.pdf(x, points["truth"][0], np.sqrt(bound[0, 0]))
        axes.plot(x, curve, color=BOUND, ls="--", lw=1.5)
    if "maximum" in points:
        axes.plot(points["maximum"], 0.04 * density.max(), "x", ms=7, mew=1.8, color=MAXIMUM)
    axes.set(xlim=(edges[0][0], edges[0][-1]), ylim=(0, None), yticks=[])


def _draw_pair(
    axes: Axes, edges: list, density: np.ndarray, bound: np.ndarray | None, points: dict
) -> None:
    """Highest-density regions of two parameters, with the ellipse of the bound over them."""
    x, y = (0.5 * (ends[1:] + ends[:-1]) for ends in edges)
    inner, outer = prepare_levels(density, MASSES)
    levels = np.unique([outer, inner, 1.001 * density.max()])
    colours = (DEPTHS[0], DEPTHS[2])[-(levels.size - 1) :]
    axes.contourf(x, y, density.T, levels=levels, colors=colours)
    axes.contour(x, y, density.T, levels=levels[:-1], colors=DEPTHS[3], linewidths=0.8)
    if "truth" in points:
        axes.axvline(points["truth"][0], color=TRUTH, lw=1)
        axes.axhline(points["truth"][1], color=TRUTH, lw=1)
    if bound is not None:
        axes.plot(*prepare_ellipse(points["truth"], bound).T, color=BOUND, ls="--", lw=1.5)
    if "maximum" in points:
        axes.plot(*points["maximum"], "x", ms=7, mew=1.8, color=MAXIMUM)
    axes.set_ylim(edges[1][0], edges[1][-1])


def prepare_ellipse(centre: ArrayLike, covariance: ArrayLike, *, mass: float = 0.68) -> np.ndarray:
    """Closed outline (200, 2) of the region that holds `mass` of a Gaussian of two variables."""
    factor = np.linalg.cholesky(np.asarray(covariance, float))
    angle = np.linspace(0, 2 * np.pi, 200)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.asarray(centre) + np.sqrt(-2 * np.log1p(-mass)) * circle @ factor.T


def _label_corner(grid: np.ndarray, labels: Sequence[str]) -> None:
    """Names below the lowest row and left of the first column, and few ticks."""
    d = len(labels)
    for (i, j), axes in np.ndenumerate(grid):
        last, first = i == d - 1, j == 0 and i > 0
        axes.set_xlim(grid[j, j].get_xlim())
        axes.xaxis.set_major_locator(MaxNLocator(4, prune="both"))
        axes.tick_params(axis="x", labelrotation=40, labelsize=8.5, labelbottom=last)
        axes.tick_params(axis="y", labelsize=8.5, labelleft=first)
        if i != j:
            axes.yaxis.set_major_locator(MaxNLocator(4, prune="both"))
        axes.set(xlabel=labels[j] if last else "", ylabel=labels[i] if first else "")


def _corner_handles(points: dict, bound: np.ndarray | None) -> list:
    """Legend entries of what a corner shows."""
    handles: list[Artist] = [
        Patch(color=DEPTHS[2], label="posterior, 68 %"),
        Patch(color=DEPTHS[0], label="posterior, 95 %"),
    ]
    if "truth" in points:
        handles.append(Line2D([], [], color=TRUTH, lw=1, label="truth"))
    if bound is not None:
        handles.append(Line2D([], [], color=BOUND, ls="--", label="Cramér–Rao bound, 68 %"))
    if "maximum" in points:
        cross = Line2D([], [], color=MAXIMUM, ls="none", marker="x", label="maximum likelihood")
        cross.set(markersize=7, markeredgewidth=1.8)
        handles.append(cross)
    return handles
