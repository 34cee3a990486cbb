"""What other libraries write beside a column: masks, scales, fill values, blanks."""

import h5py
import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from sfumato.io.output import Column, write_columns
from sfumato.io.tables import Reading, matrix, open_table, read_table


def column(path, name, **options):
    return read_table(open_table(path, **options), [name])[name].to_pylist()


@pytest.mark.parametrize("suffix", [".h5", ".parquet", ".ecsv", ".fits", ".vot"])
def test_what_astropy_masks_is_missing(tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    table = Table(
        {
            "a": MaskedColumn([1.0, 2.0, 999.0], mask=[False, False, True], unit=units.K),
            "n": MaskedColumn([7, 8, 9], mask=[True, False, False]),
            "b": [0.5, 1.5, 2.5],
        }
    )
    options = {"path": "cat", "serialize_meta": True} if suffix == ".h5" else {}
    kind = {".vot": "votable", ".h5": "hdf5"}.get(suffix)
    table.write(path, format=kind, **options)
    opened = open_table(path)
    assert opened.columns == ("a", "n", "b")
    found = matrix(read_table(opened, ["a"]), ["a"])[:, 0]
    np.testing.assert_array_equal(found, [1, 2, np.nan])
    assert column(path, "n") == [None, 8, 9]
    np.testing.assert_array_equal(
        matrix(read_table(opened, ["b", "n"]), ["n", "b"])[:, 1], [0.5, 1.5, 2.5]
    )


def test_fill_values_come_before_scale_and_offset(tmp_path):
    with h5py.File(tmp_path / "t.h5", "w") as file:
        packed = file.create_dataset("a", data=np.array([100, 110, -1, -9], "i2"))
        packed.attrs.update(_FillValue=-1, missing_value=-9, scale_factor=0.1, add_offset=-4.0)
        file["b"] = np.arange(4.0)
    assert column(tmp_path / "t.h5", "a") == [pytest.approx(6), pytest.approx(7), None, None]


def test_blanks_fill_words_up_in_tables_of_text(tmp_path):
    words = fits.Column("s", "A6", array=["ab", "abc"], ascii=True)
    fits.TableHDU.from_columns([words]).writeto(tmp_path / "t.fits")
    assert column(tmp_path / "t.fits", "s") == ["ab", "abc"]
    assert open_table(tmp_path / "t.fits", where="s == 'ab'").n_rows == 1


@pytest.mark.parametrize("suffix", [".fits", ".ecsv", ".vot", ".h5", ".parquet"])
def test_units_are_told(tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    if suffix == ".h5":
        with h5py.File(path, "w") as file:
            file["a"], file["b"] = np.arange(3.0), np.arange(3.0)
            file["a"].attrs["units"] = "K"
            file["a"].attrs["long_name"] = "of the dust"
    elif suffix == ".parquet":
        write_columns(
            path, {"a": Column(np.arange(3.0), "K", "of the dust"), "b": Column(np.arange(3.0))}
        )
    else:
        table = Table({"a": np.arange(3.0) * units.K, "b": np.arange(3.0)})
        table["a"].info.description = "of the dust"
        if suffix == ".fits":
            table = fits.table_to_hdu(table)
            table.header["TCOMM1"] = "of the dust"
            table.writeto(path)
        else:
            table.write(path, format={".vot": "votable"}.get(suffix))
    table_is_described(path)


def table_is_described(path):
    assert dict(open_table(path).units) == {"a": "K"}
    assert dict(open_table(path).descriptions) == {"a": "of the dust"}
    renamed = Reading(rename={"t": "a"}).open(path)
    assert (dict(renamed.units), dict(renamed.descriptions)) == ({"t": "K"}, {"t": "of the dust"})


def test_codes_of_nulls_in_tables_of_text(tmp_path):
    numbers = fits.Column("n", "I6", null="-1", ascii=True, array=np.array([5, -1, 7]))
    reals = fits.Column("x", "F8.3", ascii=True, array=np.array([0.5, 1.5, 2.5]))
    fits.TableHDU.from_columns([numbers, reals]).writeto(tmp_path / "t.fits")
    assert column(tmp_path / "t.fits", "n") == [5, None, 7]
    assert column(tmp_path / "t.fits", "x") == [0.5, 1.5, 2.5]
    assert open_table(tmp_path / "t.fits", where="missing(n)").n_rows == 1
