"""Point estimates against the truth, and metrics in bins."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from sfumato.plots._style import BAND, INK, new_figure, style


def plot_estimates(estimate: np.ndarray, truth: np.ndarray, *, what: str = "mean") -> Figure:
    """Predicted against true values of any kind, all objects, and their difference."""
    low, high = (float(v) for v in np.quantile(truth, [0.001, 0.999]))
    margin = 0.05 * (high - low) or 1.0
    edges = np.linspace(low - margin, high + margin, 100)
    with style():
        figure, grid = new_figure(1, 2, width=9.2, height=3.8)
        left, right = grid[0]
        image = _draw_counts(left, truth, estimate, edges, edges)
        left.plot(edges[[0, -1]], edges[[0, -1]], color=INK, lw=0.8)
        left.set(xlabel="true value", ylabel=f"{what} of p(y | x)")
        error = estimate - truth
        reach = 1.1 * float(np.quantile(np.abs(error), 0.995)) or 1.0
        _draw_counts(right, truth, error, edges, np.linspace(-reach, reach, 100))
        right.axhline(0, color=INK, lw=0.8)
        right.set(xlabel="true value", ylabel=f"{what} minus truth")
        figure.colorbar(image, ax=grid, label="objects per cell", shrink=0.7)
    return figure


def _draw_counts(
    axes: Axes, x: np.ndarray, y: np.ndarray, x_edges: np.ndarray, y_edges: np.ndarray
) -> QuadMesh:
    """Objects in cells, on a logarithmic scale; there may be none in all of them."""
    most = np.histogram2d(x, y, bins=[x_edges, y_edges])[0].max()
    norm = LogNorm(1, max(most, 2))
    return axes.hist2d(x, y, bins=[x_edges, y_edges], norm=norm, cmap="Blues")[3]


def plot_groups(rows: Sequence[dict], *, names: Sequence[str], labels: Mapping[str, str]) -> Figure:
    """Metrics with their errors of groups (as `metrics.evaluation.in_groups` gives them).

    Parameters
    ----------
    names : of the metrics, a panel each.
    labels : what their axes say, where that is not the name.
    """
    places = np.arange(len(rows))[::-1]
    with style():
        figure, grid = new_figure(
            1, len(names), width=3.6 * len(names), height=1.2 + 0.22 * len(rows), sharey=True
        )
        for axes, name in zip(grid[0], names, strict=True):
            values = [row["metrics"][name]["value"] for row in rows]
            errors = [row["metrics"][name]["error"] for row in rows]
            axes.errorbar(values, places, xerr=errors, fmt="o", ms=4, capsize=2)
            axes.set(xlabel=labels.get(name, name), ylim=(-0.7, len(rows) - 0.3))
            axes.grid(axis="y", color=BAND, lw=0.6)
        grid[0, 0].set_yticks(places, [row["group"] for row in rows])
    return figure


def plot_bins(
    rows: Sequence[dict], *, xlabel: str, names: Sequence[str], labels: Mapping[str, str]
) -> Figure:
    """Metrics with their errors in bins (as `metrics.evaluation.in_bins` gives them).

    Parameters
    ----------
    names : of the metrics, a panel each.
    labels : what their axes say, where that is not the name.
    """
    centres = np.array([0.5 * (row["low"] + row["high"]) for row in rows])
    half = np.array([0.5 * (row["high"] - row["low"]) for row in rows])
    with style():
        figure, grid = new_figure(1, len(names), width=3.6 * len(names), height=2.8)
        for axes, name in zip(grid[0], names, strict=True):
            values = [row["metrics"][name]["value"] for row in rows]
            errors = [row["metrics"][name]["error"] for row in rows]
            axes.errorbar(centres, values, xerr=half, yerr=errors, fmt="o", ms=4, capsize=2)
            axes.set(xlabel=xlabel, ylabel=labels.get(name, name))
            if min(values) < 0 < max(values):
                axes.axhline(0, color=INK, lw=0.8)
    return figure
