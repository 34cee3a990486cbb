"""What catalogues write where nothing was measured, found among numbers that were."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

LEAST_SHARE = 0.005
"""Of the rows: a value repeated less often is no code."""

LOWEST, HIGHEST = -9.0, 90.0
"""Between them a repeated value is taken for a measurement, unless a column is known better."""

_NINES = frozenset(
    sign * nines * 10.0**power
    for sign in (-1, 1)
    for nines in (9, 99, 999, 9999, 99999)
    for power in (-4, -3, -2, -1, 0)
)
"""Nines, whole or behind a point, as in -99.9: what codes are mostly made of."""


class Code(NamedTuple):
    """A value that looks like a code, and how many rows have it."""

    value: float
    n_rows: int


def codes_in(
    values: np.ndarray,
    *,
    lowest: float = LOWEST,
    highest: float = HIGHEST,
    nines: float = np.inf,
) -> list[Code]:
    """Values (n,) that are likely to mean "missing".

    Such a value is at most `lowest`, at least `highest`, or at least `nines` and written in them
    with a point, as 9.9999. It is repeated in more than 0.5 % of the rows, unless it is -999 or
    louder, and has no other within
    the width of the central 90 % of the rest: a tenth of that, if it is written in nines. Where the
    rest has ten values or fewer, levels of a design, only nines and what alone is negative are
    codes.
    """
    numbers = np.asarray(values, float)
    numbers = numbers[np.isfinite(numbers)]
    if not np.any((numbers <= lowest) | (numbers >= min(highest, nines))):
        return []
    found, counts = np.unique(numbers, return_counts=True)
    often = (counts >= max(2, LEAST_SHARE * len(values))) | _is_loud(found)
    beyond = (found <= lowest) | (found >= highest)
    written = [place for place in np.flatnonzero(often) if is_nines(found[place])]
    # a 9 may be a count
    broken = (found >= nines) & (found % 1 > 0)
    wanted = beyond | (broken & np.isin(np.arange(found.size), written))
    candidates = np.flatnonzero(often & wanted)
    nine_places = [place for place in candidates if place in written]
    codes = []
    for place in candidates:
        is_nine = place in nine_places
        others = np.delete(np.arange(found.size), list({place, *nine_places}))
        width = _central_width(found[others], counts[others])
        gap = np.min(np.abs(found[others] - found[place]), initial=np.inf)
        alone = found[place] < 0 <= np.min(found[others], initial=np.inf)
        is_level = not is_nine and others.size <= (2 if alone else 10)
        if gap > (0.1 * width if is_nine else width) and not is_level:
            codes.append(Code(float(found[place]), int(counts[place])))
    return codes


_LOUD = np.array([nines for nines in _NINES if abs(nines) >= 999])


def _is_loud(values: np.ndarray) -> np.ndarray:
    """Which numbers are three nines or more: one row of them is enough to doubt it."""
    loud = np.zeros(values.shape, bool)
    for code in _LOUD:
        loud |= np.abs(values - code) <= 1e-6 * abs(code)
    return loud


def _central_width(values: np.ndarray, counts: np.ndarray) -> float:
    """Width of the central 90 % of increasing values that stand for so many rows each."""
    if not values.size:
        return 0.0
    below = np.cumsum(counts)
    low, high = values[np.searchsorted(below, np.array([0.05, 0.95]) * below[-1])]
    return float(high - low)


def is_nines(value: float) -> bool:
    """Whether a number is written in nines."""
    return any(abs(value - nines) <= 1e-6 * abs(nines) for nines in _NINES)


def warn_of_codes(
    columns: Iterable[tuple[str, list[Code], int]],
    *,
    cure: str,
    known: Mapping[str, Sequence[float]] | None = None,
    stacklevel: int = 2,
) -> dict[str, list[float]]:
    """Name the values that look like codes and are not known yet; all of them, by column.

    Parameters
    ----------
    columns : name, codes and number of rows of each.
    """
    lines, found = [], {}
    for name, codes, n_rows in columns:
        for code in codes:
            found.setdefault(name, []).append(code.value)
            if code.value not in (known or {}).get(name, ()):
                share = 100 * code.n_rows / n_rows
                lines.append(f"{name} is {code.value:g} in {code.n_rows:,} rows ({share:.3g} %)")
    if lines:
        warnings.warn(f"{'; '.join(lines)}: taken as measured. {cure}", stacklevel=stacklevel + 1)
    return found
