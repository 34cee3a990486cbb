"""Words, ticks and cells of axes, the same in every picture."""

from typing import Literal

import numpy as np
from matplotlib.axis import Axis
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import ArrayLike

Scale = Literal["linear", "log"]


def name_with_unit(name: str, unit: str) -> str:
    """Label of an axis: the unit in brackets, where there is one."""
    return f"{name} [{unit}]" if unit else name


def label_log(axis: Axis) -> None:
    """Ticks of a logarithmic axis at 1, 2 and 5 times powers of ten, in plain digits."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def prepare_round(low: float, high: float, *, n_max: int = 6) -> np.ndarray:
    """Round values between two positive ones: 1, 2, 5, else 1, 3, else 1 times powers of ten."""
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    inside = np.empty(0)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        values = np.outer(powers, factors).ravel()
        inside = values[(values >= low) & (values <= high)]
        if inside.size <= n_max:
            break
    return inside


def prepare_edges(centres: ArrayLike, *, scale: Scale = "linear") -> np.ndarray:
    """Edges (n + 1,) of cells around increasing centres (n,), halfway on the given scale."""
    values = np.asarray(centres, float)
    if values.ndim != 1 or values.size < 2 or not np.all(np.diff(values) > 0):
        raise ValueError("the grid of a map needs two or more increasing values on each axis.")
    if scale == "log":
        if values[0] <= 0:
            raise ValueError(f"a logarithmic axis needs positive values; got {values[0]:g}.")
        return np.exp(prepare_edges(np.log(values)))
    middle = 0.5 * (values[1:] + values[:-1])
    first, last = 2 * values[0] - middle[0], 2 * values[-1] - middle[-1]
    return np.concatenate([[first], middle, [last]])
