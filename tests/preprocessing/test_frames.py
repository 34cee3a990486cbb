"""One door for tables of any library: the same numbers and words, missing where they were."""

import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from astropy import units
from astropy.io import fits
from astropy.table import MaskedColumn, QTable, Table
from astropy.utils.masked import Masked

from cases import SMALL
from sfumato import MDNRegressor
from sfumato.errors import DataError
from sfumato.preprocessing.frames import read_frame, unmasked
from sfumato.preprocessing.table import encode, find_levels
from sfumato.preprocessing.unseen import Unseen, unseen_together

NUMBERS, WHOLE, WORDS = [1.5, None, -2.0], [1, 2, None], ["x", None, "y"]
COLUMNS = {"a": NUMBERS, "n": WHOLE, "w": WORDS}


def astropy_table():
    table = Table()
    for name, cells in COLUMNS.items():
        mask = [cell is None for cell in cells]
        filled = [cell if cell is not None else ("?" if name == "w" else -999) for cell in cells]
        table[name] = MaskedColumn(filled, mask=mask)
    return table


FRAMES = {
    "pandas": lambda: pd.DataFrame({k: pd.Series(v, dtype=object) for k, v in COLUMNS.items()}),
    "pandas nullable": lambda: pd.DataFrame(
        {
            "a": pd.array(NUMBERS, "Float64"),
            "n": pd.array(WHOLE, "Int64"),
            "w": pd.Categorical(WORDS),
        }
    ),
    "pandas arrow": lambda: pa.table(COLUMNS).to_pandas(types_mapper=pd.ArrowDtype),
    "polars": lambda: pl.DataFrame(COLUMNS),
    "polars lazy": lambda: pl.LazyFrame(COLUMNS),
    "polars enum": lambda: pl.DataFrame(COLUMNS, schema_overrides={"w": pl.Enum(["x", "y"])}),
    "polars categorical": lambda: pl.DataFrame(COLUMNS, schema_overrides={"w": pl.Categorical}),
    "pyarrow": lambda: pa.table(COLUMNS),
    "astropy": astropy_table,
}


@pytest.mark.parametrize("library", FRAMES)
def test_every_library_says_the_same(library):
    frame = FRAMES[library]()
    named = ["w"] if library == "pandas" else "auto"  # objects of pandas may be anything
    levels = find_levels(frame, named)
    assert levels == {2: ["x", "y"]}
    expected = [[1.5, 1, 1], [np.nan, 2, np.nan], [-2, np.nan, 2]]
    np.testing.assert_array_equal(encode(frame, levels), expected)


def test_units_and_masks_of_astropy():
    table = QTable({"m": [20.0, 21.0] * units.mag, "ok": [True, False]})
    frame = read_frame(table)
    np.testing.assert_array_equal(frame.columns[0], [20, 21])
    assert find_levels(table, "auto") == {1: ["false", "true"]}
    with pytest.raises(DataError, match="'v' holds vectors"):
        read_frame(Table({"v": np.ones((3, 2))}))


def test_dates_are_neither_numbers_nor_words():
    with pytest.raises(DataError, match="Column 't' holds Datetime"):
        read_frame(pd.DataFrame({"t": pd.to_datetime(["2026-01-01"])}))


@pytest.mark.parametrize(
    "values",
    [
        np.ma.array([1.0, 999.0], mask=[False, True]),
        np.ma.array([1, 999], mask=[False, True]),
        MaskedColumn([1, 999], mask=[False, True]),
        pd.Series(pd.array([1, None], "Int64")),
        pl.Series([1, None]),
        pa.chunked_array([[1, None]]),
    ],
)
def test_what_lies_behind_a_mask_is_never_used(values):
    np.testing.assert_array_equal(unmasked(values), [1, np.nan])


