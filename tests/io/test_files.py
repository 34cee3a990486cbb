"""Files in and out: every format, damage, and the two bytes a parameter."""

import bz2
import gzip
import json
import lzma

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cases import make_pdfs
from sfumato import read_pdfs, write_pdfs
from sfumato.errors import DataError
from sfumato.io._files import whole
from sfumato.io.encoding import decode, encode, row_bytes
from sfumato.io.pdfs import open_pdfs
from sfumato.io.qp import write_qp
from sfumato.io.tables import batches, matrix, open_table, read_table
from sfumato.io.tables.seal import sealed
from sfumato.pdfs import SamplePDFs

N = 57


def columns():
    rng = np.random.default_rng(0)
    return {
        "id": np.arange(N),
        "mag_u": rng.normal(24, 1, N).astype(np.float32),
        "z": rng.random(N),
        "name": np.array([f"galaxy {i}" for i in range(N)]),
    }


def write(path):
    values = columns()
    if path.suffix == ".parquet":
        pq.write_table(pa.table(values), path, row_group_size=20)
    elif path.suffix == ".csv":
        pa.csv.write_csv(pa.table(values), path)
    elif path.suffix == ".hdf5":
        with h5py.File(path, "w") as file:
            for name, column in values.items():
                file.create_group("photometry") if "photometry" not in file else None
                file["photometry"][name] = column.astype("S") if name == "name" else column
    elif path.suffix in COMPRESS:
        path.write_bytes(COMPRESS[path.suffix](write(path.with_suffix("")).read_bytes()))
    elif path.suffix == ".feather":
        feather.write_feather(pa.table(values), path)
    else:
        Table(values).write(path, format=ASTROPY.get(path.suffix))
    return path


ASTROPY = {
    ".tsv": "ascii.tab",
    ".dat": "ascii.commented_header",
    ".tbl": "ascii.ipac",
    ".vot": "votable",
}
COMPRESS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
TYPED = [".parquet", ".feather", ".hdf5", ".fits", ".vot", ".fits.gz", ".parquet.xz"]
TEXT = [".csv", ".tsv", ".dat", ".tbl", ".ecsv", ".csv.gz", ".csv.bz2", ".dat.xz"]
SUFFIXES = TYPED + TEXT


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_gives_the_same_numbers(tmp_path, suffix):
    table = open_table(write(tmp_path / f"t{suffix}"))
    assert table.n_rows == N
    assert sorted(table.columns) == sorted(columns())
    got = read_table(table, list(columns()))
    for name, written in columns().items():
        # text of a single, read as a double, is the single again when it is rounded
        read = got[name].to_numpy().astype(written.dtype)
        np.testing.assert_array_equal(read, written)
    typed = suffix in TYPED or suffix == ".ecsv"
    kinds = [pa.int64(), pa.float32() if typed else pa.float64(), pa.float64()]
    assert got.schema.types == [*kinds, pa.string()]
    numbers = matrix(got, ["z", "id"])
    np.testing.assert_array_equal(numbers, np.stack([columns()["z"], columns()["id"]], axis=1))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("start", [0, 19, 20, 41, 56, 60, 113])
def test_batches_begin_anywhere_and_keep_the_order(tmp_path, suffix, start):
    tables = [open_table(write(tmp_path / f"{name}{suffix}")) for name in "ab"]
    rows = [matrix(b, ["id"])[:, 0] for b in batches(tables, ["id"], batch_rows=13, start=start)]
    np.testing.assert_array_equal(np.concatenate(rows), np.tile(np.arange(N), 2)[start:])


# of text only what is left out of a line can be noticed
@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.las", "t.las.gz"])
def test_a_line_without_end_is_refused_before_it_fills_the_memory(tmp_path, name):
    path = tmp_path / name
    text = b"x,y\n" + b"1" * (65 << 20)
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    with pytest.raises(DataError, match="a line has more than 64 MB: it is no table"):
        open_table(path)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_letters_that_fall_between_two_blocks_are_whole(tmp_path, newline):
    path = tmp_path / "t.csv"
    row = "µ" * 99 + newline
    path.write_bytes(f"x{newline}{row * 12_000}".encode())
    table = open_table(path)
    assert (table.n_rows, table.columns) == (12_000, ("x",))
    assert set(read_table(table, ["x"])["x"].to_pylist()) == {"µ" * 99}


@pytest.mark.parametrize("suffix", sorted({*SUFFIXES} - {".tbl"}))
def test_a_truncated_file_is_named(tmp_path, suffix):
    path = write(tmp_path / f"t{suffix}")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    if suffix in TEXT and ".csv.gz".startswith(suffix):
        path.write_bytes(b"id,mag_u\n1,2\n3")
    with pytest.raises(DataError, match=str(path.name)):
        read_table(open_table(path), ["id", "mag_u"])


