"""Tops of formations: from a table of surfaces, or where a column of names changes."""

import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from sfumato.errors import DataError
from sfumato.io.tables import matrix, open_table, read_table
from sfumato.preprocessing.table import words_of
from sfumato.welllogs.curves import find, known_logs
from sfumato.welllogs.table import WELL

_NAMES = ("SURFACE", "FORMATION", "TOP", "MARKER", "UNIT", "ZONE", "NAME")
"""Columns that hold names of formations, the likeliest first."""


def read_tops(path: Path | str, well: str) -> dict[str, float]:
    """Measured depths in metres of the tops of one well, by name.

    Parameters
    ----------
    path : table with a column of names (`SURFACE`, `FORMATION`, `TOP`, ...), one of depths, in
        metres if it states no unit, and one of wells unless it is of one well only.

    Raises
    ------
    DataError
        A column is missing, or the table knows other wells only.
    """
    table = open_table(path)
    logs = known_logs()
    depth, hole = (find(name, table.columns, logs) for name in ("DEPTH", WELL))
    named = next((c for n in _NAMES for c in table.columns if c.upper() == n), None)
    if depth is None or named is None:
        what = "names of formations" if named is None else "depths"
        wanted = "one of " + ", ".join(_NAMES) if named is None else "as DEPTH_M or MD"
        raise DataError(f"{path}: no column of {what}. Call it {wanted}.")
    taken = [c for c in (named, hole.column if hole else None) if c is not None]
    rows = read_table(table, [depth.column, *taken])
    metres = matrix(rows, [depth.column])[:, 0]
    metres *= depth.log.factor(table.units.get(depth.column, "")) or 1.0
    names, wells = (words_of(np.array(rows[c].to_pylist(), object)) for c in (taken * 2)[:2])
    if hole is None:
        wells = [well] * len(names)
    called = _called(well, dict.fromkeys(str(word) for word in wells), path)
    own = [str(word) == called for word in wells]
    return {
        str(name): float(where)
        for name, where, mine in zip(names, metres, own, strict=True)
        if mine and name is not None and np.isfinite(where)
    }


def tops_of(names: Sequence[str | None], depth_m: np.ndarray) -> dict[str, float]:
    """Where the names of samples in order of depth (n,) change; one that comes back is numbered."""
    found: dict[str, float] = {}
    last = None
    for name, where in zip(names, depth_m, strict=True):
        if name is not None and name != last:
            number = sum(known.partition(" (")[0] == name for known in found)
            found[f"{name} ({number + 1})" if number else str(name)] = float(where)
        last = name if name is not None else last
    return found


def _called(well: str, known: Iterable[str], path: Path | str) -> str:
    """What a table calls a well: the same letters, or else the only name that begins as it does."""
    names = list(known)
    same = [name for name in names if _plain(name) == _plain(well)]
    words = well.split()
    near = [
        n for n in names if n.split() == words[: len(n.split())] or n.split()[: len(words)] == words
    ]
    if not same and len(near) == 1:
        warnings.warn(f"{path}: the tops of {near[0]} are taken for {well}.", stacklevel=4)
    if same or len(near) == 1:
        return (same or near)[0]
    some = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    raise DataError(f"{path}: no tops of the well {well}. It knows {some}.")


def _plain(well: str | None) -> str:
    """A well's name without what its writers disagree about."""
    return "".join(c for c in str(well).upper() if c.isalnum())
