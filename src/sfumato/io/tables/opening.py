"""Opening a table by its name, and reading several as one."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import pyarrow as pa

from sfumato.engine.plugins import announced
from sfumato.errors import DataError
from sfumato.io.tables.cells import as_kind
from sfumato.io.tables.compute import pc
from sfumato.io.tables.contract import DAMAGE, TEXTS, Batches, Opener, Origin, TableFile, reason_of
from sfumato.io.tables.copies import UNPACKERS, open_compressed
from sfumato.io.tables.fits import open_fits
from sfumato.io.tables.hdf5 import open_hdf5
from sfumato.io.tables.layouts import open_text
from sfumato.io.tables.numbers import matrix
from sfumato.io.tables.parquet import open_arrow, open_parquet
from sfumato.io.tables.standards import astropy_opener


class Kind(NamedTuple):
    """How a kind of file is opened, and whether it may hold several tables."""

    open: Opener
    many: bool = False


_VOTABLE = Kind(astropy_opener("votable"), many=True)

OPENERS: dict[str, Kind] = {
    ".parquet": Kind(open_parquet),
    ".pq": Kind(open_parquet),
    ".feather": Kind(open_arrow),
    ".arrow": Kind(open_arrow),
    ".csv": Kind(open_text),
    ".tsv": Kind(open_text),
    ".txt": Kind(open_text),
    ".dat": Kind(open_text),
    ".cat": Kind(open_text),
    ".ecsv": Kind(astropy_opener("ascii.ecsv")),
    ".tbl": Kind(astropy_opener("ascii.ipac")),
    ".mrt": Kind(astropy_opener("ascii.mrt")),
    ".cds": Kind(astropy_opener("ascii.cds")),
    ".vot": _VOTABLE,
    ".votable": _VOTABLE,
    ".xml": _VOTABLE,
    ".hdf5": Kind(open_hdf5, many=True),
    ".h5": Kind(open_hdf5, many=True),
    ".hdf": Kind(open_hdf5, many=True),
    ".fits": Kind(open_fits, many=True),
    ".fit": Kind(open_fits, many=True),
}
"""The one table from a suffix to how such a table is opened."""

GROUP = "sfumato.tables"
"""Of entry points, by which domains bring openers of their own, named by a suffix without point."""


@cache
def openers() -> dict[str, Kind]:
    """All kinds of tables by suffix: ours, and those of domains, which may hold several."""
    found = announced(GROUP)
    return OPENERS | {
        f".{name}": Kind(cast(Opener, opener), many=True) for name, opener in found.items()
    }


def open_file(path: str | Path, group: str | None = None) -> TableFile:
    """The table of a file, by its suffix.

    Parameters
    ----------
    path : a file of one of the kinds in `openers`, as it is or inside .gz, .bz2 or .xz.
    group : HDF5 group, FITS extension (name or number) or table of a VOTable; needed where
        there are several.

    Raises
    ------
    DataError
        The file is missing, of an unknown kind, damaged or empty.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path} does not exist. Check the path.")
    if path.is_dir():
        raise DataError(f"{path} is a folder. Name the files of tables in it.")
    packed = path.suffix.lower() in UNPACKERS
    suffix = Path(path.stem).suffix if packed else path.suffix
    kind = openers().get(suffix.lower())
    if kind is None:
        allowed = ", ".join(openers())
        message = f"{path}: unknown kind of table {suffix!r}; known are {allowed}"
        raise DataError(f"{message}, and each inside {', '.join(UNPACKERS)}.")
    if group is not None and not kind.many:
        message = f"{path} holds one table: --group {group!r} has no meaning for it"
        warnings.warn(f"{message} and was left aside.", stacklevel=2)
    try:
        table = open_compressed(path, group, kind.open) if packed else kind.open(path, group)
    except DataError:
        raise
    except DAMAGE as error:
        message = f"{path}: cannot be read ({reason_of(error)})"
        raise DataError(f"{message}. Is it truncated, or not {path.suffix}?") from error
    if table.n_rows == 0:
        raise DataError(f"{path}: the table has no rows. Leave it out.")
    return _with_masks(table)


def _with_masks(table: TableFile) -> TableFile:
    """Columns without what lies behind masks that stand beside them, as astropy writes them."""
    mask_of = {name: f"{name}.mask" for name in table.columns if f"{name}.mask" in table.columns}
    if not mask_of:
        return table
    columns = tuple(name for name in table.columns if name not in mask_of.values())

    def read(wanted: Sequence[str], start: int, batch_rows: int) -> Batches:
        masks = [mask_of[name] for name in wanted if name in mask_of]
        for batch in table.read(list(dict.fromkeys([*wanted, *masks])), start, batch_rows):
            yield pa.table([_unhidden(batch, name, mask_of) for name in wanted], list(wanted))

    return replace(table, columns=columns, read=read)


def _unhidden(batch: pa.Table, name: str, mask_of: Mapping[str, str]) -> pa.ChunkedArray:
    column = batch[name]
    if name not in mask_of:
        return column
    hidden = batch[mask_of[name]].cast(pa.bool_())
    return pc.if_else(hidden, pa.scalar(None, column.type), column)


