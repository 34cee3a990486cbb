"""Reading LAS as the world writes it: the right numbers and a note, or one line of refusal."""

import lasio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cases import DATA
from sfumato.errors import DataError
from sfumato.welllogs.las import read_las
from welllogs_cases import DEPTH, GR, PLAIN, RHOB, ROWS, WELL, written


def check(las, *, gr=GR, rhob=RHOB, depth=DEPTH, notes=0):
    """What every good file holds."""
    np.testing.assert_allclose(las.depth_m, depth)
    np.testing.assert_allclose(las["GR"].values, gr)
    np.testing.assert_allclose(las["RHOB"].values, rhob)
    assert len(las.notes) == notes, las.notes


def section(text, line, other):
    """The text with a line replaced, which has to be there."""
    assert text.count(line) == 1
    return text.replace(line, other)


def test_a_plain_file(tmp_path):
    las = read_las(written(tmp_path, PLAIN))
    check(las)
    assert las.well == "A-1"
    assert [(c.name, c.unit) for c in las.curves][1:] == [("GR", "gAPI"), ("RHOB", "g/cm3")]
    with pytest.raises(KeyError):
        las["NPHI"]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_ends_of_lines_and_encodings(tmp_path, newline, encoding):
    text = section(PLAIN, "WELL.  A-1    : WELL", "WELL.  Åsgard : Brønn, 20 °C")
    las = read_las(written(tmp_path, text, encoding=encoding, newline=newline))
    check(las)
    assert las.well == "Åsgard"


SPELLINGS = [
    "1e5",
    "+3.",
    ".5",
    "-0",
    "1E-3",
    "NaN",
    "inf",
    "1e400",
    "1_0",
    "-999.25",
    "-9999",
    "٣",
]
"""What Python takes for a number."""


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(*2 * [st.sampled_from(SPELLINGS) | st.floats(-1e6, 1e6).map(repr)]),
        min_size=1,
        max_size=20,
    ),
    st.sampled_from([("SPACE", "  "), ("COMMA", ","), ("TAB", "\t")]),
)
def test_numbers_are_the_same_read_together_and_word_by_word(tmp_path, rows, delimiter):
    word, mark = delimiter
    found = []
    for more in ("", f"{mark}sand"):  # beside a word, nothing is read together
        head = section(WELL, "~Well", f"DLM. {word} : DELIMITER\n~Well")
        head += "ROCK. : LITHOLOGY\n" * bool(more)
        lines = [f"{1000 + i}{mark}{mark.join(row)}{more}" for i, row in enumerate(rows)]
        found.append(read_las(written(tmp_path, f"{head}~A\n" + "\n".join(lines) + "\n")))
    together, by_word = found
    for name in ("GR", "RHOB"):
        np.testing.assert_array_equal(together[name].values, by_word[name].values)
    assert together.notes == by_word.notes


@pytest.mark.parametrize("per_line", [1, 2])
def test_wrapped(tmp_path, per_line):
    text = section(WELL, "WRAP.   NO", "WRAP.  YES")
    lines = []
    for row in ROWS.splitlines():
        first, *rest = row.split()
        lines += [first, *(" ".join(rest[i : i + per_line]) for i in range(0, 2, per_line))]
    check(read_las(written(tmp_path, f"{text}~A\n" + "\n".join(lines) + "\n")))
    with pytest.raises(DataError, match=r"line 28: the last row holds 2 of 3 values, .*off"):
        read_las(written(tmp_path, f"{text}~A\n" + ROWS.replace(" ", "\n")[:-5].strip() + "\n"))
    with pytest.raises(DataError, match="line 16: a row of 3 values ends inside the line, at its"):
        read_las(written(tmp_path, f"{text}~A\n100.0\n1 2 3\n"))


@pytest.mark.parametrize(("word", "mark"), [("COMMA", ","), ("TAB", "\t"), ("SPACE", "  ")])
def test_las_3(tmp_path, word, mark):
    text = f"""~Version
VERS.  3.0 : LAS 3.0
WRAP.   NO :
DLM.  {word} : delimiter
~Well
STRT.M  100.0 :
STOP.M  102.0 :
STEP.M    0.5 :
NULL. -999.25 :
WELL.  A-1 :
~Log_Parameter
MATR.   SAND : {{S}}
~Log_Definition
DEPT.M        : depth {{F}}
GR  .gAPI     : gamma ray {{F}}
RHOB.g/cm3    : density {{F}}
ROCK.         : rock {{S}}
~Log_Data | Log_Definition
""" + "".join(
        f"{mark.join([*row.split(), chr(34) + 'fine sand' + chr(34)])}\n"
        for row in ROWS.splitlines()
    )
    core = """~Core_Definition
CORD.M : core depth {F}
KLOG.mD : permeability {F}
~Core_Data | Core_Definition
100.1 7
"""
    las = read_las(written(tmp_path, text + core))
    check(las)
    assert las["ROCK"].values.tolist() == ["fine sand"] * 5


