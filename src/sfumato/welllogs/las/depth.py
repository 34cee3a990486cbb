"""Depth in metres, held against what the header says of it."""

import re

import numpy as np

from sfumato.errors import DataError
from sfumato.welllogs.las.cells import CODES
from sfumato.welllogs.las.layout import Item, Layout

FOOT, SURVEY_FOOT = 0.3048, 1200 / 3937
"""Metres; the international foot, and the one of older surveys in the United States."""

DEEPEST_M = 15_000.0
"""No well is deeper."""

METRES = {
    "M": 1.0,
    "METER": 1.0,
    "METRE": 1.0,
    "METERS": 1.0,
    "METRES": 1.0,
    "MT": 1.0,
    "CM": 0.01,
    "MM": 0.001,
    "F": FOOT,
    "FT": FOOT,
    "FEET": FOOT,
    "FOOT": FOOT,
    "FTKB": FOOT,  # below the kelly bushing
    "FTMD": FOOT,
    "USFT": SURVEY_FOOT,
    "FTUS": SURVEY_FOOT,
    "IN": FOOT / 12,
    "INCH": FOOT / 12,
    "INCHES": FOOT / 12,
}
"""Metres in a unit of depth, by its name in capitals."""

_TIMES = ("S", "SEC", "MS", "MIN", "H", "HR", "D", "DAY")
_FACTOR = re.compile(r"(\d*\.?\d+)?\s*\*?\s*([A-Z]+)\.?$")


def metres_in(unit: str) -> float | None:
    """Metres in a unit such as ``m``, ``FT`` or ``0.1 in``; None for what is no length."""
    matched = _FACTOR.match(unit.strip().upper())
    if matched is None or matched.group(2) not in METRES:
        return None
    return float(matched.group(1) or 1) * METRES[matched.group(2)]


def depth_in_metres(layout: Layout, index: Item, values: np.ndarray, null: float) -> np.ndarray:
    """The index (n,) in metres; NaN where it is a gap. What disagrees is noted in the layout.

    Raises
    ------
    DataError
        The index is a time, text, or missing throughout.
    """
    if values.dtype == object:
        raise _refusal(layout, index, "holds words, and is no depth")
    values = _without_gaps(values, null)
    if not np.isfinite(values).any():
        raise _refusal(layout, index, "holds no number")
    _compare_header(layout, values)
    metres = values * _unit(layout, index)
    if (deepest := float(np.nanmax(np.abs(metres)))) > DEEPEST_M:
        told = f"in {index.unit!r}, would reach {deepest:,.0f} m, and is no depth"
        raise _refusal(layout, index, f"{told}. State its unit, as m, ft or .1IN")
    return metres


def _unit(layout: Layout, index: Item) -> float:
    """Metres in the unit of the index: its own, or that of STRT, STOP or STEP."""
    items = layout.items("well")
    stated = [items[key].unit for key in ("STRT", "STOP", "STEP") if key in items]
    own = metres_in(index.unit)
    others = {metres for unit in stated if (metres := metres_in(unit)) is not None}
    if own is None and index.unit.strip().upper() in _TIMES:
        raise _refusal(layout, index, f"is in {index.unit}: a time, and no depth")
    if own is None:
        own = next(iter(others)) if len(others) == 1 else 1.0
        name = next((u for u in stated if metres_in(u) == own), "m")
        what = f"states the unit {index.unit!r}" if index.unit else "states no unit"
        layout.notes.append(f"{index.mnemonic} {what}: {name} is taken")
    elif others and others != {own}:
        told = f"{index.mnemonic} is in {index.unit}, and the header's depths in {stated[0]}"
        layout.notes.append(f"{told}: the curve's own unit is taken")
    return own


_FARTHEST = 1e9
"""In any unit: no well is as deep."""


def _without_gaps(values: np.ndarray, null: float) -> np.ndarray:
    """Depths without codes; a number that fits between its neighbours is a depth, whatever it is.

    So -999.25 on the way from -1000 to -998 stays.
    """
    out = np.where(np.abs(values) < _FARTHEST, values, np.nan)
    codes = np.isin(out, [null, *CODES])
    if not codes.any():
        return out
    rest = np.where(codes, np.nan, out)
    known = np.flatnonzero(np.isfinite(rest))
    if known.size < 2:
        return rest
    step = np.median(np.abs(np.diff(rest[known])))
    between = np.interp(np.arange(out.size), known, rest[known])
    return np.where(codes & (np.abs(out - between) > 2 * step), np.nan, out)


def _compare_header(layout: Layout, values: np.ndarray) -> None:
    """Note where STRT, STOP and STEP are not those of the data, and what is odd about these."""
    items, known = layout.items("well"), values[np.isfinite(values)]
    steps = np.diff(known)
    typical = float(np.median(steps)) if steps.size else 0.0
    found = {"STRT": known[0], "STOP": known[-1], "STEP": typical}
    for key, value in found.items():
        stated = _number(items.get(key))
        if stated is None or (key == "STEP" and (stated == 0 or not steps.size)):
            continue
        allowed = 0.51 * abs(typical) if key != "STEP" else 0.01 * abs(typical)
        if abs(stated - value) > max(allowed, 1e-4 * abs(value)):
            layout.notes.append(
                f"{key} is {stated:g} in the header and {value:g} in the data: the data count"
            )
    if lost := values.size - known.size:
        layout.notes.append(f"{lost:,} rows have no depth")
    if repeated := known.size - np.unique(known).size:
        layout.notes.append(f"{repeated:,} depths are repeated")
    elif steps.size and np.any(np.sign(steps) != np.sign(typical)):
        turns = int(np.sum(np.sign(steps) != np.sign(typical)))
        layout.notes.append(f"depth turns back in {turns:,} places: passes overlap")


def _number(item: Item | None) -> float | None:
    try:
        return None if item is None else float(item.value.replace(",", "."))
    except ValueError:
        return None


def _refusal(layout: Layout, index: Item, what: str) -> DataError:
    where = f"{layout.path}, line {index.line}: the index {index.mnemonic!r}"
    return DataError(f"{where} {what}. Give a file by depth.")
