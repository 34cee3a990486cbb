"""LAS files with curves added: every other byte stays, and other readers read them."""

import lasio
import numpy as np
import pytest

from cases import DATA
from sfumato.errors import DataError
from sfumato.welllogs.las import NewCurve, read_las, write_las
from welllogs_cases import PLAIN, ROWS, WELL, written

VALUES = np.array([1.25, np.nan, -3.5, 1e4, 0.0])
NEW = [
    NewCurve("DTC_P50", "us/ft", "median", VALUES),
    NewCurve("DTC_FLAG", "", "flag", np.arange(5.0), decimals=0),
]
DECLARED = "DTC_P50 .us/ft  : median\nDTC_FLAG .  : flag\n"
ADDED = ["1.2500 0", "-999.25 1", "-3.5000 2", "10000.0000 3", "0.0000 4"]


def completed(las, folder):
    write_las(las, NEW, folder / "out.las")
    return (folder / "out.las").read_bytes()


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le", "latin-1"])
def test_only_curves_are_added(tmp_path, newline, encoding):
    text = PLAIN.replace("gamma ray", "Gammastråling, °API  ")
    text = text.replace("~Ascii", "# a comment, äöü\n~Ascii").replace(
        "101.5 80.0", "101.50  80.0  "
    )
    if encoding == "utf-16-le":
        text = "\ufeff" + text
    las = read_las(written(tmp_path, text, encoding=encoding, newline=newline))
    lines = text.splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith("RHOB"))
    expected = lines[: place + 1] + DECLARED.splitlines() + lines[place + 1 : -5]
    expected += [f"{line} {more}" for line, more in zip(lines[-5:], ADDED, strict=True)]
    assert completed(las, tmp_path).decode(encoding.replace("-sig", "")).removeprefix(
        "\ufeff" if encoding == "utf-8-sig" else ""
    ) == newline.join([*expected, ""])
    again = read_las(tmp_path / "out.las")
    np.testing.assert_array_equal(again["DTC_P50"].values, VALUES)
    for curve in las.curves:
        np.testing.assert_array_equal(again[curve.name].values, curve.values)


def test_wrapped_files_get_lines_of_80_letters(tmp_path):
    text = WELL.replace("WRAP.   NO", "WRAP.  YES")
    rows = ROWS.replace(" ", "\n")
    las = read_las(written(tmp_path, f"{text}~A\n{rows}"))
    many = [NewCurve(f"C{i}", "", "", VALUES) for i in range(12)]
    write_las(las, many, tmp_path / "out.las")
    again = read_las(tmp_path / "out.las")
    for curve in many:
        np.testing.assert_array_equal(again[curve.name].values, VALUES)
    assert max(map(len, (tmp_path / "out.las").read_text().splitlines())) <= 80


@pytest.mark.parametrize("mark", [",", "\t"])
def test_delimiters_are_kept(tmp_path, mark):
    word = {",": "COMMA", "\t": "TAB"}[mark]
    text = WELL.replace("2.0 : CWLS", "3.0 : CWLS").replace("~Well", f"DLM. {word} :\n~Well")
    las = read_las(written(tmp_path, f"{text}~A | Curve\n" + ROWS.replace(" ", mark)))
    written_lines = completed(las, tmp_path).decode().splitlines()
    added = [more.replace(" ", mark) for more in ADDED]
    assert written_lines[-5:] == [
        f"{row.replace(' ', mark)}{mark}{more}"
        for row, more in zip(ROWS.splitlines(), added, strict=True)
    ]
    np.testing.assert_array_equal(read_las(tmp_path / "out.las")["DTC_P50"].values, VALUES)


def test_a_title_that_names_the_curves_names_the_new_ones(tmp_path):
    las = read_las(written(tmp_path, f"{WELL}~A  DEPT   GR  RHOB\n{ROWS}"))
    assert b"\n~A  DEPT   GR  RHOB  DTC_P50  DTC_FLAG\n" in completed(las, tmp_path)


def test_the_declared_null_is_written(tmp_path):
    las = read_las(written(tmp_path, PLAIN.replace("-999.25", "-9999.00")))
    assert b"\n100.5 60.0 2.20 -9999.00 1\n" in completed(las, tmp_path)


def test_what_cannot_be_added(tmp_path):
    las = read_las(written(tmp_path, PLAIN))
    with pytest.raises(DataError, match="a curve 'GR' is in the file already"):
        write_las(las, [NewCurve("GR", "", "", VALUES)], tmp_path / "out.las")
    with pytest.raises(DataError, match=r"Curve 'X' holds 4 values, and .*a\.las 5 rows"):
        write_las(las, [NewCurve("X", "", "", VALUES[:4])], tmp_path / "out.las")
    assert not (tmp_path / "out.las").exists()


@pytest.mark.parametrize("text", [f"{PLAIN}102.5 95.0 2.60\n", PLAIN[:-20], "~V\n"])
def test_a_file_that_changed_meanwhile_is_not_completed(tmp_path, text):
    path = written(tmp_path, PLAIN)
    las = read_las(path)
    path.write_text(text)
    with pytest.raises(DataError, match=r"a\.las changed while it was read. Run the command again"):
        write_las(las, NEW, tmp_path / "out.las")
    assert not (tmp_path / "out.las").exists()


@pytest.mark.shared
@pytest.mark.parametrize("name", ["16_2-16", "31_2-7", "32_2-1"])
def test_real_wells_byte_for_byte_and_by_lasio(tmp_path, name):
    path = DATA / "well_logs_force2020" / f"{name}.las"
    las = read_las(path)
    values = np.where(np.arange(las.lines.size) % 3 > 0, np.arange(las.lines.size) / 8, np.nan)
    write_las(las, [NewCurve("NEW", "us/ft", "new", values)], tmp_path / "out.las")
    old, new = path.read_bytes().splitlines(), (tmp_path / "out.las").read_bytes().splitlines()
    new.remove(b"NEW .us/ft  : new")
    head = las.section.first
    assert new[:head] == old[:head]
    assert all(b.startswith(a + b" ") for a, b in zip(old[head:], new[head:], strict=True))
    peer, before = lasio.read(tmp_path / "out.las"), lasio.read(path)
    np.testing.assert_array_equal(peer["NEW"], values)
    for curve in before.curves:
        np.testing.assert_array_equal(peer[curve.mnemonic], curve.data)