def test_several_sections_of_data(tmp_path):
    text = f"{WELL}~Log_Data[1] | Curve\n{ROWS}~Log_Data[2] | Curve\n{ROWS.replace('50.0', '55.0')}"
    path = written(tmp_path, text)
    with pytest.raises(DataError, match=r"2 sections of data. Say which with --group: 1 \('Log_"):
        read_las(path)
    check(read_las(path, group="1"))
    check(read_las(path, group="Log_Data[2] | Curve"), gr=np.array([55, 60, np.nan, 80, 90]))
    with pytest.raises(DataError, match=r"no section of data '3'\. Say which"):
        read_las(path, group="3")


def test_las_1_2_has_its_words_behind_the_colon(tmp_path):
    text = section(
        section(PLAIN, "2.0 : CWLS", "1.2 : CWLS"), "WELL.  A-1    : WELL", "WELL. WELL : A-1"
    )
    las = read_las(written(tmp_path, text))
    check(las)
    assert las.well == "A-1"


@pytest.mark.parametrize(
    ("null", "note"),
    [
        ("", "no NULL is declared: -999.25 is taken"),
        ("NULL. none : null\n", "line 8: NULL is 'none', no number: -999.25 is taken"),
        ("NULL. -9999 : null\n", "GR: -999.25 (1 times) taken for gaps, beside the NULL"),
    ],
)
def test_a_null_that_is_absent_or_wrong(tmp_path, null, note):
    las = read_las(written(tmp_path, section(PLAIN, "NULL. -999.25 : null\n", null)))
    check(las, notes=1)
    assert las.notes == (note,)


@pytest.mark.parametrize("code", ["-999", "-9999", "-9999.25", "1e30", "1.0E+31", "-99999"])
def test_several_codes_for_gaps(tmp_path, code):
    las = read_las(written(tmp_path, section(PLAIN, "101.5 80.0", f"101.5 {code}")))
    check(las, gr=np.array([50, 60, np.nan, np.nan, 90]), notes=1)
    assert f"GR: {float(code):g} (1 times) taken for gaps" in las.notes[0]


def test_what_dos_and_disks_put_at_the_end_is_no_data(tmp_path):
    check(read_las(written(tmp_path, f"{PLAIN}\x1a\x00\x00")))


def test_endless_values_and_depths_are_gaps_and_said(tmp_path):
    las = read_las(written(tmp_path, section(PLAIN, "101.5 80.0", "101.5 1e400")))
    check(las, gr=np.array([50, 60, np.nan, np.nan, 90]), notes=1)
    assert "GR: inf (1 times) taken for gaps" in las.notes[0]
    lost = read_las(written(tmp_path, section(PLAIN, "101.5 80.0", "1e30 80.0")))
    assert lost.notes == ("1 rows have no depth",)


@pytest.mark.parametrize("word", ["****", "NaN", "null", "-", "#N/A", "1.#QNAN", "N/A", "---"])
def test_words_for_gaps(tmp_path, word):
    las = read_las(written(tmp_path, section(PLAIN, "101.5 80.0", f"101.5 {word}")))
    check(las, gr=np.array([50, 60, np.nan, np.nan, 90]))


def test_a_depth_equal_to_the_null_is_a_depth(tmp_path):
    depth = -1000.25 + 0.5 * np.arange(5)
    rows = "".join(f"{d:.2f} 50 2.1\n" for d in depth)
    text = section(section(WELL, "100.0 :", "-1000.25 :"), "102.0 :", "-998.25 :")
    las = read_las(written(tmp_path, f"{text}~A\n{rows}"))
    np.testing.assert_array_equal(las.depth_m, depth)
    lost = read_las(written(tmp_path, section(PLAIN, "101.0 -999.25", "-999.25 70.0")))
    np.testing.assert_array_equal(lost.depth_m, [100, 100.5, np.nan, 101.5, 102])
    assert lost.notes == ("1 rows have no depth",)


