"""What a file of stamps offers once open, and which of its arrays are what.

Used through `sfumato.io.images`, which opens the files.
"""

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sfumato.errors import DataError, ShapeError, suggest

Attribute = bool | int | float | str
"""What a file says of itself, by a word."""

_NAMES = {
    "images": "image",
    "sci": "image",
    "weights": "weight",
    "wht": "weight",
    "ivar": "weight",
    "masks": "mask",
    "psfs": "psf",
}
SAME_SHAPE = ("weight", "mask")
_KNOWN = ("image", *SAME_SHAPE, "psf")
_DAMAGE = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
)
"""What the readers of the formats raise at damaged files."""

Shape = tuple[int, ...]
Loader = Callable[[slice], np.ndarray]


@dataclass(frozen=True)
class ImageSet:
    """One set of stamps of a file, such as the images or the weight maps.

    Parameters
    ----------
    key : its name in the file.
    shape : (h, w) in pixels; None if the stamps have different shapes.
    is_shared : whether one array (h, w) holds for all galaxies.
    load : ``load(rows)`` reads (b, h, w) of the rows, or all of (h, w) if shared.
    """

    key: str
    shape: Shape | None
    is_shared: bool
    load: Loader


@dataclass(frozen=True)
class StampFile:
    """Stamps on disk: what there is, and ways to read some of it.

    Parameters
    ----------
    path : where it is.
    n : number of galaxies.
    sets : the sets of stamps by name; ``image`` is always there.
    columns : names of the columns, in order.
    attributes : what holds for all galaxies.
    load_column : ``load_column(name)`` reads a column (n,).
    identifiers : names of the galaxies where the file has one stamp under each name, else empty.
    """

    path: Path
    n: int
    sets: Mapping[str, ImageSet]
    columns: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    load_column: Callable[[str], np.ndarray]
    identifiers: tuple[str, ...] = ()

    @property
    def shape(self) -> Shape | None:
        """(h, w) of the images in pixels, or None if they have different shapes."""
        return self.sets["image"].shape

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the sets of stamps."""
        return tuple(self.sets)

    def read(self, rows: slice, name: str = "image") -> np.ndarray:
        """Stamps (b, h, w) of some consecutive galaxies, in double or single precision.

        A set that all galaxies share is repeated without a copy, so that array is read-only.

        Raises
        ------
        DataError
            There is no set of this name, or the file is damaged where the rows lie.
        ShapeError
            The stamps of these rows have different shapes.
        ValueError
            The rows are not consecutive.
        """
        found = self._set(name)
        start, stop, step = rows.indices(self.n)
        if step != 1:
            raise ValueError(f"`rows` must be consecutive; got a step of {step}.")
        count = max(stop - start, 0)
        if not count:
            return np.zeros((0, *(found.shape or (0, 0))), np.float32)
        with damage(self.path):
            stamps = _floats(found.load(slice(None) if found.is_shared else slice(start, stop)))
        return np.broadcast_to(stamps, (count, *stamps.shape)) if found.is_shared else stamps

    def read_one(self, index: int, name: str = "image") -> np.ndarray:
        """Stamp (h, w) of galaxy `index`, in any format.

        Raises
        ------
        IndexError
            There is no such galaxy.
        DataError
            There is no set of this name, or the file is damaged there.
        """
        if not -self.n <= index < self.n:
            raise IndexError(f"{self.path}: `index` must lie within {self.n} galaxies; got {index}")
        index %= self.n
        return self.read(slice(index, index + 1), name)[0]

    def column(self, name: str) -> np.ndarray:
        """Values (n,) of a column, in this machine's byte order.

        Raises
        ------
        DataError
            There is no such column, or the file is damaged there.
        """
        if name not in self.columns:
            raise DataError(f"{self.path}: no column {name!r}. {suggest(name, self.columns)}")
        with damage(self.path):
            return _native(self.load_column(name))

    def iterate(self, chunk: int) -> Iterator[slice]:
        """Slices of at most `chunk` rows that together cover all galaxies in order."""
        if chunk < 1:
            raise ValueError(f"`chunk` must be at least 1; got {chunk}.")
        for start in range(0, self.n, chunk):
            yield slice(start, min(start + chunk, self.n))

    def _set(self, name: str) -> ImageSet:
        if name not in self.sets:
            raise DataError(f"{self.path}: no images {name!r}. {suggest(name, self.names)}")
        return self.sets[name]


@contextmanager
def damage(path: Path) -> Iterator[None]:
    """Turn what a reader raises at a damaged file into an error that names the file."""
    try:
        yield
    except (DataError, ShapeError):
        raise
    except _DAMAGE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        message = f"{path}: cannot be read ({reason}). Is it truncated, or not {path.suffix}?"
        raise DataError(message) from error


def _floats(values: object) -> np.ndarray:
    """A copy as floats of at least single precision, in this machine's byte order."""
    array = np.asarray(values)
    return array.astype(np.result_type(array.dtype.newbyteorder("="), np.float32))


