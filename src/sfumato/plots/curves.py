"""Predictions along one feature: samples over data, parameters as curves, p(y | x) as an image."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from sfumato.pdfs import AbstractPDFs, ParametricPDFs
from sfumato.plots._style import BAND, CYCLE, INK, TRUTH, new_figure, style
from sfumato.training.history import History

Curve = Callable[[np.ndarray], np.ndarray]


def plot_samples(
    x: np.ndarray, y: np.ndarray, pdfs: AbstractPDFs, *, at: np.ndarray | None = None
) -> Figure:
    """Data (x, y) and, beside them, one draw from each prediction at `at` (by default at x)."""
    places = x if at is None else at
    drawn = pdfs.sample(1)[0]
    with style():
        figure, grid = new_figure(1, 2, width=9.2, height=3.4, sharex=True, sharey=True)
        for axes, values, where, title, colour in (
            (grid[0, 0], y, x, "data", INK),
            (grid[0, 1], drawn, places, "one draw from each p(y | x)", CYCLE[1]),
        ):
            axes.plot(where, values, ".", ms=2.5, alpha=0.5, color=colour, mew=0)
            axes.set(title=title, xlabel="x")
        grid[0, 0].set_ylabel("y")
    return figure


def plot_components(
    x: np.ndarray, pdfs: ParametricPDFs, *, truths: Mapping[str, Sequence[Curve]] | None = None
) -> Figure:
    """Weight, mean and deviation of every component along x, with true curves drawn over.

    Parameters
    ----------
    truths : from ``"weight"``, ``"mean"`` and ``"deviation"`` to functions of x.
    """
    mean, variance = pdfs.component_moments()
    curves = {"weight": np.exp(pdfs.log_weights), "mean": mean, "deviation": np.sqrt(variance)}
    with style():
        figure, grid = new_figure(1, 3, width=11, height=3.2)
        for axes, (name, values) in zip(grid[0], curves.items(), strict=True):
            for index, curve in enumerate(values.T):
                axes.plot(x, curve, color=CYCLE[index % len(CYCLE)], label=f"component {index + 1}")
            for true in (truths or {}).get(name, ()):
                axes.plot(x, true(x), color=TRUTH, ls="--", lw=1.2, label="truth")
            axes.set(xlabel="x", ylabel=f"{name} of y" if name != "weight" else name)
        grid[0, 0].set_ylim(-0.04, 1.04)
        handles, names = grid[0, 1].get_legend_handles_labels()
        unique = dict(zip(names, handles, strict=True))
        figure.legend(unique.values(), unique.keys(), loc="outside upper center", ncols=len(unique))
    return figure


def plot_image(
    x: np.ndarray,
    pdfs: AbstractPDFs,
    grid: np.ndarray,
    *,
    slices: Sequence[float],
    data: tuple[np.ndarray, np.ndarray] | None = None,
) -> Figure:
    """p(y | x) as an image over x and y, with cuts at a few x beside it."""
    density = pdfs.pdf(grid)
    with style():
        figure, axes_grid = new_figure(1, 2, width=9.6, height=3.6)
        left, right = axes_grid[0]
        extent = (x[0], x[-1], grid[0], grid[-1])
        top = float(np.quantile(density, 0.995))
        image = left.imshow(
            density.T, origin="lower", extent=extent, aspect="auto", cmap="Greys", vmax=top
        )
        if data is not None:
            left.plot(*data, ".", ms=1.5, alpha=0.35, color=CYCLE[1], mew=0)
        figure.colorbar(image, ax=left)
        left.set(title="p(y | x)", xlabel="x", ylabel="y", ylim=(grid[0], grid[-1]))
        for index, place in enumerate(slices):
            row = int(np.argmin(np.abs(x - place)))
            colour = CYCLE[(0, 2, 3)[index % 3]]
            left.axvline(x[row], color=colour, lw=1.2)
            right.plot(grid, density[row], color=colour, label=f"x = {x[row]:.2f}")
        right.set(title="cuts", xlabel="y", ylabel="p(y | x)", ylim=(0, None))
        right.legend()
    return figure


def plot_joint(left: tuple[np.ndarray, np.ndarray], right: tuple[np.ndarray, np.ndarray]) -> Figure:
    """Joint density of (x, y) in the data and in draws from the predictions, in hexagons."""
    with style():
        figure, grid = new_figure(1, 2, width=9.6, height=4.0, sharex=True, sharey=True)
        titles = ("data", "draws from the predictions")
        for axes, (x, y), title in zip(grid[0], (left, right), titles, strict=True):
            image = axes.hexbin(x, y, gridsize=55, cmap="Blues", mincnt=1, bins="log")
            axes.set(title=title, xlabel="x")
        grid[0, 0].set_ylabel("y")
        figure.colorbar(image, ax=grid, label="points per cell", shrink=0.8)
    return figure


def plot_bands(
    x: np.ndarray,
    panels: Mapping[str, AbstractPDFs],
    *,
    data: tuple[np.ndarray, np.ndarray],
    truth: Curve | None = None,
) -> Figure:
    """Mean, total and epistemic two-deviation bands along x, a panel for each name."""
    n_columns = min(4, len(panels))
    n_rows = -(-len(panels) // n_columns)
    with style():
        figure, grid = new_figure(
            n_rows, n_columns, width=3.0 * n_columns, height=2.6 * n_rows, sharex=True, sharey=True
        )
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        for axes, (name, pdfs) in zip(grid.flat, panels.items(), strict=False):
            mean, total = pdfs.mean(), pdfs.std()
            epistemic = np.sqrt(pdfs.decompose()[1]) if isinstance(pdfs, ParametricPDFs) else 0.0
            axes.fill_between(
                x, mean - 2 * total, mean + 2 * total, color=BAND, lw=0, label="all, 2 deviations"
            )
            axes.fill_between(
                x,
                mean - 2 * epistemic,
                mean + 2 * epistemic,
                color=CYCLE[1],
                alpha=0.45,
                lw=0,
                label="epistemic, 2 deviations",
            )
            axes.plot(x, mean, color=CYCLE[0], label="mean")
            if truth is not None:
                axes.plot(x, truth(x), color=TRUTH, ls="--", lw=1.1, label="truth")
            axes.plot(*data, ".", ms=3, color=INK, mew=0, alpha=0.6, label="data")
            axes.set_title(name)
        span = float(np.ptp(data[1]))
        for axes in grid[-1]:
            axes.set_xlabel("x")
        for axes in grid[:, 0]:
            axes.set(ylabel="y", ylim=(data[1].min() - 0.9 * span, data[1].max() + 0.9 * span))
        handles, names = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper center", ncols=len(names))
    return figure


def plot_effective(histories: Mapping[str, History]) -> Figure:
    """Effective number of components by epoch, a curve for each training history."""
    with style():
        figure, grid = new_figure(1, 1, width=6.4, height=3.2)
        axes = grid[0, 0]
        for (name, history), colour in zip(histories.items(), CYCLE, strict=False):
            epochs = np.arange(1, history.n_epochs + 1)
            axes.plot(epochs, history.n_effective.mean(axis=1), color=colour, label=name)
        axes.axhline(1, color=INK, lw=0.8)
        axes.set(xlabel="epoch", ylabel="effective number of components")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside right center")
    return figure


def plot_likelihood(curves: Mapping[str, np.ndarray]) -> Figure:
    """Mean log-likelihood by epoch, a curve for each name."""
    with style():
        figure, grid = new_figure(1, 1, width=6.4, height=3.2)
        axes = grid[0, 0]
        for (name, values), colour in zip(curves.items(), CYCLE, strict=False):
            axes.plot(np.arange(1, values.size + 1), values, color=colour, label=name)
        lowest = min(float(np.quantile(v, 0.02)) for v in curves.values())
        axes.set(xlabel="epoch", ylabel="mean log-likelihood [nats]", ylim=(lowest, None))
        axes.legend(loc="lower right")
    return figure


def plot_probability(
    x: np.ndarray, y: np.ndarray, at: np.ndarray, members: np.ndarray, *, truth: Curve
) -> Figure:
    """Probability of a class along x: every member (n, m), their mean, the truth and the labels."""
    rng = np.random.default_rng(0)
    with style():
        figure, grid = new_figure(1, 1, width=6.4, height=3.4)
        axes = grid[0, 0]
        jitter = 0.025 * rng.normal(size=y.size)
        axes.plot(x, y + jitter, ".", ms=2, alpha=0.3, color=CYCLE[6], mew=0, label="labels")
        axes.plot(at, members, color=CYCLE[1], lw=0.6, alpha=0.7)
        axes.plot([], [], color=CYCLE[1], lw=0.6, label="members")
        axes.plot(at, members.mean(axis=1), color=CYCLE[0], label="p(class 1 | x)")
        axes.plot(at, truth(at), color=TRUTH, ls="--", lw=1.2, label="truth")
        axes.set(xlabel="x", ylabel="probability of class 1")
        figure.legend(*axes.get_legend_handles_labels(), loc="outside right center")
    return figure
