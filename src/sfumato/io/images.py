"""Postage stamps of galaxies in HDF5, FITS and NPZ: images of one shape beside columns.

`StampWriter` writes HDF5 or FITS as a stream; `open_stamps` reads chosen rows of its files and of
those of others. Arrays go by the names ``image``, ``weight``, ``mask`` and ``psf``, whatever the
file calls them, and by their own names in lower case otherwise.
"""

import math
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from sfumato._typing import FitsHeader, FitsPart, FitsParts, Hdf5Node
from sfumato.errors import DataError, ShapeError, optional_module
from sfumato.io._stamp_checks import verified
from sfumato.io._stamp_layout import STRUCTURE
from sfumato.io._stamp_writer import StampWriter
from sfumato.io._stamps import (
    SAME_SHAPE,
    Attribute,
    ImageSet,
    Shape,
    StampFile,
    check_rows,
    damage,
    disagree,
    image_sets,
)
from sfumato.io.tables.fits import opened

__all__ = ["ImageSet", "StampFile", "StampWriter", "open_stamps"]

_ALL = slice(None)
_NUMBERS = "fiub"
_PARTS = {"image": "img_", "psf": "psf_", "weight": "weight_", "mask": "mask_"}
"""Sets of stamps of any shapes, and what their arrays' names begin with in NPZ."""


