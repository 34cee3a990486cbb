"""Point estimates against the truth, and the data themselves."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from sfumato.metrics import point
from sfumato.plots._style import DEPTHS, INK, TRUTH, new_figure, style


def figure_points(
    panels: Sequence[tuple[str, np.ndarray, np.ndarray]], *, what: str = "mode"
) -> Figure:
    """Predicted against true redshift, a panel for each (title, point, truth), all objects."""
    n_columns = min(3, len(panels))
    n_rows = -(-len(panels) // n_columns)
    size = 4.2 if len(panels) == 1 else 3.2
    with style():
        figure, grid = new_figure(
            n_rows,
            n_columns,
            width=size * n_columns,
            height=size * n_rows,
            sharex=True,
            sharey=True,
        )
        top = max(float(np.quantile(truth, 0.999)) for _, _, truth in panels)
        line = np.array([0, top])
        image = None
        for index, axes in enumerate(grid.flat):
            if index >= len(panels):
                axes.set_visible(False)
                continue
            title, values, truth = panels[index]
            bins = np.linspace(0, top, 100)
            image = axes.hist2d(truth, values, bins=[bins, bins], norm=LogNorm(), cmap="Blues")[3]
            axes.plot(line, line, color=INK, lw=0.8)
            for sign in (-1, 1):
                axes.plot(line, line + sign * 0.15 * (1 + line), color=TRUTH, lw=0.7, ls="--")
            delta = point.scaled_errors(values, truth)
            scatter, share = point.sigma_mad(delta), point.outlier_fraction(delta)
            axes.set(title=title, xlim=(0, top), ylim=(0, top), aspect="equal")
            text = f"$\\sigma_{{MAD}}$ = {scatter:.4f}\noutliers {100 * share:.1f} %"
            axes.text(0.04, 0.96, text, transform=axes.transAxes, va="top", fontsize=8.5)
        for axes in grid[-1]:
            axes.set_xlabel("true redshift")
        for axes in grid[:, 0]:
            axes.set_ylabel(f"{what} of p(z | x)")
        if image is not None:
            figure.colorbar(image, ax=grid, label="galaxies per cell", shrink=0.7)
    return figure


def figure_estimates(estimate: np.ndarray, truth: np.ndarray, *, what: str = "mean") -> Figure:
    """Predicted against true values of any kind, all objects, and their difference."""
    low, high = (float(v) for v in np.quantile(truth, [0.001, 0.999]))
    margin = 0.05 * (high - low) or 1.0
    edges = np.linspace(low - margin, high + margin, 100)
    with style():
        figure, grid = new_figure(1, 2, width=9.2, height=3.8)
        left, right = grid[0]
        image = left.hist2d(truth, estimate, bins=[edges, edges], norm=LogNorm(), cmap="Blues")[3]
        left.plot(edges[[0, -1]], edges[[0, -1]], color=INK, lw=0.8)
        left.set(xlabel="true value", ylabel=f"{what} of p(y | x)")
        error = estimate - truth
        reach = 1.1 * float(np.quantile(np.abs(error), 0.995)) or 1.0
        right.hist2d(
            truth,
            error,
            bins=[edges, np.linspace(-reach, reach, 100)],
            norm=LogNorm(),
            cmap="Blues",
        )
        right.axhline(0, color=INK, lw=0.8)
        right.set(xlabel="true value", ylabel=f"{what} minus truth")
        figure.colorbar(image, ax=grid, label="objects per cell", shrink=0.7)
    return figure


def figure_data(
    redshift: np.ndarray,
    magnitudes: Mapping[str, np.ndarray],
    errors_by_depth: Mapping[str, np.ndarray],
) -> Figure:
    """Distributions of redshift, of magnitudes by band and of log-errors by depth."""
    with style():
        figure, grid = new_figure(1, 3, width=11, height=3.0)
        left, middle, right = grid[0]
        left.hist(redshift, bins=80, density=True, histtype="stepfilled", alpha=0.6)
        left.set(xlabel="redshift z", ylabel="density")
        for band, values in magnitudes.items():
            middle.hist(
                values[np.abs(values) < 90], bins=80, density=True, histtype="step", label=band
            )
        middle.set(xlabel="magnitude (AB)", xlim=(17, 30))
        middle.legend(ncols=6, loc="lower center", bbox_to_anchor=(0.5, 1.0), handlelength=0.8)
        for (label, values), colour in zip(errors_by_depth.items(), DEPTHS, strict=False):
            logs = np.log(values[values < 90])
            right.hist(logs, bins=80, density=True, histtype="step", color=colour, label=label)
        right.set(xlabel="ln of the g-band error [ln mag]")
        right.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0), handlelength=0.8)
    return figure


_SPOKEN = {
    "bias": "bias, median of $\\Delta z / (1 + z)$",
    "sigma_mad": "$\\sigma_{MAD}$ of $\\Delta z / (1 + z)$",
    "pit_ks": "KS distance of the PIT",
    "crps": "CRPS",
    "rmse": "RMSE of the mean",
}


def figure_bins(
    rows: Sequence[dict], *, xlabel: str, names: Sequence[str] = ("bias", "sigma_mad", "pit_ks")
) -> Figure:
    """Metrics with their errors in bins (as `metrics.evaluation.in_bins` gives them)."""
    centres = np.array([0.5 * (row["low"] + row["high"]) for row in rows])
    half = np.array([0.5 * (row["high"] - row["low"]) for row in rows])
    with style():
        figure, grid = new_figure(1, len(names), width=3.6 * len(names), height=2.8)
        for axes, name in zip(grid[0], names, strict=True):
            values = [row["metrics"][name]["value"] for row in rows]
            errors = [row["metrics"][name]["error"] for row in rows]
            axes.errorbar(centres, values, xerr=half, yerr=errors, fmt="o", ms=4, capsize=2)
            axes.set(xlabel=xlabel, ylabel=_SPOKEN.get(name, name))
            if name == "bias":
                axes.axhline(0, color=INK, lw=0.8)
    return figure
