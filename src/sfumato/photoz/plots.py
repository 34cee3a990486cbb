"""Pictures of redshifts and of photometry."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from sfumato.photoz.metrics import outlier_fraction, scaled_errors, sigma_mad
from sfumato.plots._style import DEPTHS, INK, TRUTH, new_figure, style


def plot_points(
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
            delta = scaled_errors(values, truth)
            scatter, share = sigma_mad(delta), outlier_fraction(delta)
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


def plot_data(
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
