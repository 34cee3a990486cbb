"""Tops of formations: from a table of surfaces, or where a column of names changes."""

import re
import warnings
from collections import Counter
from collections.abc import Sequence
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
            if name and (self.wells is None or self.wells[i] in own)
        ]
        if lost := [name for name, where in tops if not np.isfinite(where)]:
            message = f"{self.path}: tops without a depth are left out"
            warnings.warn(f"{message}: {_some(lost)}.", stacklevel=3)
        return {name: where for name, where in tops if np.isfinite(where)}

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


def tops_of(names: Sequence[str | None], depth_m: np.ndarray, *, column: str) -> dict[str, float]:
    """Where the names of samples in order of depth (n,) change; one that comes back is numbered.

    Raises
    ------
    DataError
        They change too often to be names of formations.
    """
    found: dict[str, float] = {}
    times: Counter[str] = Counter()
    last = None
    for name, where in zip(names, depth_m, strict=True):
        if name and name != last:
            times[name] += 1
            found[f"{name} ({times[name]})" if times[name] > 1 else name] = float(where)
        last = name or last
    if len(found) > MOST_TOPS:
        message = f"The column {column!r} changes {len(found):,} times: it holds no formations"
        raise DataError(f"{message}. Name a column of their names, or a table of tops, by --tops.")
    return found


def _depth_column(table: TableFile) -> tuple[str, str]:
    """The column of depths, and their unit as the table or the column's name states it."""
    logs = known_logs()
    found = find("DEPTH", table.columns, logs)
    if found is not None:
        return found.column, table.units.get(found.column, "m")
    plain = {m[1]: (c, m[2]) for c in table.columns if (m := _IN.fullmatch(c)) and m[1]}
    found = find("DEPTH", list(plain), logs)
    if found is None:
        raise DataError(f"{table.path}: no column of depths. Call it as MD, MD (ft) or DEPTH_M.")
    return plain[found.column]


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
    return "".join(c for c in bare if c.isalnum())
