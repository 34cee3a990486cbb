"""Tables of results: every format gives back values, units, descriptions and provenance."""

import json

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from astropy.io import fits

from sfumato.errors import DataError
from sfumato.io.output import Column, write_columns
from sfumato.io.tables import open_table, read_table

RNG = np.random.default_rng(2)
N = 9
COLUMNS = {
    "id": Column(np.arange(N), "", "running number"),
    "radius": Column(RNG.random(N).astype(np.float32), "arcsec", "half-light radius"),
    "flux": Column(RNG.normal(size=N) * 1e5, "count", ""),
    "flags": Column(RNG.integers(0, 99, N).astype(np.int32), "", "bits"),
    "detected": Column(RNG.random(N) < 0.5, "", "whether it is seen"),
    "name": Column(np.array([f"galaxy {i}" for i in range(N)]), "", "designation"),
}
ABOUT = {"model": "m", "seed": 3}
SUFFIXES = [".parquet", ".csv", ".fits", ".fit", ".hdf5", ".h5"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_columns_are_read_back_as_they_were_written(tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    write_columns(path, COLUMNS, about=ABOUT)
    table = open_table(path)
    got = read_table(table, table.columns)
    # HDF5 keeps the names in the order of the alphabet
    assert sorted(table.columns) == sorted(COLUMNS)
    for name, column in COLUMNS.items():
        read = got[name].to_numpy()
        if suffix == ".csv" and name == "detected":
            read = read == "true"
        elif suffix != ".csv" and name != "name":
            assert read.dtype == column.values.dtype
        # a single as text is the single again when it is rounded
        np.testing.assert_array_equal(read.astype(column.values.dtype), column.values)


def said_by(path):
    """Unit and description of every column, and the provenance, by the format's own reader."""
    if path.suffix == ".parquet":
        schema = pq.read_schema(path)
        fields = {f.name: f.metadata for f in schema}
        said = {n: (m[b"unit"].decode(), m[b"description"].decode()) for n, m in fields.items()}
        return said, json.loads(schema.metadata[b"sfumato"])["about"]
    if path.suffix == ".hdf5":
        with h5py.File(path) as file:
            parts = file["table"].items()
            said = {n: (d.attrs["unit"], d.attrs["description"]) for n, d in parts}
            return said, dict(file.attrs)
    with fits.open(path) as file:
        header, columns = file["TABLE"].header, file["TABLE"].columns
        said = {
            column.name: (column.unit or "", header[f"TCOMM{number}"])
            for number, column in enumerate(columns, start=1)
        }
        return said, dict(line.split(": ") for line in header["HISTORY"])


@pytest.mark.parametrize("suffix", [".parquet", ".hdf5", ".fits"])
def test_units_descriptions_and_provenance_are_kept(tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    write_columns(path, COLUMNS, about=ABOUT)
    said, about = said_by(path)
    expected = {name: (column.unit, column.description) for name, column in COLUMNS.items()}
    if suffix == ".fits":  # a comment says the name where there is no description
        expected["flux"] = ("count", "flux")
    assert said == expected
    text = {name: str(value) for name, value in ABOUT.items()}
    assert about == (ABOUT if suffix == ".parquet" else text)


def test_tables_hold_checksums_that_the_formats_own_readers_verify(tmp_path):
    for suffix in (".fits", ".hdf5"):
        write_columns(tmp_path / f"t{suffix}", COLUMNS)
    with fits.open(tmp_path / "t.fits", checksum=True) as file:  # a mismatch is a warning
        assert {"CHECKSUM", "DATASUM"} <= set(file["TABLE"].header)
        file["TABLE"].verify_checksum()
    with h5py.File(tmp_path / "t.hdf5") as file:
        assert all(column.fletcher32 for column in file["table"].values())
        place = file["table"]["flags"].id.get_chunk_info(0).byte_offset
    data = bytearray((tmp_path / "t.hdf5").read_bytes())
    data[place] ^= 1
    (tmp_path / "t.hdf5").write_bytes(data)
    with pytest.raises(DataError, match=r"t\.hdf5"):
        read_table(open_table(tmp_path / "t.hdf5"), ["flags"])


def test_letters_that_fits_headers_lack_are_written_without_their_marks(tmp_path):
    path = tmp_path / "t.fits"
    column = Column(np.ones(2), "", "Sérsic index")
    write_columns(path, {"n": column}, about={"author": "José"})
    said, about = said_by(path)
    assert said == {"n": ("", "Sersic index")}
    assert about == {"author": "Jose"}


def test_csv_is_plain_text_with_a_line_of_names(tmp_path):
    path = tmp_path / "t.csv"
    write_columns(path, COLUMNS)
    first, *lines = path.read_text().splitlines()
    assert first == ",".join(f'"{name}"' for name in COLUMNS)
    assert len(lines) == N
    assert pa.csv.read_csv(path)["detected"].to_pylist() == COLUMNS["detected"].values.tolist()


def test_tables_are_not_overwritten_unasked_nor_of_unknown_kind(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("mine")
    with pytest.raises(DataError, match="exists already"):
        write_columns(path, COLUMNS)
    assert path.read_text() == "mine"
    write_columns(path, {"a": Column(np.arange(2))}, overwrite=True)
    assert path.read_text().split() == ['"a"', "0", "1"]
    with pytest.raises(DataError, match=r"a table is written as one of .parquet, .csv, .fits"):
        write_columns(tmp_path / "t.xlsx", COLUMNS)
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]


def test_types_that_fits_has_not_become_the_next_wider(tmp_path):
    path = tmp_path / "t.fits"
    values = {
        "half": np.array([0.5, -2.25], "f2"),
        "byte": np.array([-7, 100], "i1"),
        "unsigned": np.array([0, 65535], "u2"),
        "identifier": np.array([1, 2**63 - 1], "u8"),
        "raw": np.array([0, 255], "u1"),
        "day": np.array(["2026-11-28", "1999-01-01"], "M8[D]"),
    }
    write_columns(path, {name: Column(part) for name, part in values.items()})
    with fits.open(path) as file:
        for name, part in values.items():
            expected = part.astype(str) if name == "day" else part
            np.testing.assert_array_equal(file[1].data[name], expected)
    for wrong in (np.array([2**63], "u8"), np.array([1j]), np.array([{}], object)):
        with pytest.raises(DataError, match=r"Column x of type .* does not fit in FITS"):
            write_columns(tmp_path / "w.fits", {"x": Column(wrong)})
    assert not (tmp_path / "w.fits").exists()


@pytest.mark.parametrize("suffix", [".fits", ".hdf5"])
def test_what_is_said_of_columns_is_sealed(tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    write_columns(path, COLUMNS, about=ABOUT)
    table = open_table(path)  # no word: warnings are errors here
    assert table.units["radius"] == "arcsec"
    data = path.read_bytes()
    for old, new in ((b"arcsec", b"arcsdc"), (b"half-light", b"half-might")):
        path.write_bytes(data.replace(old, new))
        with pytest.warns(UserWarning, match="has not the columns and rows it was written with"):
            open_table(path)


def test_a_flipped_bit_in_a_fits_table_is_refused(tmp_path):
    path = tmp_path / "t.fits"
    write_columns(path, COLUMNS)
    data = bytearray(path.read_bytes())
    data[data.index(b"galaxy 1")] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="its data are not those of its DATASUM"):
        open_table(path)
