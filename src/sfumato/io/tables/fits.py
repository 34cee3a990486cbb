"""Tables of FITS files: nulls, scales, vectors, extensions by name or number."""

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from sfumato._typing import FitsColumn, FitsPart, FitsParts
from sfumato.errors import DataError, optional_module
from sfumato.io.tables.contract import (
    Batches,
    Reader,
    TableFile,
    arrow_of,
    first_schema,
    in_memory,
    of_elements,
    reason_of,
    split_vector,
    vector_names,
)
from sfumato.io.tables.seal import MARK, check_mark

_OFFSETS = (2**15, 2**31, 2**63)
"""By which FITS turns its signed integers into unsigned ones."""

_HEADERS = "LDAC_IMHEAD"
"""Tables that carry the header of an image beside its objects (LDAC)."""


class _Field(NamedTuple):
    """One column: elements of its vectors (None for single values), its null code, its kind."""

    size: int | None
    null: float | str | None
    is_logical: bool = False
    is_unsigned: bool = False


@contextmanager
def opened(path: Path, *, memmap: bool | None = None) -> Iterator[FitsParts]:
    """The parts of a file; what astropy cannot make out of a card is damage."""
    fits = optional_module("astropy.io.fits", extra="io")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            stack = fits.open(path, memmap=memmap)
        with stack as hdus:
            yield hdus
    except fits.VerifyError as error:
        raise DataError(f"{path}: its header is damaged ({reason_of(error)}).") from error


def open_fits(path: Path, group: str | None) -> TableFile:
    """A table of a FITS file, mapped into memory."""
    with opened(path, memmap=True) as hdus, warnings.catch_warnings():
        # astropy warns of truncation; the error below says it with the file's name
        warnings.simplefilter("ignore")
        index = _table_of(hdus, group, path=path)
        table = hdus[index]
        _check_header(table, path)
        needed = table._data_offset + table.header["NAXIS1"] * table.header["NAXIS2"]
        fields = {column.name: _field(column) for column in table.columns}
        n_rows = table.header["NAXIS2"]
        names, cards = [column.name for column in table.columns], table.header
        stated = {column.name: column.unit for column in table.columns}
        comments = {name: cards.get(f"TCOMM{i}") for i, name in enumerate(names, start=1)}
        mark = cards.get(MARK)
        # astropy reads all data for this: of our own tables only, which are results
        _check_size(path, needed)
        if mark is not None and table.verify_datasum() == 0:
            raise DataError(
                f"{path}: damaged: its data are not those of its DATASUM. Write it again."
            )
    columns = tuple(n for name, field in fields.items() for n in vector_names(name, field.size))

    def read(names: Sequence[str], start: int, batch_rows: int) -> Batches:
        with opened(path, memmap=True) as hdus:
            data = hdus[index].data
            for begin in range(start, n_rows, batch_rows):
                _check_size(path, needed)  # what is mapped and gone kills the process
                rows = data[begin : begin + batch_rows]
                yield pa.table([_column(rows, name, fields) for name in names], names=list(names))

    sizes = {field.size for field in fields.values()}
    if n_rows == 1 and len(sizes) == 1 and sizes != {None}:
        return _turned(path, read, fields, group)
    size_of = {name: field.size for name, field in fields.items()}
    opened_table = TableFile(
        path,
        columns,
        n_rows,
        read,
        first_schema(read),
        group,
        units=of_elements(stated, size_of),
        descriptions=of_elements(comments, size_of),
    )
    check_mark(mark, opened_table)
    return opened_table


def _check_header(table: FitsPart, path: Path) -> None:
    """Refuse what astropy cannot read as a table of columns."""
    if table.header.get("ZTABLE"):
        raise DataError(f"{path}: the table is compressed by fpack. Unpack it with funpack.")
    counts = Counter(column.name for column in table.columns)
    if twice := [name for name, n in counts.items() if n > 1]:
        n = counts[twice[0]]
        raise DataError(f"{path}: {n} columns are named {twice[0]!r}. Rename them.")