def test_text_and_dates(tmp_path):
    curves = section(WELL, "RHOB.g/cm3    : density\n", "RHOB.g/cm3 :\nDATE. :\nROCK. :\n")
    rows = [f"{row} 2020-01-{i:02d} -999.25" for i, row in enumerate(ROWS.splitlines(), start=1)]
    rows[3] = rows[3].replace("04 -999.25", '04 "fine sand"')
    las = read_las(written(tmp_path, f"{curves}~A\n" + "\n".join(rows) + "\n"))
    check(las)
    assert las["DATE"].values[0] == "2020-01-01"
    assert las["ROCK"].values.tolist() == [None, None, None, "fine sand", None]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("101.5 80.0 2.40", "101.5 80.0", "line 18: 2 values, and 3 curves are declared"),
        ("101.5 80.0 2.40", "101.5 80.0 2.40 7", "line 18: 4 values, and 3 curves are declared"),
        ("101.5 80.0", "101.5 8o.0", "line 18: '8o.0' is no number, and GR holds numbers"),
        ("101.5 80.0", "101.5 1.2.3", "line 18: '1.2.3' is no number, and GR holds numbers"),
        ("102.0 90.0 2.50\n", "102.0 90", "line 19: 2 values, and 3 curves are declared"),
        (ROWS, "", "~Ascii holds no data"),
        ("~Ascii\n" + ROWS, "", "no section ~A of data. Is it a LAS file"),
        (
            "GR  .gAPI     : gamma ray",
            "GR gAPI gamma ray",
            "line 12: 'GR gAPI .* is no header line",
        ),
        ("DEPT.M        : depth\n", "", "line 14: 3 values, and 2 curves are declared. Correct"),
        ("DEPT.M        : depth", "TIME.S : time", "line 11: the index 'TIME' is in S: a time"),
    ],
)
def test_what_cannot_be_mended_is_refused_by_its_line(tmp_path, old, new, message):
    with pytest.raises(DataError, match=message) as told:
        read_las(written(tmp_path, section(PLAIN, old, new)))
    assert "a.las" in str(told.value)


def test_numbers_that_ran_into_each_other_are_parted(tmp_path):
    text = section(PLAIN, "101.5 80.0 2.40", "101.5 80.0-999.25")
    las = read_las(written(tmp_path, text))
    check(las, rhob=np.array([2.1, 2.2, 2.3, np.nan, 2.5]), notes=1)
    assert las.notes == ("line 18: numbers without a blank between them were parted",)


def test_decimal_commas(tmp_path):
    las = read_las(written(tmp_path, WELL + "~A\n" + ROWS.replace(".", ",")))
    np.testing.assert_allclose(las["RHOB"].values, RHOB)
    np.testing.assert_allclose(las.depth_m, DEPTH)
    assert "RHOB: 5 numbers with decimal commas" in las.notes


def test_mnemonics(tmp_path):
    text = section(PLAIN, "RHOB.g/cm3    : density", "GR .API : another")
    las = read_las(written(tmp_path, text))
    assert [curve.name for curve in las.curves] == ["DEPT", "GR", "GR:2"]
    assert las.notes == ("2 curves are named GR: the others are GR:2 and so on",)
    spaced = section(PLAIN, "GR  .gAPI     : gamma ray", "GAMMA RAY RAW.gAPI 7 : a: b")
    curve = read_las(written(tmp_path, spaced)).curves[1]
    assert (curve.name, curve.unit, curve.description) == ("GAMMA RAY RAW", "gAPI", "a: b")


def test_more_curves_than_declared_count_where_the_title_names_them(tmp_path):
    rows = "".join(f"{row} 7\n" for row in ROWS.splitlines())
    las = read_las(written(tmp_path, f"{WELL}~A DEPT GR RHOB PEF\n{rows}"))
    check(las, notes=1)
    assert las["PEF"].values.tolist() == [7.0] * 5
    assert "the title of the data names 4 curves, 3 are declared: the title counts" in las.notes[0]


@pytest.mark.parametrize(
    ("unit", "metres"),
    [("M", 1), ("m", 1), ("FT", 0.3048), ("F", 0.3048), ("FEET", 0.3048), ("0.1IN", 0.00254),
     ("0.1 in", 0.00254), (".1IN", 0.00254), ("CM", 0.01), ("USFT", 1200 / 3937),
     ("ftUS", 1200 / 3937), ("FTKB", 0.3048)],
)  # fmt: skip
def test_units_of_depth(tmp_path, unit, metres):
    text = PLAIN.replace("STRT.M", f"STRT.{unit}").replace("STOP.M", f"STOP.{unit}")
    text = text.replace("STEP.M", f"STEP.{unit}").replace("DEPT.M", f"DEPT.{unit}")
    check(read_las(written(tmp_path, text)), depth=metres * DEPTH)


