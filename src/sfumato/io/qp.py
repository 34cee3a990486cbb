"""PDFs to files of ``qp``, the field's exchange format (optional package ``qp-prob``)."""

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike

from sfumato._typing import Foreign, Given
from sfumato.errors import DataError, optional_module
from sfumato.io._files import check_room, claim_room, whole
from sfumato.io.tables.compute import pc
from sfumato.io.tables.contract import TEXTS
from sfumato.pdfs import AbstractPDFs, ParametricPDFs

SUFFIX = ".hdf5"
_OVERHEAD = 1 << 15
"""Bytes of a file besides its arrays, at most."""


def write_qp(
    pdfs: AbstractPDFs,
    path: str | Path,
    *,
    kind: str = "interp",
    grid: ArrayLike | None = None,
    columns: Mapping[str, Given] | None = None,
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
    path = Path(path)
    if path.suffix != SUFFIX:
        raise DataError(f"{path}: a file of qp must end in {SUFFIX}.")
    qp = optional_module("qp", extra="io")
    if kind == "interp":
        points = pdfs.default_grid(301) if grid is None else np.asarray(grid, float)
        data = {"xvals": points, "yvals": pdfs.to_grid(points).density}
    elif kind == "mixmod":
        if not isinstance(pdfs, ParametricPDFs):
            raise ValueError("kind='mixmod' needs mixtures; these are densities on a grid.")
        means, variances = pdfs.component_moments()
        data = {"means": means, "stds": np.sqrt(variances), "weights": np.exp(pdfs.log_weights)}
    else:
        raise ValueError(f"`kind` must be 'interp' or 'mixmod'; got {kind!r}.")
    ancillary = {name: _stored(name, values) for name, values in (columns or {}).items()}
    ensemble = qp.Ensemble(getattr(qp, kind), data=data, ancil=ancillary or None)
    parts = ensemble.build_tables()
    arrays = {**parts["data"], **parts.get("ancil", {})}
    n_bytes = sum(np.asarray(values).nbytes for values in arrays.values()) + _OVERHEAD
    check_room(path.parent, n_bytes)
    with whole(path) as temporary:
        # qp tells the format from the suffix
        named = temporary.with_name(temporary.name + path.suffix)
        try:
            named.touch()
            claim_room(named, n_bytes)  # before HDF5, which may crash where there is none
            ensemble.write_to(str(named))
            _check_written(named, arrays)
            named.replace(temporary)
        except RuntimeError as error:  # what h5py and tables_io make of a full disk
            raise OSError(str(error).splitlines()[0]) from error
        finally:
            named.unlink(missing_ok=True)


def _check_written(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Read back what was written: on a full disk HDF5 may say nothing and leave zeros."""
    h5py = optional_module("h5py", extra="io")
    found: dict[str, np.ndarray] = {}

    def visit(name: str, node: Foreign) -> None:
        if isinstance(node, h5py.Dataset):
            found[name.rpartition("/")[2]] = np.asarray(node[()])

    with h5py.File(path) as file:
        file.visititems(visit)
    for name, values in arrays.items():
        if name not in found or not np.array_equal(found[name].ravel(), np.ravel(values)):
            raise OSError(f"{name!r} is not there as it was written")


def _stored(name: str, values: Given) -> np.ndarray:
    """A column as the files of qp hold it: words as bytes, and no nulls among whole numbers."""
    column = values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([pa.array(values)])
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
