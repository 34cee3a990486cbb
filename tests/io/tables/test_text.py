"""Text of every layout: what the header is, what columns are, and that no cell is altered."""

import gzip
import re

import numpy as np
import pyarrow as pa
import pytest

from sfumato.errors import DataError
from sfumato.io.tables import batches, common_schema, matrix, open_table, read_table


def table(path, text, *, encoding="utf-8"):
    path.write_text(text, encoding=encoding)
    return open_table(path)


@pytest.mark.parametrize("n", [20, 9000])
@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("\ufeffa,b", ("a", "b")),
        ("a, b", ("a", "b")),
        ('a,"b, mag"', ("a", "b, mag")),
        ("# made by hand\n\na,b", ("a", "b")),
        ("# a comment, with a comma\na,b", ("a", "b")),
        ("# id of the survey\n# a,b", ("a", "b")),
        ('"a\nline",b', ("a\nline", "b")),
        ("a;b", ("a", "b")),
        ("a\tb", ("a", "b")),
        ("a|b", ("a", "b")),
    ],
)
def test_a_header_is_read_alike_at_any_length(tmp_path, header, names, n):
    mark = next((s for s in "\t;|" if s in header), ",")
    rows = "".join(f"{i}.5{mark}{i}.25\n" for i in range(n))
    found = table(tmp_path / "t.csv", f"{header}\n{rows}")
    assert (found.columns, found.n_rows) == (names, n)
    got = matrix(read_table(found, names), names)
    np.testing.assert_array_equal(got, np.arange(n)[:, None] + [0.5, 0.25])


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["000123", "007"], pa.string()),
        (["12e3", "4E10"], pa.string()),
        (["12345678901234567890", "1"], pa.uint64()),
        (["12345678901234567890", "-1"], pa.string()),
        (["123456789012345678901", "1"], pa.string()),
        (["9007199254740993", "0.5"], pa.string()),
        (["J0007", "12"], pa.string()),
        (["true", "FALSE"], pa.string()),
        (["0.512", ""], pa.float64()),
        (["1e-05", "-.5E+3"], pa.float64()),
        (["17", ""], pa.int64()),
        (["-3", "0"], pa.int64()),
        (["", "NaN"], pa.float64()),
    ],
)
@pytest.mark.parametrize("n_before", [0, 200_000])
def test_a_kept_column_is_numbers_only_if_no_cell_is_altered(tmp_path, cells, kind, n_before):
    """Late cells decide for the early ones too: the type is that of the file, not of a block."""
    lines = [cells[0]] * n_before + cells
    found = table(tmp_path / "t.csv", "id,a\n" + "".join(f"{c},1.5\n" for c in lines))
    column = read_table(found, ["id"])["id"]
    assert column.type == kind
    back = column.slice(n_before).to_pylist()
    for cell, value in zip(cells, back, strict=True):
        if cell in ("", "NaN"):
            assert value is None
        else:
            assert value == (cell if kind == pa.string() else pa.scalar(cell).cast(kind).as_py())


@pytest.mark.parametrize("cell", ["", "--", "NULL", "nan", " n/a ", "..."])
def test_a_late_gap_is_a_gap(tmp_path, cell):
    values = np.random.default_rng(0).normal(22, 1, 60_000)
    lines = [f"{value!r},1" for value in values.tolist()]
    lines[55_000] = f"{cell},1"
    got = matrix(read_table(table(tmp_path / "t.csv", "a,b\n" + "\n".join(lines)), ["a"]), ["a"])
    values[55_000] = np.nan
    np.testing.assert_array_equal(got[:, 0], values)


def test_numbers_as_other_programs_write_them(tmp_path):
    found = table(tmp_path / "t.csv", "a\n+1.5\n1.5D+03\n-2.5d-1\n 7 \n1e3\ninf\n")
    np.testing.assert_array_equal(
        matrix(read_table(found, ["a"]), ["a"])[:, 0], [1.5, 1500, -0.25, 7, 1000, np.inf]
    )


