"""Text of whatever layout its first lines have."""

from itertools import takewhile
from pathlib import Path

from sfumato.io._files import LONGEST_LINE
from sfumato.io.tables.blanks import open_bars, open_blanks
from sfumato.io.tables.cells import is_number
from sfumato.io.tables.contract import TableFile
from sfumato.io.tables.standards import astropy_opener
from sfumato.io.tables.text import open_csv, separator_of

_HEAD = 2000
"""Lines that are looked at: comments may be long."""
_FIRST = 20
"""Lines below them that the first rows may take: a cell between quotes may be of several."""


def open_text(path: Path, group: str | None) -> TableFile:
    """Separated text, columns of blanks or bars, ECSV, MRT or IPAC, by the first lines."""
    head = _head(path)
    rows = [line for line in head if line.strip() and not line.startswith("#")]
    above = [line for line in takewhile(lambda line: line != rows[0], head)] if rows else head
    if head and head[0].startswith("# %ECSV"):
        return astropy_opener("ascii.ecsv")(path, group)
    if any(line.startswith("Byte-by-byte Description") for line in head):
        return astropy_opener("ascii.mrt")(path, group)
    if rows and head[0].startswith(("\\", "|")) and rows[0].rstrip().endswith("|"):
        barred = all(line.startswith("|") for line in rows)
        return open_bars(path, group) if barred else astropy_opener("ascii.ipac")(path, group)
    is_separated = path.suffix.lower() in (".csv", ".tsv")
    if not rows or "\0" in rows[0]:  # two bytes a letter
        return open_csv(path, group)
    n_blanks, has_marks = _n_fields(rows[0]), separator_of(rows[:_FIRST]) is not None
    named = [_n_fields(line.lstrip("#")) for line in above if line.startswith("#")][-1:]
    if named == [n_blanks] and not is_separated and not (n_blanks == 1 and has_marks):
        return open_blanks(path, group)
    if has_marks or (is_separated and not _has_blank_columns(rows)):
        return open_csv(path, group)
    return open_blanks(path, group)


def _head(path: Path) -> list[str]:
    """The first lines, as far as they are no longer together than one may be."""
    lines: list[str] = []
    left = LONGEST_LINE
    with path.open(encoding="latin-1") as stream:
        while left > 0 and len(lines) < _HEAD and (line := stream.readline(left)):
            lines.append(line)
            left -= len(line)
    return lines if left > 0 else lines[:-1]


def _has_blank_columns(rows: list[str]) -> bool:
    """Whether blanks part the names and the first row alike, and there are numbers in it."""
    same = _n_fields(rows[0]) == _n_fields(rows[1]) > 1 if len(rows) > 1 else False
    return same and any(is_number(cell) for cell in rows[1].split())


def _n_fields(line: str) -> int:
    """What blanks part: of bytes, in which no letter of another encoding is a blank."""
    return len(line.encode("latin-1").split())