def test_bad_tables_say_what_is_wrong(tmp_path):
    with pytest.raises(DataError, match=r"none\.parquet does not exist"):
        open_table(tmp_path / "none.parquet")
    odd = tmp_path / "t.xlsx"
    odd.touch()
    with pytest.raises(DataError, match="unknown kind of table"):
        open_table(odd)
    empty = tmp_path / "e.csv"
    empty.write_text("a,b\n")
    with pytest.raises(DataError, match="has no rows"):
        open_table(empty)
    table = open_table(write(tmp_path / "t.parquet"))
    with pytest.raises(DataError, match=r"no column 'mag_g'. Nearest: 'mag_u'"):
        table.require(["mag_g"])


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_text_in_a_numeric_column_names_the_row(tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    table = pa.table({"a": ["1.5", "", "nan", "bright", "2"]})
    pa.csv.write_csv(table, path) if suffix == ".csv" else pq.write_table(table, path)
    opened = open_table(path)
    with pytest.raises(DataError, match=rf"t{suffix}: column 'a', row 4 holds 'bright', not a num"):
        matrix(read_table(opened, ["a"]), ["a"], origin=opened.origin())


def test_missing_text_becomes_nan():
    got = matrix(pa.table({"a": ["1.5", "", "NaN", " NA ", None]}), ["a"])[:, 0]
    np.testing.assert_array_equal(got, [1.5, np.nan, np.nan, np.nan, np.nan])


def test_hdf5_groups_are_asked_for(tmp_path):
    path = tmp_path / "t.hdf5"
    with h5py.File(path, "w") as file:
        for name in ("first", "second"):
            file.create_group(name)["a"] = np.arange(3.0)
    with pytest.raises(DataError, match="--group"):
        open_table(path)
    assert open_table(path, group="second").n_rows == 3
    with pytest.raises(DataError, match="no group 'third'"):
        open_table(path, group="third")


# -- encoding --------------------------------------------------------------------------------------


@given(st.integers(0, 10_000), st.sampled_from(["beta", "normal"]))
def test_sixteen_bits_change_a_pdf_by_less_than_a_thousandth(seed, name):
    pdfs = make_pdfs(name, n=40, members=1, k=8, seed=seed)
    rows = encode(pdfs.family, pdfs.params, precision=16)
    assert rows.shape[1] == row_bytes(pdfs.family, n_members=1, precision=16) <= 64
    params = decode(pdfs.family, rows, n_members=1, precision=16)
    other = type(pdfs)(pdfs.family, params)
    nodes = pdfs.nodes()
    distance = np.trapezoid(np.abs(pdfs.density_at(nodes) - other.density_at(nodes)), nodes, axis=1)
    assert np.median(distance) < 1e-3
    assert distance.max() < 0.01


@given(st.floats(1.0, 1e5), st.floats(1.0, 1e5))
def test_beta_codes_keep_the_mean_to_a_share_of_the_width(alpha, beta):
    family = make_pdfs(k=1).family
    params = {
        "log_weights": np.zeros((1, 1, 1)),
        "alpha": np.full((1, 1, 1), alpha),
        "beta": np.full((1, 1, 1), beta),
    }
    got = decode(family, encode(family, params, precision=16), n_members=1, precision=16)
    moments = [family.component.moments(*family.exact_parameters(p)) for p in (params, got)]
    shift = abs(float((moments[1][0] - moments[0][0]).squeeze()))
    assert shift < 0.012 * np.sqrt(float(moments[0][1].squeeze()))
    np.testing.assert_allclose(moments[1][1], moments[0][1], rtol=8e-3)


def test_thirty_two_bits_are_single_precision(pdfs):
    rows = encode(pdfs.family, pdfs.params, precision=32)
    params = decode(pdfs.family, rows, n_members=pdfs.n_members, precision=32)
    for name, values in pdfs.params.items():
        np.testing.assert_allclose(params[name], values, rtol=1e-6, atol=1e-6)


# -- PDFs ------------------------------------------------------------------------------------------


def rounding(name, precision):
    """Half a step of each code of `sfumato.io.encoding`, and single precision."""
    single = 2.0**-22
    if precision == 32 or name == "loc":
        return {"rtol": single, "atol": 4 * single}
    if name == "log_weights":
        # the norm of all of them moves by as much again
        return {"rtol": 0, "atol": 20 / 65_535 + 20 * single}
    if name == "scale":
        return {"rtol": 0.5 * np.log(1e12) / 65_535 + 20 * single}
    # alpha = precision times sin^2(angle): the logarithm of the precision moves by half a step of
    # ln 1e11, that of sin^2 by 2 cot(angle) half steps of pi / 2, at means down to 0.03
    angle = np.arcsin(np.sqrt(0.03))
    turn = np.pi / 2 / 65_535 / np.tan(angle)
    return {"rtol": 1.01 * (0.5 * np.log(1e11) / 65_535 + turn) + 20 * single}


@pytest.mark.parametrize("precision", [16, 32])
def test_pdfs_round_trip_with_their_columns(tmp_path, pdfs, precision):
    path = tmp_path / "p.parquet"
    write_pdfs(pdfs, path, columns={"id": np.arange(len(pdfs))}, precision=precision)
    back = read_pdfs(path)
    assert back.family == pdfs.family
    assert set(back.params) == set(pdfs.params)
    for name, values in pdfs.params.items():
        np.testing.assert_allclose(back.params[name], values, **rounding(name, precision))
    file = open_pdfs(path)
    assert file.columns == ("id",)
    ids = np.concatenate([t["id"].to_numpy() for _, t in file.chunks(["id"], batch_rows=5)])
    np.testing.assert_array_equal(ids, np.arange(len(pdfs)))
    halves = [p.mean() for p, _ in file.chunks(batch_rows=5)]
    np.testing.assert_array_equal(np.concatenate(halves), back.mean())


def test_gridded_pdfs_round_trip(tmp_path, pdfs):
    gridded = pdfs.to_grid()
    write_pdfs(gridded, tmp_path / "g.parquet")
    back = read_pdfs(tmp_path / "g.parquet")
    np.testing.assert_array_equal(back.grid, gridded.grid)
    # single precision, normalised again; tails below 1e-37 of it are lost
    np.testing.assert_allclose(back.density, gridded.density, rtol=2.0**-22, atol=1e-37)


@pytest.mark.parametrize("bounds", [(-np.inf, np.inf), (0.0, np.inf), (-4.0, 4.0)])
def test_draws_round_trip_with_their_bounds(tmp_path, bounds):
    draws = np.abs(np.random.default_rng(0).normal(size=(7, 30))).clip(max=4.0)
    write_pdfs(SamplePDFs(draws, None, bounds), tmp_path / "s.parquet")
    back = read_pdfs(tmp_path / "s.parquet")
    assert back.bounds == bounds
    assert back.log_weights is None
    np.testing.assert_array_equal(back.draws, draws.astype(np.float32))


def test_foreign_and_newer_files_are_refused(tmp_path, pdfs):
    plain = tmp_path / "plain.parquet"
    pq.write_table(pa.table({"a": [1]}), plain)
    with pytest.raises(DataError, match="holds no PDFs of sfumato"):
        read_pdfs(plain)
    path = tmp_path / "p.parquet"
    write_pdfs(pdfs, path)
    table = pq.read_table(path)
    header = json.loads(table.schema.metadata[b"sfumato"]) | {"format": 99}
    header.pop("sha256")
    pq.write_table(table.cast(sealed(table.schema, header, n_rows=len(table))), path)
    with pytest.raises(DataError, match=r"format 99; this version reads up to 1. Upgrade"):
        read_pdfs(path)


def test_unwritable_requests_are_refused(tmp_path, pdfs):
    with pytest.raises(ValueError, match="`precision` must be 16 or 32"):
        write_pdfs(pdfs, tmp_path / "p.parquet", precision=8)
    with pytest.raises(ValueError, match="may not be named 'pdf'"):
        write_pdfs(pdfs, tmp_path / "p.parquet", columns={"pdf": np.zeros(len(pdfs))})
    with pytest.raises(ValueError, match="Unequal member weights"):
        write_pdfs(pdfs.stack(np.arange(1.0, 13.0)), tmp_path / "p.parquet")
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_nothing(tmp_path):
    path = tmp_path / "out.txt"

    def write_half_and_fail():
        with whole(path) as temporary:
            temporary.write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(DataError, match="No space left on device"):
        write_half_and_fail()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["interp", "mixmod"])