@pytest.mark.slow
def test_masked_targets_and_features_are_refused_or_flagged(toy):
    x, y = toy
    hidden = np.random.default_rng(0).random(len(y)) < 0.2
    model = MDNRegressor(random_state=0, **SMALL)
    with pytest.raises(ValueError, match="y contains NaN"):
        model.fit(x, np.ma.array(np.where(hidden, 999.0, y), mask=hidden))
    masks = np.column_stack([hidden, ~hidden & False])
    masked = np.ma.array(np.where(masks, -9999.0, x), mask=masks)
    with pytest.raises(ValueError, match="X contains NaN"):
        model.fit(masked, y)
    flagged = MDNRegressor(random_state=0, missing="flag", **SMALL)
    with_mask = flagged.fit(masked, y).predict(masked)
    np.testing.assert_array_equal(
        with_mask, flagged.fit(np.where(masks, np.nan, x), y).predict(np.where(masks, np.nan, x))
    )


@pytest.mark.parametrize("make", [pl.DataFrame, pa.table, Table, pd.DataFrame])
def test_estimators_take_frames_and_remember_their_names(toy, make):
    x, y = toy
    columns = {"u": x[:, 0], "g": x[:, 1]}
    model = MDNRegressor(random_state=0, **SMALL).fit(make(columns), y)
    assert list(model.feature_names_in_) == ["u", "g"]
    np.testing.assert_array_equal(
        model.predict(make(columns)), MDNRegressor(random_state=0, **SMALL).fit(x, y).predict(x)
    )
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(make({"u": x[:, 0], "r": x[:, 1]}))


@pytest.mark.parametrize(
    ("learnt", "read"),
    [
        (["001", "true", "1.50"], [1, True, 1.5]),
        ([1, True, 1.5], ["001", "True", "1.50"]),
        (["7", "x"], [7.0, "x"]),
    ],
)
def test_levels_match_whatever_the_type_of_their_column(learnt, read):
    levels = find_levels(np.array(learnt, object)[:, None], [0])
    expected = encode(np.array(learnt, object)[:, None], levels)
    assert set(expected[:, 0]) == set(range(1, len(learnt) + 1))
    np.testing.assert_array_equal(encode(np.array(read, object)[:, None], levels), expected)


def test_spellings_that_are_levels_of_their_own_stay_apart():
    levels = find_levels(np.array([["1"], ["001"]], object), [0])
    assert levels == {0: ["001", "1"]}
    with pytest.warns(UserWarning, match="levels of 0 that training never saw"):
        got = encode(np.array([["1"], ["001"], ["01"]], object), levels)[:, 0]
    np.testing.assert_array_equal(got, [2, 1, 0])


def test_masks_are_heeded_at_every_door(toy, fitted):
    x, y = toy
    hidden = np.arange(len(y)) < 40
    far = np.where(hidden, 1e4, y)
    pdfs = fitted.predict_pdfs(x)
    for truths in (np.ma.masked_array(far, hidden), Masked(far, mask=hidden)):
        for values in (pdfs.log_prob(truths), pdfs.pit(truths)):
            assert np.isnan(values[hidden]).all()
            assert np.isfinite(values[~hidden]).all()
        with pytest.raises(ValueError, match="NaN"):
            MDNRegressor(**SMALL).fit(x, truths)
    table = QTable({"a": x[:, 0], "y": Masked(far * units.K, mask=hidden)})
    with pytest.raises(ValueError, match="NaN"):
        MDNRegressor(**SMALL).fit(table[["a"]], table["y"])


@pytest.mark.slow
def test_words_that_are_numbers_or_no_level_are_named(toy):
    x, y = toy
    text = pd.DataFrame({"a": x[:, 0].astype(str), "b": x[:, 1]})
    with pytest.warns(UserWarning, match=r"Column 'a' holds 400 different numbers as text"):
        assert len(find_levels(text, "auto")[0]) == 400
    frame = pd.DataFrame({"a": x[:, 0], "w": np.where(x[:, 1] > 0, "red", "blue")})
    model = MDNRegressor(**{**SMALL, "max_epochs": 1}).fit(frame, y)
    other = frame.assign(w=np.where(np.arange(400) < 7, "RED", frame["w"]))
    with pytest.warns(UserWarning, match=r"7 rows have levels of w that .* never saw \('RED'\)"):
        model.predict_pdfs(other)


