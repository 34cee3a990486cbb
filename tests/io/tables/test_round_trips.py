"""Random tables, written by other libraries, come back the same or are refused in words."""

import csv

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from astropy.io import ascii as ascii_tables
from astropy.table import MaskedColumn, Table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfumato.io.tables import common_schema, open_table, read_table
from sfumato.io.tables.cells import MISSING, is_number

polars = pytest.importorskip("polars")

ONE_BYTE = st.characters(min_codepoint=32, max_codepoint=126)
ANY = st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\u2028\u2029\x85\xa0")
names = (
    st.text(ANY, min_size=1, max_size=8)
    .map(str.strip)
    .filter(lambda s: s and not s.startswith("#") and not is_number(s))
)
fits_names = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,7}", fullmatch=True)
words = (
    st.text(ANY, min_size=1, max_size=12)
    .map(str.strip)
    .filter(lambda s: s.lower() not in MISSING and not s.startswith("#"))
)
CELLS = {
    "float64": st.floats(allow_nan=False, allow_infinity=False, width=64),
    "float32": st.floats(allow_nan=False, allow_infinity=False, width=32),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "int16": st.integers(-(2**15), 2**15 - 1),
    "id": st.from_regex(r"0{0,3}[0-9]{1,22}", fullmatch=True),
    "word": words,
}
KIND = {"float64": "f8", "float32": "f4", "int64": "i8", "int16": "i2"}


@st.composite
def tables(draw, labels=names, letters=None, gaps=True):
    """Columns by name: kind and cells, None where one is missing."""
    n = draw(st.integers(1, 12))
    found = {}
    for name in draw(st.lists(labels, min_size=1, max_size=4, unique_by=str.lower)):
        kind = draw(st.sampled_from(sorted(CELLS)))
        cell = (
            CELLS[kind]
            if letters is None or kind != "word"
            else st.text(letters, min_size=1, max_size=8)
            .map(str.strip)
            .filter(lambda s: s.lower() not in MISSING and s[0] not in "#\"'")
        )
        gap = st.none() if gaps else st.nothing()
        cells = draw(st.lists(cell | gap, min_size=n, max_size=n))
        found[name] = (kind, cells)
    return found


def arrow(table):
    kinds = {"id": pa.string(), "word": pa.string()}
    return pa.table(
        {
            name: pa.array(cells, kinds.get(kind) or pa.from_numpy_dtype(KIND[kind]))
            for name, (kind, cells) in table.items()
        }
    )


def astropy(table):
    """Masked columns of astropy."""
    columns = []
    for name, (kind, cells) in table.items():
        mask = [cell is None for cell in cells]
        fill = "x" if kind in ("id", "word") else 0
        values = np.array([fill if c is None else c for c in cells], KIND.get(kind))
        columns.append(MaskedColumn(values, mask=mask, name=name))
    return Table(columns)


def write_hdf5(table, path):
    with h5py.File(path, "w") as file:
        for name, (kind, cells) in table.items():
            text = kind in ("id", "word")
            dtype = h5py.string_dtype() if text else KIND[kind]
            file.create_dataset(
                name, data=np.array(cells, object if text else KIND[kind]), dtype=dtype
            )


def write_csv(table, path):
    with path.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(table)
        rows.writerows(zip(*(cells for _, cells in table.values()), strict=True))


