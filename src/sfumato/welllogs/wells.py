"""From a table of samples to the table a model of logs reads: whole wells, found and converted."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from sfumato.errors import DataError, suggest
from sfumato.io.tables import TableFile, matrix, read_table
from sfumato.io.tables.contract import Batches
from sfumato.preprocessing.table import words_of
from sfumato.welllogs.curves import Found, Log, Logs, convert, find
from sfumato.welllogs.features import DEPTH, LogFeatures
from sfumato.welllogs.table import WELL

GROUP = "well"
"""The column of what is held out together: a well, or a block of one."""

MEASURED = "measured depth in m"
"""The column of measured depths."""


@dataclass(frozen=True)
class Wells:
    """How the wells of tables are found.

    Parameters
    ----------
    features : what a model sees of them.
    target : the log to predict; None where it need not be there.
    logs : the logs that are known.
    well, depth : columns, where they are not found by their names.
    block_m : length in metres of the blocks that are held out together; None for whole wells.
    """

    features: LogFeatures
    target: str | None
    logs: Logs
    well: str | None = None
    depth: str | None = None
    block_m: float | None = None

    def open(self, table: TableFile) -> TableFile:
        """The same rows with the columns of the model beside their own; what was taken is said.

        Raises
        ------
        DataError
            A log, the depth or the well is not found, or holds words.
        """
        taken = _Taken.of(table, self)
        names = self.features.names
        logs = tuple(name for name in taken.inputs if name != DEPTH)
        extra = (*names, GROUP, MEASURED, *logs, *([self.target] if taken.target else []))
        own = tuple(c for c in table.columns if c not in extra)
        said: set[str] = set()

        def read(wanted: Sequence[str], start: int, batch_rows: int) -> Batches:
            derived = self._derived(table, taken, said) if set(wanted) & set(extra) else {}
            kept = [name for name in wanted if name not in derived]
            rows = read_table(table, kept) if kept else None
            columns = [derived[n] if n in derived else rows[n] for n in wanted]  # type: ignore[index]
            whole = pa.table(columns, names=list(wanted))
            for begin in range(start, whole.num_rows, batch_rows):
                yield whole.slice(begin, batch_rows)

        def schema(wanted: Sequence[str]) -> pa.Schema:
            kinds = table.schema([name for name in wanted if name not in extra])
            fields = {f.name: f for f in kinds}
            new = {n: pa.field(n, pa.string() if n == GROUP else pa.float64()) for n in extra}
            return pa.schema([new.get(name, fields.get(name)) for name in wanted])

        units = {**table.units, **{name: taken.inputs[name].log.unit for name in logs}}
        if taken.target:
            units[str(self.target)] = taken.target.log.unit
        return replace(
            table, columns=own + extra, read=read, schema=schema, is_text=False, units=units
        )

    def _derived(
        self, table: TableFile, taken: "_Taken", said: set[str]
    ) -> dict[str, pa.Array | pa.ChunkedArray]:
        """The columns of the model, and the target, by name."""
        numbers = taken.numbers(table, said)
        depth = taken.depth_m(table)
        words = taken.wells(table)
        _, wells = np.unique(words, return_inverse=True)
        values = dict(numbers)
        if DEPTH in self.features.inputs and not np.isfinite(values.get(DEPTH, np.nan)).any():
            values[DEPTH] = depth
        elif DEPTH in values:
            values[DEPTH] = _downward(values[DEPTH])
        columns = self.features.columns(values, depth, wells, self.logs)
        out = {n: pa.array(c) for n, c in zip(self.features.names, columns.T, strict=True)}
        if self.block_m is not None:
            blocks = np.floor(np.nan_to_num(depth) / self.block_m).astype(int)
            words = [f"{w} {self.block_m * b:g} m" for w, b in zip(words, blocks, strict=True)]
        out |= {GROUP: pa.array(words, pa.string()), MEASURED: pa.array(depth)}
        for name in taken.inputs:
            if name != DEPTH:
                out[name] = pa.array(numbers[name])
        if taken.target is not None:
            out[str(self.target)] = pa.array(numbers[_TARGET])
        return out


_TARGET = "target of the model"


def _downward(vertical: np.ndarray) -> np.ndarray:
    """Vertical depth that grows downwards; coordinates are negative below the sea."""
    return -vertical if np.nanmedian(vertical) < 0 else vertical


@dataclass(frozen=True)
class _Taken:
    """The columns of one table that stand for what is wanted."""

    inputs: Mapping[str, Found]
    target: Found | None
    depth: Found
    well: str | None

    @classmethod
    def of(cls, table: TableFile, wells: Wells) -> "_Taken":
        """Find them; what was taken, and what was not found, is said."""
        logs, columns = wells.logs, table.columns
        found = {name: find(name, columns, logs) for name in wells.features.inputs}
        inputs = {name: f for name, f in found.items() if f is not None}
        target = None if wells.target is None else find(wells.target, columns, logs)
        if not any(name != DEPTH for name in inputs):
            wanted = ", ".join(wells.features.logs)
            raise DataError(f"{table.path}: none of {wanted} is among {', '.join(columns)}.")
        if target is not None and target.column in {f.column for f in inputs.values()}:
            raise DataError(f"{table.path}: {target.column!r} is the target, and an input too.")
        depth = _named(table, wells.depth, "DEPTH", logs, option="depth")
        if depth is None:
            raise DataError(f"{table.path}: no column of depths. Name it by --depth.")
        well = _named(table, wells.well, WELL, logs, option="well")
        _say_taken(table, inputs, target, wells)
        return cls(inputs, target, depth, None if well is None else well.column)

    def numbers(self, table: TableFile, said: set[str]) -> dict[str, np.ndarray]:
        """Values (n,) by input, and of the target, in the units of their logs."""
        found = {**self.inputs, **({} if self.target is None else {_TARGET: self.target})}
        names = list(dict.fromkeys(f.column for f in found.values()))
        values = matrix(read_table(table, names), names, origin=table.origin())
        out, lines = {}, []
        for name, f in found.items():
            column = values[:, names.index(f.column)]
            if name == DEPTH:
                out[name] = column * _metres(f, table.units.get(f.column, ""), table, self.depth)
                continue
            if not np.isfinite(column).any():
                more = f" ({', '.join(f.others)} is not looked at)" if f.others else ""
                lines.append(f"{f.column} holds no value{more}")
            converted = convert(f, column, table.units.get(f.column, ""))
            out[name] = converted.values
            if converted.doubt:
                lines.append(converted.doubt)
            if converted.n_outside:
                low, high = f.log.range
                lines.append(
                    f"{converted.n_outside:,} values of {f.column} outside {low:g} to {high:g} "
                    f"{f.log.unit} are no measurements"
                )
        _say_once(table, lines, said)
        return out

    def depth_m(self, table: TableFile) -> np.ndarray:
        """Measured depth (n,) in metres."""
        name = self.depth.column
        values = matrix(read_table(table, [name]), [name], origin=table.origin())[:, 0]
        return values * (self.depth.log.factor(table.units.get(name, "")) or 1.0)

    def wells(self, table: TableFile) -> list[str]:
        """Name of the well of every row; the file's, where no column says it."""
        if self.well is None:
            return [table.path.stem] * table.n_rows
        column = read_table(table, [self.well])[self.well].combine_chunks().dictionary_encode()
        words = words_of(np.array([*column.dictionary.to_pylist(), None], object))
        codes = column.indices.fill_null(len(words) - 1).to_pylist()
        return [words[code] or table.path.stem for code in codes]


