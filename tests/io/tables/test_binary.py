"""FITS, HDF5 and Parquet as other programs write them: nulls, vectors, several tables."""

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from sfumato.errors import DataError
from sfumato.io.tables import matrix, open_table, read_table


def numbers(path, *names, group=None):
    return matrix(read_table(open_table(path, group=group), names), names)


# -- FITS ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["u1", "i2", "i4", "i8", "u2", "u4", "u8"])
def test_nulls_of_whole_numbers(tmp_path, kind):
    column = MaskedColumn([20, 21, 22], mask=[0, 1, 0], dtype=kind)
    Table({"m": column}).write(tmp_path / "t.fits")
    np.testing.assert_array_equal(numbers(tmp_path / "t.fits", "m")[:, 0], [20, np.nan, 22])


def test_nulls_are_found_before_the_scale(tmp_path):
    stored = np.array([20500, -32768, 22000], "i2")
    hdu = fits.BinTableHDU.from_columns([fits.Column("m", "I", array=stored)])
    hdu.header["TSCAL1"], hdu.header["TZERO1"], hdu.header["TNULL1"] = 0.001, 1.0, -32768
    hdu.writeto(tmp_path / "t.fits")
    np.testing.assert_allclose(numbers(tmp_path / "t.fits", "m")[:, 0], [21.5, np.nan, 23])


def test_unsigned_numbers_and_truth_values(tmp_path):
    big = np.array([2**63 + 1, 7], np.uint64)
    Table({"id": big, "ok": np.array([True, False])}).write(tmp_path / "t.fits")
    got = read_table(open_table(tmp_path / "t.fits"), ["id", "ok"])
    assert got.to_pydict() == {"id": [2**63 + 1, 7], "ok": [True, False]}


def two(path, *named):
    tables = [
        fits.BinTableHDU(Table({"z": [float(i), i + 0.5]}), name=name)
        for i, name in enumerate(named)
    ]
    fits.HDUList([fits.PrimaryHDU(), *tables]).writeto(path)
    return path


def test_several_tables_are_asked_for(tmp_path):
    path = two(tmp_path / "t.fits", "CALIB", "SCIENCE")
    with pytest.raises(DataError, match=r"several tables.*--group.*1 \(CALIB\), 2 \(SCIENCE\)"):
        open_table(path)
    with pytest.raises(DataError, match="no table 'other'"):
        open_table(path, group="other")
    for group in ("SCIENCE", "science", "2"):
        np.testing.assert_array_equal(numbers(path, "z", group=group)[:, 0], [1, 1.5])


def test_the_header_of_an_image_is_no_table(tmp_path):
    path = two(tmp_path / "t.fits", "LDAC_IMHEAD", "LDAC_OBJECTS")
    np.testing.assert_array_equal(numbers(path, "z")[:, 0], [1, 1.5])


def test_elements_of_vectors_are_columns(tmp_path):
    flux = np.arange(12.0).reshape(4, 3)
    Table({"flux": flux, "z": np.ones(4)}).write(tmp_path / "t.fits")
    assert open_table(tmp_path / "t.fits").columns == ("flux[0]", "flux[1]", "flux[2]", "z")
    got = numbers(tmp_path / "t.fits", "flux[2]", "z", "flux[0]")
    np.testing.assert_array_equal(got, np.column_stack([flux[:, 2], np.ones(4), flux[:, 0]]))
    with pytest.raises(DataError, match=r"no column 'flux\[3\]'"):
        numbers(tmp_path / "t.fits", "flux[3]")


def test_one_row_of_vectors_is_a_table_and_said(tmp_path):
    Table({"z": [np.arange(5.0)], "m": [np.arange(5.0) + 20]}).write(tmp_path / "t.fits")
    with pytest.warns(UserWarning, match="one row of vectors: read as 5 rows"):
        got = numbers(tmp_path / "t.fits", "m", "z")
    np.testing.assert_array_equal(got, np.column_stack([np.arange(5) + 20, np.arange(5)]))


# -- HDF5 ------------------------------------------------------------------------------------------

