"""What a file of stamps will hold, and whether what is appended fits; used by the writer."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from sfumato.errors import ShapeError
from sfumato.io._stamp_checks import PREFIX, SEAL, crc_of_rows, crc_of_stamps, seal_of
from sfumato.io._stamps import Attribute

FITS_FORMATS = {"f4": "E", "f8": "D", "i2": "I", "i4": "J", "i8": "K", "u1": "B", "b1": "L"}
_LOWER = re.compile(r"[a-z][a-z0-9_]*")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_RESERVED_IMAGES = ("table", "primary")
STRUCTURE = re.compile(
    r"(simple|xtension|bitpix|naxis\d*|extend|pcount|gcount|groups|extname|extver|extlevel|bscale"
    r"|bzero|blank|inherit|checksum|datasum|longstrn|continue|comment|history|end|date|hierarch)?"
)
"""Header keywords, in lower case, that describe a FITS file and not what it holds."""


@dataclass(frozen=True)
class StampColumn:
    """The type, unit and meaning of a column of the table."""

    dtype: np.dtype
    unit: str
    description: str


@dataclass(frozen=True)
class Layout:
    """What a file will hold: stamps (n, h, w) of each name, columns (n,) and attributes."""

    n: int
    shape: tuple[int, int]
    attributes: dict[str, Attribute]
    images: tuple[str, ...]
    columns: dict[str, StampColumn]


def make_layout(
    n: int,
    shape: tuple[int, int],
    attributes: Mapping[str, Attribute],
    images: Sequence[str],
    columns: Mapping[str, tuple[DTypeLike, str, str]],
) -> Layout:
    """The checked layout of a new file.

    Raises
    ------
    ValueError
        A name, type, size or attribute cannot be written.
    """
    if n < 1:
        raise ValueError(f"`n` must be at least 1; got {n}.")
    if len(shape) != 2 or min(shape) < 1:
        raise ValueError(f"`shape` must be (height, width) in pixels; got {shape}.")
    _check_names("image sets", images, _LOWER)
    _check_names("attributes", tuple(attributes), _LOWER)
    _check_names("columns", tuple(columns), _WORD)
    if not images or set(images) & set(_RESERVED_IMAGES):
        raise ValueError(f"`images` must name image sets, none {_RESERVED_IMAGES}; got {images}.")
    plain = {}
    for name, value in attributes.items():
        plain[name] = value.item() if isinstance(value, np.generic) else value
        if STRUCTURE.fullmatch(name):
            raise ValueError(f"The attribute {name!r} has a meaning of its own in FITS. Rename it.")
        if not isinstance(plain[name], int | float | str):
            raise ValueError(f"The attribute {name!r} must be a number or text; got {value!r}.")
    if clash := [name for name in (*columns, *plain) if name.startswith((PREFIX, SEAL))]:
        raise ValueError(f"The name {clash[0]!r} is taken by our checksums. Rename it.")
    checked = {name: _column(name, *given) for name, given in columns.items()}
    size = (int(shape[0]), int(shape[1]))
    plain[SEAL] = seal_of(int(n), size, plain, [*images, *columns])
    for name in (*images, *(["table"] if columns else [])):
        of = "row" if name == "table" else f"stamp in {name}"
        checked[PREFIX + name] = StampColumn(np.dtype("<i8"), "", f"CRC-32 of the {of}")
    return Layout(int(n), size, plain, tuple(images), checked)


def check_piece(
    layout: Layout, images: Mapping[str, ArrayLike], columns: Mapping[str, ArrayLike]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Stamps (b, h, w) by name and cells (b,) by column, in the order of the layout.

    Raises
    ------
    ShapeError
        An array has another shape.
    ValueError
        A name is missing or unknown, or values do not fit the type of their column.
    """
    own = [name for name in layout.columns if not name.startswith(PREFIX)]
    for what, given, needed in (
        ("image sets", images, layout.images),
        ("columns", columns, own),
    ):
        if set(given) != set(needed):
            raise ValueError(f"Append the {what} {sorted(needed)}; got {sorted(given)}.")
    stamps = {name: np.asarray(images[name]) for name in layout.images}
    b = next(iter(stamps.values())).shape[:1]
    for name, array in stamps.items():
        if not b or array.shape != (*b, *layout.shape):
            needed = f"(b, h, w) = {(*(b or ('b',)), *layout.shape)}"
            raise ShapeError(f"`images[{name!r}]` is {array.shape}; needed is {needed}.")
        if array.dtype.kind not in "fiub":
            raise ValueError(f"`images[{name!r}]` holds {array.dtype}, not real numbers.")
    cells = {name: _cells(name, columns[name], layout.columns[name], b[0]) for name in own}
    checks = {PREFIX + name: crc_of_stamps(array) for name, array in stamps.items()}
    if own:
        checks[f"{PREFIX}table"] = crc_of_rows(cells)
    return stamps, cells | checks


def _check_names(what: str, names: Sequence[str], pattern: re.Pattern[str]) -> None:
    """Refuse names that one of the formats cannot hold or tell apart."""
    for name in names:
        if not pattern.fullmatch(name):
            kind = "lower-case letters" if pattern is _LOWER else "letters"
            raise ValueError(f"Names of {what} are made of {kind}, digits and _; got {name!r}.")
    if len({name.lower() for name in names}) < len(names):
        raise ValueError(f"Names of {what} must differ in more than case; got {list(names)}.")


def _column(name: str, kind: DTypeLike, unit: str, description: str) -> StampColumn:
    """A column whose type both formats have."""
    dtype = np.dtype(kind)
    text = dtype.kind == "S" and dtype.itemsize > 0
    if not text and f"{dtype.kind}{dtype.itemsize}" not in FITS_FORMATS:
        raise ValueError(
            f"Column {name!r} cannot be stored as {dtype}; use one of "
            f"{', '.join(FITS_FORMATS)} or 'S<bytes>' for text."
        )
    return StampColumn(dtype.newbyteorder("<"), unit, description)


def _cells(name: str, values: ArrayLike, column: StampColumn, b: int) -> np.ndarray:
    """A column's next values (b,) in its own type, with nothing lost but digits of floats."""
    array = np.asarray(values)
    if array.shape != (b,):
        raise ShapeError(f"`columns[{name!r}]` is {array.shape}; the stamps need {(b,)}.")
    if column.dtype.kind == "S":
        text = array.astype("S")
        if text.dtype.itemsize > column.dtype.itemsize:
            raise ValueError(
                f"Column {name!r} has room for {column.dtype.itemsize} bytes of text; "
                f"one has {text.dtype.itemsize}."
            )
        return text.astype(column.dtype)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"Column {name!r} holds {array.dtype}, not numbers.")
    if column.dtype.kind == "f":
        return array.astype(column.dtype)
    with np.errstate(invalid="ignore"):
        cast = array.astype(column.dtype)
    if not np.array_equal(cast, array):
        raise ValueError(f"Column {name!r} has values that {column.dtype} cannot hold.")
    return cast