def test_types_that_differ_between_files_are_settled_first(tmp_path):
    first = table(tmp_path / "a.csv", "id,a\n1,1\n2,2\n")
    zeros = table(tmp_path / "b.csv", "id,a\n007,3\n")
    half = table(tmp_path / "c.csv", "id,a\n1.5,4\n")
    for tables, ids, kind in (
        ([first, zeros], ["1", "2", "007"], pa.string()),
        ([first, half], [1.0, 2.0, 1.5], pa.float64()),
    ):
        schema = common_schema(tables, ["id"], numbers=["a"])
        assert schema.types == [kind, pa.float64()]
        got = pa.concat_tables(batches(tables, schema.names, batch_rows=1, schema=schema))
        assert got["id"].to_pylist() == ids


@pytest.mark.parametrize(
    ("encoding", "warning"), [("utf-8", None), ("utf-16", None), ("latin-1", "Latin-1")]
)
def test_letters_of_other_encodings(tmp_path, encoding, warning):
    path = tmp_path / "t.csv"
    path.write_text("näme,a\nSérsic,1\n", encoding=encoding)
    if warning:
        with pytest.warns(UserWarning, match=warning):
            found = open_table(path)
    else:
        found = open_table(path)
    assert read_table(found, ["näme"]).to_pydict() == {"näme": ["Sérsic"]}


SEXTRACTOR = """\
#   1 NUMBER                 Running object number
#   2 MAG_AUTO               Kron-like elliptical aperture magnitude         [mag]
#   4 FLAGS                  Extraction flags
         1  21.5  0.02 0
         2  99.0  0.10 4
"""
BYTES = """\
Title: A table of the CDS
================================================================================
Byte-by-byte Description of file: t.mrt
--------------------------------------------------------------------------------
   Bytes Format Units  Label  Explanations
--------------------------------------------------------------------------------
   1-  5 A5     ---    Name   Name
   7- 11 F5.2   mag    Vmag   ?="" Magnitude
--------------------------------------------------------------------------------
J0007 20.50
J0123
"""


@pytest.mark.parametrize(
    ("name", "text", "column", "values"),
    [
        ("t.cat", SEXTRACTOR, "MAG_AUTO", [21.5, 99.0]),
        ("t.cat", SEXTRACTOR, "FLAGS", [0, 4]),
        ("t.mrt", BYTES, "Vmag", [20.5, None]),
        ("t.mrt", BYTES, "Name", ["J0007", "J0123"]),
        ("t.dat", "# id z_spec mag\n1 0.5 20\n2 -- 21\n", "z_spec", [0.5, None]),
        ("t.dat", "# made by hand\nid z mag\n1 0.5 20\n", "z", [0.5]),
        ("t.dat", '# name z\n"NGC 1" 0.5\n', "name", ["NGC 1"]),
        ("t.txt", "id  z\n1   0.5\n", "z", [0.5]),
        ("t_mrt.txt", BYTES, "Vmag", [20.5, None]),
        ("t.dat", BYTES, "Name", ["J0007", "J0123"]),
        ("t.txt", "| id | z |\n|----|:--|\n| 1 | 0.5 |\n", "z", [0.5]),
        ("t.txt", "|  id |   z |\n|   1 | 0.5 |\n|   2 |     |\n", "z", [0.5, None]),
        ("t.dat", "# id u g z\n# - mag mag -\n1 20 21 .5\n", "u", [20]),
        ("t.dat", "# id u g z\n#0 19 20 .4\n1 20 21 .5\n", "z", [0.5]),
        ("t.csv", "# id,u,g,z\n#0,19,20,.4\n1,20,21,.5\n", "z", [0.5]),
        ("t.dat", "name z\nA1 0.4\n#12 0.5\nB 0.6\n", "name", ["A1", "#12", "B"]),
        ("t.csv", "id\n1925036343869802844.0\n2.0\n", "id", ["1925036343869802844.0", "2.0"]),
        ("t.txt", "id,z\n1,0.5\n", "z", [0.5]),
        ("t.csv", "id  z\n1   0.5\n", "z", [0.5]),
        ("t.txt", "z\n0.5\n0.25\n", "z", [0.5, 0.25]),
        (
            "t.tbl",
            "|  z   | n |\n|double|int|\n| --   |   |\n|null  |   |\n  0.5    3 \n  null   4 \n",
            "z",
            [0.5, None],
        ),
    ],
)
def test_tables_of_blanks_and_bytes(tmp_path, name, text, column, values):
    got = read_table(table(tmp_path / name, text), [column])[column]
    assert got.to_pylist() == values