@pytest.mark.slow
def test_errors_in_a_table_go_by_their_names(toy):
    x, y = toy
    frame = pd.DataFrame({"a": x[:, 0], "b": x[:, 1]})
    errors = pd.DataFrame({"a": np.full(400, 0.01), "b": np.full(400, 0.5)})
    options = {**SMALL, "max_epochs": 1, "random_state": 0}
    models = [MDNRegressor(**options).fit(frame, y, X_err=e) for e in (errors, errors[["b", "a"]])]
    for model in models:
        for e in (errors, errors[["b", "a"]], errors.to_numpy()):
            found = model.predict_pdfs(frame, X_err=e, n_draws=2)
            np.testing.assert_array_equal(
                found.mean(), models[0].predict_pdfs(frame, X_err=errors, n_draws=2).mean()
            )


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow", "astropy", "numpy", "records"])
def test_categories_that_no_double_tells_apart_stay_apart(library):
    ids = [2**60 + 1, 2**60 + 2, 2**60 + 3, 5]
    table = {
        "pandas": lambda: pd.DataFrame({"id": pd.array([*ids, None], "Int64")}),
        "polars": lambda: pl.DataFrame({"id": [*ids, None]}),
        "pyarrow": lambda: pa.table({"id": [*ids, None]}),
        "astropy": lambda: Table({"id": MaskedColumn([*ids, 0], mask=[0, 0, 0, 0, 1])}),
        "numpy": lambda: np.array(ids, np.int64)[:, None],
        "records": lambda: np.array([(number,) for number in ids], [("id", "i8")]),
    }[library]()
    levels = find_levels(table, [0])
    assert levels == {0: sorted(map(str, ids))}
    codes = encode(table, levels)[:, 0]
    assert sorted(codes[:4]) == [1, 2, 3, 4]
    assert np.isnan(codes[4:]).all()


@pytest.mark.slow
def test_a_table_in_other_units_than_in_training_is_said():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=60), rng.normal(size=60)
    table = QTable({"m": x * units.mag, "f": x * units.mJy, "n": x})
    model = MDNRegressor(**SMALL).fit(table, y)
    assert model.column_units_ == {"m": "mag", "f": "mJy"}
    other = QTable({"m": x * units.mag, "f": x * units.MJy, "n": x * units.s})
    with pytest.warns(
        UserWarning, match="^f is in MJy and was in mJy in training. Nothing is conv"
    ):
        model.predict(other)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(QTable({"m": x * units.mag, "f": x * units.Unit("1e-3 Jy"), "n": x}))


@pytest.mark.parametrize("kind", ["records", "structured", "FITS", "mapping"])
def test_arrays_by_name_are_tables(kind):
    a, b = np.array([1.0, 2.0, 3.0]), np.array([4, 5, 6])
    records = np.rec.fromarrays([a, b], names="a,b")
    given = {
        "records": records,
        "structured": np.asarray(records).view(np.dtype([("a", "f8"), ("b", "i8")])),
        "FITS": fits.BinTableHDU(records).data,
        "mapping": {"a": a, "b": np.ma.array(b, mask=[0, 1, 0])},
    }[kind]
    frame = read_frame(given)
    assert frame.names == ("a", "b")
    np.testing.assert_array_equal(frame.columns[0], a)
    np.testing.assert_array_equal(frame.columns[1], [4, np.nan, 6] if kind == "mapping" else b)


def test_arrays_by_name_that_make_no_table_are_refused():
    with pytest.raises(DataError, match="different lengths: a 2, b 3"):
        read_frame({"a": [1, 2], "b": [1, 2, 3]})
    with pytest.raises(DataError, match=r"Column 'a' has shape \(2, 2\)"):
        read_frame({"a": np.zeros((2, 2))})


