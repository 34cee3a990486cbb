"""What every kind of table answers, and how its damage is said."""

import csv
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from sfumato.errors import DataError, suggest

Batches = Iterator[pa.Table]
Reader = Callable[[Sequence[str], int, int], Batches]

DAMAGE = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    RuntimeError,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    csv.Error,
    pa.ArrowException,
)
"""What the readers of the formats raise at damaged files."""

TEXTS = frozenset({pa.string(), pa.large_string(), pa.string_view()})
"""Types of words."""


@dataclass(frozen=True)
class Origin:
    """Where rows come from, so that a message can say it.

    Parameters
    ----------
    tables : the files, in order; none of rows that no file holds.
    first : how many of their rows lie before.
    kept : which rows behind those are meant, from 0; None for all.
    """

    tables: tuple["TableFile", ...] = ()
    first: int = 0
    kept: np.ndarray | None = None

    def of(self, index: int) -> tuple[str, int]:
        """File and row in it (from 1, below the header) of a row here (from 0)."""
        place = self.first + (index if self.kept is None else int(self.kept[index]))
        for table in self.tables:
            if place < table.n_rows:
                row = place if table.rows is None else int(table.rows[place])
                return str(table.path), row + 1
            place -= table.n_rows
        return "table", place + 1


NOWHERE = Origin()
"""Of rows that come from no file."""


@dataclass(frozen=True)
class TableFile:
    """A table on disk: its columns, its length, and a way to read batches of it.

    Parameters
    ----------
    path : where it is.
    columns : names in order.
    n_rows : number of rows.
    read : ``read(columns, start, batch_rows)`` yields tables of those columns from row `start`,
        all of one schema.
    schema : ``schema(columns)``: their types, decided from all rows. Where `is_text`, `read`
        yields text, and this says what the text stands for.
    group : the group or extension that was asked for.
    is_text : whether cells have no type of their own.
    reading : how it is read: changes of names, values and rows.
    units, descriptions : of the columns that state them.
    rows : which rows of the file, from 0, where not all are read.
    others : what lies beside the columns and is none, and why: the rest of a sentence.
    """

    path: Path
    columns: tuple[str, ...]
    n_rows: int
    read: Reader
    schema: Callable[[Sequence[str]], pa.Schema]
    group: str | None = None
    is_text: bool = False
    reading: object = None
    units: Mapping[str, str] = field(default_factory=dict)
    descriptions: Mapping[str, str] = field(default_factory=dict)
    rows: np.ndarray | None = field(default=None, repr=False, compare=False)
    others: Mapping[str, str] = field(default_factory=dict)

    def origin(self, first: int = 0) -> Origin:
        """Where the rows from `first` on come from."""
        return Origin((self,), first)

    def require(self, names: Sequence[str], *, cure: str = "") -> None:
        """Check that all `names` are columns, each once.

        `cure` ends what is said of one that is not.

        Raises
        ------
        DataError
            One is not; the message names the nearest columns.
        """
        for name in names:
            if name in self.others:
                raise DataError(f"{self.path}: {name!r} {self.others[name]}")
            if name not in self.columns:
                others = [column for column in self.columns if column not in names]
                near = suggest(name, others, all_of=self.columns)
                raise DataError(f"{self.path}: no column {name!r}. {near} {cure}".rstrip())
            if self.columns.count(name) > 1:
                n = self.columns.count(name)
                raise DataError(f"{self.path}: {n} columns are named {name!r}. Rename them.")


def reason_of(error: BaseException) -> str:
    """One line on what a library found wrong."""
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__


def in_memory(
    path: Path,
    table: pa.Table,
    group: str | None = None,
    *,
    units: Mapping[str, str] | None = None,
    descriptions: Mapping[str, str] | None = None,
) -> TableFile:
    """A table that was read whole."""

    def read(columns: Sequence[str], start: int, batch_rows: int) -> Batches:
        chosen = table.select(list(columns))
        for begin in range(start, table.num_rows, batch_rows):
            yield chosen.slice(begin, batch_rows)

    names = tuple(table.column_names)
    return TableFile(
        path,
        names,
        table.num_rows,
        read,
        lambda c: table.select(list(c)).schema,
        group,
        units=units or {},
        descriptions=descriptions or {},
    )


def rebatched(parts: Iterable[pa.Table], batch_rows: int) -> Batches:
    """The same rows in batches of exactly `batch_rows`; the last may have fewer."""
    held: list[pa.Table] = []
    for part in parts:
        joined = pa.concat_tables([*held, part])
        while joined.num_rows >= batch_rows:
            yield joined.slice(0, batch_rows)
            joined = joined.slice(batch_rows)
        held = [joined]
    if held and held[0].num_rows:
        yield held[0]


def first_schema(read: Reader) -> Callable[[Sequence[str]], pa.Schema]:
    """The schema of formats whose columns have one type throughout: that of the first row."""
    return lambda columns: next(iter(read(columns, 0, 1))).schema


def arrow_of(values: np.ndarray, null: np.ndarray | None = None) -> pa.Array:
    """An array (n,) of any byte order as Arrow's; `null` (n,) marks what is missing."""
    array = np.ascontiguousarray(values)
    if array.dtype.kind in "SUO":
        cells = [_decoded(cell) for cell in array.tolist()]
        kept = cells if null is None else [None if n else c for c, n in zip(cells, null)]  # noqa: B905
        return pa.array(kept, pa.string())
    return pa.array(array.astype(array.dtype.newbyteorder("="), copy=False), mask=null)


def _decoded(cell: bytes | str) -> str:
    """Text as text; what is not UTF-8 is Latin-1, in which every byte means something."""
    if not isinstance(cell, bytes):
        return cell if cell is None else str(cell)
    try:
        return cell.decode()
    except UnicodeDecodeError:
        return cell.decode("latin-1")


def split_vector(name: str) -> tuple[str, int | None]:
    """Column and element that a name such as ``flux[2]`` stands for; None for a whole column."""
    base, bracket, rest = name.rpartition("[")
    if bracket and rest.endswith("]") and rest[:-1].isdigit():
        return base, int(rest[:-1])
    return name, None


def vector_names(name: str, size: int | None) -> list[str]:
    """``name[0]``, ``name[1]``, … of a column of vectors; the name itself where `size` is None."""
    return [name] if size is None else [f"{name}[{index}]" for index in range(size)]


def of_elements(
    stated: Mapping[str, str | None], sizes: Mapping[str, int | None]
) -> dict[str, str]:
    """What is stated of columns, said of every element of those that are vectors."""
    return {
        part: text
        for name, text in stated.items()
        if text
        for part in vector_names(name, sizes.get(name))
    }


Opener = Callable[[Path, str | None], TableFile]
"""From a path and a group to a table."""
