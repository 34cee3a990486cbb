"""Rows that fulfil a condition, columns under new names, magnitudes corrected."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.errors import DataError
from sfumato.io.tables import (
    Origin,
    Reading,
    batches,
    common_schema,
    matrix,
    open_table,
    read_table,
)
from sfumato.io.tables.expressions import parse_condition

N = 1000


def frame():
    rng = np.random.default_rng(0)
    z = rng.normal(0.5, 1, N)
    z[::7] = np.nan
    return pd.DataFrame(
        {
            "z": z,
            "flag": rng.integers(0, 6, N),
            "n of bands": rng.integers(3, 7, N),
            "survey": rng.choice(["deep", "wide"], N),
            "good": rng.random(N) < 0.5,
        }
    )


@pytest.fixture(scope="module", params=[".parquet", ".csv"])
def path(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("where") / f"t{request.param}"
    if path.suffix == ".csv":
        frame().to_csv(path, index=False)
    else:
        table = pa.Table.from_pandas(frame())
        pq.write_table(table.set_column(3, "survey", table["survey"].dictionary_encode()), path)
    return path


CONDITIONS = {
    "z > 0 and flag in (3, 4)": lambda t: (t.z > 0) & t.flag.isin([3, 4]),
    "0.2 < z <= 1": lambda t: (t.z > 0.2) & (t.z <= 1),
    "flag != 0": lambda t: t.flag != 0,
    "z != 0 and z < 1 or missing(z)": lambda t: (t.z < 1) | t.z.isna(),
    "not z > 0": lambda t: ~(t.z > 0),
    "missing(z) or flag not in [1]": lambda t: t.z.isna() | ~t.flag.isin([1]),
    "survey == 'deep' and `n of bands` >= 5": lambda t: (
        (t.survey == "deep") & (t["n of bands"] > 4)
    ),
    "survey in ('wide',)": lambda t: t.survey == "wide",
    "abs(z - 0.5) * 2 < 1": lambda t: (t.z - 0.5).abs() * 2 < 1,
    "flag % 2 == 1": lambda t: t.flag % 2 == 1,
    "flag / 2 > 1": lambda t: t.flag / 2 > 1,
    "-z > 0.1": lambda t: -t.z > 0.1,
    "z**2 < 0.25": lambda t: t.z**2 < 0.25,
}


@pytest.mark.parametrize("text", CONDITIONS)
def test_conditions_take_the_rows_that_pandas_takes(path, text):
    expected = frame()[CONDITIONS[text](frame())]
    assert 0 < len(expected) < N
    table = open_table(path, where=text)
    assert table.n_rows == len(expected)
    got = matrix(read_table(table, ["z", "flag"]), ["z", "flag"])
    np.testing.assert_array_equal(got, expected[["z", "flag"]].to_numpy(float))


@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Oslo"])
def test_dates_are_compared_with_dates(tmp_path, zone):
    days = pd.date_range("2021-01-01", periods=40, freq="12h", tz=zone)
    table = pd.DataFrame({"t": days, "d": days.date, "n": np.arange(40.0)})
    pq.write_table(pa.Table.from_pandas(table), tmp_path / "t.parquet")
    for text, expected in (
        ("t >= '2021-01-10'", days >= pd.Timestamp("2021-01-10", tz=zone)),
        ("t < '2021-01-10 12:00'", days < pd.Timestamp("2021-01-10 12:00", tz=zone)),
        ("d == '2021-01-03'", days.strftime("%F") == "2021-01-03"),
    ):
        taken = open_table(tmp_path / "t.parquet", where=text)
        found = matrix(read_table(taken, ["n"]), ["n"])[:, 0]
        np.testing.assert_array_equal(found, np.flatnonzero(expected))
    with pytest.raises(ValueError, match="dates are as '2021-01-31'"):
        open_table(tmp_path / "t.parquet", where="t > 'soon'")


@given(start=st.integers(0, 400), rows=st.integers(1, 300))
def test_rows_that_are_taken_can_be_read_from_anywhere(tmp_path_factory, start, rows):
    path = tmp_path_factory.getbasetemp() / "any.parquet"
    if not path.exists():
        pq.write_table(pa.Table.from_pandas(frame()), path, row_group_size=70)
    table = open_table(path, where="flag > 2")
    parts = list(batches([table], ["z"], batch_rows=rows, start=start))
    expected = frame().z[frame().flag > 2].to_numpy()[start:]
    np.testing.assert_array_equal(np.concatenate([p["z"].to_numpy() for p in parts]), expected)
    assert all(part.num_rows == rows for part in parts[:-1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("z >", "cannot be read"),
        ("__import__('os').system('true')", "has no meaning here"),
        ("open('x')", "knows missing"),
        ("z.real > 0", "has no meaning here"),
        ("z > 0 & flag > 1", "write `and` and `or`"),
        ("z is None", r"missing\(x\)"),
        ("[i for i in z]", "has no meaning here"),
        ("z if flag else z", "has no meaning here"),
        ("1 > 0", "names no column"),
        ("z", "no condition on columns"),
        ("survey > 3", "does not fit the columns"),
        (" and ".join(["z > 0"] * 400), "too long"),
    ],
)
def test_what_is_no_condition_is_refused(path, text, message):
    with pytest.raises(ValueError, match=message):
        open_table(path, where=text)


def test_a_condition_says_what_is_missing(path):
    with pytest.raises(DataError, match="no column 'zspec'"):
        open_table(path, where="zspec > 0")
    with pytest.raises(DataError, match="no row of 1,000 fulfils 'flag > 9'"):
        open_table(path, where="flag > 9")
    assert parse_condition("a > 0 and `b c` < a").columns == ("a", "b c")


def test_columns_under_new_names(path):
    table = Reading(rename={"redshift": "z", "q": "flag"}, where="flag > 2").open(path)
    assert table.columns[:2] == ("redshift", "q")
    expected = frame().z[frame().flag > 2].to_numpy()
    np.testing.assert_array_equal(read_table(table, ["redshift"])["redshift"], expected)
    with pytest.raises(DataError, match="there is such a column already"):
        Reading(rename={"flag": "z"}).open(path)
    with pytest.raises(DataError, match="no column 'zz'"):
        Reading(rename={"redshift": "zz"}).open(path)
    swapped = Reading(rename={"flag": "good", "good": "flag"}).open(path)
    np.testing.assert_array_equal(
        matrix(read_table(swapped, ["good"]), ["good"])[:, 0], frame().flag
    )


def test_magnitudes_get_zero_points_and_lose_their_reddening(tmp_path):
    rows = {"EBV": [0.1, 0.2, np.nan], "u": [20.0, 99.0, -99.0], "g": [21, 22, None]}
    pq.write_table(pa.table(rows), tmp_path / "t.parquet")
    how = Reading(
        zero_points={"u": 0.05, "g": -0.1}, extinction={"u": 4.81}, reddening="EBV", where="u > 0"
    )
    got = matrix(read_table(how.open(tmp_path / "t.parquet"), ["u", "g"]), ["u", "g"])
    # codes stay codes
    np.testing.assert_allclose(got, [[20 + 0.05 - 0.481, 20.9], [99, 21.9]])
    rows["g"] = [21.0, 22.0, 23.0]
    pq.write_table(pa.table(rows), tmp_path / "t.parquet")
    table = Reading(extinction={"g": 3.6}, reddening="EBV").open(tmp_path / "t.parquet")
    with pytest.raises(DataError, match="'EBV' is nan in row 3"):
        read_table(table, ["g"])


KINDS = pa.table(
    {
        "u8": pa.array([0, 3, 200], pa.uint8()),
        "i8": pa.array([-128, 3, 100], pa.int8()),
        "u64": pa.array([0, 5, 2**64 - 1], pa.uint64()),
        "id": pa.array([1, 2, 2**53 + 1], pa.int64()),
        "f32": pa.array([0.1, 0.2, 0.0], pa.float32()),
        "a b": [1, 5, 9],
        "ticked0_": [9, 5, 1],
        "mag_\u00b5": [1.0, 2.0, 3.0],
        "word": [" a`b` ", "STAR", "x"],
    }
)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("-u8 < 0", [1, 2]),
        ("abs(i8) > 100", [0]),
        ("abs(i8) < 5", [1]),
        ("i8 > -1 / -2", [1, 2]),
        ("u8 in (3, 300)", [1]),
        ("i8 in (-128, 100)", [0, 2]),
        ("i8 in (2.5, 3.0)", [1]),
        ("u64 in (18446744073709551615,)", [2]),
        ("u64 > -1", [0, 1, 2]),
        ("u64 > 99999999999999999999", []),
        ("id == 9007199254740993", [2]),
        ("id + 0 == 2", [1]),
        ("id % 2 == 1", [0, 2]),
        ("id - 9007199254740992 < 1", [0, 1]),
        ("i8 % 3 == 1", [0, 2]),
        ("missing(i8 % (u8 - u8))", [0, 1, 2]),
        ("i8 % -3 == -2", [0, 2]),
        ("2 ** 3 == u8 + 5", [1]),
        ("f32 == 0.1", [0]),
        ("f32 in (0.1, 7)", [0]),
        ("f32 >= 0.2", [1]),
        ("missing(f32 / f32)", [2]),
        ("`a b` > 3 and ticked0_ < 4", [2]),
        ("mag_\u00b5 > 2", [2]),
        ("word == 'a`b`'", [0]),
        ("word != 'STAR'", [0, 2]),
    ],
)
def test_numbers_and_names_of_every_kind(text, rows):
    found = parse_condition(text)(KINDS)
    assert np.flatnonzero(found.to_numpy()).tolist() == rows


@pytest.mark.parametrize(
    "text",
    [
        "u8 == 1 or 2",
        "u8 > 0 or true",
        "-word == 'x'",
        "id in (u8, 2)",
        "not " * 4000 + "(u8 > 1)",
        "-" * 100_000 + "u8 > 0",
        "1 < 2",
        "u8 and u64",
        "abs(word) > 1",
        "u8 > 'x'",
    ],
)
def test_what_is_no_condition_is_refused_in_words(text):
    with pytest.raises(ValueError, match="--where"):
        parse_condition(text)(KINDS)


def test_messages_name_the_file_and_its_own_row(tmp_path):
    cells = [str(i) for i in range(40)]
    pd.DataFrame({"a": cells, "b": np.arange(40)}).to_csv(tmp_path / "one.csv", index=False)
    cells[30] = "x"
    pd.DataFrame({"a": cells, "b": np.arange(40)}).to_csv(tmp_path / "two.csv", index=False)
    taken = [Reading(where="b >= 20").open(tmp_path / f"{name}.csv") for name in ("one", "two")]
    rows = next(batches([taken[1]], ["a"], batch_rows=100))
    with pytest.raises(DataError, match=r"two.csv: column 'a', row 31 holds 'x', not a number"):
        matrix(rows, ["a"], origin=taken[1].origin())
    everything = Origin(tuple(taken))
    assert everything.of(19) == (str(tmp_path / "one.csv"), 40)
    assert everything.of(20) == (str(tmp_path / "two.csv"), 21)
    some = Origin(tuple(taken), first=5, kept=np.array([0, 30]))
    assert some.of(1) == (str(tmp_path / "two.csv"), 36)


@pytest.mark.parametrize("other", ["float64", "uint64", "float32"])
def test_whole_numbers_that_another_file_cannot_hold_are_refused(tmp_path, other):
    large = np.array([2**60 + 1, 2])
    pd.DataFrame({"id": large}).to_parquet(tmp_path / "a.parquet")
    values = np.array([2**63 + 5, 1], "uint64") if other == "uint64" else np.array([1, 2], other)
    pd.DataFrame({"id": values}).to_parquet(tmp_path / "b.parquet")
    tables = [open_table(tmp_path / f"{name}.parquet") for name in "ab"]
    schema = common_schema(tables, ["id"])
    with pytest.raises(
        DataError, match=r"[ab].parquet: column 'id' holds u?int64, and .* in anoth"
    ):
        list(batches(tables, ["id"], batch_rows=10, schema=schema))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("ok", [0, 2]),
        ("not ok", [1, 3]),
        ("ok == true", [0, 2]),
        ("false != ok", [0, 2]),
        ("a > 1 and ok", [2]),
    ],
)
def test_truth_values_of_any_file_are_conditions(tmp_path, suffix, text, rows):
    frame = pd.DataFrame({"a": [1.0, 2, 3, 4], "ok": [True, False, True, False]})
    write = frame.to_csv if suffix == ".csv" else frame.to_parquet
    write(tmp_path / f"t{suffix}", index=False)
    taken = Reading(where=text).open(tmp_path / f"t{suffix}")
    np.testing.assert_array_equal(taken.rows, rows)


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("w > 3", "w holds words"),
        ("w + 1 > 2", "w holds words"),
        ("a == 'x'", "a holds numbers"),
        ("ok == 'yes'", "ok holds truth values"),
    ],
)
def test_comparisons_of_unlike_things_are_said_in_words(tmp_path, text, held):
    frame = pd.DataFrame({"a": [1.0, 2.0], "ok": [True, False], "w": ["x", "y"]})
    frame.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=f"does not fit the columns: {held}. Words stand in"):
        Reading(where=text).open(tmp_path / "t.parquet")


def test_words_of_python_are_names_of_columns(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("class,lambda,z\nGALAXY,1,0.1\nSTAR,2,0\nGALAXY,3,0.3\n")
    table = open_table(path, where="class == 'GALAXY' and lambda > 1 and not (z < 0.2)")
    assert read_table(table, ["lambda"])["lambda"].to_pylist() == [3]
