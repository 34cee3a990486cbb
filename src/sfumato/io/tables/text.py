"""Text with a separator: CSV and its relatives.

The header is read here, once, whatever the size of the file. Cells stay text: `cells` says what a
column of them stands for, from all its rows.
"""

import codecs
import csv
import itertools
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.csv as pa_csv

from sfumato.errors import DataError
from sfumato.io._files import line_behind
from sfumato.io.tables.cells import is_number, kind_of, traits
from sfumato.io.tables.compute import pc
from sfumato.io.tables.contract import Batches, TableFile, rebatched

SEPARATORS = ",\t;|"
_HEAD = 20
"""Lines that are looked at for the header."""
_SHOWN = 60
"""Letters of a row that a message repeats."""
_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


class Layout(NamedTuple):
    """How a file of text is to be read: its names, where its rows begin, its letters and units."""

    names: tuple[str, ...]
    n_skipped: int
    separator: str
    encoding: str
    has_comments: bool = False
    units: tuple[str, ...] = ()


def open_csv(path: Path, group: str | None) -> TableFile:
    """A file of separated text, with a line of names."""
    encoding, has_odd_quotes = letters_of(path)
    layout = read_layout(path, encoding)
    n_rows, n_comments = _counted(path, layout)
    if n_comments:
        layout = layout._replace(has_comments=True)
        warnings.warn(f"{path}: {n_comments} lines that begin with # are left out.", stacklevel=2)
    if has_odd_quotes:
        message = f"{path}: an odd number of quotation marks; an open one swallows the lines behind"
        warnings.warn(f"{message}. There are {n_rows:,} rows: is that right?", stacklevel=2)

    def read(columns: Sequence[str], start: int, batch_rows: int) -> Batches:
        places = [layout.names.index(name) for name in columns]
        names = [str(place) for place in places]

        def rows(skip: int) -> Batches:
            for block in _blocks(path, layout, places):
                table = pa.Table.from_batches([block]).slice(skip)
                skip = max(skip - block.num_rows, 0)
                yield table.select(names).rename_columns(list(columns))

        yield from rebatched(rows(start), batch_rows)

    def schema(columns: Sequence[str]) -> pa.Schema:
        found: dict[str, list[frozenset[str]]] = {name: [] for name in columns}
        for batch in read(columns, 0, 1 << 16):
            for name in columns:
                found[name].append(traits(batch[name]))
        return pa.schema([(name, kind_of(found[name])) for name in columns])

    stated = {name: unit for name, unit in zip(layout.names, layout.units, strict=False) if unit}
    return TableFile(path, layout.names, n_rows, read, schema, group, is_text=True, units=stated)


def read_layout(path: Path, encoding: str) -> Layout:
    """The header of a file: after comments, or the last of them.

    Below the names, VizieR writes a line of units and one of dashes.

    Raises
    ------
    DataError
        There is no header.
    """
    with path.open(encoding=encoding, newline="") as stream:
        comments, n_before, first = [], 0, ""
        for line in stream:
            if line.strip() and not line.startswith("#"):
                first = line
                break
            n_before += 1
            if line.strip():
                comments.append(line)
        if not first and not comments:
            raise DataError(f"{path}: the table is empty; there is no header line.")
        head = [first, *itertools.islice(stream, _HEAD)] if first else [_uncommented(comments[-1])]
    separator = separator_of(head) or ","
    records = csv.reader(head, delimiter=separator)
    fields = next(records, [])
    encoding = "utf-8" if encoding == "utf-8-sig" else encoding  # Arrow passes over the mark
    if named := _named_above(comments, fields, separator):
        return Layout(named, n_before, separator, encoding)
    if fields and all(map(is_number, fields)):
        message = f"{path}: the first line holds numbers only and was taken for names"
        warnings.warn(f"{message}. If it is data, put a line of names above it.", stacklevel=3)
    n_skipped, units = n_before + records.line_num * bool(first), ()
    second, third = next(records, []), next(records, [])
    if len(third) == len(fields) and _is_ruled(third):
        n_skipped, units = n_skipped + 2, _names(second)
    elif len(second) == len(fields) and _is_ruled(second):
        n_skipped += 1
    return Layout(_names(fields), n_skipped, separator, encoding, units=units)


def _named_above(comments: list[str], row: list[str], separator: str) -> tuple[str, ...] | None:
    """The last comment that can name the columns of a first row of data."""
    if not any(map(is_number, row)):
        return None
    above = map(_names, csv.reader(map(_uncommented, reversed(comments)), delimiter=separator))
    return next((names for names in above if are_names(names, len(row))), None)


def _is_ruled(cells: Sequence[str]) -> bool:
    """Whether a line is one of dashes: single ones are gaps."""
    marks = [cell.strip() for cell in cells]
    return all(set(mark) == {"-"} for mark in marks) and any(len(mark) > 2 for mark in marks)


def _uncommented(comment: str) -> str:
    return comment.lstrip("# ")


def are_names(words: Sequence[str], n_columns: int) -> bool:
    """Whether the words of a comment can name so many columns: units and rows cannot."""
    named = len(words) == n_columns == len(set(words))
    return named and not any(is_number(word) for word in words)


