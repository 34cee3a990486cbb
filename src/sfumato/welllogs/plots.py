"""Depth tracks as log analysts draw them, with what is predicted in the last two."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sfumato.plots._style import BAND, CYCLE, INK, TRUTH, style

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles that are drawn: the median, and the intervals that hold 50 and 90 %."""

MOST_ROWS = 900
"""Of the picture of densities: more than there are pixels."""

WIDTHS = {"gr": 1.5, "resistivity": 1.5, "porosity": 1.7, "target": 2.6, "density": 2.2}
GR, RESISTIVITY = (0, 150), (0.2, 200)
"""Scales of the first two tracks."""

SAND = "#f3e2a0"
"""Fill of what is less radioactive than most, and of where density and neutron cross."""

_POROSITY = ((1.95, 2.95), (0.45, -0.15)), ((1.45, 2.95), (0.75, -0.15))
"""Scales of density and neutron that meet in clean, water-filled lime; the second for soft rock."""
_SCALES = {"DTC": (240, 40), "DTS": (500, 70)}


@dataclass(frozen=True)
class Tracks:
    """What is drawn of one well.

    Parameters
    ----------
    well : its name.
    depth_m : (n,) measured depth, increasing.
    logs : measured logs (n,) by name, in gAPI, ohm.m, g/cm3 and m3/m3.
    target, unit : what is predicted, and in what.
    measured : (n,) the same where it was measured, NaN elsewhere; None where it is not known.
    quantiles : (n, 5) of `LEVELS`.
    grid : (g,) values of the target.
    image_m : (r,) depths of the rows of `density`.
    density : (r, g) predicted densities at them.
    tops : depths in metres of tops of formations, by name.
    """

    well: str
    depth_m: Float[np.ndarray, " n"]
    logs: Mapping[str, np.ndarray]
    target: str
    unit: str
    measured: np.ndarray | None
    quantiles: Float[np.ndarray, "n 5"]
    grid: Float[np.ndarray, " g"]
    image_m: Float[np.ndarray, " r"]
    density: Float[np.ndarray, "r g"]
    tops: Mapping[str, float] = field(default_factory=dict)


def plot_tracks(tracks: Tracks) -> Figure:
    """Gamma ray, resistivity, density over neutron, then the predicted log and its densities.

    Tracks of logs that are not there are left out. Sonic logs grow to the left, as is the custom.
    """
    names = shown_tracks(tracks)
    widths = [WIDTHS[name] for name in names]
    with style():
        figure = Figure(figsize=(sum(widths) + 0.8, 10.5), layout="constrained")
        panels = figure.subplots(1, len(names), sharey=True, squeeze=False, width_ratios=widths)[0]
        for axes, name in zip(panels, names, strict=True):
            _DRAWN[name](axes, tracks)
            axes.grid(color=BAND, lw=0.5)
            axes.tick_params(axis="x", labelsize=7)
            _draw_tops(axes, tracks, named=name == "density")
        panels[0].set(ylabel="measured depth [m]")
        panels[0].set_ylim(tracks.depth_m[-1], tracks.depth_m[0])
        figure.suptitle(f"{tracks.well}: {tracks.target} predicted", fontsize=11)
    return figure


def _line(
    axes: Axes, x: np.ndarray, tracks: Tracks, *, label: str, colour: str, limits: tuple
) -> None:
    """A curve on its own scale, which stands above the track in its colour."""
    axes.plot(x, tracks.depth_m, color=colour, lw=0.6)
    axes.set_xlim(*limits)
    _scale_above(axes)
    axes.set_xlabel(label, color=colour, fontsize=8)
    axes.tick_params(axis="x", colors=colour, labelsize=7)


def _scale_above(axes: Axes) -> None:
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.spines["top"].set_visible(True)
    axes.spines["bottom"].set_visible(False)


def _draw_gr(axes: Axes, tracks: Tracks) -> None:
    gr = tracks.logs["GR"]
    _line(axes, gr, tracks, label="GR [gAPI]", colour=CYCLE[2], limits=GR)
    axes.set_xticks([0, 75, 150])
    middle = np.full(gr.size, np.nanmedian(gr) if np.isfinite(gr).any() else np.nan)
    axes.fill_betweenx(tracks.depth_m, gr, middle, where=gr < middle, color=SAND, lw=0)


def _draw_resistivity(axes: Axes, tracks: Tracks) -> None:
    for name, colour in (("RMED", CYCLE[1]), ("RDEP", TRUTH)):
        if name in tracks.logs:
            values = np.clip(tracks.logs[name], 1e-3, None)
            axes.set_xscale("log")
            label = f"{name} [ohm.m]"
            _line(axes, values, tracks, label=label, colour=colour, limits=RESISTIVITY)


