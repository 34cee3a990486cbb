"""How a table is to be read: which part of a file, which rows, under which names."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from sfumato.errors import DataError
from sfumato.io.tables.contract import Batches, TableFile, rebatched
from sfumato.io.tables.expressions import Condition, parse_condition
from sfumato.io.tables.numbers import matrix
from sfumato.io.tables.opening import batches, common_schema, open_file

OnFiltered = Callable[[Path, int, int], None]

_CODE = 90.0
"""Magnitudes this far from 0 are codes, and stay what they are."""

_LEAST_REDDENING = -0.1
"""Noise makes a small E(B - V) negative; -1 and -99 are codes."""


@dataclass(frozen=True)
class Reading:
    """How tables are to be read: rows by the file's own names and values, then names, then values.

    Parameters
    ----------
    group : HDF5 group, FITS extension (name or number) or table of a VOTable.
    rename : the names that columns are to have, and those they have.
    zero_points : by column of magnitudes, what is added to them.
    extinction : by column of magnitudes, what is subtracted for every magnitude of reddening.
    reddening : the column of the reddening, E(B - V) in magnitudes.
    where : a condition that rows have to fulfil (see `sfumato.io.tables.expressions`).
    on_filtered : called with a file, its rows that do, and all.
    """

    group: str | None = None
    rename: Mapping[str, str] = field(default_factory=dict)
    zero_points: Mapping[str, float] = field(default_factory=dict)
    extinction: Mapping[str, float] = field(default_factory=dict)
    reddening: str | None = None
    where: str | None = None
    on_filtered: OnFiltered | None = field(default=None, repr=False, compare=False)

    def open(self, path: str | Path) -> TableFile:
        """The table of a file, so read.

        Raises
        ------
        DataError
            The file or one of the columns is not there, or no row fulfils the condition.
        ValueError
            The condition cannot be read.
        """
        table = replace(open_file(path, self.group), reading=self)
        if self.where is not None:
            n_all = table.n_rows
            table = _filtered(table, parse_condition(self.where))
            if self.on_filtered is not None:
                self.on_filtered(table.path, table.n_rows, n_all)
        if self.rename:
            table = _renamed(table, self.rename)
        if self.zero_points or self.extinction:
            table = _corrected(table, self)
        return table

    def check_corrections(self, magnitudes: Sequence[str], *, are_fluxes: bool) -> None:
        """Refuse to correct what are no magnitudes of a model.

        Raises
        ------
        DataError
            Another column is named, or the model takes fluxes.
        """
        for option, given in (("zero-point", self.zero_points), ("extinction", self.extinction)):
            wrong = [name for name in given if name not in magnitudes]
            if wrong or (given and are_fluxes):
                message = f"--{option} corrects the magnitudes that are features of the model"
                what = f"{wrong[0]!r} is none" if wrong else "this one takes fluxes"
                raise DataError(f"{message}; {what}.")

    @property
    def options(self) -> dict[str, str]:
        """What the command line is given for the same, by option; those without effect left out."""
        extinction = _pairs(self.extinction)
        texts = {
            "group": self.group or "",
            "where": self.where or "",
            "rename": _pairs(self.rename),
            "zero-point": _pairs(self.zero_points),
            "extinction": f"{self.reddening}:{extinction}" if extinction else "",
        }
        return {name: text for name, text in texts.items() if text}

    @property
    def corrections(self) -> dict[str, dict[str, float]]:
        """What is done to magnitudes, for the record; empty if nothing is."""
        parts = {"zero_points": dict(self.zero_points), "extinction": dict(self.extinction)}
        return {name: values for name, values in parts.items() if values}


def _pairs(values: Mapping[str, object]) -> str:
    return ",".join(f"{name}={value}" for name, value in values.items())


DEFAULT = Reading()
"""All rows of the only table of a file, as they are."""


def open_table(
    path: str | Path, *, group: str | None = None, where: str | None = None
) -> TableFile:
    """Open a table by its suffix; see `Reading`, which can do more.

    Raises
    ------
    DataError
        The file is missing, of an unknown kind, damaged or empty.
    """
    return Reading(group, where=where).open(path)


def _renamed(table: TableFile, names: Mapping[str, str]) -> TableFile:
    """Columns under other names."""
    table.require(list(names.values()))
    old = {new: given for new, given in names.items()}
    taken = [c for c in table.columns if c in old and c not in old.values()]
    if taken:
        raise DataError(f"{table.path}: --rename to {taken[0]!r}: there is such a column already.")
    new_of = {given: new for new, given in old.items()}
    columns = tuple(new_of.get(name, name) for name in table.columns)

    def read(wanted: Sequence[str], start: int, batch_rows: int) -> Batches:
        for batch in table.read([old.get(n, n) for n in wanted], start, batch_rows):
            yield batch.rename_columns(list(wanted))

    def schema(wanted: Sequence[str]) -> pa.Schema:
        found = table.schema([old.get(n, n) for n in wanted])
        return pa.schema([f.with_name(n) for f, n in zip(found, wanted, strict=True)])

    units, descriptions = (
        {new_of.get(name, name): text for name, text in stated.items()}
        for stated in (table.units, table.descriptions)
    )
    return replace(
        table,
        columns=columns,
        read=read,
        schema=schema,
        units=units,
        descriptions=descriptions,
    )


def _corrected(table: TableFile, how: Reading) -> TableFile:
    """Magnitudes with their zero points, and without the reddening in front of them."""
    if how.extinction and how.reddening is None:
        raise ValueError("--extinction needs the column of E(B - V).")
    changed = dict.fromkeys([*how.zero_points, *how.extinction])
    red = [how.reddening] if how.extinction and how.reddening is not None else []
    table.require([*changed, *red])

    def corrected(batch: pa.Table, name: str, first: int) -> np.ndarray:
        origin = table.origin(first)
        values = matrix(batch, [name], origin=origin)[:, 0]
        is_code = ~(np.abs(values) < _CODE)
        moved = values + how.zero_points.get(name, 0.0)
        if name in how.extinction:
            reddening = matrix(batch, red, origin=origin)[:, 0]
            known = (reddening > _LEAST_REDDENING) & (reddening < _CODE)
            unknown = ~known & ~is_code
            if unknown.any():
                row = int(np.argmax(unknown))
                path, number = origin.of(row)
                what = f"{red[0]!r} is {reddening[row]:g} in row {number}"
                message = f"{path}: {what}, which is no reddening"
                raise DataError(f"{message}. Fill it, or leave the row out by --where.")
            moved = moved - how.extinction[name] * reddening
        return np.where(is_code, values, moved)

    def read(wanted: Sequence[str], start: int, batch_rows: int) -> Batches:
        needs = red if any(name in how.extinction for name in wanted) else []
        first = start
        for batch in table.read(list(dict.fromkeys([*wanted, *needs])), start, batch_rows):
            columns = [
                pa.chunked_array([corrected(batch, n, first)]) if n in changed else batch[n]
                for n in wanted
            ]
            first += batch.num_rows
            yield pa.table(columns, names=list(wanted))

    def schema(wanted: Sequence[str]) -> pa.Schema:
        number = pa.float64()
        found = table.schema(wanted)
        return pa.schema([f.with_type(number) if f.name in changed else f for f in found])

    return replace(table, read=read, schema=schema)


def _filtered(table: TableFile, condition: Condition) -> TableFile:
    """The rows that fulfil a condition; they are counted at once."""
    table.require(condition.columns)
    if not condition.columns:
        raise ValueError(f"--where {condition.text!r} names no column.")
    kinds = common_schema([table], condition.columns)
    named = [c for c in condition.columns]
    kept = [condition(b) for b in batches([table], named, batch_rows=1 << 18, schema=kinds)]
    mask = np.concatenate([part.to_numpy() for part in kept])
    if not mask.any():
        raise DataError(f"{table.path}: no row of {table.n_rows:,} fulfils {condition.text!r}.")
    # four bytes a row, where that does
    rows = np.flatnonzero(mask).astype(np.uint32 if mask.size < 2**32 else np.int64)

    def read(wanted: Sequence[str], start: int, batch_rows: int) -> Batches:
        # from the row of the file where the `start`-th that is kept lies
        place = int(rows[start]) if start < rows.size else table.n_rows

        def taken(first: int) -> Batches:
            for batch in table.read(wanted, first, batch_rows):
                yield batch.filter(pa.array(mask[first : first + batch.num_rows]))
                first += batch.num_rows

        yield from rebatched(taken(place), batch_rows)

    return replace(table, n_rows=rows.size, read=read, rows=rows)
