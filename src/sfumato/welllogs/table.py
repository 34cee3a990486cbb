"""A LAS file as a table: its curves as columns, beside them the well and the depth in metres."""

import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa

from sfumato.io.tables import TableFile
from sfumato.io.tables.contract import in_memory
from sfumato.welllogs.las import LasFile, read_las

WELL, DEPTH = "WELL", "DEPTH_M"
"""Columns that a LAS file has besides its curves."""


def open_las(path: Path, group: str | None = None) -> TableFile:
    """Open a LAS file as a table; what was mended or assumed is said.

    Raises
    ------
    DataError
        As `read_las`.
    """
    las = read_las(path, group=group)
    say_notes(las)
    return las_table(las, group)


def say_notes(las: LasFile) -> None:
    """Say what was mended or assumed in a file, in one line."""
    if las.notes:
        more = f"; and {len(las.notes) - _MOST_SAID} more" if len(las.notes) > _MOST_SAID else ""
        warnings.warn(f"{las.path}: {'; '.join(las.notes[:_MOST_SAID])}{more}.", stacklevel=3)


_MOST_SAID = 6


def las_table(las: LasFile, group: str | None = None) -> TableFile:
    """The table of a LAS file that was read."""
    columns = {curve.name: _array(curve.values) for curve in las.curves}
    units = {curve.name: curve.unit for curve in las.curves if curve.unit.strip("_ ")}
    told = {curve.name: curve.description for curve in las.curves if curve.description}
    columns.setdefault(WELL, pa.array([las.well] * las.lines.size, pa.string()))
    if DEPTH not in columns:
        columns[DEPTH] = pa.array(las.depth_m, from_pandas=True)
        units[DEPTH] = "m"
    return in_memory(las.path, pa.table(columns), group, units=units, descriptions=told)


def _array(values: np.ndarray) -> pa.Array:
    return pa.array(values.tolist() if values.dtype == object else values, from_pandas=True)
