"""Cells of text: which are missing, which are numbers, and what a column of them stands for."""

from collections.abc import Iterable

import pyarrow as pa

from sfumato.io.tables.compute import pc

MISSING = ("", "nan", "na", "n/a", "<na>", "null", "none", "-", "--", "---", "...")
"""What stands for a missing number, in any case of letters."""

_TRUTHS = ("true", "false")

_NO_SIGN = r"^\+"
_FORTRAN = r"^([-+]?[0-9.]+)[dD]([-+]?[0-9]+)$"  # 1.5D+03
_WHOLE = r"^(0|-?[1-9][0-9]*)$"
_FLOAT = (
    r"^[-+]?((((0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+)([eEdD][-+]?[0-9]+)?)"
    r"|((0|[1-9][0-9]*)[eEdD][-+][0-9]+)"
    r"|([iI][nN][fF]([iI][nN][iI][tT][yY])?))$"
)
_LONG = r"^[-+]?[0-9]{16,}\.0*$"  # an identifier that was a double once
_EXACT = 2**53  # above, not every whole number is a double


def to_numbers(cells: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """Text as double precision numbers; missing ones become null, true and false 1 and 0.

    Raises
    ------
    pa.ArrowInvalid
        A cell is not a number.
    """
    try:
        return cells.cast(pa.float64())
    except pa.ArrowInvalid:  # gaps, blanks, signs: rarer, and dearer
        plain = _plain(cells)
    truths = pc.is_in(pc.utf8_lower(plain), pa.array(_TRUTHS))
    if pc.all(pc.or_(truths, pc.is_null(plain))).as_py():
        return pc.equal(pc.utf8_lower(plain), "true").cast(pa.float64())
    return plain.cast(pa.float64())


def _plain(cells: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """Trimmed text in the only way Arrow reads numbers; missing ones are null."""
    trimmed = pc.utf8_trim_whitespace(cells.cast(pa.string()))
    missing = pc.is_in(pc.utf8_lower(trimmed), pa.array(MISSING))
    trimmed = pc.if_else(missing, pa.scalar(None, pa.string()), trimmed)
    trimmed = pc.replace_substring_regex(trimmed, _NO_SIGN, "")
    return pc.replace_substring_regex(trimmed, _FORTRAN, r"\1e\2")


def is_number(cell: str | None) -> bool:
    """Whether `to_numbers` takes this cell among others that are numbers."""
    try:
        _plain(pa.array([cell], pa.string())).cast(pa.float64())
    except pa.ArrowInvalid:
        return False
    return True


def traits(cells: pa.ChunkedArray | pa.Array) -> frozenset[str]:
    """What some cells of a column are: of "whole", "negative", "long", "float", "word"."""
    plain = _plain(cells)
    known = plain.drop_null()
    if not len(known):
        return frozenset()
    whole = pc.match_substring_regex(known, _WHOLE)
    rest, found = known.filter(pc.invert(whole)), set()
    if len(rest):
        found.add("float" if pc.all(pc.match_substring_regex(rest, _FLOAT)).as_py() else "word")
        if pc.any(pc.match_substring_regex(rest, _LONG)).as_py():
            found.add("long")
    if len(rest) == len(known):
        return frozenset(found)
    for kind in (pa.int64(), pa.uint64()):
        try:
            numbers = known.filter(whole).cast(kind)
        except pa.ArrowInvalid:
            continue
        low, high = (v.as_py() for v in pc.min_max(numbers).values())
        long = max(-low, high) > _EXACT
        found |= {"whole"} | ({"negative"} if low < 0 else set()) | ({"long"} if long else set())
        return frozenset(found | ({"huge"} if kind == pa.uint64() else set()))
    return frozenset(found | {"word"})


def kind_of(found: Iterable[frozenset[str]]) -> pa.DataType:
    """The type that holds every cell of a column as it was written, from the traits of its parts.

    A column is numbers only if none of its cells would come back altered: identifiers such as
    ``007``, ``12e3`` or ones of twenty digits stay text.
    """
    all_of: frozenset[str] = frozenset().union(*found)
    lossy = {"long", "float"} <= all_of or {"huge", "negative"} <= all_of
    if "word" in all_of or lossy:
        return pa.string()
    if "float" in all_of or not all_of:
        return pa.float64()
    return pa.uint64() if "huge" in all_of else pa.int64()


def as_kind(cells: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Text as a type that `kind_of` chose."""
    return cells.cast(kind) if pa.types.is_string(kind) else _plain(cells).cast(kind)