def test_qp_reads_what_we_write(tmp_path, kind):
    qp = pytest.importorskip("qp")
    pdfs = make_pdfs(n=6, members=1, k=3)
    path = tmp_path / "e.hdf5"
    grid = np.linspace(0.501, 3.499, 2001)
    write_qp(pdfs, path, kind=kind, grid=grid, columns={"id": np.arange(6)})
    ensemble = qp.read(str(path))
    assert ensemble.npdf == 6
    np.testing.assert_array_equal(ensemble.ancil["id"], np.arange(6))
    got = np.asarray(ensemble.pdf(grid))
    if kind == "interp":
        # doubles; qp normalises once more
        np.testing.assert_allclose(got, pdfs.to_grid(grid).density, rtol=1e-9, atol=1e-12)
    else:
        # one Gaussian for each component, of its mean and variance
        mean, variance = pdfs.component_moments()
        parts = stats.norm.pdf(grid, mean[:, :, None], np.sqrt(variance)[:, :, None])
        expected = np.sum(np.exp(pdfs.log_weights)[:, :, None] * parts, axis=1)
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


def test_qp_refuses_what_it_cannot_hold(tmp_path, pdfs):
    with pytest.raises(DataError, match=r"must end in \.hdf5"):
        write_qp(pdfs, tmp_path / "e.txt")
    with pytest.raises(ValueError, match="'interp' or 'mixmod'"):
        write_qp(pdfs, tmp_path / "e.hdf5", kind="quant")
    with pytest.raises(ValueError, match="needs mixtures"):
        write_qp(pdfs.to_grid(), tmp_path / "e.hdf5", kind="mixmod")
    assert not list(tmp_path.iterdir())
