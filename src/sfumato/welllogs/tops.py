"""Tops of formations: from a table of surfaces, or where a column of names changes."""

import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from sfumato.errors import DataError
from sfumato.io.tables import TableFile, matrix, open_table, read_table
from sfumato.preprocessing.table import words_of
from sfumato.welllogs.curves import find, known_logs
from sfumato.welllogs.las.depth import metres_in
from sfumato.welllogs.table import WELL

_NAMES = ("SURFACE", "FORMATION", "TOP", "MARKER", "ZONE", "NAME", "UNIT")
"""Columns that hold names of formations, the likeliest first."""

_UNITS = ("UNIT", "UNITS", "UOM", "DEPTH_UNIT", "DEPTH_UOM", "MD_UNIT", "MD_UOM")
"""Columns that may hold the units of depths."""

_IN = re.compile(r"(.*?)[\s_]*[(\[_]?\s*(m|metres|meters|ft|feet|f)\s*[)\]]?", re.IGNORECASE)
"""A name of a column with a unit behind it, as in ``MD (ft)`` or ``MD_FT``."""

_MEASURED = re.compile(r"(?i)(DEPTH_?)?MD\b|MD_|MEASURED")
"""Names of columns that say they are measured depths, which tracks are drawn along."""

MOST_TOPS = 300
"""More changes than this in one well are no tops."""


class TableOfTops(NamedTuple):
    """Rows (n,) of a table of surfaces: their names, measured depths and wells.

    Parameters
    ----------
    path : of the table, for messages.
    names, depth_m : of the tops; a depth that is not known is not finite.
    wells : as the table calls them; None where it is of one well only.
    """

    path: Path
    names: Sequence[str]
    depth_m: np.ndarray
    wells: Sequence[str] | None

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """Read a table.

        Parameters
        ----------
        path : table with a column of names (`SURFACE`, `FORMATION`, `TOP`, ...), one of depths, in
            metres if neither its name (``MD (ft)``), the table nor a column ``UNIT`` says
            otherwise, and one of wells unless it is of one well only.

        Raises
        ------
        DataError
            A column is missing, or a unit is no length.
        """
        table = open_table(path)
        depth, unit = _depth_column(table)
        hole = find(WELL, table.columns, known_logs())
        rows = read_table(table, list(table.columns))
        metres = matrix(rows, [depth], origin=table.origin())[:, 0]
        words = {n: words_of(np.array(rows[n].to_pylist(), object)) for n in table.columns}
        stated = next((c for c in words if c.upper() in _UNITS and _are_units(words[c])), None)
        metres *= _factors(table, words[stated] if stated else [unit] * len(metres))
        named = next((c for n in _NAMES for c in words if c.upper() == n and c != stated), None)
        if named is None:
            wanted = ", ".join(_NAMES)
            raise DataError(f"{path}: no column of names of formations. Call it one of {wanted}.")
        _say_units(table, depth, unit, words, named=named, stated=stated)
        return cls(Path(path), words[named], metres, words[hole.column] if hole else None)

    def knows(self, well: str) -> bool:
        """Whether there are tops of a well."""
        return self.wells is None or bool(_called(well, self.wells)[0])

    def of(self, well: str) -> dict[str, float]:
        """Measured depths in metres of the tops of one well, by name.

        Raises
        ------
        DataError
            The table knows other wells only.
        """
        own = set() if self.wells is None else self._taken(well, self.wells)
        tops = [
            (name, float(where))
            for i, (name, where) in enumerate(zip(self.names, self.depth_m, strict=True))
            if self.wells is None or self.wells[i] in own
        ]
        if lost := [name or "one without a name" for name, where in tops if not np.isfinite(where)]:
            message = f"{self.path}: tops without a depth are left out"
            warnings.warn(f"{message}: {_some(lost)}.", stacklevel=3)
        if lost := [f"at {m:g} m" for name, m in tops if not name and np.isfinite(m)]:
            message = f"{self.path}: tops without a name are left out"
            warnings.warn(f"{message}: {_some(lost)}.", stacklevel=3)
        return _numbered([(n, m) for n, m in tops if n and np.isfinite(m)])

    def _taken(self, well: str, wells: Sequence[str]) -> set[str]:
        """What the table calls a well, with a word on what was assumed."""
        same, near = _called(well, wells)
        if not same:
            known = _some(list(dict.fromkeys(wells)), most=8)
            raise DataError(f"{self.path}: no tops of the well {well}. It knows {known}.")
        if _plain(next(iter(same))) != _plain(well):
            (other,) = same
            warnings.warn(f"{self.path}: the tops of {other} are taken for {well}.", stacklevel=4)
        elif near:
            message = f"{self.path}: tops of {_some(near)} are left out as other wells'"
            warnings.warn(f"{message}.", stacklevel=4)
        return same