def _names(fields: Sequence[str]) -> tuple[str, ...]:
    return tuple(field.strip() for field in fields)


def separator_of(head: Sequence[str]) -> str | None:
    """The mark that parts the names and the first row alike; a comma before others."""
    for mark in sorted(SEPARATORS, key=lambda mark: (mark != ",", -head[0].count(mark))):
        sizes = [len(r) for r in itertools.islice(csv.reader(head, delimiter=mark), 2)]
        if sizes[0] > 1 and sizes[0] == sizes[-1]:
            return mark
    return None


def letters_of(path: Path) -> tuple[str, bool]:
    """The encoding of a file, and whether its quotation marks are odd in number.

    It is UTF-8 or -16 by the mark at the start; Latin-1, with a warning, where it cannot be UTF-8.

    Raises
    ------
    DataError
        The file is not text.
    """
    n_quotes, length, is_utf8 = 0, 0, True
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as stream:
        start = stream.read(4)
        marked = next((name for mark, name in _BOMS.items() if start.startswith(mark)), None)
        stream.seek(0)
        while block := stream.read(1 << 20):
            n_quotes += block.count(b'"')
            length = line_behind(block, length, path)
            if marked is not None:
                continue
            if b"\0" in block:
                raise DataError(f"{path} is not text: it holds bytes of 0. Is it {path.suffix}?")
            is_utf8 = is_utf8 and _is_utf8(decoder, block)
    is_utf8 = is_utf8 and _is_utf8(decoder, b"", final=True)
    encoding = marked or ("utf-8" if is_utf8 else "latin-1")
    if encoding == "latin-1":
        warnings.warn(f"{path} is not UTF-8: read as Latin-1.", stacklevel=2)
    return encoding, n_quotes % 2 == 1


def _is_utf8(decoder: codecs.IncrementalDecoder, text: bytes, *, final: bool = False) -> bool:
    try:
        decoder.decode(text, final=final)
    except UnicodeDecodeError:
        return False
    return True


def _counted(path: Path, layout: Layout) -> tuple[int, int]:
    """Rows, and lines among them that begin with # where the others begin with a number."""
    n_rows = n_marked = 0
    found: list[frozenset[str]] = []
    for block in _blocks(path, layout, [0]):
        cells = block.column(0)
        marked = _marked(cells)
        n_rows, n_marked = n_rows + len(cells), n_marked + (pc.sum(marked).as_py() or 0)
        found.append(traits(pa.chunked_array([cells.filter(pc.invert(marked))])))
    if not n_marked or pa.types.is_string(kind_of(found)):
        return n_rows, 0
    return n_rows - n_marked, n_marked


def _marked(cells: pa.Array) -> pa.Array:
    return pc.fill_null(pc.starts_with(cells, "#"), fill_value=False)


def _blocks(path: Path, layout: Layout, places: Sequence[int]) -> Iterator[pa.RecordBatch]:
    """Some columns, named by their places, as text; an empty cell without quotes is null."""
    names = [str(place) for place in range(len(layout.names))]
    first = [0] if layout.has_comments else []
    chosen = [str(place) for place in dict.fromkeys([*first, *places])]
    reading = pa_csv.ReadOptions(
        skip_rows=layout.n_skipped, column_names=names, encoding=layout.encoding
    )
    parsing = pa_csv.ParseOptions(
        delimiter=layout.separator,
        newlines_in_values=True,
        # of a single column, an empty line is a gap
        ignore_empty_lines=len(names) > 1,
        invalid_row_handler=_comment,
    )
    converting = pa_csv.ConvertOptions(
        include_columns=chosen,
        column_types={name: pa.string() for name in chosen},
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    try:
        with pa_csv.open_csv(path, reading, parsing, converting) as stream:
            for block in stream:
                if layout.has_comments:
                    block = block.filter(pc.invert(_marked(block.column(0))))
                yield block
    except pa.ArrowInvalid as error:
        # a header without rows, with or without the end of its line
        if any(said in str(error) for said in ("Empty CSV file", "Could not skip initial")):
            return
        if "Expected" in str(error):
            _refuse_ragged(path, layout)
        raise


def _refuse_ragged(path: Path, layout: Layout) -> None:
    """Say which row has too many cells, or too few."""
    with path.open(encoding=layout.encoding, newline="") as stream:
        lines = itertools.islice(stream, layout.n_skipped, None)
        rows = (r for r in csv.reader(lines, delimiter=layout.separator) if r and r[0][:1] != "#")
        for number, cells in enumerate(rows, start=1):
            if len(cells) != len(layout.names):
                message = f"{path}: row {number} has {len(cells)} cells below"
                message = f"{message} {len(layout.names)} names: {_shortened(cells)}"
                raise DataError(f"{message}. Correct it, or quote cells that hold the separator.")


def _shortened(cells: Sequence[str]) -> str:
    text = ", ".join(cells)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _comment(row: pa_csv.InvalidRow) -> str:
    return "skip" if row.text.lstrip().startswith("#") else "error"
