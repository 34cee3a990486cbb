"""From the lines of a section of data to rows of words, and where each row ends."""

import itertools
import re
from collections.abc import Iterator
from typing import NamedTuple

from sfumato.errors import DataError
from sfumato.welllogs.las.layout import Layout, Section
from sfumato.welllogs.las.lines import lines_of

Row = list[str]


class Numbered(NamedTuple):
    """A line of data: its number in the file (from 1) and its words."""

    line: int
    words: Row


_QUOTED = re.compile(r'"([^"]*)"|(\S+)')


def data_lines(layout: Layout, section: Section) -> Iterator[tuple[int, str]]:
    """Numbers and texts of the lines that hold data: no comments, no blank ones."""
    lines = lines_of(layout.path, layout.encoding)
    before, line = "", ""
    for number, line in enumerate(itertools.islice(lines, section.last), start=1):
        text = line.strip().strip("\x1a\x00").strip()  # how DOS ends files, and disks
        if number > section.first and text and not text.startswith("#"):
            yield number, line.rstrip("\r\n") if layout.delimiter == "\t" else text
            if not line.endswith(("\r", "\n")) and len(text) < len(before):
                told = "the last line is shorter than those before and has no end"
                layout.notes.append(f"line {number}: {told}: was the file cut off there?")
            before = text


def rows_of(layout: Layout, section: Section, n_columns: int) -> Iterator[Numbered]:
    """Rows of `n_columns` words, each with the number of its last line.

    Raises
    ------
    DataError
        A row holds more or fewer; the line is named.
    """
    lines = (Numbered(n, words(text, layout.delimiter)) for n, text in data_lines(layout, section))
    if layout.wrapped:
        yield from _unwrapped(layout, lines, n_columns)
        return
    for line in lines:
        if len(line.words) == n_columns:
            yield line
        else:
            yield _mended(layout, line, n_columns)


def words(text: str, delimiter: str | None) -> Row:
    """The words of a line; blanks inside quotes part nothing."""
    if delimiter is None:
        if '"' in text:
            return [quoted or plain for quoted, plain in _QUOTED.findall(text)]
        return text.split()
    return [word.strip().strip('"') for word in text.split(delimiter)]


def _unwrapped(layout: Layout, lines: Iterator[Numbered], n_columns: int) -> Iterator[Numbered]:
    """Rows from lines that hold parts of them."""
    row: Row = []
    line = Numbered(0, row)
    for line in lines:
        row += line.words
        if len(row) > n_columns:
            row = row[: len(row) - len(line.words)] + parted(line.words)
        if len(row) > n_columns:
            message = f"a row of {n_columns} values ends inside the line, at its value"
            excess = len(line.words) - (len(row) - n_columns)
            raise _refusal(layout, line, f"{message} {excess}")
        if len(row) == n_columns:
            yield Numbered(line.line, row)
            row = []
    if row:
        what = f"the last row holds {len(row)} of {n_columns} values, as if the file was cut off"
        raise _refusal(layout, line, what)


_RUN_ON = re.compile(r"(?<=[\d.])-(?=[\d.])")


def parted(row: Row) -> Row:
    """Words with numbers that ran into each other parted, as in ``12.5-999.25``."""
    return [part for word in row for part in _RUN_ON.sub(" -", word).split()]


def _mended(layout: Layout, line: Numbered, n_columns: int) -> Numbered:
    """A line of another number of words, if numbers ran into each other.

    Raises
    ------
    DataError
        They did not.
    """
    found = parted(line.words) if layout.delimiter is None else line.words
    if len(found) == n_columns:
        layout.notes.append(f"line {line.line}: numbers without a blank between them were parted")
        return Numbered(line.line, found)
    if layout.delimiter is not None and len(found) == n_columns + 1 and not found[-1]:
        return Numbered(line.line, found[:-1])
    raise _refusal(layout, line, f"{len(line.words)} values, and {n_columns} curves are declared")


def _refusal(layout: Layout, line: Numbered, what: str) -> DataError:
    cure = "Correct the line, or the curves in section ~C"
    return DataError(f"{layout.path}, line {line.line}: {what}. {cure}.")
