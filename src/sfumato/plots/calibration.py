"""Calibration in pictures: PIT histogram, coverage."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from sfumato.metrics.calibration import coverage
from sfumato.metrics.intervals import reliability_curve
from sfumato.plots._style import BAND, CYCLE, INK, new_figure, style


def plot_pit(pits: Mapping[str, np.ndarray], *, n_bins: int = 25) -> Figure:
    """Histograms of PIT values by name, with the 95 % range of calibrated counts in grey."""
    with style():
        figure, grid = new_figure(1, 1, width=5.2, height=3.2)
        axes = grid[0, 0]
        edges = np.linspace(0, 1, n_bins + 1)
        n = min(values.size for values in pits.values())
        low, high = stats.binom.interval(0.95, n, 1 / n_bins)
        axes.axhspan(low * n_bins / n, high * n_bins / n, color=BAND, lw=0, label="95 % if uniform")
        axes.axhline(1, color=INK, lw=0.8)
        for (name, values), colour in zip(pits.items(), CYCLE, strict=False):
            height = np.histogram(values, edges)[0] * n_bins / values.size
            axes.stairs(height, edges, color=colour, lw=1.6, label=name)
        axes.set(xlabel="PIT, F(truth)", ylabel="density", xlim=(0, 1), ylim=(0, None))
        axes.legend(loc="lower center", ncols=2)
    return figure


def plot_reliability(pits: Mapping[str, np.ndarray]) -> Figure:
    """Share of PIT values up to each level against the level, by name, and the difference."""
    with style():
        figure, grid = new_figure(1, 2, width=9.2, height=3.2)
        left, right = grid[0]
        left.plot([0, 1], [0, 1], color=INK, lw=0.8)
        right.axhline(0, color=INK, lw=0.8)
        shortest = min(pits.values(), key=len)
        levels, _, error = reliability_curve(shortest)
        right.fill_between(
            levels, -1.96 * error, 1.96 * error, color=BAND, lw=0, label="95 % if calibrated"
        )
        for (name, values), colour in zip(pits.items(), CYCLE, strict=False):
            levels, observed, _ = reliability_curve(values)
            left.plot(levels, observed, color=colour, label=name)
            right.plot(levels, observed - levels, color=colour, label=name)
        left.set(xlabel="level", ylabel="share of PIT values up to it", xlim=(0, 1), ylim=(0, 1))
        right.set(xlabel="level", ylabel="share minus level", xlim=(0, 1))
        figure.legend(*right.get_legend_handles_labels(), loc="outside right center")
    return figure


def plot_coverage(pits: Mapping[str, np.ndarray]) -> Figure:
    """Share of truths inside central intervals against the intervals' probability."""
    levels = np.linspace(0.02, 0.98, 49)
    with style():
        figure, grid = new_figure(1, 2, width=9.2, height=3.2)
        for axes in grid[0]:
            axes.set_xlabel("probability of the interval")
        grid[0, 0].plot([0, 1], [0, 1], color=INK, lw=0.8)
        grid[0, 1].axhline(0, color=INK, lw=0.8)
        n = min(values.size for values in pits.values())
        spread = 1.96 * np.sqrt(levels * (1 - levels) / n)
        grid[0, 1].fill_between(
            levels, -spread, spread, color=BAND, lw=0, label="95 % if calibrated"
        )
        for (name, values), colour in zip(pits.items(), CYCLE, strict=False):
            share = np.array([coverage(values, level) for level in levels])
            grid[0, 0].plot(levels, share, color=colour, label=name)
            grid[0, 1].plot(levels, share - levels, color=colour, label=name)
        grid[0, 0].set(ylabel="share of truths inside", xlim=(0, 1), ylim=(0, 1))
        grid[0, 1].set(ylabel="share minus probability", xlim=(0, 1))
        figure.legend(*grid[0, 1].get_legend_handles_labels(), loc="outside right center")
    return figure
