"""A LAS file as it was, with curves added: every other byte stays."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sfumato.errors import DataError
from sfumato.io._files import stamp_of, whole
from sfumato.welllogs.las.cells import USUAL_NULL
from sfumato.welllogs.las.layout import Section
from sfumato.welllogs.las.lines import lines_of
from sfumato.welllogs.las.reading import LasFile


class NewCurve(NamedTuple):
    """A curve to add.

    Parameters
    ----------
    name, unit, description : for section ~C.
    values : (n,) numbers, NaN for gaps, one for each row of the file.
    decimals : digits behind the point.
    """

    name: str
    unit: str
    description: str
    values: np.ndarray
    decimals: int = 4


def write_las(las: LasFile, curves: Sequence[NewCurve], output: str | Path) -> None:
    """Write a file again with curves added behind its own; no other byte of it changes.

    A title of the data that names the curves, as ``~A DEPT GR``, names the new ones too.

    Raises
    ------
    DataError
        A curve of that name is in the file already, a curve has another length, or the file is not
        what was read.
    DiskError
        The disk is full, or the folder cannot be written.
    """
    check_names(las, [curve.name for curve in curves])
    names = [curve.name for curve in (*las.curves, *curves)]
    for curve in curves:
        if curve.values.shape != las.lines.shape:
            message = f"Curve {curve.name!r} holds {curve.values.size:,} values"
            raise DataError(f"{message}, and {las.path} {las.lines.size:,} rows.")
    cells = _cells(las, curves)
    heading, last = las.section, _last_of_curves(las)
    row = 0
    with (
        whole(Path(output)) as temporary,
        temporary.open("w", encoding=las.layout.encoding, newline="") as file,
    ):
        lines = lines_of(las.path, las.layout.encoding)
        for number, line in enumerate(lines, start=1):
            body, end = _parted(line)
            end = end or "\n"
            if number == heading.first:
                file.write(f"{body}{_titles(heading, names, curves)}{line[len(body) :]}")
            elif row < las.lines.size and number == las.lines[row]:
                file.write(_row(las, body, cells[row], end))
                file.write(line[len(body) :])
                row += 1
            else:
                file.write(line)
            if number == last:
                file.writelines(f"{_declared(curve)}{end}" for curve in curves)
        if row < las.lines.size or stamp_of(las.path) != las.stamp:
            raise DataError(f"{las.path} changed while it was read. Run the command again.")


def check_names(las: LasFile, names: Sequence[str]) -> None:
    """Refuse to add curves of names that a file has.

    Raises
    ------
    DataError
        It has one.
    """
    taken = {curve.name for curve in las.curves}
    for name in names:
        if name in taken:
            message = f"{las.path}: a curve {name!r} is in the file already"
            raise DataError(f"{message}. Predict from the file as it was measured.")


def _parted(line: str) -> tuple[str, str]:
    body = line.rstrip("\r\n")
    return body, line[len(body) :]


def _last_of_curves(las: LasFile) -> int:
    """The line behind which curves are declared: that of the last one."""
    section = las.layout.curves(las.section)
    return max([item.line for item in section.items], default=section.first)


def _titles(heading: Section, names: Sequence[str], curves: Sequence[NewCurve]) -> str:
    """What a title that names the curves goes on with."""
    titles = heading.title.split()[1:]
    named = len(titles) == len(names) - len(curves) and "|" not in heading.title
    return "".join(f"  {curve.name}" for curve in curves) if named and titles else ""


def _declared(curve: NewCurve) -> str:
    return f"{curve.name} .{curve.unit}  : {curve.description}"


def _null_of(las: LasFile) -> str:
    item = las.layout.items("well").get("NULL")
    try:
        float("" if item is None else item.value)
    except ValueError:
        return f"{USUAL_NULL}"
    return "" if item is None else item.value


def _cells(las: LasFile, curves: Sequence[NewCurve]) -> list[str]:
    """Words of the new curves for each row, with a blank between them."""
    if not curves:
        return [""] * las.lines.size
    null = _null_of(las)
    forms = [f"%.{curve.decimals}f" for curve in curves]
    whole_row = " ".join(forms)
    values = np.stack([curve.values for curve in curves], axis=1)
    finite = np.isfinite(values)
    return [
        whole_row % tuple(row)
        if all_known
        else " ".join(f % v if k else null for f, v, k in zip(forms, row, known, strict=True))
        for row, known, all_known in zip(
            values.tolist(), finite.tolist(), np.all(finite, axis=1).tolist(), strict=True
        )
    ]


_WIDEST = 80
"""Letters of a line of a wrapped file, at most (LAS 2.0)."""


def _row(las: LasFile, body: str, cells: str, end: str) -> str:
    """The last line of a row with more words; of wrapped files, with more lines."""
    if not cells:
        return body
    delimiter = las.layout.delimiter
    if delimiter is not None:
        trailing = body.rstrip().endswith(delimiter) and delimiter == ","
        return body + ("" if trailing else delimiter) + cells.replace(" ", delimiter)
    if not las.layout.wrapped:
        return f"{body} {cells}"
    lines, line = [body], ""
    for cell in cells.split(" "):
        if len(line) + len(cell) + 1 > _WIDEST:
            lines.append(line)
            line = ""
        line += f" {cell}"
    return end.join([*lines, line])
