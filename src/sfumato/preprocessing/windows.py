"""What lies around a sample: means and deviations over windows of a coordinate such as depth.

Windows are widths in units of the coordinate, not numbers of samples: another step, or an
irregular one, gives the same features. They end where a group (a well, a line) ends.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int


class Surroundings(NamedTuple):
    """Of every sample and column, (n, c); NaN where a window holds no number.

    Parameters
    ----------
    mean : of the numbers inside the window.
    deviation : their standard deviation; 0 where there is one.
    """

    mean: np.ndarray
    deviation: np.ndarray


def surroundings(
    values: Float[np.ndarray, "n c"],
    position: Float[np.ndarray, " n"],
    groups: Int[np.ndarray, " n"],
    *,
    width: float,
) -> Surroundings:
    """Means and deviations of what lies within half a width of each sample, itself included.

    Parameters
    ----------
    values : columns, NaN where nothing was measured.
    position : of the samples along their group, in any order; rows of a missing one get NaN.
    groups : numbers of what the rows belong to, in any order.
    width : of the window, in units of `position`, above 0.

    Raises
    ------
    ValueError
        The width is not a positive number.
    """
    if not 0 < width < np.inf:
        raise ValueError(f"The width of a window must be a positive number; got {width!r}.")
    mean, deviation = (np.full(values.shape, np.nan) for _ in range(2))
    order = np.lexsort((position, groups))
    order = order[np.isfinite(position[order])]
    for rows in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        if rows.size:
            mean[rows], deviation[rows] = _along(values[rows], position[rows], width)
    return Surroundings(mean, deviation)


def _along(values: np.ndarray, position: np.ndarray, width: float) -> Surroundings:
    """The same along one group, by increasing position."""
    # half a step in the last digit, or rounding decides whether an edge belongs to the window
    half = 0.5 * width * (1 + 1e-9)
    first = np.searchsorted(position, position - half, side="left")
    last = np.searchsorted(position, position + half, side="right")
    known = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = np.sum(np.where(known, values, 0), axis=0) / known.sum(axis=0)
        # about the group's mean: sums of squares of large numbers lose their digits
        offset = np.where(known, values - centre, 0.0)
        count, total, squares = (
            _sums(part, first, last) for part in (known.astype(float), offset, offset**2)
        )
        mean = total / count
        variance = np.maximum(squares / count - mean**2, 0.0)
    none = count == 0
    return Surroundings(
        np.where(none, np.nan, mean + centre), np.where(none, np.nan, np.sqrt(variance))
    )


def _sums(parts: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Sums of rows `first` to `last`, (n, c)."""
    below = np.concatenate([np.zeros((1, parts.shape[1])), np.cumsum(parts, axis=0)])
    return below[last] - below[first]
