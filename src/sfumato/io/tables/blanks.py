"""Text whose columns are parted by blanks: rewritten once, with commas, into a temporary file."""

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path

from sfumato.errors import DataError
from sfumato.io.tables.cells import is_number
from sfumato.io.tables.contract import TableFile
from sfumato.io.tables.copies import open_copy
from sfumato.io.tables.text import letters_of, open_csv

_SEXTRACTOR = re.compile(r"#\s*(\d+)\s+(\S+)")


def open_blanks(path: Path, group: str | None) -> TableFile:
    """Columns of blanks, named by the first line or by the comments above it."""
    encoding, _ = letters_of(path)

    def rewrite(copy: Path) -> None:
        with (
            path.open(encoding=encoding) as stream,
            copy.open("w", newline="", encoding="utf-8") as target,
        ):
            csv.writer(target).writerows(_rows(stream, path))

    return open_copy(path, f"{path.stem}.csv", rewrite, lambda copy: open_csv(copy, group))


def _rows(lines: Iterator[str], path: Path) -> Iterator[Sequence[str]]:
    """The names, and every row after them."""
    comments, first = [], ""
    for line in lines:
        if line.strip() and not line.startswith("#"):
            first = line
            break
        if line.strip():
            comments.append(line)
    row, second = _fields(first), _fields(next(lines, ""))
    names = _names(comments, row, second)
    if names is None and any(is_number(cell) for cell in row):
        message = f"{path}: there is no line of names above {len(row)} columns"
        raise DataError(f"{message}. Add one, such as `# id ra dec`, with a name for each column.")
    if names is not None:
        yield names
    yield from (r for r in (row, second) if r)
    yield from (_fields(line) for line in lines if line.strip() and not line.startswith("#"))


def _fields(line: str) -> list[str]:
    """What blanks part, but for those between quotes."""
    if '"' not in line:
        return line.split()
    cells = csv.reader([line.replace("\t", " ").strip()], delimiter=" ", skipinitialspace=True)
    return next(cells, [])


def _names(comments: list[str], row: list[str], second: list[str]) -> list[str] | None:
    """Names from the comments, unless the first row is a line of names."""
    numbered = [_SEXTRACTOR.match(line) for line in comments]
    places = {int(m[1]): m[2] for m in takewhile(bool, reversed(numbered)) if m}
    if places and 1 in places and max(places) <= len(row):
        # MAG_APER of three apertures is MAG_APER, MAG_APER_1, MAG_APER_2
        names, start = [], 1
        for place in range(1, len(row) + 1):
            start = place if place in places else start
            names.append(places[start] + (f"_{place - start}" if place > start else ""))
        return names
    named = comments[-1].lstrip("#").split() if comments else []
    # a gap, which may stand for a number, says nothing of the line above
    below = any(is_number(cell) and any(map(str.isdigit, cell)) for cell in second)
    is_data = any(is_number(cell) for cell in row) or not below
    return named if len(named) == len(row) and is_data else None
