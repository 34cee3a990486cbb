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


def test_numbers_of_a_name_do_not_run_together(tmp_path):
    path = table(tmp_path, "WELL,SURFACE,MD\n16/1-12,Draupne,1210\n16/11-2,Heimdal,1230\n")
    tops = TableOfTops.read(path)
    assert tops.of("16/1-12") == {"Draupne": 1210.0}
    assert tops.of("16_11-02") == {"Heimdal": 1230.0}
    assert not tops.knows("161/1-2")


def test_a_top_that_comes_again_is_numbered_from_above(tmp_path):
    path = table(tmp_path, "SURFACE,MD\nGreen,760\nRed,750\nGreen,740\nGreen,740\n")
    assert TableOfTops.read(path).of("W") == {"Green": 740.0, "Red": 750.0, "Green (2)": 760.0}


@pytest.mark.parametrize("unit", ["usft", "ftUS"])
def test_survey_feet(tmp_path, unit):
    path = table(tmp_path, f"SURFACE,MD,UNIT\nGreen,3937,{unit}\n")
    assert TableOfTops.read(path).of("W") == {"Green": pytest.approx(1200.0)}


def test_what_is_no_unit_or_another_one_is_said(tmp_path):
    path = table(tmp_path, "SURFACE,MD,UNIT\nGreen,740,furlong\n")
    with pytest.warns(UserWarning, match=r"'UNIT' holds no unit of length \(furlong\): .* in m\."):
        assert TableOfTops.read(path).of("W") == {"Green": 740.0}
    path = table(tmp_path, "SURFACE,MD (ft),UNIT\nGreen,745,m\n")
    with pytest.warns(UserWarning, match=r"'MD \(ft\)' is in ft, and 'UNIT' says m: the column"):
        assert TableOfTops.read(path).of("W") == {"Green": 745.0}


def test_measured_depths_are_preferred_aloud(tmp_path):
    path = table(tmp_path, "SURFACE,DEPTH,MD\nGreen,735,760\n")
    with pytest.warns(UserWarning, match=r"depths are those of 'MD' \(not DEPTH\)"):
        assert TableOfTops.read(path).of("W") == {"Green": 760.0}


def test_a_top_without_a_name_is_said(tmp_path):
    path = table(tmp_path, "WELL,SURFACE,MD\nW,,740\nW,White,750\n")
    with pytest.warns(UserWarning, match="tops without a name are left out: at 740 m"):
        assert TableOfTops.read(path).of("W") == {"White": 750.0}