BESIDE = {
    "a group in the group": lambda f: f.create_group("photometry/meta"),
    "a named type": lambda f: f.__setitem__("photometry/t", np.dtype("f4")),
    "a list of bands": lambda f: f.create_dataset("photometry/bands", data=[b"u", b"g"]),
    "a link to nowhere": lambda f: f.__setitem__("photometry/x", h5py.SoftLink("/no")),
    "a link to another file": lambda f: f.__setitem__("y", h5py.ExternalLink("no.h5", "/")),
    "a number": lambda f: f.create_dataset("photometry/epoch", data=2000.0),
    "an image": lambda f: f.create_dataset("photometry/stamps", data=np.zeros((3, 4, 4))),
    "another group": lambda f: f.create_group("provenance"),
}


@pytest.mark.parametrize("beside", BESIDE)
@pytest.mark.parametrize("place", ["photometry", "a/b/photometry"])
def test_what_lies_beside_the_columns_is_passed_over(tmp_path, beside, place):
    with h5py.File(tmp_path / "t.hdf5", "w") as file:
        inner = file.require_group(place).parent
        inner["photometry/mag_u"] = np.arange(3.0)
        BESIDE[beside](inner)
    assert open_table(tmp_path / "t.hdf5").columns == ("mag_u",)
    np.testing.assert_array_equal(numbers(tmp_path / "t.hdf5", "mag_u")[:, 0], np.arange(3))


def test_arrays_of_records_and_of_vectors(tmp_path):
    rows = np.zeros(4, [("z", ">f8"), ("name", "S3"), ("flux", "f4", 2)])
    rows["z"], rows["name"], rows["flux"] = np.arange(4), b"abc", [[1, 2]] * 4
    with h5py.File(tmp_path / "t.hdf5", "w") as file:
        file["deep/table"] = rows
    path = tmp_path / "t.hdf5"
    assert open_table(path).columns == ("z", "name", "flux[0]", "flux[1]")
    np.testing.assert_array_equal(numbers(path, "z", "flux[1]")[2], [2, 2])
    assert read_table(open_table(path), ["name"])["name"].to_pylist() == ["abc"] * 4


def test_fill_values_are_gaps(tmp_path):
    with h5py.File(tmp_path / "t.hdf5", "w") as file:
        file["z"] = np.array([0.5, -999.0])
        file["z"].attrs["_FillValue"] = np.array([-999.0])
    np.testing.assert_array_equal(numbers(tmp_path / "t.hdf5", "z")[:, 0], [0.5, np.nan])


def test_the_layout_of_pandas_is_refused(tmp_path):
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file.create_group("df").attrs["pandas_type"] = "frame"
        file["df/axis0"] = np.arange(3)
    with pytest.raises(DataError, match="written by pandas"):
        open_table(tmp_path / "t.h5")


# -- Parquet ---------------------------------------------------------------------------------------


def test_every_kind_of_number_and_word(tmp_path):
    from decimal import Decimal

    columns = {
        "decimal": pa.array([Decimal("1.5"), None]),
        "words": pa.array(["2.5", None]).dictionary_encode(),
        "huge": pa.array([2**63 + 2**12, 1], pa.uint64()),
        "half": pa.array(np.array([0.5, 1], np.float16)),
        "flux": pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float64(), 2)),
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    names = ["decimal", "words", "huge", "half", "flux[1]"]
    got = numbers(tmp_path / "t.parquet", *names)
    np.testing.assert_array_equal(
        got, [[1.5, 2.5, 2.0**63 + 2**12, 0.5, 2], [np.nan, np.nan, 1, 1, 4]]
    )


def test_views_of_words_are_words(tmp_path):
    table = pa.table({"view": pa.array(["3", "--"], pa.string_view())})
    with (
        pa.OSFile(str(tmp_path / "t.arrow"), "wb") as sink,
        pa.ipc.new_file(sink, table.schema) as w,
    ):
        w.write_table(table)
    np.testing.assert_array_equal(numbers(tmp_path / "t.arrow", "view")[:, 0], [3, np.nan])