def read_table(table: TableFile, columns: Sequence[str]) -> pa.Table:
    """All rows of some columns, as the types that hold them as they are."""
    names = list(dict.fromkeys(columns))
    table.require(names)
    schema = common_schema([table], names)
    found = list(batches([table], names, batch_rows=1 << 20, schema=schema))
    if sum(len(batch) for batch in found) != table.n_rows:
        n_read = sum(len(batch) for batch in found)
        message = f"{table.path}: damaged: {n_read:,} of {table.n_rows:,} rows could be read"
        raise DataError(f"{message}.")
    return pa.concat_tables(found)


def batches(
    tables: Sequence[TableFile],
    columns: Sequence[str],
    *,
    batch_rows: int,
    start: int = 0,
    schema: pa.Schema | None = None,
) -> Batches:
    """Batches of `columns` over several tables in order, from overall row `start`.

    Parameters
    ----------
    schema : the types of all batches, such as `common_schema` gives; by default each file's own,
        and text of files of text.

    Raises
    ------
    DataError
        A file is damaged where the batch lies, or a cell is not of its type.
    """
    first = 0
    for table in tables:
        begin = max(start - first, 0)
        first += table.n_rows
        if begin >= table.n_rows:
            continue
        try:
            for batch in table.read(columns, begin, batch_rows):
                if schema is None:
                    yield batch
                else:
                    yield _as_schema(batch, schema, table.origin(begin))
                begin += batch.num_rows
        except DataError as error:
            named = str(table.path) in str(error)
            raise error if named else DataError(f"{table.path}: {error}") from error
        except DAMAGE as error:
            raise DataError(f"{table.path}: damaged ({reason_of(error)}).") from error


def _as_schema(batch: pa.Table, schema: pa.Schema, origin: Origin) -> pa.Table:
    """Columns of a batch as the types of a schema."""
    columns = []
    for field in schema:
        column, kind = batch[field.name], field.type
        if column.type == kind:
            columns.append(column)
        elif not pa.types.is_string(column.type):
            columns.append(_cast(column, field, origin))
        elif pa.types.is_floating(kind):
            numbers = matrix(batch, [field.name], origin=origin)[:, 0]
            columns.append(pa.chunked_array([pa.array(numbers, kind, from_pandas=True)]))
        else:
            columns.append(as_kind(column, kind))
    return pa.table(columns, schema=schema)


def _cast(column: pa.ChunkedArray, field: pa.Field, origin: Origin) -> pa.ChunkedArray:
    try:
        return column.cast(field.type)
    except pa.ArrowInvalid as error:
        path, _ = origin.of(0)
        message = f"{path}: column {field.name!r} holds {column.type}, and {field.type} in another"
        cure = "Convert it to one type in all files, or leave it out"
        raise DataError(
            f"{message} file, which cannot hold it ({reason_of(error)}). {cure}."
        ) from None


def common_schema(
    tables: Sequence[TableFile], columns: Sequence[str], *, numbers: Sequence[str] = ()
) -> pa.Schema:
    """The types that hold some columns of all tables as they are, and others as numbers.

    Parameters
    ----------
    columns : to be kept as they are; files of text are read once for them.
    numbers : further ones, which are numbers whatever they look like.

    Raises
    ------
    DataError
        A column has types in two files that no type holds: words and numbers.
    """
    found = [(table, _schema(table, columns)) for table in tables]
    fields = [pa.field(name, _kept_kind(name, found)) for name in columns]
    typed = [_schema(table, numbers) for table in tables if not table.is_text]
    for name in numbers:
        kinds = {schema.field(name).type for schema in typed}
        alike = len(kinds) == 1 and len(typed) == len(tables) and not kinds & TEXTS
        fields.append(pa.field(name, kinds.pop() if alike else pa.float64()))
    return pa.schema(fields)


def _schema(table: TableFile, columns: Sequence[str]) -> pa.Schema:
    try:
        return table.schema(columns)
    except DAMAGE as error:
        if str(table.path) in str(error):
            raise
        raise DataError(f"{table.path}: {reason_of(error)}, in one of {list(columns)}.") from error


def _kept_kind(name: str, found: list[tuple[TableFile, pa.Schema]]) -> pa.DataType:
    """The type of a column that is carried over."""
    kinds = [schema.field(name).type for _, schema in found]
    kinds = [kind.value_type if pa.types.is_dictionary(kind) else kind for kind in kinds]
    texts = [kind in TEXTS for kind in kinds]
    free = [table.is_text for table, _ in found]
    if any(texts) and np.all(np.array(texts) | free):
        return pa.string()
    joined = kinds[0]
    for (table, _), kind in zip(found, kinds, strict=True):
        try:
            joined = _joined(joined, kind)
        except (pa.ArrowTypeError, pa.ArrowInvalid):
            message = f"Column {name!r} holds {joined} in {found[0][0].path}"
            other = f"{kind} in {table.path}"
            raise DataError(f"{message} and {other}. Convert one, or leave it out.") from None
    return joined


def _joined(a: pa.DataType, b: pa.DataType) -> pa.DataType:
    schemas = [pa.schema([("c", kind)]) for kind in (a, b)]
    return pa.unify_schemas(schemas, promote_options="permissive").field("c").type
