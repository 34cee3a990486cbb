"""Postage stamps to HDF5 or FITS, a few galaxies at a time; used through `sfumato.io.images`.

Both formats are laid out in full before the first stamp is written, so a file may be larger than
the memory, and its bytes depend on its content alone, not on the sizes of the pieces appended.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from sfumato.errors import DataError, optional_module
from sfumato.io._files import claim_room, reserved, whole
from sfumato.io._stamp_layout import FITS_FORMATS, Layout, check_piece, make_layout

Put = Callable[[int, Mapping[str, np.ndarray], Mapping[str, np.ndarray]], None]

_CHUNK_BYTES = 1 << 18
_FITS_BLOCK = 2880


class StampWriter:
    """Write stamps and their table to one file, piece by piece, whole or not at all.

    Use it as a context manager. The file takes its name when the block ends well and all rows are
    there; otherwise nothing is left and an older file stays as it was.

    Parameters
    ----------
    path : a file ending in .hdf5, .h5, .fits or .fit.
    n : number of galaxies.
    shape : (h, w) of every stamp, in pixels.
    attributes : what holds for all galaxies, such as the pixel scale; numbers and text under
        names in lower case (in FITS: upper case, HIERARCH above eight letters).
    images : names of the sets of stamps, in lower case.
    columns : for each column its type (such as ``"f4"``, ``"i8"``, ``bool`` or ``"S12"``), its
        unit (empty if it has none) and its description.
    overwrite : whether an existing file is replaced.

    Raises
    ------
    ValueError
        A name, type, size or attribute cannot be written.
    DataError
        The suffix is unknown, or at entry: the file exists or its folder cannot be written.
        At exit: fewer than `n` galaxies were appended, or the disk is full.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        n: int,
        shape: tuple[int, int],
        attributes: Mapping[str, float | int | str],
        columns: Mapping[str, tuple[DTypeLike, str, str]],
        images: Sequence[str] = ("image",),
        overwrite: bool = False,
    ) -> None:
        self._path = Path(path)
        if self._path.suffix.lower() not in SINKS:
            known = ", ".join(SINKS)
            raise DataError(
                f"{path}: stamps cannot be written as {self._path.suffix!r}; use one of {known}."
            )
        self._layout = make_layout(n, shape, attributes, images, columns)
        self._overwrite = overwrite
        self._rows = 0
        self._put: Put | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(reserved(self._path, overwrite=self._overwrite))
            temporary = stack.enter_context(whole(self._path))
            sink = SINKS[self._path.suffix.lower()]
            self._put = stack.enter_context(sink(temporary, self._layout))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._put = None
        missing = self._layout.n - self._rows
        if kind is None and missing:
            short = DataError(
                f"{self._path}: {self._rows} of {self._layout.n} stamps were appended; nothing was "
                f"left. Append {missing} more, or open the writer with n={self._rows}."
            )
            self._stack.__exit__(DataError, short, None)
            raise short
        self._stack.__exit__(kind, error, trace)

    def append(self, images: Mapping[str, ArrayLike], columns: Mapping[str, ArrayLike]) -> None:
        """Add the next b galaxies.

        Parameters
        ----------
        images : for each set of stamps an array (b, h, w), stored in single precision.
        columns : for each column an array (b,).

        Raises
        ------
        ShapeError
            An array has another shape.
        ValueError
            A name is missing or unknown, or values do not fit the type of their column.
        DataError
            There are more galaxies than announced.
        """
        if self._put is None:
            raise ValueError("The writer is not open. Append inside `with StampWriter(...)`.")
        stamps, cells = check_piece(self._layout, images, columns)
        b = len(stamps[self._layout.images[0]])
        if self._rows + b > self._layout.n:
            count = f"{self._rows + b} stamps for a file of {self._layout.n}"
            raise DataError(f"{self._path}: {count}. Open the writer with a larger n.")
        self._put(self._rows, stamps, cells)
        self._rows += b


# -- one sink for each format ----------------------------------------------------------------------


@contextmanager
def _hdf5_file(path: Path) -> Iterator[Any]:  # of h5py, which has no stubs
    """A new HDF5 file; what goes wrong at its end is an error of the disk."""
    h5py = optional_module("h5py", extra="io")
    file = h5py.File(path, "w")
    try:
        yield file
    finally:
        try:
            file.close()
        except RuntimeError as error:
            raise OSError(str(error).splitlines()[0]) from error


