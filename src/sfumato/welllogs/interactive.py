"""The depth tracks as one page to zoom and read values in; it needs no network."""

import html
from typing import Any, NamedTuple

import numpy as np

from sfumato.errors import optional_module
from sfumato.plots._style import BAND, CYCLE, INK, TRUTH
from sfumato.welllogs.plots import (
    GR,
    RESISTIVITY,
    SAND,
    WIDTHS,
    Tracks,
    neutron_as_density,
    porosity_scales,
    relative_density,
    shown_tracks,
    target_label,
    target_scale,
)

_HEIGHT = 960
_GAP = 0.012
_LOOK = {"mode": "lines", "showlegend": False, "hovertemplate": "%{x:.4g}"}


def tracks_page(tracks: Tracks) -> str:
    """The page of `tracks_figure`, library and all.

    Raises
    ------
    MissingDependencyError
        Plotly is not installed.
    """
    figure = tracks_figure(tracks)
    page = figure.to_html(include_plotlyjs=True, full_html=True, div_id="tracks")
    title = html.escape(f"{tracks.well}: {tracks.target}")
    return page.replace("<head>", f"<head><title>{title}</title>", 1)


def tracks_figure(tracks: Tracks) -> Any:  # Plotly's
    """Gamma ray, resistivity, density over neutron, then the predicted log and its densities.

    The same scales and fills as `plot_tracks`; all tracks zoom together, and where the pointer
    stands every log says its value.

    Raises
    ------
    MissingDependencyError
        Plotly is not installed.
    """
    optional_module("plotly", extra="interactive")
    go: Any = optional_module("plotly.graph_objects", extra="interactive")
    figure = go.Figure()
    canvas = _Canvas(figure, go)
    for place, (name, domain) in enumerate(_domains(tracks).items(), start=1):
        _DRAWN[name](canvas, tracks, place, domain)
    for name, depth in tracks.tops.items():
        place = {"xref": "paper", "yref": "y"}
        line = {"color": INK, "width": 1, "dash": "dash"}
        figure.add_shape(type="line", x0=0, x1=1, y0=depth, y1=depth, line=line, **place)
        figure.add_annotation(text=name, x=1, y=depth, xanchor="left", showarrow=False, **place)
    top, bottom = float(tracks.depth_m[0]), float(tracks.depth_m[-1])
    figure.update_layout(
        title=html.escape(f"{tracks.well}: {tracks.target} predicted"),
        template="plotly_white",
        height=_HEIGHT,
        margin={"t": 150, "l": 70, "r": 110},
        hovermode="y unified",
        legend={"orientation": "h", "y": -0.03},
        yaxis={
            "range": [bottom, top],
            "title": "measured depth [m]",
            "gridcolor": BAND,
            "domain": [0, 0.94],
        },
    )
    return figure


class _Canvas(NamedTuple):
    """Plotly's figure, and the module of what is put into it."""

    figure: Any
    go: Any


def _domains(tracks: Tracks) -> dict[str, tuple[float, float]]:
    """Left and right end of each track that there is something for."""
    names = shown_tracks(tracks)
    ends = np.cumsum([0.0, *(WIDTHS[name] for name in names)])
    ends /= ends[-1]
    pairs = zip(names, ends[:-1], ends[1:], strict=True)
    return {name: (float(a), float(b) - _GAP * (b < 1)) for name, a, b in pairs}


def _axis(
    canvas: "_Canvas",
    place: int,
    domain: tuple[float, float],
    *,
    label: str,
    limits: tuple[float, float],
    colour: str = INK,
    log: bool = False,
    above: bool = False,
) -> str:
    """A scale on top of a track, or above the one that is there; the name traces call it by."""
    name = _name(place + 10 if above else place)
    ends = np.log10(limits) if log else limits
    canvas.figure.layout[name.replace("x", "xaxis")] = {
        "domain": domain,
        "range": [float(end) for end in ends],
        "type": "log" if log else "linear",
        "side": "top",
        "title": {"text": label, "font": {"color": colour, "size": 12}},
        "tickfont": {"color": colour, "size": 10},
        "gridcolor": BAND,
        **({"dtick": 1} if log else {"nticks": 5}),
        **(
            {"anchor": "free", "position": 1.0, "overlaying": _name(place), "showgrid": False}
            if above
            else {"anchor": "y"}
        ),
    }
    return name


def _name(place: int) -> str:
    return "x" if place == 1 else f"x{place}"


def _fill(
    canvas: "_Canvas", one: np.ndarray, other: np.ndarray, tracks: Tracks, axis: str, colour: str
) -> None:
    """The area between two lines; a fill runs across gaps, so there both lie on one another."""
    there = np.isfinite(one) & np.isfinite(other)
    nowhere = float(np.median(one[there])) if there.any() else 0.0
    one, other = (np.where(there, line, nowhere) for line in (one, other))
    edge = {"line": {"width": 0}, "hoverinfo": "skip", "hovertemplate": None}
    _line(canvas, one, tracks, axis, name="", colour=INK, **edge)
    filled = {**edge, "fill": "tonextx", "fillcolor": colour}
    _line(canvas, other, tracks, axis, name="", colour=INK, **filled)


