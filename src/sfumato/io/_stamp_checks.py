"""Checksums of stamps and of the rows beside them, which our files hold and reading verifies.

They are columns like any other, so that every format has them: ``crc32_<set>`` of each stamp's
numbers in single precision, ``crc32_table`` of each row; the attribute ``layout_sha256`` is a
digest of all that is no array. Files of other tools have none, and are read as they are.
"""

import warnings
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from sfumato.errors import DataError
from sfumato.io._files import digest_of
from sfumato.io._stamps import Attribute, ImageSet, Shape, StampFile, damage

PREFIX, SEAL = "crc32_", "layout_sha256"
_TABLE = f"{PREFIX}table"


def seal_of(n: int, shape: Shape, attributes: Mapping[str, Attribute], names: Sequence[str]) -> str:
    """Digest of what a file of stamps says of itself; of numbers the first twelve digits."""
    plain = {
        key: value if isinstance(value, str) else f"{value:.12g}"
        for key, value in attributes.items()
        if key != SEAL
    }
    return digest_of({"n": n, "shape": list(shape), "attributes": plain, "names": sorted(names)})


def crc_of_stamps(stamps: np.ndarray) -> np.ndarray:
    """Checksum of each stamp (b, h, w), (b,)."""
    return np.array([zlib.crc32(one.tobytes()) for one in stamps.astype("<f4")], np.int64)


def crc_of_rows(cells: Mapping[str, np.ndarray]) -> np.ndarray:
    """Checksum of the cells (b,) of each row, whatever the order of the columns."""
    parts = [_numbers(cells[name]) for name in sorted(cells)]
    rows = np.stack([part.view(np.uint8).reshape(len(part), 8) for part in parts], axis=1)
    return np.array([zlib.crc32(row.tobytes()) for row in rows], np.int64)


def _numbers(cells: np.ndarray) -> np.ndarray:
    """Cells as eight bytes each; a word as its own checksum."""
    if cells.dtype.kind in "fiub":
        return cells.astype("<f8" if cells.dtype.kind == "f" else "<i8")
    words = np.char.encode(cells, "utf-8") if cells.dtype.kind == "U" else cells
    return np.array([zlib.crc32(word.rstrip(b" \0")) for word in words.tolist()], "<i8")


def verified(file: StampFile) -> StampFile:
    """A file that checks what it reads, if it holds checksums; otherwise itself.

    What its header says is checked at once, and a warning says that it was edited.
    """
    own = [name for name in file.columns if name.startswith(PREFIX)]
    stated = file.attributes.get(SEAL)
    if not own and stated is None:
        return file
    columns = tuple(name for name in file.columns if name not in own)
    attributes = {name: value for name, value in file.attributes.items() if name != SEAL}
    names = [*file.sets, *columns]
    if stated != seal_of(file.n, file.shape or (), attributes, names):
        message = f"{file.path}: its header is not as it was written"
        warnings.warn(f"{message}: was it edited, or is it damaged?", stacklevel=3)

    @cache
    def column(name: str) -> np.ndarray:
        return np.asarray(file.load_column(name))

    @cache
    def check_table() -> None:
        found = crc_of_rows({name: column(name) for name in columns})
        _compare(file, found, column(_TABLE), 0, what="rows of the table")

    def load_column(name: str) -> np.ndarray:
        if _TABLE in own:
            check_table()
        return column(name)

    def checked(name: str, images: ImageSet) -> ImageSet:
        def load(rows: slice) -> np.ndarray:
            stamps = images.load(rows)
            with damage(file.path):
                expected = column(PREFIX + name)[rows]
                found = crc_of_stamps(np.asarray(stamps))
            _compare(file, found, expected, rows.start or 0, what=f"stamps {name!r}")
            return stamps

        return replace(images, load=load) if PREFIX + name in own else images

    loaders: Mapping[str, ImageSet] = {n: checked(n, images) for n, images in file.sets.items()}
    return replace(
        file, sets=loaders, columns=columns, attributes=attributes, load_column=load_column
    )


def _compare(
    file: StampFile, found: np.ndarray, expected: np.ndarray, first: int, *, what: str
) -> None:
    wrong = np.flatnonzero(found != expected)
    if wrong.size:
        where = f"{wrong.size} {what} are not as they were written, first {first + wrong[0] + 1}"
        cure = f"If they were edited on purpose, remove the columns {PREFIX}*"
        raise DataError(f"{file.path}: damaged: {where}. {cure}.")