@contextmanager
def _hdf5_sink(path: Path, layout: Layout) -> Iterator[Put]:
    h5py = optional_module("h5py", extra="io")
    stamp_bytes = 4 * math.prod(layout.shape)
    per_chunk = min(layout.n, max(1, _CHUNK_BYTES // stamp_bytes))
    # chunks in the file in the order of the rows, however these come
    early = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    early.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    early.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    # once before the library, which takes a full disk badly
    path.touch()
    claim_room(path, layout.n * stamp_bytes * len(layout.images))
    with _hdf5_file(path) as file:
        for name, value in layout.attributes.items():
            file.attrs[name] = value
        for name in layout.images:
            stamps, chunks = (layout.n, *layout.shape), (per_chunk, *layout.shape)
            file.create_dataset(
                name, stamps, "<f4", chunks=chunks, track_times=False, dcpl=early.copy()
            )
        table = file.create_group("table")
        for name, column in layout.columns.items():
            cells = table.create_dataset(
                name, (layout.n,), column.dtype, track_times=False, dcpl=early.copy()
            )
            cells.attrs["unit"], cells.attrs["description"] = column.unit, column.description
        file.flush()
        claim_room(path, file.id.get_filesize())

        def put(start: int, images: Mapping, columns: Mapping) -> None:
            for node, arrays in ((file, images), (table, columns)):
                for name, array in arrays.items():
                    node[name][start : start + len(array)] = array

        yield put


@contextmanager
def _fits_sink(path: Path, layout: Layout) -> Iterator[Put]:
    width = 4 * math.prod(layout.shape)
    kinds = {name: column.dtype.newbyteorder(">") for name, column in layout.columns.items()}
    row = np.dtype([(name, "i1" if d.kind == "b" else d) for name, d in kinds.items()])
    parts = [("", _fits_header(_primary_cards(layout)), 0)]
    for name in layout.images:
        parts.append((name, _fits_header(_image_cards(name, layout)), width * layout.n))
    if layout.columns:
        parts.append(("table", _fits_header(_table_cards(layout, row)), row.itemsize * layout.n))
    with path.open("wb") as stream:
        begins = {}
        for name, header, size in parts:
            stream.write(header)
            begins[name] = stream.tell()
            stream.seek(-(-size // _FITS_BLOCK) * _FITS_BLOCK, 1)
        stream.truncate()
        stream.flush()
        claim_room(path, path.stat().st_size)

        def put(start: int, images: Mapping, columns: Mapping) -> None:
            for name, array in images.items():
                stream.seek(begins[name] + start * width)
                stream.write(array.astype(">f4").tobytes())
            rows = np.empty(len(next(iter(images.values()))), row)
            for name, cells in columns.items():
                is_flag = cells.dtype.kind == "b"
                rows[name] = np.where(cells, ord("T"), ord("F")) if is_flag else cells
            if columns:
                stream.seek(begins["table"] + start * row.itemsize)
                stream.write(rows.tobytes())

        yield put


def _fits_header(cards: Mapping[str, object]) -> bytes:
    fits = optional_module("astropy.io.fits", extra="io")
    header = fits.Header()
    for keyword, value in cards.items():
        header[keyword] = value
    return header.tostring().encode("ascii")


def _primary_cards(layout: Layout) -> dict[str, object]:
    cards: dict[str, object] = {"SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "EXTEND": True}
    for name, value in layout.attributes.items():
        cards[f"HIERARCH {name.upper()}" if len(name) > 8 else name.upper()] = value
    return cards


def _image_cards(name: str, layout: Layout) -> dict[str, object]:
    height, width = layout.shape
    sizes = {"NAXIS": 3, "NAXIS1": width, "NAXIS2": height, "NAXIS3": layout.n}
    end = {"PCOUNT": 0, "GCOUNT": 1, "EXTNAME": name.upper()}
    return {"XTENSION": "IMAGE", "BITPIX": -32, **sizes, **end}


def _table_cards(layout: Layout, row: np.dtype) -> dict[str, object]:
    sizes = {"NAXIS": 2, "NAXIS1": row.itemsize, "NAXIS2": layout.n}
    cards: dict[str, object] = {"XTENSION": "BINTABLE", "BITPIX": 8, **sizes}
    cards |= {"PCOUNT": 0, "GCOUNT": 1, "TFIELDS": len(layout.columns), "EXTNAME": "TABLE"}
    for index, (name, column) in enumerate(layout.columns.items(), start=1):
        kind, size = column.dtype.kind, column.dtype.itemsize
        cards[f"TTYPE{index}"] = name
        cards[f"TFORM{index}"] = f"{size}A" if kind == "S" else FITS_FORMATS[f"{kind}{size}"]
        if column.unit:
            cards[f"TUNIT{index}"] = column.unit
        if column.description:
            cards[f"TCOMM{index}"] = column.description
    return cards


SINKS: dict[str, Callable[[Path, Layout], AbstractContextManager[Put]]] = {
    ".hdf5": _hdf5_sink,
    ".h5": _hdf5_sink,
    ".fits": _fits_sink,
    ".fit": _fits_sink,
}
"""The one table from a suffix to the function that lays out such a file."""