def _metres(found: Found, unit: str, table: TableFile, depth: Found) -> float:
    """Metres in the unit of a vertical depth; without one, that of the measured depth."""
    stated = found.log.factor(unit)
    if stated is not None:
        return stated
    return depth.log.factor(table.units.get(depth.column, "")) or 1.0


def _named(
    table: TableFile, given: str | None, name: str, logs: Logs, *, option: str
) -> Found | None:
    """A column that was named, or is found by its name."""
    if given is None:
        return find(name, table.columns, logs)
    if given not in table.columns:
        near = suggest(given, table.columns)
        raise DataError(f"{table.path}: --{option} names {given!r}, no column. {near}")
    return Found(logs.get(name, Log(name)), given)


def _say_taken(
    table: TableFile, inputs: Mapping[str, Found], target: Found | None, wells: Wells
) -> None:
    """Say which columns stand for logs of another name, and which logs are not there."""
    found = {**inputs, **({} if target is None else {str(wells.target): target})}
    told = [
        f"{name} is {f.column}" + (f" (not {', '.join(f.others)})" if f.others else "")
        for name, f in found.items()
        if f.column.upper() != name.upper() or f.others
    ]
    absent = [name for name in wells.features.inputs if name not in inputs and name != DEPTH]
    if absent:
        told.append(f"no {', '.join(absent)}: predicted without")
    if DEPTH in wells.features.inputs and DEPTH not in inputs:
        told.append("no vertical depth: measured depth is taken for it")
    if told:
        warnings.warn(f"{table.path}: {'; '.join(told)}.", stacklevel=4)


def _say_once(table: TableFile, lines: Sequence[str], said: set[str]) -> None:
    new = [line for line in lines if line not in said]
    said.update(new)
    if new:
        warnings.warn(f"{table.path}: {'; '.join(new)}.", stacklevel=4)