def _draw_porosity(axes: Axes, tracks: Tracks) -> None:
    """Density and neutron porosity on scales that meet in clean, water-filled lime."""
    rhob, nphi = porosity_scales(tracks)
    # a twin sends the first scale to the bottom: it comes before that is drawn
    other = axes.twiny() if {"RHOB", "NPHI"} <= tracks.logs.keys() else axes
    if "RHOB" in tracks.logs:
        _line(
            axes,
            tracks.logs["RHOB"],
            tracks,
            label="RHOB [g/cm3]",
            colour=TRUTH,
            limits=rhob,
        )
        axes.set_xticks([rhob[0], 2.45, rhob[1]])
    if "NPHI" in tracks.logs:
        _line(
            other,
            tracks.logs["NPHI"],
            tracks,
            label="NPHI [m3/m3]",
            colour=CYCLE[0],
            limits=nphi,
        )
        other.set_xticks([nphi[0], 0.15, nphi[1]])
        if other is not axes:
            other.spines["top"].set_position(("outward", 30))
    if {"RHOB", "NPHI"} <= tracks.logs.keys():
        density, neutron = tracks.logs["RHOB"], neutron_as_density(tracks)
        axes.fill_betweenx(
            tracks.depth_m, density, neutron, where=density < neutron, color=SAND, lw=0
        )


def porosity_scales(tracks: Tracks) -> tuple[tuple[float, float], tuple[float, float]]:
    """The usual scales, or wider ones where much of a log would not be seen."""
    (rhob, nphi), wide = _POROSITY
    soft = tracks.logs.get("RHOB", np.full(1, np.nan)) < rhob[0]
    porous = tracks.logs.get("NPHI", np.full(1, np.nan)) > nphi[0]
    return wide if max(np.mean(soft), np.mean(porous)) > 0.02 else (rhob, nphi)


def target_scale(tracks: Tracks) -> tuple[float, float]:
    """Limits of the target: sonic logs grow to the left."""
    if tracks.target in _SCALES:
        return _SCALES[tracks.target]
    return float(tracks.grid[0]), float(tracks.grid[-1])


def shown_tracks(tracks: Tracks) -> list[str]:
    """Names of the tracks, from left to right, that there is something for."""
    shown = [name for name, logs in _NEEDS.items() if set(logs) & set(tracks.logs)]
    return [*shown, "target", "density"]


def neutron_as_density(tracks: Tracks) -> np.ndarray:
    """Neutron porosity (n,) where it stands on the scale of the density."""
    rhob, nphi = porosity_scales(tracks)
    slope = (rhob[1] - rhob[0]) / (nphi[1] - nphi[0])
    return rhob[0] + slope * (tracks.logs["NPHI"] - nphi[0])


def target_label(tracks: Tracks) -> str:
    """The target, and its unit where it has one."""
    return f"{tracks.target} [{tracks.unit}]" if tracks.unit else tracks.target


def relative_density(tracks: Tracks) -> np.ndarray:
    """Densities (r, g) in units of the highest of their row."""
    top = np.max(tracks.density, axis=1, keepdims=True)
    return tracks.density / np.where(top > 0, top, 1.0)


def _draw_target(axes: Axes, tracks: Tracks) -> None:
    low, lower, median, upper, high = tracks.quantiles.T
    depth = tracks.depth_m
    axes.fill_betweenx(depth, low, high, color=CYCLE[0], alpha=0.18, lw=0, label="90 %")
    axes.fill_betweenx(depth, lower, upper, color=CYCLE[0], alpha=0.38, lw=0, label="50 %")
    _line(axes, median, tracks, label=target_label(tracks), colour=INK, limits=target_scale(tracks))
    axes.plot([], [], color=INK, lw=0.9, label="median")
    if tracks.measured is not None:
        axes.plot(tracks.measured, depth, color=TRUTH, lw=0.6, label="measured")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.01), ncols=2, fontsize=7.5)


def _draw_density(axes: Axes, tracks: Tracks) -> None:
    shares = relative_density(tracks)
    axes.pcolormesh(tracks.grid, tracks.image_m, shares, cmap="Blues", shading="nearest")
    if tracks.measured is not None:
        axes.plot(tracks.measured, tracks.depth_m, color=TRUTH, lw=0.5)
    axes.set_xlim(*target_scale(tracks))
    _scale_above(axes)
    axes.set_xlabel(f"p({tracks.target}), highest = dark", fontsize=8)


def _draw_tops(axes: Axes, tracks: Tracks, *, named: bool) -> None:
    for name, depth in tracks.tops.items():
        axes.axhline(depth, color=INK, lw=0.7, ls="--")
        if named:
            axes.annotate(
                name,
                (1.0, depth),
                xycoords=("axes fraction", "data"),
                xytext=(3, 0),
                textcoords="offset points",
                fontsize=7,
                va="center",
            )


_NEEDS = {"gr": ("GR",), "resistivity": ("RDEP", "RMED"), "porosity": ("RHOB", "NPHI")}
_DRAWN = {
    "gr": _draw_gr,
    "resistivity": _draw_resistivity,
    "porosity": _draw_porosity,
    "target": _draw_target,
    "density": _draw_density,
}
"""The one table from a track to what draws it, and what it needs."""