def test_unseen_levels_of_pieces_are_counted_together():
    def encoded(words):
        encode(np.array(words, object)[:, None], {0: ["x"]}, lambda _: "w")

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with unseen_together():
            encoded(["x", "y", "y"])
            encoded(["y", "z"])
            warnings.warn("another", stacklevel=1)
            warnings.warn("another", stacklevel=1)
            encoded(["y", "y"])
            for count in (2, 3):
                warnings.warn(Unseen("w", count), stacklevel=1)
    texts = [str(warning.message) for warning in told]
    assert texts[0] == "another"
    assert texts[1].startswith("6 rows have levels of w that training never saw ('y', 'z')")
    assert texts[2].startswith("5 rows have no w, which every training row had")
    assert len(texts) == 3


def test_numbers_of_any_layout_are_numbers():
    x = np.arange(5)
    frame = pd.DataFrame(
        {
            "big": x.astype(">i2"),
            "real": x.astype(">f8"),
            "sparse": pd.arrays.SparseArray(1.0 * x),
            "long": x.astype("longdouble"),
        }
    )
    got = read_frame(frame)
    assert got.words == ()
    np.testing.assert_array_equal(np.column_stack(got.columns), np.tile(x[:, None], 4))
    np.testing.assert_array_equal(unmasked(frame["real"]), x)


def test_objects_that_are_all_numbers_are_numbers():
    series = pd.Series([18.5, pd.NA, 19, None, np.nan, Decimal("20.25")], dtype=object)
    expected = [18.5, np.nan, 19, np.nan, np.nan, 20.25]
    for table in (pd.DataFrame({"a": series}), {"a": np.array(series, object)}):
        got = read_frame(table)
        assert got.words == ()
        np.testing.assert_array_equal(got.columns[0], expected)
    for kept in ([True, None, False], ["18.5", 19, 20], [2**60, 2**60 + 1, None], [None, None]):
        got = read_frame(pd.DataFrame({"a": pd.Series(kept, dtype=object)}))
        assert got.words == (0,)
        assert got.columns[0].tolist() == kept


NO_NUMBERS = {
    "complex": np.arange(9) + 1j,
    "Period": pd.period_range("2020", periods=9),
    "Datetime": pd.date_range("2020", periods=9),
    "Duration": pd.to_timedelta(np.arange(9), "D"),
}


@pytest.mark.parametrize("kind", NO_NUMBERS)
def test_what_is_neither_number_nor_word_is_refused(kind):
    series = pd.Series(NO_NUMBERS[kind])
    with pytest.raises(DataError, match=f"Column 'a' holds {kind}.*neither numbers nor words"):
        read_frame(pd.DataFrame({"a": series}))
    with pytest.raises(DataError, match=r"neither numbers nor words|no real numbers"):
        unmasked(series)
    with pytest.raises(DataError, match=r"neither numbers nor words|no real numbers"):
        MDNRegressor(**SMALL).fit(np.zeros((9, 1)), series)


@pytest.mark.parametrize(("gap", "what"), [(None, "NaN"), (np.nan, "NaN"), (np.inf, "infinity")])
def test_a_target_that_is_missing_is_named_by_its_row(gap, what):
    y = np.arange(9.0).astype(object)
    y[3] = gap
    with pytest.raises(ValueError, match=f"Input y contains {what} in row 4. Leave"):
        MDNRegressor(**SMALL).fit(np.zeros((9, 1)), y)


def test_a_feature_that_is_infinite_is_named_by_its_row():
    frame = pd.DataFrame({"a": [0.0, 1.0, np.inf], "b": 0.0})
    with pytest.raises(ValueError, match=r"X contains infinity in a, row 3. Fill it"):
        MDNRegressor(**SMALL).fit(frame, np.arange(3.0))
