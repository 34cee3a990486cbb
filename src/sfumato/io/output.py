"""Tables of results to Parquet, CSV, FITS or HDF5: whole, with units and descriptions."""

import json
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from sfumato._typing import Json
from sfumato.errors import DataError, optional_module
from sfumato.io._files import check_output, whole


class Column(NamedTuple):
    """Values (n,), their unit (empty if they have none) and one line on what they are."""

    values: np.ndarray
    unit: str = ""
    description: str = ""


def write_columns(
    path: str | Path,
    columns: Mapping[str, Column],
    *,
    about: Mapping[str, Json] | None = None,
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
    check_output(path, overwrite=overwrite)
    with whole(path) as temporary:
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
    fields = [
        field.with_metadata(
            {"unit": columns[field.name].unit, "description": columns[field.name].description}
        )
        for field in _arrow(columns).schema
    ]
    schema = pa.schema(fields, metadata={"sfumato": json.dumps({"about": about})})
    pq.write_table(_arrow(columns).cast(schema), path)


def _write_csv(path: Path, columns: Mapping[str, Column], _about: dict) -> None:
    pa_csv.write_csv(_arrow(columns), path)


def _write_fits(path: Path, columns: Mapping[str, Column], about: dict) -> None:
    fits = optional_module("astropy.io.fits", extra="io")
    table = fits.BinTableHDU.from_columns(
        [
            fits.Column(
                name, _fits_format(c.values), unit=c.unit or None, array=_fits_values(c.values)
            )
            for name, c in columns.items()
        ],
        name="TABLE",
    )
    for number, (name, column) in enumerate(columns.items(), start=1):
        table.header[f"TCOMM{number}"] = (_ascii(column.description or name), _ascii(name)[:40])
    for key, value in about.items():
        table.header.add_history(_ascii(f"{key}: {value}"))
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)


def _ascii(text: str) -> str:
    """The text in the only letters a FITS header may have: é becomes e."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()


def _fits_values(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values)
    return np.char.encode(values, "ascii", "replace") if values.dtype.kind == "U" else values


def _fits_format(values: np.ndarray) -> str:
    values = np.asarray(values)
    if values.dtype.kind in "US":
        return f"{max(1, _fits_values(values).dtype.itemsize)}A"
    return {"f4": "E", "f8": "D", "i2": "I", "i4": "J", "i8": "K", "b1": "L"}[values.dtype.str[1:]]


def _write_hdf5(path: Path, columns: Mapping[str, Column], about: dict) -> None:
    h5py = optional_module("h5py", extra="io")
    with h5py.File(path, "w") as file:
        group = file.create_group("table")
        for name, column in columns.items():
            data = group.create_dataset(name, data=_hdf5_values(column.values), track_times=False)
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