WRITERS = {
    "pandas.csv": (
        ".csv",
        lambda t, p: arrow(t).to_pandas(types_mapper=pd.ArrowDtype).to_csv(p, index=False),
    ),
    "pandas.csv.gz": (
        ".csv.gz",
        lambda t, p: arrow(t).to_pandas(types_mapper=pd.ArrowDtype).to_csv(p, index=False),
    ),
    "pandas.parquet": (
        ".parquet",
        lambda t, p: arrow(t).to_pandas(types_mapper=pd.ArrowDtype).to_parquet(p),
    ),
    "polars.csv": (".csv", lambda t, p: polars.from_arrow(arrow(t)).write_csv(p)),
    "polars.parquet": (".parquet", lambda t, p: polars.from_arrow(arrow(t)).write_parquet(p)),
    "polars.tsv": (".tsv", lambda t, p: polars.from_arrow(arrow(t)).write_csv(p, separator="\t")),
    "csv": (".csv", write_csv),
    "pyarrow.parquet": (".parquet", lambda t, p: pq.write_table(arrow(t), p, row_group_size=3)),
    "pyarrow.feather": (".feather", lambda t, p: feather.write_feather(arrow(t), p)),
    "astropy.ecsv": (".ecsv", lambda t, p: astropy(t).write(p, format="ascii.ecsv")),
    "astropy.fits": (".fits", lambda t, p: astropy(t).write(p, format="fits")),
    "astropy.fits.bz2": (".fits.bz2", lambda t, p: astropy(t).write(p, format="fits")),
    "astropy.votable": (".vot", lambda t, p: astropy(t).write(p, format="votable")),
    "astropy.csv": (".csv", lambda t, p: astropy(t).write(p, format="ascii.csv")),
    "astropy.dat": (
        ".dat",
        lambda t, p: ascii_tables.write(
            astropy(t), p, format="commented_header", fill_values=[(ascii_tables.masked, "--")]
        ),
    ),
    "h5py": (".hdf5", write_hdf5),
}
NARROW = {"astropy.fits", "astropy.fits.bz2", "astropy.votable", "astropy.dat"}
"""Formats whose names and words are of one-byte letters."""


def same(kind, cell, read, *, is_text):
    """Whether a cell came back: numbers as numbers; of text, numbers may stay text."""
    if cell is None or cell == "":
        return read is None or read != read or read in ("", "--")  # of words
    if kind in ("id", "word"):
        return str(read) == cell or (
            kind == "word" and is_text and is_number(cell) and float(read) == float(cell)
        )
    number = float(read) if isinstance(read, str) else read
    if kind == "float32" and is_text:
        return np.float32(number) == np.float32(cell)
    return number == cell


NUMBERS = "ignore:.*the first line holds numbers only:UserWarning"  # names of any letters


@pytest.mark.filterwarnings(NUMBERS)
@pytest.mark.parametrize("writer", WRITERS)
@settings(max_examples=20, suppress_health_check=list(HealthCheck), deadline=None)
@given(data=st.data())
def test_a_random_table_comes_back(writer, tmp_path_factory, data):
    check(writer, tmp_path_factory, data)


@pytest.mark.slow
@pytest.mark.filterwarnings(NUMBERS)
@pytest.mark.parametrize("writer", WRITERS)
@settings(max_examples=125, suppress_health_check=list(HealthCheck), deadline=None)
@given(data=st.data())
def test_two_thousand_random_tables_come_back(writer, tmp_path_factory, data):
    check(writer, tmp_path_factory, data)


def check(writer, tmp_path_factory, data):
    suffix, write = WRITERS[writer]
    narrow = writer in NARROW
    table = data.draw(
        tables(
            labels=fits_names
            if narrow
            else names.filter(lambda s: writer != "h5py" or "/" not in s),
            letters=ONE_BYTE if narrow else None,
            gaps=writer != "h5py",
        )
    )
    path = tmp_path_factory.mktemp("t") / f"t{suffix}"
    write(table, path)
    found = open_table(path)
    assert sorted(found.columns) == sorted(table)  # HDF5 sorts them
    got = read_table(found, list(table))
    assert got.schema.types == common_schema([found], list(table)).types
    for name, (kind, cells) in table.items():
        for cell, read in zip(cells, got[name].to_pylist(), strict=True):
            assert same(kind, cell, read, is_text=suffix not in (".parquet", ".hdf5", ".fits")), (
                name,
                kind,
                cell,
                read,
            )