def test_dates_are_no_numbers(tmp_path):
    pq.write_table(pa.table({"t": pa.array([0], pa.timestamp("s"))}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match="column 't' holds timestamp"):
        numbers(tmp_path / "t.parquet", "t")


def test_complex_numbers_are_refused_by_name(tmp_path):
    Table({"x": np.array([1 + 2j]), "y": [1.0]}).write(tmp_path / "t.fits")
    np.testing.assert_array_equal(numbers(tmp_path / "t.fits", "y"), [[1]])
    with pytest.raises(DataError, match=r"t\.fits: .* in one of \['x'\]"):
        numbers(tmp_path / "t.fits", "x")


def test_one_row_with_a_number_beside_its_vectors_is_a_row(tmp_path):
    Table({"flux": [np.arange(5.0)], "z": [0.3]}).write(tmp_path / "t.fits")
    np.testing.assert_array_equal(numbers(tmp_path / "t.fits", "flux[3]", "z"), [[3, 0.3]])


def test_records_within_records_are_passed_over(tmp_path):
    inner = np.dtype([("u", "f8"), ("v", "f8")])
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["t"] = np.ones(3, np.dtype([("a", "f8"), ("m", inner), ("s", "S2")]))
    assert open_table(tmp_path / "t.h5").columns == ("a", "s")


@pytest.mark.parametrize("suffix", [".csv", ".ecsv"])
def test_a_group_of_a_file_that_has_none_is_said(tmp_path, suffix):
    Table({"a": [1.0, 2.0], "b": [1, 2]}).write(tmp_path / f"t{suffix}")
    with pytest.warns(UserWarning, match="holds one table: --group 'x' has no meaning"):
        assert open_table(tmp_path / f"t{suffix}", group="x").n_rows == 2


def test_a_card_that_nobody_can_read_is_damage(tmp_path):
    Table({"a": np.arange(5.0)}).write(tmp_path / "t.fits")
    data = (tmp_path / "t.fits").read_bytes()
    for card in (b"TFORM1  =", b"TTYPE1  =", b"TFIELDS ="):
        (tmp_path / "t.fits").write_bytes(data.replace(card, card[:-1] + b"?"))
        with pytest.raises(DataError, match=r"t.fits: "):
            read_table(open_table(tmp_path / "t.fits"), ["a"])


def test_what_has_another_length_is_no_column_and_said(tmp_path):
    with h5py.File(tmp_path / "t.hdf5", "w") as file:
        file["a"], file["b"], file["bands"] = np.zeros(9), np.ones(9), np.arange(6.0)
    table = open_table(tmp_path / "t.hdf5")
    assert table.columns == ("a", "b")
    with pytest.raises(DataError, match="'bands' has 6 rows and the table 9: it is no column"):
        table.require(["a", "bands"])


def test_columns_of_a_votable_go_by_their_names(tmp_path):
    field = '<FIELD ID="{}" name="{}" datatype="double"/>'
    fields = field.format("_1mag", "1 mag") + field.format("zz", "z-spec")
    rows = "<TR><TD>1.5</TD><TD>0.5</TD></TR><TR><TD>2.5</TD><TD></TD></TR>"
    (tmp_path / "t.vot").write_text(
        '<?xml version="1.0"?><VOTABLE version="1.3"><RESOURCE><TABLE>'
        f"{fields}<DATA><TABLEDATA>{rows}</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
    )
    table = read_table(open_table(tmp_path / "t.vot"), ["1 mag", "z-spec"])
    assert table["1 mag"].to_pylist() == [1.5, 2.5]
    assert table["z-spec"].to_pylist() == [0.5, None]


def test_truth_values_may_be_null(tmp_path):
    path = tmp_path / "t.fits"
    flags = fits.Column("ok", "L", array=[True, False, True])
    pairs = fits.Column("both", "2L", array=[[True, False]] * 3)
    fits.BinTableHDU.from_columns([flags, pairs]).writeto(path)
    data = bytearray(path.read_bytes())
    data[5760] = 0  # the first cell
    path.write_bytes(data)
    got = read_table(open_table(path), ["ok", "both[1]"]).to_pydict()
    assert got == {"ok": [None, False, True], "both[1]": [False] * 3}


def test_a_null_of_the_standard_is_one_before_the_offset(tmp_path):
    stored = np.array([5, -32768, 7], "i2")
    hdu = fits.BinTableHDU.from_columns([fits.Column("m", "I", array=stored)])
    hdu.header["TZERO1"], hdu.header["TNULL1"] = 32768, -32768
    hdu.writeto(tmp_path / "t.fits")
    got = read_table(open_table(tmp_path / "t.fits"), ["m"])["m"].to_pylist()
    assert got == [32773, None, 32775]


def test_what_astropy_cannot_read_is_said(tmp_path):
    path = tmp_path / "t.fits"
    columns = [fits.Column(name, "D", array=[1.0]) for name in ("mag", "mbg", "Z")]
    fits.BinTableHDU.from_columns(columns).writeto(path)
    path.write_bytes(path.read_bytes().replace(b"'mbg     '", b"'mag     '"))
    with pytest.raises(DataError, match=r"t\.fits: 2 columns are named 'mag'. Rename them"):
        open_table(path)
    packed = fits.BinTableHDU.from_columns(columns)
    packed.header["ZTABLE"] = True
    packed.writeto(tmp_path / "packed.fits")
    with pytest.raises(DataError, match=r"packed\.fits: .* compressed by fpack.*funpack"):
        open_table(tmp_path / "packed.fits")


def test_fill_values_of_another_type_than_the_column(tmp_path):
    path = tmp_path / "t.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.array([1.5, -999.9], "f4")
        file["x"].attrs["missing_value"] = -999.9  # in double precision
        file["y"] = np.array([1, -999], "i4")
        file["y"].attrs["_FillValue"] = -999.0
        file["n"] = np.array([1, -1], "i1")
        file["n"].attrs["_Unsigned"] = "true"
    got = read_table(open_table(path), ["x", "y", "n"]).to_pydict()
    assert got == {"x": [1.5, None], "y": [1, None], "n": [1, 255]}


def test_the_layout_of_vaex_is_named(tmp_path):
    path = tmp_path / "t.hdf5"
    with h5py.File(path, "w") as file:
        for name in "xyz":
            file[f"table/columns/{name}/data"] = np.arange(3.0)
    with pytest.raises(DataError, match=r"as vaex writes. Write it with `export_parquet`"):
        open_table(path)


def test_fields_of_one_name_are_told_apart(tmp_path):
    fields = "".join(f'<FIELD ID="{i}" name="mag" datatype="double"/>' for i in "ab")
    data = "<DATA><TABLEDATA><TR><TD>1</TD><TD>2</TD></TR></TABLEDATA></DATA>"
    path = tmp_path / "t.vot"
    path.write_text(
        f'<?xml version="1.0"?><VOTABLE version="1.3"><RESOURCE><TABLE>{fields}{data}'
        "</TABLE></RESOURCE></VOTABLE>"
    )
    with pytest.warns(UserWarning, match="several fields are named 'mag'.* read as 'mag2'"):
        table = open_table(path)
    assert read_table(table, ["mag", "mag2"]).to_pydict() == {"mag": [1], "mag2": [2]}


def test_an_index_that_pandas_counts_and_does_not_store_is_named(tmp_path):
    path = tmp_path / "t.parquet"
    index = pd.RangeIndex(5000, 5003, name="id")
    pd.DataFrame({"x": [1.0, 2.0, 3.0]}, index=index).to_parquet(path)
    found = open_table(path)
    assert found.columns == ("x",)
    with pytest.raises(DataError, match=r"'id' is a counted index of pandas.*reset_index"):
        found.require(["id"])


def test_pages_that_were_read_are_let_go(tmp_path):
    path, n = tmp_path / "t.parquet", 50_000
    column = np.random.default_rng(0).normal(size=40 * n)
    pq.write_table(pa.table({"x": column}), path, row_group_size=n, compression="none")
    before = pa.total_allocated_bytes()
    most = max(pa.total_allocated_bytes() - before for _ in open_table(path).read(["x"], 0, n))
    assert most < column.nbytes / 4
