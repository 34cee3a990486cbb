"""Tables of results to Parquet, CSV, FITS or HDF5: whole, with units and descriptions."""

import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from sfumato.errors import DataError, optional_module
from sfumato.io._files import reserved, whole
from sfumato.io.tables.seal import MARK, mark_of, sealed


class Column(NamedTuple):
    """Values (n,), their unit (empty if they have none) and one line on what they are."""

    values: np.ndarray
    unit: str = ""
    description: str = ""


def write_columns(
    path: str | Path,
    columns: Mapping[str, Column],
    *,
    about: Mapping[str, object] | None = None,
    overwrite: bool = False,
) -> None:
    """Write columns as one table; the suffix says which kind of file.

    Parameters
    ----------
    path : .parquet, .csv, .fits or .hdf5. CSV has no place for units and provenance.
    about : provenance.

    Raises
    ------
    DataError
        The suffix is unknown, the file exists, or it cannot be written.
    """
    path = Path(path)
    writer = table_writer(path)
    with reserved(path, overwrite=overwrite), whole(path) as temporary:
        writer(temporary, columns, dict(about or {}))


def table_writer(path: Path) -> Callable[[Path, Mapping[str, Column], dict], None]:
    """The writer for a suffix, asked for before the work that fills the table.

    Raises
    ------
    DataError
        The suffix is unknown.
    """
    if path.suffix.lower() not in _WRITERS:
        allowed = ", ".join(_WRITERS)
        raise DataError(f"{path}: a table is written as one of {allowed}. Change the suffix.")
    return _WRITERS[path.suffix.lower()]


def _arrow(columns: Mapping[str, Column]) -> pa.Table:
    return pa.table({name: np.asarray(column.values) for name, column in columns.items()})


def _write_parquet(path: Path, columns: Mapping[str, Column], about: dict) -> None:
    table = _arrow(columns)
    fields = [
        field.with_metadata(
            {"unit": columns[field.name].unit, "description": columns[field.name].description}
        )
        for field in table.schema
    ]
    schema = sealed(pa.schema(fields), {"about": about}, n_rows=len(table))
    pq.write_table(table.cast(schema), path, write_page_checksum=True)


def _write_csv(path: Path, columns: Mapping[str, Column], _about: dict) -> None:
    pa_csv.write_csv(_arrow(columns), path)


def _write_fits(path: Path, columns: Mapping[str, Column], about: dict) -> None:
    fits = optional_module("astropy.io.fits", extra="io")
    stored = {name: _fits_values(name, column.values) for name, column in columns.items()}
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column(name, _fits_format(values), unit=columns[name].unit or None, array=values)
            for name, values in stored.items()
        ],
        name="TABLE",
    )
    stated = {}
    for number, (name, column) in enumerate(columns.items(), start=1):
        told = _ascii(column.description or name).rstrip()  # as FITS does
        table.header[f"TCOMM{number}"] = (told, _ascii(name)[:40])
        stated[name] = column.unit, told
    table.header[MARK] = mark_of(stated, len(table.data))
    for key, value in about.items():
        table.header.add_history(_ascii(f"{key}: {value}"))
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path, checksum=True)


def _ascii(text: str) -> str:
    """The text in the only letters a FITS header may have: é becomes e."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


_FITS_FORMATS = {
    "f4": "E", "f8": "D", "u1": "B", "i2": "I", "i4": "J", "i8": "K", "b1": "L"
}  # fmt: skip
_FITS_WIDER = {"f2": "f4", "i1": "i2", "u2": "i4", "u4": "i8", "u8": "i8"}
"""Types that FITS has not, and the next that holds all their values (or, of u8, nearly all)."""


def _fits_values(name: str, values: np.ndarray) -> np.ndarray:
    """Values as FITS can hold them, none altered."""
    values = np.asarray(values)
    if values.dtype.kind == "M":
        values = np.datetime_as_string(values)
    if values.dtype.kind == "U":
        return np.char.encode(values, "ascii", "replace")
    code = values.dtype.str[1:]
    wider = values.astype(_FITS_WIDER.get(code, values.dtype))
    known = values.dtype.kind == "S" or wider.dtype.str[1:] in _FITS_FORMATS
    if not known or (code == "u8" and np.any(wider < 0)):
        message = f"Column {name} of type {values.dtype} does not fit in FITS"
        raise DataError(f"{message}. Write Parquet, or convert it first.")
    return wider


def _fits_format(values: np.ndarray) -> str:
    if values.dtype.kind == "S":
        return f"{max(1, values.dtype.itemsize)}A"
    return _FITS_FORMATS[values.dtype.str[1:]]


def _write_hdf5(path: Path, columns: Mapping[str, Column], about: dict) -> None:
    h5py = optional_module("h5py", extra="io")
    with h5py.File(path, "w") as file:
        group = file.create_group("table")
        stated = {name: (column.unit, column.description) for name, column in columns.items()}
        n_rows = max((len(column.values) for column in columns.values()), default=0)
        group.attrs[MARK] = mark_of(stated, n_rows)
        for name, column in columns.items():
            values = _hdf5_values(column.values)
            data = group.create_dataset(name, data=values, track_times=False, fletcher32=True)
            data.attrs["unit"], data.attrs["description"] = column.unit, column.description
        for key, value in about.items():
            file.attrs[key] = str(value)


def _hdf5_values(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    return np.char.encode(values, "utf-8") if values.dtype.kind == "U" else values


_WRITERS = {
    ".parquet": _write_parquet,
    ".csv": _write_csv,
    ".fits": _write_fits,
    ".fit": _write_fits,
    ".hdf5": _write_hdf5,
    ".h5": _write_hdf5,
}
