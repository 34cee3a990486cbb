"""From the lines of a section of data to rows of words, and where each row ends."""

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from sfumato.errors import DataError
from sfumato.welllogs.las.layout import Layout, Section
from sfumato.welllogs.las.lines import lines_of

Row = list[str]


class Line(NamedTuple):
    """A line of data: its number in the file (from 1) and what it holds."""

    number: int
    text: str


_QUOTED = re.compile(r'"([^"]*)"|(\S+)')


_PADDING = "\x1a\x00"
"""How DOS ends files, and disks."""


def data_lines(layout: Layout, section: Section) -> Iterator[Line]:
    """The lines that hold data: no comments, no blank ones."""
    lines = lines_of(layout.path, layout.encoding)
    before, line = "", ""
    for number, line in enumerate(itertools.islice(lines, section.last), start=1):
        text = line.strip()
        if text[-1:] in _PADDING or text[:1] in _PADDING:
            text = text.strip(_PADDING).strip()
        if number > section.first and text and not text.startswith("#"):
            yield Line(number, line.rstrip("\r\n") if layout.delimiter == "\t" else text)
            if not line.endswith(("\r", "\n")) and len(text) < len(before):
                told = "the last line is shorter than those before and has no end"
                layout.notes.append(f"line {number}: {told}: was the file cut off there?")
            before = text


def row_lines(layout: Layout, section: Section, n_columns: int) -> Iterator[Line]:
    """Lines of data that hold a row each: those of a wrapped file are joined.

    Raises
    ------
    DataError
        A row of a wrapped file does not end where a line does; the line is named.
    """
    lines = data_lines(layout, section)
    return _unwrapped(layout, lines, n_columns) if layout.wrapped else lines


def numbers_of(lines: Sequence[Line], layout: Layout, n_columns: int) -> np.ndarray | None:
    """The columns (c, n) of lines that hold `n_columns` plain numbers each, or None."""
    texts = [line.text for line in lines]
    try:
        rows = np.loadtxt(
            texts, comments=None, delimiter=layout.delimiter, ndmin=2, encoding="utf-8"
        )
    except ValueError:
        return None
    return rows.T if rows.shape == (len(texts), n_columns) else None


def words_of(lines: Sequence[Line], layout: Layout, n_columns: int) -> list[Row]:
    """The words of each line, `n_columns` of them.

    Raises
    ------
    DataError
        A line holds more or fewer, and is named.
    """
    rows = [words(line.text, layout.delimiter) for line in lines]
    return [
        row if len(row) == n_columns else _mended(layout, line.number, row, n_columns)
        for line, row in zip(lines, rows, strict=True)
    ]


def words(text: str, delimiter: str | None) -> Row:
    """The words of a line; blanks inside quotes part nothing."""
    if delimiter is None:
        if '"' in text:
            return [quoted or plain for quoted, plain in _QUOTED.findall(text)]
        return text.split()
    return [word.strip().strip('"') for word in text.split(delimiter)]


def _unwrapped(layout: Layout, lines: Iterator[Line], n_columns: int) -> Iterator[Line]:
    """Whole rows from lines that hold parts of them."""
    between = layout.delimiter or " "
    texts: list[str] = []
    n_words, number = 0, 0
    for number, text in lines:
        own = words(text, layout.delimiter)
        if n_words + len(own) > n_columns:
            own = parted(own)
            text = between.join(own)
        n_words += len(own)
        texts.append(text)
        if n_words > n_columns:
            message = f"a row of {n_columns} values ends inside the line, at its value"
            raise _refusal(layout, number, f"{message} {len(own) - (n_words - n_columns)}")
        if n_words == n_columns:
            yield Line(number, between.join(texts))
            texts, n_words = [], 0
    if texts:
        what = f"the last row holds {n_words} of {n_columns} values, as if the file was cut off"
        raise _refusal(layout, number, what)


_RUN_ON = re.compile(r"(?<=[\d.])-(?=[\d.])")


def parted(row: Row) -> Row:
    """Words with numbers that ran into each other parted, as in ``12.5-999.25``."""
    return [part for word in row for part in _RUN_ON.sub(" -", word).split()]


def _mended(layout: Layout, number: int, row: Row, n_columns: int) -> Row:
    """The words of a line of another number of words, if numbers ran into each other.

    Raises
    ------
    DataError
        They did not.
    """
    found = parted(row) if layout.delimiter is None else row
    if len(found) == n_columns:
        layout.notes.append(f"line {number}: numbers without a blank between them were parted")
        return found
    if layout.delimiter is not None and len(found) == n_columns + 1 and not found[-1]:
        return found[:-1]
    raise _refusal(layout, number, f"{len(row)} values, and {n_columns} curves are declared")


def _refusal(layout: Layout, number: int, what: str) -> DataError:
    cure = "Correct the line, or the curves in section ~C"
    return DataError(f"{layout.path}, line {number}: {what}. {cure}.")
