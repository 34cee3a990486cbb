"""Text with columns of blanks or between bars: rewritten, with commas, into a temporary file."""

import csv
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, takewhile
from pathlib import Path

from sfumato.errors import DataError
from sfumato.io.tables.cells import is_number
from sfumato.io.tables.contract import TableFile
from sfumato.io.tables.copies import open_copy
from sfumato.io.tables.text import are_names, letters_of, open_csv

_SEXTRACTOR = re.compile(r"#\s*(\d+)\s+(\S+)")


def open_blanks(path: Path, group: str | None) -> TableFile:
    """Columns of blanks, named by the first line or by the comments above it."""
    return _rewritten(path, group, lambda lines: _rows(lines, path))


def open_bars(path: Path, group: str | None) -> TableFile:
    """Columns between bars, as Markdown and astropy's fixed widths have them."""
    return _rewritten(path, group, _between_bars)


def _rewritten(
    path: Path, group: str | None, rows: Callable[[Iterator[str]], Iterable[Sequence[str]]]
) -> TableFile:
    encoding, _ = letters_of(path)

    def rewrite(copy: Path) -> None:
        with (
            path.open(encoding=encoding) as stream,
            copy.open("w", newline="", encoding="utf-8") as target,
        ):
            csv.writer(target).writerows(rows(stream))

    return open_copy(path, f"{path.stem}.csv", rewrite, lambda copy: open_csv(copy, group))


def _between_bars(lines: Iterator[str]) -> Iterator[Sequence[str]]:
    """Every row; the rule below the names is none."""
    for line in filter(str.strip, lines):
        if set(line.strip()) - set("|-: +"):
            yield [cell.strip() for cell in line.strip().strip("|").split("|")]


def _rows(lines: Iterator[str], path: Path) -> Iterator[Sequence[str]]:
    """The names, and every row after them."""
    comments, first = _until_row(lines)
    marked, second = _until_row(lines)
    row = _fields(first)
    names = _names(comments, row, _fields(second))
    if names is None and any(is_number(cell) for cell in row):
        message = f"{path}: there is no line of names above {len(row)} columns"
        raise DataError(f"{message}. Add one, such as `# id ra dec`, with a name for each column.")
    if names is not None:
        yield names
    yield row
    has_words = not any(map(is_number, (row if names is not None else _fields(second))[:1]))
    n_comments = 0
    for line in chain(marked, filter(str.strip, [second]), filter(str.strip, lines)):
        if line.startswith("#") and not (has_words and _is_row(line, len(row))):
            n_comments += 1
        else:
            yield _fields(line)
    if n_comments:
        warnings.warn(f"{path}: {n_comments} lines that begin with # are left out.", stacklevel=2)


def _until_row(lines: Iterator[str]) -> tuple[list[str], str]:
    """Comments, and the first line below them that is none."""
    comments = []
    for line in filter(str.strip, lines):
        if not line.startswith("#"):
            return comments, line
        comments.append(line)
    return comments, ""


def _is_row(line: str, n_columns: int) -> bool:
    """Whether a line is a row whose first word begins with the #."""
    return not line[1:2].isspace() and len(_fields(line)) == n_columns


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
    named = next(
        filter(lambda n: are_names(n, len(row)), map(_uncommented, reversed(comments))), []
    )
    # a gap, which may stand for a number, says nothing of the line above
    below = any(is_number(cell) and any(map(str.isdigit, cell)) for cell in second)
    is_data = any(is_number(cell) for cell in row) or not below
    return named if named and is_data else None


def _uncommented(comment: str) -> list[str]:
    return comment.lstrip("#").split()