def _check_size(path: Path, needed: int) -> None:
    """Refuse a file that ends before its table does."""
    size = path.stat().st_size
    if size < needed:
        raise DataError(f"{path}: truncated: {size} bytes, but its table needs {needed}.")


def _table_of(hdus: FitsParts, group: str | None, *, path: Path) -> int:
    """The number of the extension that holds the table."""
    fits = optional_module("astropy.io.fits", extra="io")
    kinds = (fits.BinTableHDU, fits.TableHDU)
    tables = {
        index: hdu.name
        for index, hdu in enumerate(hdus)
        if isinstance(hdu, kinds) and not isinstance(hdu, fits.CompImageHDU)
    }
    found = {index: name for index, name in tables.items() if name != _HEADERS} or tables
    if group is not None:
        wanted = group.strip().upper()
        named = [index for index, name in tables.items() if name.upper() == wanted]
        numbered = [int(wanted)] if wanted.isdigit() and int(wanted) in tables else []
        found = {index: tables[index] for index in named or numbered}
    if len(found) == 1:
        return next(iter(found))
    if not tables:
        raise DataError(f"{path}: holds no table extension.")
    known = ", ".join(f"{index} ({name})" if name else str(index) for index, name in tables.items())
    problem = f"no table {group!r}" if group is not None and not found else "several tables"
    raise DataError(f"{path}: {problem}. Say which with --group, by name or number: {known}.")


def _field(column: FitsColumn) -> _Field:
    shape = column.dtype.shape
    is_vector = bool(shape) and column.dtype.base.kind not in "SU"
    size = int(np.prod(shape)) if is_vector else None
    is_binary = isinstance(column.format, str) and not column.ascii
    is_logical = is_binary and column.format.lstrip("0123456789") == "L"
    return _Field(size, column.null, is_logical, is_unsigned=column.bzero in _OFFSETS)


def _column(rows: np.ndarray, name: str, fields: dict[str, _Field]) -> pa.Array:
    """One column, or one element of its vectors; the code of a null is null, before any scale."""
    base, index = (name, None) if name in fields else split_vector(name)
    values, null = _values(rows, base, fields[base])
    if values.dtype.kind in "SU":  # blanks fill words up, in tables of text too
        values = np.char.rstrip(values)
    if values.dtype.kind == "O":
        raise DataError(f"column {name!r} has vectors of unequal lengths. Leave it out.")
    if index is not None:
        values = values.reshape(len(values), -1)[:, index]
        null = None if null is None else null.reshape(len(values), -1)[:, index]
    return arrow_of(values, null)


def _values(rows: np.ndarray, name: str, field: _Field) -> tuple[np.ndarray, np.ndarray | None]:
    """Values of a column, and which of them are null."""
    if field.is_logical:  # a byte of 0 is neither true nor false
        raw = np.asarray(rows.view(np.ndarray)[name]).view("u1")
        return raw == ord("T"), raw == 0
    values, code = np.asarray(rows[name]), field.null
    if code in (None, ""):
        return values, None
    raw = np.asarray(rows.view(np.ndarray)[name])
    if raw.dtype.kind == "S":  # of tables of text, the code is text too
        return values, np.char.strip(raw) == str(code).strip().encode()
    # the standard's codes are those before the offset; astropy writes them behind it
    return values, (raw == code) | (values == code) if field.is_unsigned else raw == code


def _turned(path: Path, read: Reader, fields: dict[str, _Field], group: str | None) -> TableFile:
    """A table of one row whose vectors are columns."""
    columns = {}
    for name, field in fields.items():
        if field.size is not None:
            (row,) = read(vector_names(name, field.size), 0, 1)
            columns[name] = pa.concat_arrays([column.combine_chunks() for column in row.columns])
    table = pa.table(columns)
    warnings.warn(
        f"{path} has one row of vectors: read as {table.num_rows} rows of numbers.", stacklevel=2
    )
    return in_memory(path, table, group)
