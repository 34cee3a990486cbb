"""Tables that describe their columns, as astropy reads them: ECSV, IPAC, CDS/MRT, VOTable."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

from sfumato._numerics import unveiled
from sfumato.errors import DataError, optional_module
from sfumato.io.tables.contract import TableFile, arrow_of, in_memory, of_elements, vector_names


def astropy_opener(kind: str) -> Callable[[Path, str | None], TableFile]:
    """The opener of one of astropy's formats."""
    return lambda path, group: _open(path, group, kind)


def _open(path: Path, group: str | None, kind: str) -> TableFile:
    table = optional_module("astropy.table", extra="io").Table
    options: dict[str, object] = {}
    stated: list[str] = []
    if kind == "votable":  # the names that catalogues are described by, not the IDs behind them
        index, stated = _table_of(path, group)
        options = {"table_id": index, "use_names_over_ids": True}
    if kind.startswith("ascii.") and kind != "ascii.ecsv":
        # a gap is a gap in words too; "0" is not
        options["fill_values"] = [(gap, "0") for gap in ("", "--", "---", "...", "null")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of units and letters of their headers
        read = table.read(path, format=kind, **options)
    for name, given in zip(read.colnames, stated, strict=False):
        if name != given:
            message = f"{path}: several fields are named {given!r}: one of them is read as {name!r}"
            warnings.warn(f"{message}.", stacklevel=2)
    columns, units, descriptions = {}, {}, {}
    for name in read.colnames:
        parts = _columns(name, read[name])
        columns.update(parts)
        described = read[name].info  # of coordinates and times too
        units.update(dict.fromkeys(parts, str(described.unit or "")))
        descriptions.update(dict.fromkeys(parts, described.description or ""))
    table = pa.table(columns)
    return in_memory(
        path, table, group, units=of_elements(units, {}), descriptions=of_elements(descriptions, {})
    )


def _columns(name: str, column: ArrayLike) -> dict[str, pa.Array]:
    """A column as Arrow's, one for each element of its vectors; masked values are null."""
    values, mask = unveiled(column)
    if values.ndim == 1:
        return {name: arrow_of(values, mask)}
    flat = values.reshape(len(values), -1)
    gaps = np.zeros(flat.shape, bool) if mask is None else mask.reshape(flat.shape)
    names = vector_names(name, flat.shape[1])
    return {part: arrow_of(flat[:, i], gaps[:, i]) for i, part in enumerate(names)}


def _table_of(path: Path, group: str | None) -> tuple[int, list[str]]:
    """Which table of a VOTable: by its ID, name or number from 0; the only one if none is named.

    With it, the names of its fields.
    """
    votable = optional_module("astropy.io.votable", extra="io")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tables = list(votable.parse(path).iter_tables())
    labels = [str(t.ID or t.name or i) for i, t in enumerate(tables)]
    if group is None and len(tables) == 1:
        return 0, [field.name for field in tables[0].fields]
    for index, table in enumerate(tables):
        if group is not None and group in (table.ID, table.name, str(index)):
            return index, [field.name for field in table.fields]
    if not tables:
        raise DataError(f"{path}: holds no table.")
    problem = "several tables" if group is None else f"no table {group!r}"
    raise DataError(f"{path}: {problem}. Say which with --group: {', '.join(labels)}.")