def _native(values: object) -> np.ndarray:
    """A copy in this machine's byte order; text as ``str``."""
    array = np.asarray(values)
    if array.dtype.kind == "S":
        return np.char.decode(array, "utf-8")
    if array.dtype.kind == "O":
        return np.asarray([v.decode() if isinstance(v, bytes) else v for v in array.tolist()])
    return array.astype(array.dtype.newbyteorder("="))


# -- which array is what ---------------------------------------------------------------------------


def image_sets(
    path: Path, shapes: Mapping[str, Shape], load: Callable[[str], Loader], *, first: bool = False
) -> tuple[int, dict[str, ImageSet]]:
    """Number of galaxies, and the sets of stamps among arrays of these shapes.

    Parameters
    ----------
    shapes : of all numeric arrays with at least two axes, by their names in the file.
    first : whether the first of several nameless cubes is the images; otherwise that is an error.

    Raises
    ------
    DataError
        No array can be the images, or one has other axes or is empty.
    ShapeError
        Weights, masks or PSFs do not belong to the images.
    """
    keys: dict[str, str] = {}
    for key in shapes:
        keys.setdefault(_NAMES.get(key.lower(), key.lower()), key)
    if "image" not in keys:
        keys = {"image": _nameless(path, shapes, keys, first=first), **keys}
    image = shapes[keys["image"]]
    _check_axes(path, keys["image"], image)
    n, stamp = (image[0] if len(image) == 3 else 1), image[-2:]
    sets = {}
    for name, key in keys.items():
        shape = shapes[key]
        if name in _KNOWN:
            _check_axes(path, key, shape)
            count = n if len(shape) == 2 else shape[0]
            if count != n or (name in SAME_SHAPE and shape[-2:] != stamp):
                raise disagree(path, keys["image"], image, key, shape)
        elif key == keys["image"] or shape not in (stamp, (n, *stamp)):
            continue
        sets[name] = ImageSet(key, shape[-2:], len(shape) == 2, load(key))
    return n, sets


def _nameless(
    path: Path, shapes: Mapping[str, Shape], keys: Mapping[str, str], *, first: bool
) -> str:
    """The array that must be the images though its name does not say so."""
    others = [key for name, key in keys.items() if name not in _KNOWN]
    for axes in (3, 2):
        candidates = [key for key in others if len(shapes[key]) == axes]
        if len(candidates) == 1 or (candidates and first and axes == 3):
            return candidates[0]
        if candidates:
            listed = ", ".join(candidates[:8])
            raise DataError(
                f"{path}: several arrays may be the images ({listed}). Name one of them 'image'."
            )
    for key in others:
        _check_axes(path, key, shapes[key])
    raise DataError(f"{path}: holds no images. Needed is an array (n, h, w) named 'image'.")


def _check_axes(path: Path, key: str, shape: Shape) -> None:
    if len(shape) not in (2, 3):
        raise DataError(
            f"{path}: {key!r} has {len(shape)} axes, {shape}; needed is (n, h, w). "
            "Write one band or epoch to a file of its own."
        )
    if 0 in shape:
        raise DataError(f"{path}: {key!r} is empty, {shape}. Write at least one stamp.")


def disagree(path: Path, image: str, shape: Shape, key: str, other: Shape) -> ShapeError:
    """The error of two arrays that do not belong together."""
    return ShapeError(
        f"{path}: {image!r} is {shape} and {key!r} is {other}; they must agree. "
        "Cut them to the same galaxies and pixels."
    )


def check_rows(path: Path, rows: Mapping[str, int], n: int) -> None:
    """Check that columns have one row for each stamp.

    Raises
    ------
    ShapeError
        One has more or fewer.
    """
    for name, count in rows.items():
        if count != n:
            message = f"{path}: {n} stamps, but the column {name!r} has {count} rows"
            raise ShapeError(f"{message}. Write one row for each stamp.")
