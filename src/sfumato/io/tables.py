"""Tables in: Parquet, CSV, HDF5 and FITS, read in batches of chosen columns.

A batch is a `pyarrow.Table`. `matrix` turns named columns of one into numbers, and says which row
of which file is not a number.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from sfumato.errors import DataError, optional_module, suggest

Batches = Iterator[pa.Table]

_DAMAGE = (OSError, ValueError, TypeError, KeyError, IndexError, EOFError, pa.ArrowException)
"""What the readers of the formats raise at damaged files."""


@dataclass(frozen=True)
class TableFile:
    """A table on disk: its columns, its length, and a way to read batches of it.

    Parameters
    ----------
    path : where it is.
    columns : names in order.
    n_rows : number of rows.
    read : ``read(columns, start, batch_rows)`` yields tables of those columns from row `start`.
    group : the group or extension that was asked for.
    """

    path: Path
    columns: tuple[str, ...]
    n_rows: int
    read: Callable[[Sequence[str], int, int], Batches]
    group: str | None = None

    def require(self, names: Sequence[str]) -> None:
        """Check that all `names` are columns.

        Raises
        ------
        DataError
            One is not; the message names the nearest columns.
        """
        for name in names:
            if name not in self.columns:
                near = suggest(name, self.columns)
                raise DataError(f"{self.path}: no column {name!r}. {near}")


def open_table(path: str | Path, *, group: str | None = None) -> TableFile:
    """Open a table by its suffix.

    Parameters
    ----------
    path : a .parquet, .csv, .hdf5/.h5 or .fits/.fit file.
    group : HDF5 group holding the columns; by default the root, or the only group.

    Raises
    ------
    DataError
        The file is missing, of an unknown kind, damaged or empty.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path} does not exist. Check the path.")
    opener = OPENERS.get(path.suffix.lower())
    if opener is None:
        allowed = ", ".join(OPENERS)
        raise DataError(f"{path}: unknown kind of table {path.suffix!r}; known are {allowed}.")
    try:
        table = opener(path, group)
    except DataError:
        raise
    except _DAMAGE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        message = f"{path}: cannot be read ({reason}). Is it truncated, or not {path.suffix}?"
        raise DataError(message) from error
    if table.n_rows == 0:
        raise DataError(f"{path}: the table has no rows.")
    return table


def read_table(table: TableFile, columns: Sequence[str]) -> pa.Table:
    """All rows of some columns."""
    names = list(dict.fromkeys(columns))
    table.require(names)
    return pa.concat_tables(
        list(batches([table], names, batch_rows=1 << 20)), promote_options="permissive"
    )


def batches(
    tables: Sequence[TableFile], columns: Sequence[str], *, batch_rows: int, start: int = 0
) -> Batches:
    """Batches of `columns` over several tables in order, from overall row `start`.

    Raises
    ------
    DataError
        A file is damaged where the batch lies.
    """
    first = 0
    for table in tables:
        begin = max(start - first, 0)
        first += table.n_rows
        if begin >= table.n_rows:
            continue
        try:
            yield from table.read(columns, begin, batch_rows)
        except _DAMAGE as error:
            if isinstance(error, DataError):
                raise
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DataError(f"{table.path}: damaged ({reason}).") from error


def matrix(
    batch: pa.Table, columns: Sequence[str], *, path: Path | str = "table", first_row: int = 0
) -> np.ndarray:
    """Columns of a batch as numbers (n, c), double precision; nulls become NaN.

    Raises
    ------
    DataError
        A cell is not a number; the message names its column and row (from 1, below the header).
    """
    out = np.empty((batch.num_rows, len(columns)), order="F")
    for index, name in enumerate(columns):
        out[:, index] = _numbers(batch[name], name=name, path=path, first_row=first_row)
    return out


_MISSING_TEXT = ("", "nan", "na", "null", "none", "--")


def _numbers(column: pa.ChunkedArray, *, name: str, path: Path | str, first_row: int) -> np.ndarray:
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return column.cast(pa.float64()).to_numpy()
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise DataError(f"{path}: column {name!r} holds {kind}, not numbers. Leave it out.")
    cells = [None if cell is None else cell.strip() for cell in column.to_pylist()]
    cells = [None if cell is None or cell.lower() in _MISSING_TEXT else cell for cell in cells]
    text = pa.array(cells, pa.string())
    try:
        return text.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        for row, cell in enumerate(cells):
            try:
                float(cell or 0)
            except ValueError as error:
                where = f"column {name!r}, row {first_row + row + 1}"
                message = f"{path}: {where} holds {column[row].as_py()!r}, not a number."
                raise DataError(f"{message} Correct or remove it.") from error
        raise


# -- one opener for each kind ----------------------------------------------------------------------


def _open_parquet(path: Path, _group: str | None) -> TableFile:
    file = pq.ParquetFile(path, memory_map=True)
    names = tuple(file.schema_arrow.names)

    def read(columns: Sequence[str], start: int, batch_rows: int) -> Batches:
        # whole row groups before the start are never read
        groups, before = [], 0
        for index in range(file.num_row_groups):
            rows = file.metadata.row_group(index).num_rows
            if before + rows > start:
                groups.append(index)
            elif not groups:
                start -= rows
                continue
            before += rows if groups else 0
        skip = start
        for batch in file.iter_batches(batch_rows, row_groups=groups, columns=list(columns)):
            if skip >= batch.num_rows:
                skip -= batch.num_rows
                continue
            yield pa.Table.from_batches([batch.slice(skip)]).select(list(columns))
            skip = 0

    return TableFile(path, names, file.metadata.num_rows, read)


