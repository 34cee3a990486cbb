"""PDFs to files of ``qp``, the field's exchange format (optional package ``qp-prob``)."""

import gc
import warnings
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

from sfumato.errors import DataError, optional_module
from sfumato.io._files import check_room, claim_room, whole
from sfumato.io.tables.compute import pc
from sfumato.io.tables.contract import TEXTS
from sfumato.pdfs import AbstractPDFs, ParametricPDFs

SUFFIX = ".hdf5"
_OVERHEAD = 1 << 15
"""Bytes of a file besides its arrays, at most."""


class _Written(NamedTuple):
    """Rows of an array of a file, and the CRC-32 of their bytes."""

    name: str
    start: int
    stop: int
    crc: int


def write_qp(
    pdfs: AbstractPDFs,
    path: str | Path,
    *,
    kind: str = "interp",
    grid: ArrayLike | None = None,
    columns: Mapping[str, ArrayLike | pa.ChunkedArray] | None = None,
) -> None:
    """Write a file that ``qp.read`` opens.

    Parameters
    ----------
    path : ends in .hdf5; replaced if it exists.
    kind : ``"interp"``, densities on a grid; ``"mixmod"``, one Gaussian for each component with
        its mean and standard deviation (qp knows no Beta mixture): compact, and exact in mean and
        variance, but not in shape.
    grid : of ``"interp"``; by default 301 points over the support.
    columns : ancillary columns (n,).

    Raises
    ------
    ValueError
        `kind` is unknown, or "mixmod" is asked of densities on a grid.
    DataError
        The suffix is another, or the file cannot be written.
    MissingDependencyError
        qp is not installed.
    """
    if grid is None and kind == "interp":
        grid = pdfs.default_grid(301)
    write_qp_parts([pdfs], len(pdfs), path, kind=kind, grid=grid, columns=columns)


def write_qp_parts(
    parts: Iterable[AbstractPDFs],
    n: int,
    path: str | Path,
    *,
    kind: str,
    grid: ArrayLike | None,
    columns: Mapping[str, ArrayLike | pa.ChunkedArray] | None = None,
) -> None:
    """As `write_qp`, of `n` objects that come set by set; only one set is held at a time."""
    path = Path(path)
    if path.suffix != SUFFIX:
        raise DataError(f"{path}: a file of qp must end in {SUFFIX}.")
    make = _maker(kind, grid)
    ancillary = {name: _stored(name, values) for name, values in (columns or {}).items()}
    with whole(path) as temporary:
        # qp tells the format from the suffix
        named = temporary.with_name(temporary.name + path.suffix)
        try:
            _check_written(named, _write(named, map(make, parts), n, ancillary))
            named.replace(temporary)
        except RuntimeError as error:  # what h5py and tables_io make of a full disk
            raise OSError(str(error).splitlines()[0]) from error
        finally:
            named.unlink(missing_ok=True)


def _maker(kind: str, grid: ArrayLike | None) -> Callable[[AbstractPDFs], tuple[str, dict]]:
    """What turns a set of PDFs into the kind and the data of an ensemble of qp."""
    if kind == "interp":
        points = np.asarray(grid, float)
        return lambda pdfs: (kind, {"xvals": points, "yvals": pdfs.to_grid(points).density})
    if kind != "mixmod":
        raise ValueError(f"`kind` must be 'interp' or 'mixmod'; got {kind!r}.")

    def mixture(pdfs: AbstractPDFs) -> tuple[str, dict]:
        if not isinstance(pdfs, ParametricPDFs):
            raise ValueError("kind='mixmod' needs mixtures; these are densities on a grid.")
        means, variances = pdfs.component_moments()
        weights = np.exp(pdfs.log_weights)
        return kind, {"means": means, "stds": np.sqrt(variances), "weights": weights}

    return mixture


def _write(
    path: Path,
    sets: Iterable[tuple[str, dict]],
    n: int,
    ancillary: Mapping[str, np.ndarray],
) -> list[_Written]:
    """Write sets behind each other; what was written where, with checksums."""
    qp = optional_module("qp", extra="io")
    written: list[_Written] = []
    start, groups, file, ensemble = 0, None, None, None
    try:
        for kind, data in sets:
            stop = start + len(next(reversed(data.values())))
            beside = {name: values[start:stop] for name, values in ancillary.items()}
            ensemble = qp.Ensemble(getattr(qp, kind), data=data, ancil=beside or None)
            tables = ensemble.build_tables(encode=True, ext="hdf5")
            arrays = {
                f"{group}/{name}": np.asarray(values)
                for group, table in tables.items()
                if group != "meta"
                for name, values in table.items()
            }
            if groups is None:
                _claim(path, sum(a.nbytes for a in arrays.values()) * n // (stop - start))
                groups, file = ensemble.initializeHdf5Write(str(path), n)
            ensemble.writeHdf5Chunk(groups, start, stop)
            written += [_Written(name, start, stop, _crc(a)) for name, a in arrays.items()]
            start = stop
            gc.collect()  # ensembles refer to themselves, and are large
        if ensemble is not None:
            ensemble.finalizeHdf5Write(file)
            file = None
    finally:
        if file is not None:
            file.close()
    return written


def _claim(path: Path, n_bytes: int) -> None:
    """Make sure of room before HDF5, which may crash where there is none."""
    check_room(path.parent, n_bytes + _OVERHEAD)
    path.touch()
    claim_room(path, n_bytes + _OVERHEAD)


def _crc(values: np.ndarray) -> int:
    return zlib.crc32(np.ascontiguousarray(values).view(np.uint8).data)


def _check_written(path: Path, written: Sequence[_Written]) -> None:
    """Read back what was written: on a full disk HDF5 may say nothing and leave zeros."""
    h5py = optional_module("h5py", extra="io")
    with h5py.File(path) as file:
        for part in written:
            if part.name not in file or _crc(file[part.name][part.start : part.stop]) != part.crc:
                raise OSError(f"{part.name!r} is not there as it was written")


def _chunked(values: ArrayLike | pa.ChunkedArray) -> pa.ChunkedArray:
    return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([pa.array(values)])


def _stored(name: str, values: ArrayLike | pa.ChunkedArray) -> np.ndarray:
    """A column as the files of qp hold it: words as bytes, and no nulls among whole numbers."""
    column = _chunked(values)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_temporal(kind):
        column, kind = column.cast(pa.string()), pa.string()
    if column.null_count and kind in TEXTS:
        message = f"{column.null_count} missing words of {name!r} are written as ''"
        warnings.warn(f"{message}: qp's files have no gaps.", stacklevel=4)
    if kind in TEXTS:
        return np.char.encode(
            np.array(["" if v is None else v for v in column.to_pylist()]), "utf-8"
        )
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    if column.null_count and pa.types.is_integer(column.type):
        code = _gap_code(column)
        message = f"{column.null_count} missing values of {name!r} are written as {code}"
        warnings.warn(f"{message}: qp's files have no gaps.", stacklevel=4)
        column = column.fill_null(code)
    found = column.to_numpy()
    if found.dtype.kind == "O":
        raise DataError(f"Column {name!r} holds {kind}, which qp's files cannot. Leave it out.")
    return found


def _gap_code(column: pa.ChunkedArray) -> int:
    """A whole number that no row has: -1, or the last of its type."""
    info = np.iinfo(column.type.to_pandas_dtype())
    taken = set(pc.unique(column).to_pylist())
    return next(
        c
        for c in (-1, info.min, info.max, -2, *range(256))
        if c not in taken and (info.min <= c <= info.max)
    )
