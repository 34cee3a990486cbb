"""Tops of formations: from tables of surfaces, and from names beside the samples."""

import numpy as np
import pytest

from sfumato.errors import DataError
from sfumato.welllogs.tops import TableOfTops, tops_of


def table(tmp_path, text, name="tops.csv"):
    (tmp_path / name).write_text(text)
    return tmp_path / name


def test_tops_of_one_well_of_many(tmp_path):
    path = table(tmp_path, "Well,Surface,MD\n16/2-1,A,100\n16/2-16,B,200.5\nNO 16/2-16,C,300\n")
    assert TableOfTops.read(path).of("16/2-16") == {"B": 200.5, "C": 300.0}
    assert TableOfTops.read(path).of("16/2-1") == {"A": 100.0}


def test_spellings_of_a_well(tmp_path):
    path = table(tmp_path, "WELL,FORMATION,DEPTH_M\n16-2-16,B,200\n16/2-1,A,100\n")
    assert TableOfTops.read(path).of("16/2-16") == {"B": 200.0}
    other = table(tmp_path, "WELL,TOP,DEPTH_M\n16/2-16,B,200\n16/2-1,A,100\n", "other.csv")
    with pytest.warns(UserWarning, match="the tops of 16/2-16 are taken for 16/2-16 Sverdrup"):
        assert TableOfTops.read(other).of("16/2-16 Sverdrup") == {"B": 200.0}


def test_a_table_of_one_well_needs_no_name(tmp_path):
    path = table(tmp_path, "name,depth\nA,1\nB,2\nC,3\n")
    assert TableOfTops.read(path).of("W") == {"A": 1.0, "B": 2.0, "C": 3.0}


def test_feet_that_are_stated_are_converted(tmp_path):
    from astropy import units
    from astropy.table import Table

    rows = Table({"surface": ["A"], "MD": [1000.0] * units.imperial.ft})
    rows.write(tmp_path / "tops.ecsv")
    assert TableOfTops.read(tmp_path / "tops.ecsv").of("W") == {"A": pytest.approx(304.8)}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("surface,where\nA,1\n", r"no column of depths. Call it as MD, MD \(ft\)"),
        ("what,MD\nA,1\n", "no column of names of formations. Call it one of SURFACE"),
        ("well,surface,MD\nX-1,A,1\nX-2,A,2\n", "no tops of the well W. It knows X-1, X-2."),
    ],
)
def test_what_is_missing_is_said(tmp_path, text, told):
    with pytest.raises(DataError, match=told):
        TableOfTops.read(table(tmp_path, text)).of("W")


def test_names_beside_samples():
    names = ["A", "A", None, "B", "B", "A", "A", "A", "B"]
    found = tops_of(names, np.arange(9.0), column="FORMATION")
    assert found == {"A": 0.0, "B": 3.0, "A (2)": 5.0, "B (2)": 8.0}
    with pytest.raises(DataError, match="'median' changes 5,000 times: it holds no formations"):
        tops_of([str(v) for v in range(5000)], np.arange(5000.0), column="median")


@pytest.mark.parametrize(
    "text",
    [
        "surface,MD (ft)\nA,1000\n",
        "surface,MD_FT\nA,1000\n",
        "surface,Depth [feet]\nA,1000\n",
        "surface,MD,UOM\nA,1000,ft\n",
        "SURFACE,MD,UNIT\nA,1000,FT\nB,2000,m\n",
        "MD,UNIT,TOP\n1000,ft,A\n",
    ],
)
def test_feet_are_feet_wherever_it_says_so(tmp_path, text):
    found = TableOfTops.read(table(tmp_path, text)).of("W")
    assert found["A"] == pytest.approx(304.8)
    assert found.get("B", 2000) == 2000


def test_units_that_are_no_lengths_are_names_or_refused(tmp_path):
    lithology = table(tmp_path, "MD,UNIT\n10,Draupne\n20,Heather\n")
    assert TableOfTops.read(lithology).of("W") == {"Draupne": 10.0, "Heather": 20.0}
    with pytest.raises(DataError, match=r"NOPE.csv does not exist"):
        TableOfTops.read(tmp_path / "NOPE.csv").of("W")


@pytest.mark.parametrize("depth", ["inf", "-inf", "nan", ""])
def test_tops_without_a_depth_are_said(tmp_path, depth):
    text = f"well,surface,MD\nW,A,1\nW,Draupne,{depth}\nV,C,inf\n"
    with pytest.warns(UserWarning, match=r"tops without a depth are left out: Draupne\."):
        assert TableOfTops.read(table(tmp_path, text)).of("W") == {"A": 1.0}


def test_wells_that_only_look_alike_are_left_out_aloud(tmp_path):
    path = table(tmp_path, "well,surface,MD\n16/5-3,A,1\n16/5-3 A,B,2\n16/5-33,C,3\n16_5-3,D,4\n")
    with pytest.warns(UserWarning, match=r"tops of 16/5-3 A are left out"):
        assert TableOfTops.read(path).of("16/5-3") == {"A": 1.0, "D": 4.0}
