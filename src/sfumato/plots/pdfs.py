"""Predicted densities: of chosen objects, and stacked."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sfumato.pdfs import AbstractPDFs, CountPDFs
from sfumato.plots._style import BAND, CYCLE, DEPTHS, INK, TRUTH, new_figure, style


def density_range(pdfs: AbstractPDFs, *, n_points: int = 600) -> np.ndarray:
    """A grid over where the densities of a few objects are worth looking at."""
    low, high = np.min(pdfs.quantiles([0.001])), np.max(pdfs.quantiles([0.999]))
    margin = 0.15 * (high - low) + 1e-6
    bottom, top = pdfs.support
    return np.linspace(max(low - margin, bottom), min(high + margin, top), n_points)


def draw_counts(axes: Axes, pdf: CountPDFs, *, truth: float | None, label: str) -> None:
    """One probability function as bars, its 68 % interval dark, with mean and truth."""
    low, high = pdf.interval(0.68)[0]
    first, last = pdf.quantiles([0.001, 0.999])[0]
    numbers = np.arange(first, last + 2)
    inside = (numbers >= low) & (numbers <= high)
    colours = np.where(inside, CYCLE[0], BAND)
    axes.bar(
        numbers,
        pdf.pdf(numbers)[0],
        width=0.8,
        color=colours,
        label="p(y | x), dark the 68 % interval",
    )
    axes.axvline(pdf.mean()[0], color=INK, lw=1, ls="--", label="mean")
    if truth is not None:
        axes.axvline(truth, color=TRUTH, lw=1.2, label="truth")
    axes.set(title=label, ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def draw_pdf(
    axes: Axes, pdf: AbstractPDFs, *, truth: float | None, label: str, symbol: str = "y"
) -> None:
    """One density with its components, 68 % interval, mode, mean and truth."""
    if isinstance(pdf, CountPDFs):
        draw_counts(axes, pdf, truth=truth, label=label)
        return
    grid = density_range(pdf)
    density = pdf.pdf(grid)[0]
    if (components := pdf.component_pdf(grid)) is not None:
        strongest = np.argsort(-components[0].max(axis=1))[:12]
        axes.plot(grid, components[0, strongest].T, color=CYCLE[6], lw=0.7, alpha=0.6)
        axes.plot([], [], color=CYCLE[6], lw=0.7, label="components")
    low, high = pdf.interval(0.68)[0]
    inside = (grid >= low) & (grid <= high)
    axes.fill_between(grid[inside], density[inside], color=BAND, lw=0, label="68 % interval")
    axes.plot(grid, density, color=CYCLE[0], label=f"p({symbol} | x)")
    axes.axvline(pdf.mode()[0], color=INK, lw=1, ls=":", label="mode")
    axes.axvline(pdf.mean()[0], color=INK, lw=1, ls="--", label="mean")
    if truth is not None:
        axes.axvline(truth, color=TRUTH, lw=1.2, label="truth")
    axes.set(title=label, ylim=(0, None), xlim=(grid[0], grid[-1]))
    axes.xaxis.set_major_locator(MaxNLocator(4))


def plot_pdfs(
    pdfs: AbstractPDFs,
    *,
    truth: np.ndarray | None,
    labels: Sequence[str],
    target: str = "redshift z",
) -> Figure:
    """A panel for each of a few objects."""
    n_columns = min(3, len(pdfs))
    n_rows = -(-len(pdfs) // n_columns)
    symbol = "z" if target.startswith("redshift") else "y"
    counts = isinstance(pdfs, CountPDFs)
    with style():
        low = 0.4 if n_columns == 1 else 0.0  # of a legend of several lines
        height = 2.7 * n_rows + low
        figure, grid = new_figure(n_rows, n_columns, width=3.4 * n_columns, height=height)
        for index, axes in enumerate(grid.flat):
            if index >= len(pdfs):
                axes.set_visible(False)
                continue
            value = None if truth is None else float(truth[index])
            draw_pdf(axes, pdfs[index], truth=value, label=labels[index], symbol=symbol)
        for axes in grid.flat[max(len(pdfs) - n_columns, 0) : len(pdfs)]:  # the last of each column
            axes.set_xlabel(target)
        for axes in grid[:, 0]:
            unit = target.split()[-1]
            axes.set_ylabel("probability" if counts else f"density per unit of {unit}")
        handles, names = grid[0, 0].get_legend_handles_labels()
        ncols = min(len(names), 2 * n_columns)
        figure.legend(handles, names, loc="outside upper center", ncols=ncols)
    return figure


def plot_depths(
    by_depth: Sequence[AbstractPDFs],
    *,
    truth: np.ndarray,
    labels: Sequence[str],
    dashed: Sequence[AbstractPDFs] = (),
    dashed_label: str = "",
    exact: AbstractPDFs | None = None,
) -> Figure:
    """The same objects at several depths: a panel for each object, a curve for each depth.

    `dashed` gives a second curve for each depth; `exact`, where known, is the true posterior at the
    last depth.
    """
    n = len(by_depth[0])
    n_columns = min(3, n)
    n_rows = -(-n // n_columns)
    with style():
        figure, axes_grid = new_figure(
            n_rows, n_columns, width=3.5 * n_columns, height=2.6 * n_rows
        )
        for index, axes in enumerate(axes_grid.flat):
            if index >= n:
                axes.set_visible(False)
                continue
            here = [pdfs[index] for pdfs in by_depth]
            ranges = [density_range(pdf) for pdf in here]
            grid = np.linspace(min(r[0] for r in ranges), max(r[-1] for r in ranges), 800)
            colours = DEPTHS if len(here) > 1 else DEPTHS[-1:]
            for pdf, label, colour in zip(here, labels, colours, strict=False):
                axes.plot(grid, pdf.pdf(grid)[0], color=colour, label=label)
            for pdfs, colour in zip(dashed, DEPTHS, strict=False):
                axes.plot(grid, pdfs[index].pdf(grid)[0], color=colour, ls="--", lw=1.1)
            if exact is not None:
                density = exact[index].pdf(grid)[0]
                axes.plot(grid, density, color=CYCLE[1], lw=1.1, label="exact, deepest")
            axes.axvline(truth[index], color=TRUTH, lw=1.1, label="truth")
            axes.set(ylim=(0, None), xlim=(grid[0], grid[-1]))
        if dashed_label:
            axes_grid[0, 0].plot([], [], color=INK, ls="--", lw=1.1, label=dashed_label)
        for axes in axes_grid[-1]:
            axes.set_xlabel("redshift z")
        for axes in axes_grid[:, 0]:
            axes.set_ylabel("density per unit of z")
        handles, names = axes_grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=min(len(names), 8))
    return figure


def draw_stacks(
    axes: Axes,
    grid: np.ndarray,
    stacks: np.ndarray,
    *,
    truths: Sequence[np.ndarray] | None,
    labels: Sequence[str],
) -> None:
    """Stacked densities (bins, g) with histograms of the true values of the same objects."""
    for index, (density, label) in enumerate(zip(stacks, labels, strict=True)):
        colour = CYCLE[index % len(CYCLE)]
        if truths is not None and truths[index].size:
            counts, edges = np.histogram(truths[index], bins=60, range=(grid[0], grid[-1]))
            height = counts / (counts.sum() * np.diff(edges))
            axes.stairs(height, edges, fill=True, color=colour, alpha=0.25, lw=0)
        axes.plot(grid, density, color=colour, label=label)
    axes.set(ylim=(0, None), xlim=(grid[0], grid[-1]))


def plot_stacks(
    panels: Sequence[tuple[str, np.ndarray, Sequence[np.ndarray] | None]],
    grid: np.ndarray,
    *,
    labels: Sequence[str],
    target: str = "redshift z",
) -> Figure:
    """n(z) of several bins, a panel for each (title, stacks (bins, g), truths or None)."""
    n_columns = min(3, len(panels))
    n_rows = -(-len(panels) // n_columns)
    width = 7.0 if n_columns == 1 else 3.7 * n_columns
    with style():
        figure, axes_grid = new_figure(
            n_rows, n_columns, width=width, height=3.4 if n_rows == 1 else 2.7 * n_rows
        )
        for index, axes in enumerate(axes_grid.flat):
            if index >= len(panels):
                axes.set_visible(False)
                continue
            title, stacks, truths = panels[index]
            draw_stacks(axes, grid, stacks, truths=truths, labels=labels)
            axes.set_title(title)
        for axes in axes_grid[-1]:
            axes.set_xlabel(target)
        for axes in axes_grid[:, 0]:
            axes.set_ylabel(f"n({target.split()[-1]}), normalised")
        handles, names = axes_grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=len(names))
    return figure
