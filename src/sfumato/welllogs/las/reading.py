"""From a LAS file to curves: numbers with NaN for gaps, depths in metres, and what was assumed."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from sfumato.errors import DataError
from sfumato.io._files import stamp_of
from sfumato.welllogs.las.cells import Column, declared_null
from sfumato.welllogs.las.depth import depth_in_metres
from sfumato.welllogs.las.layout import Item, Layout, Section, layout_of
from sfumato.welllogs.las.rows import (
    data_lines,
    numbers_of,
    parted,
    row_lines,
    words,
    words_of,
)

_BLOCK = 20_000


@dataclass(frozen=True, eq=False)
class Curve:
    """A curve: its name, unit and description as declared, and its values (n,).

    `values` are numbers with NaN for gaps, or words (of dtype object) with None for gaps.
    """

    name: str
    unit: str
    description: str
    values: np.ndarray

    @property
    def is_text(self) -> bool:
        """Whether it holds words."""
        return self.values.dtype == object


@dataclass(frozen=True, eq=False)
class LasFile:
    """What a LAS file holds.

    Parameters
    ----------
    layout : of its lines.
    section : of its data that was read.
    curves : in order; the first is the index.
    depth_m : (n,) the index in metres, or the index as it is where it is no length.
    lines : (n,) number of the last line of each row.
    notes : what was mended or assumed, a line each.
    stamp : size and times of the file when it was read.
    """

    layout: Layout
    section: Section
    curves: tuple[Curve, ...]
    depth_m: np.ndarray
    lines: np.ndarray
    notes: tuple[str, ...]
    stamp: tuple[int, int, int]

    @property
    def path(self) -> Path:
        """The file."""
        return self.layout.path

    @property
    def well(self) -> str:
        """Name of the well, or its unique identifier, or the name of the file."""
        items = self.layout.items("well")
        names = [items[key].value for key in ("WELL", "UWI", "API") if key in items]
        return next((name for name in names if name), self.path.stem)

    def __getitem__(self, name: str) -> Curve:
        """The curve of a name.

        Raises
        ------
        KeyError
            There is none.
        """
        for curve in self.curves:
            if curve.name == name:
                return curve
        raise KeyError(name)


def read_las(path: str | Path, *, group: str | None = None) -> LasFile:
    """Read a LAS file of any version.

    Parameters
    ----------
    path : of the file.
    group : title or number (from 1) of the section of data, where there are several.

    Raises
    ------
    DataError
        The file is empty, damaged or ambiguous; the line is named.

    Notes
    -----
    What was mended or assumed stands in `LasFile.notes`: nulls other than the declared one, numbers
    that ran into each other, decimal commas, repeated mnemonics, depths that do not agree with the
    header.
    """
    layout = layout_of(Path(path))
    stamp = stamp_of(layout.path)
    section = layout.data(group)
    items = _declared(layout, section)
    names = _unique([item.mnemonic for item in items], layout.notes)
    null = declared_null(layout)
    columns = [Column(layout, name, null if place else None) for place, name in enumerate(names)]
    lines = _filled(columns, layout, section)
    if not lines:
        raise DataError(f"{layout.path}, line {section.first}: ~{section.title} holds no data.")
    arrays = [column.values() for column in columns]
    depth = depth_in_metres(layout, items[0], arrays[0], null)
    curves = tuple(
        Curve(name, item.unit, item.description, values)
        for name, item, values in zip(names, items, arrays, strict=True)
    )
    notes = tuple(dict.fromkeys(layout.notes))
    return LasFile(layout, section, curves, depth, np.array(lines), notes, stamp)


def _filled(columns: Sequence[Column], layout: Layout, section: Section) -> list[int]:
    """Fill the columns from the section; the numbers of the last lines of its rows.

    Plain numbers are read by NumPy, many rows at a time; where it refuses them, word by word.
    """
    lines, n_columns = row_lines(layout, section, len(columns)), len(columns)
    ends: list[int] = []
    while block := list(islice(lines, _BLOCK)):  # words take ten times the room of numbers
        own = [line.number for line in block]
        is_text = any(column.is_text for column in columns)
        numbers = None if is_text else numbers_of(block, layout, n_columns)
        if numbers is not None:
            for column, values in zip(columns, numbers, strict=True):
                column.add_numbers(values)
        else:
            by_column = zip(*words_of(block, layout, n_columns), strict=True)
            for column, cells in zip(columns, by_column, strict=True):
                column.add(list(cells), own)
        ends += own
    return ends


def _declared(layout: Layout, data: Section) -> list[Item]:
    """The curves of a section of data: as declared, or as its title names them.

    Raises
    ------
    DataError
        There are none, or the first row is of another length.
    """
    section = layout.curves(data)
    items = list(section.items)
    first = next(iter(data_lines(layout, data)), None)
    if layout.wrapped or first is None:
        if not items:
            raise DataError(f"{layout.path}, line {section.first}: no curve is declared.")
        return items
    number, text = first
    n_values = len(words(text, layout.delimiter))
    titles = data.title.split()[1:]
    if len(items) != n_values and len(titles) == n_values:
        known = {item.mnemonic.upper(): item for item in items}
        what = f"line {data.first}: the title of the data names {n_values} curves"
        layout.notes.append(f"{what}, {len(items)} are declared: the title counts")
        return [known.get(t.upper(), Item(t, "", "", "", data.first)) for t in titles]
    if not items:
        raise DataError(f"{layout.path}, line {section.first}: no curve is declared.")
    if n_values != len(items) and len(parted(words(text, layout.delimiter))) != len(items):
        message = f"{layout.path}, line {number}: {n_values} values, and {len(items)} curves"
        raise DataError(f"{message} are declared. Correct section ~C, or WRAP.")
    return items


def _unique(names: list[str], notes: list[str]) -> list[str]:
    """Names of curves, the second and further of one name numbered: GR, GR:2."""
    seen: Counter[str] = Counter()
    out = []
    for name in names:
        seen[name] += 1
        out.append(name if seen[name] == 1 else f"{name}:{seen[name]}")
    for name, count in seen.items():
        if count > 1:
            notes.append(f"{count} curves are named {name}: the others are {name}:2 and so on")
    return out