def test_depths_that_no_well_reaches_are_refused(tmp_path):
    deep = "".join(f"{d:g} 50 2.1\n" for d in 400_000 + 5.0 * np.arange(5))
    header = WELL.replace("DEPT.M", "DEPT.0.1")
    with pytest.raises(DataError, match=r"DEPT.* would reach 400,020 m, .*as m, ft or \.1IN"):
        read_las(written(tmp_path, f"{header}~A\n{deep}"))


def test_a_unit_that_is_absent_or_contradicted_is_said(tmp_path):
    feet = (
        PLAIN.replace("STRT.M", "STRT.FT").replace("STOP.M", "STOP.FT").replace("STEP.M", "STEP.FT")
    )
    las = read_las(written(tmp_path, feet))
    check(las, notes=1)
    assert "DEPT is in M, and the header's depths in FT" in las.notes[0]
    none = read_las(written(tmp_path, section(feet, "DEPT.M", "DEPT.")))
    check(none, depth=0.3048 * DEPTH, notes=1)
    assert none.notes == ("DEPT states no unit: FT is taken",)


@pytest.mark.parametrize(
    ("depth", "note"),
    [
        ([102, 101.5, 101, 100.5, 100], "STRT is 100 in the header and 102 in the data"),
        ([100, 100.4, 101.0, 101.5, 102], None),
        ([100, 100.5, 100.5, 101, 102], "1 depths are repeated"),
        ([100, 101, 101.5, 100.7, 102], "depth turns back in 1 places: passes overlap"),
        ([100, 100.5, 101, 101.5, 112], "STOP is 102 in the header and 112 in the data"),
        ([100, 101, 102, 103, 104], "STEP is 0.5 in the header and 1 in the data"),
    ],
)
def test_depths_are_held_against_the_header(tmp_path, depth, note):
    rows = "".join(f"{d:g} 50 2.1\n" for d in depth)
    las = read_las(written(tmp_path, f"{WELL}~A\n{rows}"))
    np.testing.assert_allclose(las.depth_m, depth)
    assert note is None or any(note in line for line in las.notes)
    assert bool(las.notes) == (note is not None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "no line begins with ~"),
        (b"a,b\n1,2\n", "no line begins with ~"),
        (np.random.default_rng(0).bytes(4000).replace(b"~", b"x"), "no line begins with ~"),
    ],
    ids=["empty", "blank", "a table", "noise"],
)
def test_what_is_no_las_file(tmp_path, content, message):
    path = tmp_path / "a.las"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_las(path)
    with pytest.raises(DataError, match="does not exist"):
        read_las(tmp_path / "b.las")
    with pytest.raises(DataError, match="is a folder"):
        read_las(tmp_path)


@pytest.mark.parametrize(
    "cut", [*range(0, PLAIN.index(ROWS), 23), *range(PLAIN.index(ROWS) + 1, len(PLAIN))]
)
def test_a_file_that_was_cut_off_is_refused_or_said(tmp_path, cut):
    path = written(tmp_path, PLAIN[:cut])
    if cut <= PLAIN.index(ROWS) or len(PLAIN[:cut].splitlines()[-1].split()) < 3:
        with pytest.raises(DataError, match=r"a\.las"):
            read_las(path)
        return
    las = read_las(path)
    n = las.lines.size
    told = [note for note in las.notes if "STOP is 102" in note or "was the file cut off" in note]
    assert told or n == 5
    np.testing.assert_allclose(las["GR"].values[: n - 1], GR[: n - 1])


@pytest.mark.shared
@pytest.mark.parametrize("name", ["16_2-16", "31_2-7", "32_2-1"])
def test_real_wells_against_lasio(name):
    path = DATA / "well_logs_force2020" / f"{name}.las"
    las, peer = read_las(path), lasio.read(path)
    assert len(las.curves) == len(peer.curves)
    for curve, other in zip(las.curves, peer.curves, strict=True):
        np.testing.assert_array_equal(curve.values, other.data)
        assert (curve.unit, curve.description) == (other.unit, other.descr)
    assert las.well == str(peer.well.WELL.value)