def test_columns_without_names_are_not_guessed(tmp_path):
    with pytest.raises(DataError, match=r"no line of names above 3 columns.*# id ra dec"):
        table(tmp_path / "t.dat", "1 0.5 20\n2 0.6 21\n")


def test_two_columns_of_one_name_are_refused_when_asked_for(tmp_path):
    found = table(tmp_path / "t.csv", "a,b,a\n1,2,3\n")
    assert read_table(found, ["b"])["b"].to_pylist() == [2]
    with pytest.raises(DataError, match="2 columns are named 'a'"):
        read_table(found, ["a"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"a,b", "has no rows"),
        ("t.csv", b"a,b\n", "has no rows"),
        ("t.csv", b"", "there is no header line"),
        ("t.csv", b"a,b\n1,2\n\x00,3\n", "is not text"),
        ("t.csv", b"PAR1\x00\x01\x02", "is not text"),
        ("t.csv", b"a,b\n1,2\n3\n", "row 2 has 1 cells below 2 names: 3"),
        ("t.csv", b"a,b\n" + b"x" * 3_000_000 + b",1\n", "cannot be read"),
        ("t.csv.gz", b"a,b\n1,2\n", "cannot be read"),
        ("t.vot", b"<VOTABLE><RESOURCE></RESOURCE></VOTABLE>", "holds no table"),
        ("t.dat", b"# id z\n1 0.5\n2\n", "row 2 has 1 cells below 2 names: 2"),
    ],
)
def test_damage_is_said_in_words(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as said:
        open_table(path)
    assert str(path) in str(said.value)


def test_lines_that_were_commented_out_are_left_out(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("id,a,b\n1,.1,.2\n#2,.3,.4\n# bad night\n4,.7,.8\n")
    with pytest.warns(UserWarning, match="t.csv: 1 lines that begin with # are left out"):
        table = open_table(path)
    assert table.n_rows == 2
    assert read_table(table, ["id"])["id"].to_pylist() == [1, 4]
    assert read_table(table, ["b"])["b"].to_pylist() == [0.2, 0.8]
    path.write_text("colour,a\n#ff0000,1\nred,2\n")  # words are what they are
    assert read_table(open_table(path), ["colour"])["colour"].to_pylist() == ["#ff0000", "red"]


def test_an_open_quotation_mark_is_said(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('a,name\n0.1,g1\n0.1,"g2\n0.3,g3\n0.5,g4\n')
    with pytest.warns(UserWarning, match=r"odd number of quotation marks.*There are 2 rows"):
        open_table(path)


def test_a_gap_below_words_makes_no_header_of_them(tmp_path):
    path = tmp_path / "t.dat"
    for gap in ('""', "--", "nan"):
        path.write_text(f"# A\n:\n{gap}\n")
        assert open_table(path).columns == ("A",)


RAGGED = {
    "too many": ("a,b\n1,2\n3,4,5\n", "row 2 has 3 cells below 2 names: 3, 4, 5"),
    "too few": ("# made\na,b\n1,2\n\n1,2\n7\n", "row 3 has 1 cells below 2 names: 7"),
    "below quotes": ('a,b\n"x\ny",2\n1,2,3\n', "row 2 has 3 cells"),
    "a long row": (
        "a\tb\n1\t2\n" + "\t".join("9" * 10 for _ in range(9)) + "\n",
        r"row 2 has 9 cells below 2 names: .*\.\.\.",
    ),
    "blanks": ("a b\n1 2\n1 2\n1 2 3\n", "row 3 has 3 cells"),
}


@pytest.mark.parametrize("name", RAGGED)
@pytest.mark.parametrize("suffix", [".csv", ".txt"])
def test_a_row_of_another_length_is_named(tmp_path, name, suffix):
    text, said = RAGGED[name]
    with pytest.raises(DataError, match=f"t{suffix}: {said}"):
        table(tmp_path / f"t{suffix}", text)


@pytest.mark.parametrize("mark", ["\t", ";", "|"])
@pytest.mark.parametrize("units", ["deg{0}mag{0}", ""])
def test_lines_of_units_and_dashes_below_the_names_are_no_rows(tmp_path, mark, units):
    lines = ["#RESOURCE=yCat", "RAJ2000{0}Vmag{0}z", units, "-------{0}----{0}---", "1.5{0}20{0}-1"]
    text = "\n".join(line.format(mark) for line in lines if line) + "\n"
    found = table(tmp_path / "t.tsv", text)
    got = read_table(found, ["RAJ2000", "Vmag", "z"])
    assert got.to_pydict() == {"RAJ2000": [1.5], "Vmag": [20], "z": [-1]}
    assert dict(found.units) == ({"RAJ2000": "deg", "Vmag": "mag"} if units else {})


def test_a_row_of_gaps_is_a_row(tmp_path):
    found = table(tmp_path / "t.csv", "a,b\n-,-\n1,2\n")
    np.testing.assert_array_equal(matrix(read_table(found, ["a"]), ["a"])[:, 0], [np.nan, 1])


def test_names_that_are_numbers_are_said(tmp_path):
    with pytest.warns(UserWarning, match="t.csv: the first line holds numbers only"):
        assert table(tmp_path / "t.csv", "400,500\n0.1,0.2\n").columns == ("400", "500")


@pytest.mark.parametrize("cells", [["True", "False", ""], ["true", "TRUE", "nan"]])
def test_truth_values_are_numbers_where_numbers_are_wanted(tmp_path, cells):
    found = table(tmp_path / "t.csv", "a,b\n" + "".join(f"{cell},1\n" for cell in cells))
    wanted = [{"t": 1.0, "f": 0.0}.get(cell[:1].lower(), np.nan) for cell in cells]
    got = matrix(read_table(found, ["a"]), ["a"])[:, 0]
    np.testing.assert_array_equal(got, wanted)


def test_truth_values_among_numbers_are_not(tmp_path):
    found = table(tmp_path / "t.csv", "a,b\n1,1\nTrue,1\n")
    batch = next(batches([found], ["a"], batch_rows=10))
    with pytest.raises(DataError, match="column 'a', row 2 holds 'True', not a number"):
        matrix(batch, ["a"], origin=found.origin())


@pytest.mark.parametrize("header", ["id mag", "# id mag", "#id mag"])
def test_rows_of_blanks_that_were_commented_out_are_counted(tmp_path, header):
    path = tmp_path / "t.dat"
    text = f"{header}\n1 20\n#2 21\n# bad night\n3 22\n"
    with pytest.warns(UserWarning, match="t.dat: 2 lines that begin with # are left out") as said:
        got = table(path, text)
    assert len(said) == 1
    assert read_table(got, ["id", "mag"]).to_pydict() == {"id": [1, 3], "mag": [20, 22]}


def test_what_is_said_of_a_copy_names_the_original(tmp_path):
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"id,z\n1,0.5\n#2,0.5\n"))
    with pytest.warns(UserWarning, match=f"^{re.escape(str(path))}: 1 lines that begin with #"):
        open_table(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "k;x\nsilt;1\nclay;2\n",
            "holds 'silt', not a number. If it is .* --categorical k; a target has",
        ),
        ("k;x\n26,32;1\n1;2\n", "row 1 holds '26,32', not a number. Is it a decimal comma"),
        ("k;x\n1;1\nfoo;2\n", "row 2 holds 'foo', not a number. Correct or remove it"),
    ],
)
def test_a_cell_that_is_no_number_comes_with_a_cure(tmp_path, text, message):
    found = table(tmp_path / "t.csv", text)
    with pytest.raises(DataError, match=message):
        matrix(next(found.read(["k"], 0, 10)), ["k"])
