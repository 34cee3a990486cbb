"""One look for every figure."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.figure import Figure

INK, TRUTH, BAND = "#1f2933", "#c1121f", "#d9dee3"
CYCLE = ("#33658a", "#e07a1f", "#4f9d69", "#8e5ea2", "#b23a48", "#2a9d8f", "#7a7a7a", "#c9a227")
"""Distinct in hue and in lightness; the first four remain so without colour vision of red."""

DEPTHS = ("#b9d6f2", "#7fb2e0", "#4187c6", "#1c5a99", "#0b2f5b")
"""Light to dark for an ordered quantity such as depth."""

_SETTINGS: dict[Any, object] = {  # keys that stubs list one by one
    "figure.dpi": 110,
    "savefig.dpi": 150,
    "font.size": 10,
    "axes.labelsize": 10,
    "axes.titlesize": 10.5,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=CYCLE),
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.6,
    "svg.fonttype": "path",
}


@contextmanager
def style() -> Iterator[None]:
    """Apply the look inside the block only."""
    with mpl.rc_context(_SETTINGS):
        yield


def new_figure(
    n_rows: int = 1,
    n_columns: int = 1,
    *,
    width: float,
    height: float,
    sharex: bool = False,
    sharey: bool = False,
    heights: Sequence[float] | None = None,
) -> tuple[Figure, np.ndarray]:
    """A figure outside matplotlib's global state, and its axes as an array (rows, columns)."""
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(
        n_rows, n_columns, squeeze=False, sharex=sharex, sharey=sharey, height_ratios=heights
    )
    return figure, axes