def _some(names: Sequence[str], most: int = 4) -> str:
    """The first names of several."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def _numbered(tops: Sequence[tuple[str, float]]) -> dict[str, float]:
    """Depths by name from above; a name that comes again, as of a repeated section, is numbered."""
    times: Counter[str] = Counter()
    found: dict[str, float] = {}
    for name, where in sorted(dict.fromkeys(tops), key=lambda top: top[1]):
        times[name] += 1
        found[f"{name} ({times[name]})" if times[name] > 1 else name] = where
    return found


def tops_of(names: Sequence[str | None], depth_m: np.ndarray, *, column: str) -> dict[str, float]:
    """Where the names of samples in order of depth (n,) change; one that comes back is numbered.

    Raises
    ------
    DataError
        They change too often to be names of formations.
    """
    changes, last = [], None
    for name, where in zip(names, depth_m, strict=True):
        if name and name != last:
            changes.append((name, float(where)))
        last = name or last
    found = _numbered(changes)
    if len(found) > MOST_TOPS:
        message = f"The column {column!r} changes {len(found):,} times: it holds no formations"
        raise DataError(f"{message}. Name a column of their names, or a table of tops, by --tops.")
    return found


def _depth_column(table: TableFile) -> tuple[str, str]:
    """The column of measured depths, and their unit as the table or the column's name states it."""
    plain = {c: (c, table.units.get(c, "m")) for c in table.columns}
    behind = {m[1]: (c, m[2]) for c in table.columns if (m := _IN.fullmatch(c)) and m[1]}
    plain = {**behind, **plain}
    found = find("DEPTH", list(plain), known_logs())
    if found is None:
        raise DataError(f"{table.path}: no column of depths. Call it as MD, MD (ft) or DEPTH_M.")
    measured = [name for name in (found.column, *found.others) if _MEASURED.match(name)]
    taken = plain[(measured or [found.column])[0]]
    if others := [plain[n][0] for n in (found.column, *found.others) if plain[n][0] != taken[0]]:
        told = f"{table.path}: depths are those of {taken[0]!r} (not {_some(others)})"
        warnings.warn(f"{told}.", stacklevel=4)
    return taken


def _say_units(
    table: TableFile,
    depth: str,
    unit: str,
    words: Mapping[str, Sequence[str]],
    *,
    named: str,
    stated: str | None,
) -> None:
    """Say where a column of units holds none, or differs from the unit of the depths."""
    known = {metres_in(word) for word in words[stated] if word} if stated else set()
    if stated and (unit != "m" or _IN.fullmatch(depth)) and known != {metres_in(unit)}:
        message = f"{table.path}: {depth!r} is in {unit}, and {stated!r} says {words[stated][0]}"
        warnings.warn(f"{message}: the column of units is taken.", stacklevel=4)
    strange = [c for c in words if c.upper() in _UNITS and c not in (stated, named)]
    if stated is None and strange:
        told = _some([word for word in dict.fromkeys(words[strange[0]]) if word])
        message = f"{table.path}: {strange[0]!r} holds no unit of length ({told})"
        warnings.warn(f"{message}: depths are taken in {unit}.", stacklevel=4)


def _are_units(words: Sequence[str]) -> bool:
    """Whether words are units of length, as far as there are any."""
    return any(words) and all(metres_in(word) is not None for word in set(words) if word)


def _factors(table: TableFile, units: Sequence[str]) -> np.ndarray:
    """Metres in every row's unit; metres where it states none."""
    known = {unit: metres_in(unit) if unit else 1.0 for unit in set(units)}
    if strange := [unit for unit, metres in known.items() if metres is None]:
        raise DataError(f"{table.path}: the unit {strange[0]!r} is no length. State m or ft.")
    return np.array([known[unit] for unit in units], float)


def _called(well: str, wells: Sequence[str]) -> tuple[set[str], list[str]]:
    """What a table calls a well: the same letters, or else the only name that begins as it does.

    And the names of others that begin as it does.
    """
    names = list(dict.fromkeys(wells))
    same = {name for name in names if _plain(name) == _plain(well)}
    parts = well.upper().split()
    near = [n for n in names if n not in same and _begins_as(n.upper().split(), parts)]
    return ({near[0]}, []) if not same and len(near) == 1 else (same, near)


def _begins_as(one: list[str], other: list[str]) -> bool:
    return one == other[: len(one)] or one[: len(other)] == other


def _plain(well: str) -> str:
    """A well's name without what its writers disagree about."""
    bare = re.sub(r"^(NO|UK|NL|DK|WELL)[\s:]+", "", well.strip().upper())
    # 16/1-12 is not 16/11-2, and M-3 is M03
    parts = re.findall(r"[^\W\d_]+|\d+", bare)
    return "-".join(part.lstrip("0") or "0" if part.isdigit() else part for part in parts)
