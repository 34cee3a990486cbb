"""Tables of text and XML that astropy reads: ECSV, IPAC, CDS/MRT, VOTable, columns of blanks."""

import csv
import re
import warnings
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path

import numpy as np
import pyarrow as pa

from sfumato._typing import Foreign
from sfumato.errors import DataError, optional_module
from sfumato.io.tables.cells import is_value
from sfumato.io.tables.contract import TableFile, arrow_of, in_memory, vector_names
from sfumato.io.tables.text import SEPARATORS, open_csv

_SEXTRACTOR = re.compile(r"#\s+\d+\s+\S+")


def astropy_opener(kind: str) -> Callable[[Path, str | None], TableFile]:
    """The opener of one of astropy's formats."""
    return lambda path, group: _open(path, group, kind)


def open_text(path: Path, group: str | None) -> TableFile:
    """Text of whatever layout its first lines have: separators, or columns of blanks."""
    with path.open(encoding="latin-1") as stream:
        head = [line for _, line in zip(range(2000), stream, strict=False)]
    above = [line for line in takewhile(lambda line: line.startswith("#"), head)]
    below = [line for line in head[len(above) :] if line.strip()]
    if above and above[0].startswith("# %ECSV"):
        return _open(path, group, "ascii.ecsv")
    if head and head[0].startswith(("\\", "|")):
        return _open(path, group, "ascii.ipac")
    if above and _SEXTRACTOR.match(above[-1]):
        return _open(path, group, "ascii.sextractor")
    if not below or any(separator in below[0] for separator in SEPARATORS):
        return open_csv(path, group)
    first, second = (_fields(line) for line in [*below, ""][:2])
    is_data = any(is_value(cell) for cell in first)
    is_named = bool(above) and len(above[-1].lstrip("#").split()) == len(first)
    if is_named and (is_data or not any(is_value(cell) for cell in second)):
        return _open(path, group, "ascii.commented_header")
    if not is_data:
        # a line of names: of one column, or of several that blanks part
        return _open(path, group, "ascii.basic") if len(first) > 1 else open_csv(path, group)
    message = f"{path}: there is no line of names above {len(first)} columns"
    raise DataError(f"{message}. Add one, such as `# id ra dec`, with a name for each column.")


def _fields(line: str) -> list[str]:
    return next(csv.reader([line.strip()], delimiter=" ", skipinitialspace=True), [])


def _open(path: Path, group: str | None, kind: str) -> TableFile:
    table = optional_module("astropy.table", extra="io").Table
    options = {"table_id": _table_of(path, group)} if kind == "votable" else {}
    if kind.startswith("ascii.") and kind != "ascii.ecsv":
        # a gap is a gap in words too; "0" is not
        options["fill_values"] = [("", "0"), ("--", "0"), ("...", "0"), ("null", "0")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of units and letters of their headers
        read = table.read(path, format=kind, **options)
    columns = {}
    for name in read.colnames:
        columns.update(_columns(name, read[name]))
    return in_memory(path, pa.table(columns), group)


def _columns(name: str, column: Foreign) -> dict[str, pa.Array]:
    """A column as Arrow's, one for each element of its vectors; masked values are null."""
    values = np.asarray(getattr(column, "value", column))
    mask = np.ma.getmaskarray(column) if isinstance(column, np.ma.MaskedArray) else None
    if values.ndim == 1:
        return {name: arrow_of(values, mask)}
    flat = values.reshape(len(values), -1)
    gaps = np.zeros(flat.shape, bool) if mask is None else mask.reshape(flat.shape)
    names = vector_names(name, flat.shape[1])
    return {part: arrow_of(flat[:, i], gaps[:, i]) for i, part in enumerate(names)}


def _table_of(path: Path, group: str | None) -> str | int:
    """Which table of a VOTable: by its ID, name or number from 0; the only one if none is named."""
    votable = optional_module("astropy.io.votable", extra="io")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tables = list(votable.parse(path).iter_tables())
    labels = [str(t.ID or t.name or i) for i, t in enumerate(tables)]
    if group is None and len(tables) == 1:
        return 0
    for index, table in enumerate(tables):
        if group is not None and group in (table.ID, table.name, str(index)):
            return index
    problem = "several tables" if group is None else f"no table {group!r}"
    raise DataError(f"{path}: {problem}. Say which with --group: {', '.join(labels)}.")