def _open_csv(path: Path, _group: str | None) -> TableFile:
    with path.open(encoding="utf-8") as stream:
        header = stream.readline().strip()
        n_rows = sum(1 for line in stream if line.strip())
    if not header:
        raise DataError(f"{path}: the table is empty; there is no header line.")
    names = (
        tuple(pa_csv.read_csv(path, pa_csv.ReadOptions(block_size=1 << 20)).schema.names)
        if (path.stat().st_size < 1 << 16)
        else tuple(name.strip().strip('"') for name in header.split(","))
    )

    def read(columns: Sequence[str], start: int, batch_rows: int) -> Batches:
        # as text, so that one bad cell gives its own message and not the whole block's
        convert = pa_csv.ConvertOptions(
            include_columns=list(columns), column_types={name: pa.string() for name in columns}
        )
        skip, kept = start, []
        with pa_csv.open_csv(path, convert_options=convert) as stream:
            for block in stream:
                rows = _typed(pa.Table.from_batches([block]))
                rows, skip = rows.slice(skip), max(skip - rows.num_rows, 0)
                kept.append(rows)
                joined = pa.concat_tables(kept, promote_options="permissive")
                while joined.num_rows >= batch_rows:
                    yield joined.slice(0, batch_rows)
                    joined = joined.slice(batch_rows)
                kept = [joined]
        if kept and kept[0].num_rows:
            yield kept[0]

    return TableFile(path, names, n_rows, read)


def _typed(table: pa.Table) -> pa.Table:
    """Columns of text as whole numbers or numbers where every cell is one, else as they are."""
    columns = {}
    for name in table.column_names:
        columns[name] = table[name]
        for kind in (pa.int64(), pa.float64()):
            try:
                columns[name] = table[name].cast(kind)
                break
            except pa.ArrowInvalid:
                continue
    return pa.table(columns)


def _open_hdf5(path: Path, group: str | None) -> TableFile:
    h5py = optional_module("h5py", extra="io")
    with h5py.File(path) as file:
        node, name = _hdf5_group(file, group, path=path)
        columns = tuple(key for key in node if node[key].ndim == 1)
        n_rows = node[columns[0]].shape[0] if columns else 0
        for key in columns:
            if node[key].shape[0] != n_rows:
                raise DataError(
                    f"{path}: column {key!r} has {node[key].shape[0]} rows, not {n_rows}."
                )

    def read(names: Sequence[str], start: int, batch_rows: int) -> Batches:
        with h5py.File(path) as file:
            for begin in range(start, n_rows, batch_rows):
                rows = slice(begin, begin + batch_rows)
                yield pa.table({key: _native(file[name][key][rows]) for key in names})

    return TableFile(path, columns, n_rows, read, group)


def _hdf5_group(file, group: str | None, *, path: Path):  # noqa: ANN001, ANN202 - h5py's own types
    """The group that holds the columns, and its name."""
    h5py = optional_module("h5py", extra="io")

    def is_table(node: Any) -> bool:
        return isinstance(node, h5py.Group) and any(
            isinstance(child, h5py.Dataset) for child in node.values()
        )

    groups = [key for key in file if is_table(file[key])]
    if group is not None:
        if group not in file or not is_table(file[group]):
            raise DataError(f"{path}: no group {group!r} with columns. {suggest(group, groups)}")
        return file[group], group
    if is_table(file):
        return file, "/"
    if len(groups) == 1:
        return file[groups[0]], groups[0]
    raise DataError(f"{path}: say which group holds the table with --group. {suggest('', groups)}")


def _open_fits(path: Path, group: str | None) -> TableFile:
    fits = optional_module("astropy.io.fits", extra="io")

    def table_of(hdus):  # noqa: ANN001, ANN202 - astropy's own types
        tables = [hdu for hdu in hdus if hasattr(hdu, "columns")]
        if group is not None:
            tables = [hdu for hdu in tables if hdu.name == group.upper()]
        if not tables:
            raise DataError(f"{path}: holds no table extension{f' {group!r}' if group else ''}.")
        return tables[0]

    with warnings.catch_warnings():
        # astropy warns of truncation; the error below says it with the file's name
        warnings.simplefilter("ignore")
        with fits.open(path, memmap=True) as hdus:
            table = table_of(hdus)
            needed = table._data_offset + table.header["NAXIS1"] * table.header["NAXIS2"]
            columns = tuple(table.columns.names)
            n_rows = table.header["NAXIS2"]
    if path.stat().st_size < needed:
        size = path.stat().st_size
        raise DataError(f"{path}: truncated: {size} bytes, but its table needs {needed}.")

    def read(names: Sequence[str], start: int, batch_rows: int) -> Batches:
        with fits.open(path, memmap=True) as hdus:
            data = table_of(hdus).data
            for begin in range(start, n_rows, batch_rows):
                rows = data[begin : begin + batch_rows]
                yield pa.table({key: _native(rows[key]) for key in names})

    return TableFile(path, columns, n_rows, read, group)


def _native(values: np.ndarray) -> np.ndarray | list:
    """A copy in this machine's byte order; text as a list."""
    array = np.asarray(values)
    if array.dtype.kind in "SO":
        return [v.decode() if isinstance(v, bytes) else v for v in array.tolist()]
    if array.dtype.kind == "U":
        return array.tolist()
    return array.astype(array.dtype.newbyteorder("="))


OPENERS = {
    ".parquet": _open_parquet,
    ".pq": _open_parquet,
    ".csv": _open_csv,
    ".hdf5": _open_hdf5,
    ".h5": _open_hdf5,
    ".hdf": _open_hdf5,
    ".fits": _open_fits,
    ".fit": _open_fits,
}
"""The one table from a suffix to the function that opens such a table."""