def open_stamps(path: str | Path) -> StampFile:
    """Open a file of stamps by its suffix; nothing but what describes them is read.

    Parameters
    ----------
    path : .hdf5/.h5 with a dataset ``image`` or one 3-D dataset; .fits/.fit with an image cube or
        a single image; .npz with an array ``image`` or with arrays ``img_<NAME>`` of any shapes.

    Raises
    ------
    DataError
        The file is missing, of an unknown kind, damaged, or holds no stamps.
    ShapeError
        Images and weights, masks, PSFs or columns do not belong together.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path} does not exist. Check the path.")
    opener = OPENERS.get(path.suffix.lower())
    if opener is None:
        allowed = ", ".join(OPENERS)
        raise DataError(f"{path}: unknown kind of images {path.suffix!r}; known are {allowed}.")
    with damage(path):
        return verified(opener(path))


# -- HDF5 ------------------------------------------------------------------------------------------


def _open_hdf5(path: Path) -> StampFile:
    h5py = optional_module("h5py", extra="io")
    shapes, rows = {}, {}

    def visit(key: str, node: Hdf5Node) -> None:
        if not isinstance(node, h5py.Dataset) or node.shape is None:
            return
        if node.ndim >= 2 and node.dtype.kind in _NUMBERS:
            shapes[key] = node.shape
        elif node.ndim == 1 and key.rpartition("/")[0] in ("", "table"):
            rows[key] = node.shape[0]

    def load(key: str, index: slice = _ALL) -> np.ndarray:
        with h5py.File(path) as file:
            return file[key][index]

    with h5py.File(path) as file:
        file.visititems(visit)
        attributes = {key: _plain(value) for key, value in file.attrs.items()}
    n, sets = image_sets(path, shapes, lambda key: partial(load, key))
    table = {key.removeprefix("table/"): key for key in rows if key.startswith("table/")}
    check_rows(path, {name: rows[key] for name, key in table.items()}, n)
    # without a table, an array of another length may be anything
    table = table or {key: key for key, count in rows.items() if count == n}
    return StampFile(path, n, sets, tuple(table), attributes, lambda name: load(table[name]))


def _plain(value: object) -> Any:  # whatever a header holds
    """A number, text or list for what NumPy or HDF5 give."""
    value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


# -- FITS ------------------------------------------------------------------------------------------


@contextmanager
def _hdus(path: Path) -> Iterator[FitsParts]:
    with opened(path) as hdus, warnings.catch_warnings():
        # of other people's headers astropy says much that does not matter here
        warnings.simplefilter("ignore")
        yield hdus


def _open_fits(path: Path) -> StampFile:
    shapes: dict[str, Shape] = {}
    places: dict[str, int] = {}
    tables: dict[str, int] = {}
    fits = optional_module("astropy.io.fits", extra="io")
    with _hdus(path) as hdus:
        _check_length(path, hdus)
        for index, hdu in enumerate(hdus):
            key = hdu.name if hdu.name not in ("", "PRIMARY") else f"hdu{index}"
            if hdu.is_image and len(hdu.shape) >= 2 and key not in places:
                places[key], shapes[key] = index, tuple(hdu.shape)
            elif isinstance(hdu, fits.BinTableHDU | fits.TableHDU):
                tables.setdefault(key, index)
        n, sets = image_sets(
            path, shapes, lambda key: partial(_section, path, places[key]), first=True
        )
        if "TABLE" in tables:
            check_rows(path, {"TABLE": hdus[tables["TABLE"]].header["NAXIS2"]}, n)
            tables = {"TABLE": tables["TABLE"]}
        fitting = [index for index in tables.values() if hdus[index].header["NAXIS2"] == n]
        columns = _scalar_columns(hdus[fitting[0]]) if fitting else ()
        main = hdus[places[sets["image"].key]].header
        attributes = _cards(main) | _cards(hdus[0].header)
    load = partial(_table_column, path, fitting[0] if fitting else 0)
    return StampFile(path, n, sets, columns, attributes, load)


def _check_length(path: Path, hdus: FitsParts) -> None:
    """Refuse files that end before, or go on after, what their headers say."""
    size, end = path.stat().st_size, 0
    for index, hdu in enumerate(hdus):
        try:
            place = hdu.fileinfo()
        except AttributeError:  # astropy's stand-in for what it cannot read
            message = f"{path}: the header of HDU {index} is damaged. Write it again."
            raise DataError(message) from None
        end = place["datLoc"] + place["datSpan"]
        if size < end:
            message = f"{path}: truncated: {size} bytes, but its HDU {index} ends at {end}"
            raise DataError(f"{message}. Copy or write it again.")
    with path.open("rb") as stream:
        stream.seek(end)
        if stream.read(8) == b"XTENSION":
            raise DataError(f"{path}: the header after byte {end} is damaged. Write it again.")


def _section(path: Path, index: int, rows: slice) -> np.ndarray:
    with _hdus(path) as hdus:
        return np.array(hdus[index].section[rows])


def _table_column(path: Path, index: int, name: str) -> np.ndarray:
    with _hdus(path) as hdus:
        return np.array(hdus[index].data[name])


def _scalar_columns(table: FitsPart) -> tuple[str, ...]:
    """Names of the columns with one value in each row."""
    dtype = table.columns.dtype
    return tuple(name for name in table.columns.names if dtype[name].shape == ())


def _cards(header: FitsHeader) -> dict[str, Attribute]:
    """What a header says of its content, under lower-case keywords."""
    cards = {card.keyword.lower(): card.value for card in header.cards}
    return {
        keyword: value
        for keyword, value in cards.items()
        if isinstance(value, int | float | str) and not STRUCTURE.fullmatch(keyword)
    }


# -- NPZ -------------------------------------------------------------------------------------------


def _open_npz(path: Path) -> StampFile:
    with zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
        headers = {name: _npy_header(archive, name) for name in names}
    numeric = {key: shape for key, (shape, _, dtype) in headers.items() if dtype.kind in _NUMBERS}
    rows = {
        key: shape[0]
        for key, (shape, _, dtype) in headers.items()
        if len(shape) == 1 and dtype.kind in _NUMBERS + "SU"
    }
    identifiers: tuple[str, ...] = ()
    if any(key.startswith(_PARTS["image"]) for key in numeric):
        identifiers, sets = _ragged_sets(path, numeric)
        n = len(identifiers)
    else:
        arrays = {key: shape for key, shape in numeric.items() if len(shape) >= 2}
        n, sets = image_sets(path, arrays, lambda key: partial(_npy_rows, path, key))
    scalars = [
        key for key, (shape, _, dtype) in headers.items() if not shape and not dtype.hasobject
    ]
    attributes = {key: _npy_rows(path, key, None).item() for key in scalars}
    columns = tuple(key for key, count in rows.items() if count == n)
    return StampFile(path, n, sets, columns, attributes, partial(_npy_rows, path), identifiers)


def _ragged_sets(
    path: Path, shapes: Mapping[str, Shape]
) -> tuple[tuple[str, ...], dict[str, ImageSet]]:
    """Identifiers, and the sets of an archive with one array for each galaxy."""
    prefix = _PARTS["image"]
    identifiers = tuple(key.removeprefix(prefix) for key in shapes if key.startswith(prefix))
    sets = {}
    for name, prefix in _PARTS.items():
        keys = {identifier: prefix + identifier for identifier in identifiers}
        found = {shapes[key] for key in keys.values() if key in shapes}
        if not found:
            continue
        for identifier, key in keys.items():
            shape, image = shapes.get(key), shapes[_PARTS["image"] + identifier]
            if shape is not None and (len(shape) != 2 or 0 in shape):
                raise DataError(f"{path}: {key!r} is {shape}; needed is (h, w), not empty.")
            if shape not in (None, image) and name in SAME_SHAPE:
                raise disagree(path, _PARTS["image"] + identifier, image, key, shape)
        common = next(iter(found)) if len(found) == 1 else None
        load = partial(_ragged_rows, path, tuple(keys.values()))
        sets[name] = ImageSet(prefix + "*", common, is_shared=False, load=load)
    return identifiers, sets


def _ragged_rows(path: Path, keys: tuple[str, ...], rows: slice) -> np.ndarray:
    """The arrays of some galaxies (b, h, w), if they have one shape."""
    with zipfile.ZipFile(path) as archive:
        present = set(archive.namelist())
    missing = [key for key in keys[rows] if f"{key}.npy" not in present]
    if missing:
        raise DataError(f"{path}: no array {missing[0]!r}. Add it, or leave that galaxy out.")
    stamps = [_npy_rows(path, key) for key in keys[rows]]
    shapes = sorted({stamp.shape for stamp in stamps})
    if len(shapes) > 1:
        raise ShapeError(
            f"{path}: these stamps have different shapes, such as {shapes[0]} and {shapes[-1]}. "
            "Read each with read_one."
        )
    return np.stack(stamps)


def _npy_header(archive: zipfile.ZipFile, key: str) -> tuple[Shape, bool, np.dtype]:
    with archive.open(f"{key}.npy") as stream:
        return _parse_header(stream)


def _parse_header(stream: IO[bytes]) -> tuple[Shape, bool, np.dtype]:
    """Shape, whether the first axis runs fastest, and type; the stream is left at the data."""
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    return np.lib.format.read_array_header_2_0(stream)


def _npy_rows(path: Path, key: str, rows: slice | None = _ALL) -> np.ndarray:
    """Rows of one array of an archive, without the rows after them; all of it for None."""
    with zipfile.ZipFile(path) as archive, archive.open(f"{key}.npy") as stream:
        shape, is_fortran, dtype = _parse_header(stream)
        if dtype.hasobject:
            raise DataError(f"{path}: {key!r} holds Python objects. Save it as numbers.")
        if rows is None or is_fortran or len(shape) < 2:
            count, start, inner = math.prod(shape), 0, ()
        else:
            start, stop, _ = rows.indices(shape[0])
            count, inner = stop - start, shape[1:]
        size = math.prod(inner) * dtype.itemsize
        stream.seek(start * size, 1)
        data = stream.read(count * size)
    if len(data) < count * size:
        raise DataError(f"{path}: {key!r} is truncated. Write it again.")
    values = np.frombuffer(data, dtype)
    if inner:
        return values.reshape(count, *inner)
    whole = values.reshape(shape, order="F" if is_fortran else "C")
    return whole if rows is None else whole[rows]


OPENERS = {
    ".hdf5": _open_hdf5,
    ".h5": _open_hdf5,
    ".fits": _open_fits,
    ".fit": _open_fits,
    ".npz": _open_npz,
}
"""The one table from a suffix to the function that opens such a file of stamps."""
