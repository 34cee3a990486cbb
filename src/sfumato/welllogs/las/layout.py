"""What stands where in a LAS file: its sections and the items of their headers.

Canadian Well Logging Society, LAS 2.0 (2017 update) and LAS 3.0 (1999): a section begins with a
tilde; a line of a header is ``MNEM.UNIT  VALUE : DESCRIPTION``, where the mnemonic ends at the
first point, the unit at the first blank behind it, and the value at the last colon.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from sfumato.errors import DataError
from sfumato.welllogs.las.lines import BOM, encoding_of, lines_of

DELIMITERS = {"SPACE": None, "COMMA": ",", "TAB": "\t"}
"""What DLM says and what parts the numbers; None for any blanks."""


class Item(NamedTuple):
    """A line of a header; `line` is its number from 1."""

    mnemonic: str
    unit: str
    value: str
    description: str
    line: int


@dataclass(frozen=True)
class Section:
    """A section: its title without the tilde, its first and last line (from 1), its items."""

    title: str
    first: int
    last: int = 0
    items: tuple[Item, ...] = ()

    @property
    def kind(self) -> str:
        """``version``, ``well``, ``curve``, ``data``, or something else."""
        title = self.title.split("|")[0].strip().lower()
        if named := _NAMED.get(re.sub(r"\[\d+\]$", "", title).strip()):
            return named
        if "_" in title.split(" ")[0]:  # sets of other things in LAS 3, as ~Core_Data
            return "other"
        return _LETTERS.get(title[:1], "other")


_NAMED = {"log_definition": "curve", "log_data": "data", "log_parameter": "other"}
_LETTERS = {"v": "version", "w": "well", "c": "curve", "a": "data"}


@dataclass(frozen=True)
class Layout:
    """A LAS file without its data.

    Parameters
    ----------
    path, encoding : of the file.
    sections : in order; headers with their items.
    delimiter : between numbers, None for blanks.
    wrapped : whether a row goes over several lines.
    """

    path: Path
    encoding: str
    sections: tuple[Section, ...]
    delimiter: str | None = None
    wrapped: bool = False
    notes: list[str] = field(default_factory=list)

    def items(self, kind: str) -> dict[str, Item]:
        """Items of the sections of a kind, by mnemonic in capitals; of repeated ones the first."""
        found: dict[str, Item] = {}
        for section in self.sections:
            if section.kind == kind:
                for item in section.items:
                    found.setdefault(item.mnemonic.upper(), item)
        return found

    def data(self, group: str | None = None) -> Section:
        """The section of the data.

        Parameters
        ----------
        group : its title, or its number from 1, where there are several.

        Raises
        ------
        DataError
            There is none, or several and none of them is meant.
        """
        found = [section for section in self.sections if section.kind == "data"]
        if not found:
            raise DataError(f"{self.path}: no section ~A of data. Is it a LAS file?")
        titles = [section.title for section in found]
        for number, section in enumerate(found, start=1):
            if group is not None and group in (section.title, str(number)):
                return section
        if group is None and len(found) == 1:
            return found[0]
        listed = ", ".join(f"{i} ({title!r})" for i, title in enumerate(titles, start=1))
        what = f"no section of data {group!r}" if group else f"{len(found)} sections of data"
        raise DataError(f"{self.path}: {what}. Say which with --group: {listed}.")

    def curves(self, data: Section) -> Section:
        """The section that declares the curves of a section of data.

        Raises
        ------
        DataError
            There is none.
        """
        _, bar, own = data.title.partition("|")
        for section in self.sections:
            if bar and section.title.strip().lower() == own.strip().lower():
                return section
        for section in self.sections:
            if section.kind == "curve":
                return section
        raise DataError(f"{self.path}: no section ~C of curves. Is it a LAS file?")


def layout_of(path: Path) -> Layout:
    """Sections and headers of a file.

    Raises
    ------
    DataError
        The file does not exist, is empty or no LAS file, or a line of a header is none.
    """
    encoding = encoding_of(path)
    sections = tuple(_sections(path, lines_of(path, encoding)))
    if not sections:
        raise DataError(f"{path}: no line begins with ~, as the sections of a LAS file do.")
    bare = Layout(path, encoding, sections)
    version = bare.items("version")
    notes = [] if version else ["no section ~V: read as LAS 2.0"]
    number = _number(version, "VERS", 2.0, path, notes)
    if number < 2:  # LAS 1.2 writes words behind the colon
        sections = tuple(_turned(section) for section in sections)
    wrapped = version["WRAP"].value.upper().startswith("Y") if "WRAP" in version else False
    word = version["DLM"].value.upper() if "DLM" in version else "SPACE"
    if word not in DELIMITERS:
        message = f"{path}, line {version['DLM'].line}: unknown delimiter {word!r}"
        raise DataError(f"{message}; known are {', '.join(DELIMITERS)}.")
    return Layout(path, encoding, sections, DELIMITERS[word], wrapped, notes)


def _number(
    items: dict[str, Item], mnemonic: str, default: float, path: Path, notes: list[str]
) -> float:
    """The number an item holds, or the default with a note."""
    item = items.get(mnemonic)
    if item is None:
        return default
    found = re.match(r"[\d.]+", item.value)
    if found is None:
        notes.append(f"line {item.line}: {mnemonic} is {item.value!r}, read as {default:g}")
        return default
    return float(found.group())


def _sections(path: Path, lines: Iterable[str]) -> Iterable[Section]:
    title, first, items, kind = "", 0, [], "other"
    number = 0
    for number, raw in enumerate(lines, start=1):
        if kind == "data" and "~" not in raw:
            continue
        line = raw.strip().removeprefix(BOM).strip()
        if line.startswith("~"):
            if first:
                yield Section(title, first, number - 1, tuple(items))
            title, first, items = line[1:].strip(), number, []
            kind = Section(title, first).kind
        elif kind == "data" or not first or not line or line.startswith("#"):
            continue
        else:
            item = _item(line, number)
            if item is not None:
                items.append(item)
            elif kind in ("version", "well", "curve"):
                message = f"{path}, line {number}: {line[:60]!r} is no header line"
                raise DataError(f"{message}, MNEMONIC.UNIT VALUE : DESCRIPTION. Correct it.")
    if first:
        yield Section(title, first, number, tuple(items))


_ITEM = re.compile(r"([^.]*)\.(\d*\.\d+ (?:in|inch|inches|ft)\b|\S*)(.*)$", re.IGNORECASE)
"""A unit has no blank, but for one such as 0.1 in."""


def _item(line: str, number: int) -> Item | None:
    """What a line says, or None if it is no item."""
    matched = _ITEM.match(line)
    if matched is None or not matched.group(1).strip():
        return None
    name, unit, rest = matched.groups()
    if ":" in unit:  # no blank behind the point: nothing but a value
        unit, rest = "", f"{unit}{rest}"
    # times hold colons, and formats behind them: what divides stands behind a blank
    value, colon, description = rest.partition(" :")
    if not colon:
        value, colon, description = rest.replace("\t:", " :").rpartition(":")
    if not colon:
        value, description = rest, ""
    value = re.sub(r"\s*\{.*\}\s*$", "", value)
    return Item(name.strip(), unit.strip(), value.strip(), description.strip(), number)


_NUMBERS = ("STRT", "STOP", "STEP", "NULL")


def _turned(section: Section) -> Section:
    """A section ~W of LAS 1.2, whose words stand behind the colon, as one of LAS 2.0."""
    if section.kind != "well":
        return section
    items = tuple(
        item
        if item.mnemonic.upper() in _NUMBERS
        else item._replace(value=item.description, description=item.value)
        for item in section.items
    )
    return Section(section.title, section.first, section.last, items)