def _line(
    canvas: "_Canvas",
    x: np.ndarray,
    tracks: Tracks,
    axis: str,
    *,
    name: str,
    colour: str,
    **look: object,
) -> None:
    canvas.figure.add_trace(
        canvas.go.Scatter(
            x=np.asarray(x, np.float32),
            y=np.asarray(tracks.depth_m, np.float32),
            xaxis=axis,
            name=name,
            **_LOOK | {"line": {"color": colour, "width": 1}} | look,
        )
    )


def _draw_gr(canvas: "_Canvas", tracks: Tracks, place: int, domain: tuple[float, float]) -> None:
    axis, gr = (
        _axis(canvas, place, domain, label="GR [gAPI]", limits=GR, colour=CYCLE[2]),
        tracks.logs["GR"],
    )
    middle = np.nanmedian(gr) if np.isfinite(gr).any() else np.nan
    _fill(canvas, np.full(gr.size, middle), np.minimum(gr, middle), tracks, axis, SAND)
    _line(canvas, gr, tracks, axis, name="GR", colour=CYCLE[2])


def _draw_resistivity(
    canvas: "_Canvas", tracks: Tracks, place: int, domain: tuple[float, float]
) -> None:
    names = ", ".join(name for name in ("RMED", "RDEP") if name in tracks.logs)
    label = f"{names} [ohm.m]"
    axis = _axis(canvas, place, domain, label=label, limits=RESISTIVITY, colour=TRUTH, log=True)
    for name, colour in (("RMED", CYCLE[1]), ("RDEP", TRUTH)):
        if name in tracks.logs:
            values = np.clip(tracks.logs[name], 1e-3, None)
            _line(canvas, values, tracks, axis, name=name, colour=colour)


def _draw_porosity(
    canvas: "_Canvas", tracks: Tracks, place: int, domain: tuple[float, float]
) -> None:
    rhob, nphi = porosity_scales(tracks)
    scales = (("RHOB", "g/cm3", rhob, TRUTH), ("NPHI", "m3/m3", nphi, CYCLE[0]))
    there = [scale for scale in scales if scale[0] in tracks.logs]
    if len(there) > 1:
        density, neutron = tracks.logs["RHOB"], neutron_as_density(tracks)
        _fill(canvas, density, np.fmax(density, neutron), tracks, _name(place), SAND)
    for number, (name, unit, limits, colour) in enumerate(there):
        label = f"{name} [{unit}]"
        axis = _axis(
            canvas, place, domain, label=label, limits=limits, colour=colour, above=number > 0
        )
        _line(canvas, tracks.logs[name], tracks, axis, name=name, colour=colour)


def _draw_target(
    canvas: "_Canvas", tracks: Tracks, place: int, domain: tuple[float, float]
) -> None:
    label = target_label(tracks)
    axis = _axis(canvas, place, domain, label=label, limits=target_scale(tracks))
    low, lower, median, upper, high = tracks.quantiles.T
    for name, left, right, opacity in (("90 %", low, high, 0.18), ("50 %", lower, upper, 0.38)):
        shade = _faint(CYCLE[0], opacity)
        edge = {"line": {"width": 0}}
        _line(canvas, left, tracks, axis, name=f"{name}, from", colour=INK, **edge)
        filled = {**edge, "fill": "tonextx", "fillcolor": shade, "showlegend": True}
        _line(canvas, right, tracks, axis, name=name, colour=INK, **filled)
    _line(canvas, median, tracks, axis, name="median", colour=INK, showlegend=True)
    if tracks.measured is not None:
        _line(
            canvas, tracks.measured, tracks, axis,
            name="measured", colour=TRUTH, showlegend=True,
        )  # fmt: skip


def _draw_density(
    canvas: "_Canvas", tracks: Tracks, place: int, domain: tuple[float, float]
) -> None:
    label = f"p({tracks.target}), highest = dark"
    axis = _axis(canvas, place, domain, label=label, limits=target_scale(tracks))
    shares = relative_density(tracks)
    canvas.figure.add_trace(
        canvas.go.Heatmap(
            x=np.asarray(tracks.grid, np.float32),
            y=np.asarray(tracks.image_m, np.float32),
            z=np.round(255 * shares).astype(np.uint8),
            xaxis=axis,
            colorscale="Blues",
            showscale=False,
            hoverinfo="skip",
        )
    )
    if tracks.measured is not None:
        _line(
            canvas, tracks.measured, tracks, axis,
            name="measured", colour=TRUTH, hoverinfo="skip", hovertemplate=None,
        )  # fmt: skip


def _faint(colour: str, opacity: float) -> str:
    """A colour as ``#rrggbb`` with an opacity, as CSS writes it."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


_DRAWN = {
    "gr": _draw_gr,
    "resistivity": _draw_resistivity,
    "porosity": _draw_porosity,
    "target": _draw_target,
    "density": _draw_density,
}
"""The one table from a track to what draws it."""
