"""DLIS files (RP66 version 1) as tables: the channels of one frame, the well and the depth."""

import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sfumato.errors import DataError, optional_module
from sfumato.io.tables import TableFile
from sfumato.io.tables.contract import in_memory, reason_of
from sfumato.welllogs.las.cells import CODES
from sfumato.welllogs.las.depth import DEEPEST_M, metres_in
from sfumato.welllogs.table import DEPTH, WELL

_COUNTER = "FRAMENO"
"""The first field of every row: its number."""


def open_dlis(path: Path, group: str | None = None) -> TableFile:
    """Open one frame of a DLIS file as a table; what was left out or assumed is said.

    Channels of several numbers a row, such as images and waveforms, are not columns.

    Parameters
    ----------
    group : name of the frame, needed where there are several: ``FRAME``, or ``FILE/FRAME`` with the
        name or number (from 0) of its logical file, and ``#2`` behind the second of one name.

    Raises
    ------
    DataError
        It is damaged, has no frame or several, or its index is no depth.
    MissingDependencyError
        dlisio is not installed.
    """
    dlis: Any = optional_module("dlisio.dlis", extra="dlis")
    try:
        with dlis.load(str(path)) as files:
            name, frame, well = _frame(path, files, group)
            return _table(path, name, frame, well)
    except (RuntimeError, OSError, ValueError, KeyError, IndexError, UnicodeDecodeError) as error:
        if isinstance(error, DataError):
            raise
        message = f"{path}: cannot be read ({reason_of(error).strip() or type(error).__name__})"
        raise DataError(f"{message}. Is it truncated, or no DLIS file?") from error


def _frame(path: Path, files: Any, group: str | None) -> tuple[str, Any, str]:  # dlisio's
    """Name of the one frame that is meant, the frame, and the well of its logical file."""
    found: list[tuple[set[str], str, Any, str]] = []
    for number, file in enumerate(files):
        title = file.fileheader.id.strip() if file.fileheader else ""
        well = next((str(o.well_name).strip() for o in file.origins if o.well_name), path.stem)
        times: Counter[str] = Counter()
        for frame in file.frames:
            times[frame.name] += 1
            again = f"#{times[frame.name]}" if times[frame.name] > 1 else ""
            name = frame.name + again
            called = {name, f"{title}/{name}", f"{number}/{name}"}
            found.append((called, f"{number}/{name}", frame, well))
    if not found:
        raise DataError(f"{path}: it holds no frame.")
    taken = [entry for entry in found if group is None or group in entry[0]]
    if len(taken) != 1:
        names = ", ".join(f"{name} ({len(frame.channels)} channels)" for _, name, frame, _ in found)
        what = "several frames" if group is None or taken else f"no frame {group!r}"
        raise DataError(f"{path} holds {what}: {names}. Choose one by --group.")
    _, name, frame, well = taken[0]
    return name, frame, well


def _table(path: Path, name: str, frame: Any, well: str) -> TableFile:  # dlisio's
    rows = frame.curves()
    fields = [name for name in rows.dtype.names if name != _COUNTER]
    columns, units, told, wide, n_codes = {}, {}, {}, [], 0
    times: Counter[str] = Counter()
    for field, channel in zip(fields, frame.channels, strict=True):
        times[channel.name] += 1
        # dlisio tells channels of one name apart by their copies; the first keeps its name
        name = channel.name if times[channel.name] == 1 else f"{channel.name}:{times[channel.name]}"
        values = rows[field]
        if values.ndim > 1:
            wide.append(name)
            continue
        values, n = _without_codes(values, is_index=name == frame.index)
        n_codes += n
        columns[name] = pa.array(values, from_pandas=True)
        if channel.units:
            units[name] = channel.units
        if channel.long_name:
            told[name] = str(channel.long_name)
    lines = [
        f"{len(wide)} channels of several numbers a row are no columns ({', '.join(wide[:3])})"
    ]
    lines = lines if wide else []
    if n_codes:
        lines.append(f"{n_codes:,} values are codes such as -999.25: gaps")
    depth = _depth(path, frame, columns, units.get(str(frame.index), ""), lines)
    columns.setdefault(WELL, pa.array([well] * len(rows), pa.string()))
    if depth is not None and DEPTH not in columns:
        columns[DEPTH], units[DEPTH] = depth, "m"
    if lines:
        warnings.warn(f"{path}: {'; '.join(lines)}.", stacklevel=5)
    return in_memory(path, pa.table(columns), name, units=units, descriptions=told)


def _without_codes(values: np.ndarray, *, is_index: bool) -> tuple[np.ndarray, int]:
    """Numbers without the codes of what was not measured, and how many there were."""
    if values.dtype.kind not in "fiu":
        return values, 0
    numbers = values.astype(float)
    if is_index:
        return numbers, 0
    single = np.asarray(CODES, np.float32).astype(
        float
    )  # as channels in single precision hold them
    gaps = np.isin(numbers, [*CODES, *single])
    return np.where(gaps, np.nan, numbers), int(gaps.sum())


def _depth(
    path: Path, frame: Any, columns: dict[str, pa.Array], unit: str, lines: list[str]
) -> pa.Array | None:
    """The index in metres, increasing or not; None where there is none."""
    if frame.index is None or frame.index not in columns:
        lines.append("no channel is said to be the index: there is no depth")
        return None
    factor = metres_in(unit)
    if factor is None:
        kind = str(frame.index_type or "").upper()
        if unit or "DEPTH" not in kind:
            lines.append(f"the index {frame.index} is in {unit or 'no unit'}, and is no depth")
            return None
        lines.append(f"the index {frame.index} states no unit: m is taken")
        factor = 1.0
    metres = np.asarray(columns[frame.index], float) * factor
    if np.nanmax(np.abs(metres), initial=0.0) > DEEPEST_M:
        told = f"in {unit or 'm'} the index {frame.index} would reach {np.nanmax(metres):.0f} m"
        lines.append(f"{told}: there is no depth")
        return None
    return pa.array(metres, from_pandas=True)
