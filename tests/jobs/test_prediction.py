"""Predicting files, called from Python."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy.table import Table

from cases import SMALL
from jobs_cases import SETTINGS
from sfumato import MDNRegressor, read_model, read_pdfs, write_model
from sfumato.errors import DataError, IncompatibleError
from sfumato.io.tables import open_table
from sfumato.jobs import prediction
from sfumato.jobs.columns import compare_units, units_of
from sfumato.jobs.description import describe
from sfumato.jobs.fitting import fit_tables
from sfumato.jobs.prediction import predict_files
from sfumato.jobs.presets import Roles


def test_files_hold_what_the_model_says(folder, fitted, pdfs):
    table = np.loadtxt(folder / "table.csv", delimiter=",", skiprows=1)
    expected = fitted[0].regressor.predict_pdfs(table[:, 1:3])
    # 16-bit codes: a step of the location's float32 and of weights
    np.testing.assert_allclose(read_pdfs(pdfs).mean(), expected.mean(), rtol=1e-3)
    np.testing.assert_array_equal(pq.read_table(pdfs)["id"].to_numpy(), table[:, 0])


def test_progress_adds_up_to_the_rows(folder, fitted):
    told = []
    done = predict_files(
        folder / "model",
        [folder / "table.csv"] * 2,
        folder / "twice.parquet",
        on_start=told.append,
        on_rows=told.append,
    )
    assert done == 0
    assert told[0] == 480
    assert sum(told[1:]) == 480


def test_codes_that_training_did_not_have_are_named(folder, fitted, tmp_path):
    table = np.loadtxt(folder / "table.csv", delimiter=",", skiprows=1)
    header = (folder / "table.csv").read_text().splitlines()[0]
    names = header.split(",")
    assert fitted[0].regressor.codes_ == {}
    table[:20, 1] = -999.0
    np.savetxt(tmp_path / "new.csv", table, delimiter=",", header=header, comments="")
    with pytest.warns(UserWarning, match=rf"{names[1]} is -999 in \d+ rows .*has not seen it"):
        predict_files(folder / "model", [tmp_path / "new.csv"], tmp_path / "new.parquet")


def test_a_model_remembers_the_codes_that_it_was_trained_on(toy, tmp_path):
    x, y = toy
    x = x.copy()
    x[:20, 1] = -999.0
    model = MDNRegressor(random_state=0, **SMALL)
    with pytest.warns(UserWarning, match="column 1 is -999 in 20 rows"):
        model.fit(x, y)
    write_model(model, tmp_path / "m")
    again = read_model(tmp_path / "m")
    assert again.codes_ == {1: [-999.0]}
    again.warn_of_new_codes(x, {0: "u", 1: "g"})  # no warning, which would be an error here
    x[:20, 0] = 99.0
    with pytest.warns(UserWarning, match="u is 99 in 20 rows"):
        again.warn_of_new_codes(x, {0: "u", 1: "g"})


def test_gaps_are_refused_by_file_column_and_row(folder, fitted, tmp_path):
    table = np.loadtxt(folder / "table.csv", delimiter=",", skiprows=1)
    for value, said in ((np.nan, "nan"), (np.inf, "inf")):
        table[130, 2] = value
        np.savetxt(tmp_path / "gap.csv", table, delimiter=",", header="id,a,b,y", comments="")
        with pytest.raises(DataError, match=rf"gap.csv: 'b' is {said} in row 131, and"):
            predict_files(folder / "model", [tmp_path / "gap.csv"], tmp_path / "o.parquet")
    assert not (tmp_path / "o.parquet").exists()


def test_other_units_are_said(folder, fitted, tmp_path):
    known = {"a": "mag", "y": "K", "b": "erg / s"}
    columns = fitted[0].columns
    rows = Table.read(folder / "table.csv")
    rows["a"].unit, rows["b"].unit = "mmag", "erg s-1"
    rows.write(tmp_path / "t.ecsv")
    with pytest.warns(UserWarning, match=r"t.ecsv: a is in mmag and was in mag in training\."):
        compare_units(known, {"a": "a", "b": "b"}, open_table(tmp_path / "t.ecsv"))
    stated = units_of([open_table(tmp_path / "t.ecsv")], columns)
    assert stated == {"a": "mmag", "b": "erg / s"}


def test_kept_columns_stay_described(folder, fitted, tmp_path):
    rows = Table.read(folder / "table.csv")
    rows["y"].unit, rows["y"].info.description = "K", "of the dust"
    rows.write(tmp_path / "t.ecsv")
    predict_files(folder / "model", [tmp_path / "t.ecsv"], tmp_path / "p.parquet", keep=["id", "y"])
    told = open_table(tmp_path / "p.parquet")
    assert (dict(told.units), dict(told.descriptions)) == ({"y": "K"}, {"y": "of the dust"})
    assert "y: double [K] of the dust" in [
        ": ".join(x) for x in describe(tmp_path / "t.ecsv").lines
    ]


def test_codes_are_counted_wherever_they_lie(folder, fitted, tmp_path, monkeypatch):
    monkeypatch.setattr(prediction, "CHUNK_ROWS", 100)
    table = np.loadtxt(folder / "table.csv", delimiter=",", skiprows=1)
    table[150:190, 1] = -999.0
    np.savetxt(tmp_path / "t.csv", table, delimiter=",", header="id,a,b,y", comments="")
    with pytest.warns(UserWarning, match="a is -999 in 40 rows") as told:
        predict_files(folder / "model", [tmp_path / "t.csv"], tmp_path / "o.parquet")
    assert sum("-999" in str(warning.message) for warning in told) == 1


def test_damage_that_is_found_at_the_join_costs_one_chunk(folder, fitted, tmp_path, monkeypatch):
    monkeypatch.setattr(prediction, "CHUNK_ROWS", 100)
    all_rows, output = prediction._all_rows, tmp_path / "out.parquet"

    def and_damage(*arguments, **options):
        all_rows(*arguments, **options)
        (second,) = tmp_path.glob("out.parquet.partial-*/000001.parquet")
        second.write_bytes(second.read_bytes()[:-100])

    job = (folder / "model", [folder / "table.csv"], output)
    monkeypatch.setattr(prediction, "_all_rows", and_damage)
    with pytest.raises(DataError, match=r"000001.parquet is damaged .*the other rows are kept"):
        predict_files(*job)
    monkeypatch.setattr(prediction, "_all_rows", all_rows)
    with pytest.warns(UserWarning, match="made again"):
        assert predict_files(*job) == 100
    assert len(read_pdfs(output)) == 240


def test_novelty_is_a_column_and_what_is_novel_is_said(folder, fitted, tmp_path):
    table = np.loadtxt(folder / "table.csv", delimiter=",", skiprows=1)
    header = (folder / "table.csv").read_text().splitlines()[0]
    first, second = header.split(",")[1:3]
    table[:60, 1] += 10.0
    table[:20, 2] -= 10.0
    np.savetxt(tmp_path / "new.csv", table, delimiter=",", header=header, comments="")
    with pytest.warns(UserWarning, match=rf"\d+ of 240 rows .*{first} high in 60, {second} low in"):
        predict_files(
            folder / "model",
            [tmp_path / "new.csv"],
            tmp_path / "new.parquet",
            statistics=["mean", "novelty"],
        )
    found = pq.read_table(tmp_path / "new.parquet")
    expected = fitted[0].regressor.novelty(table[:, 1:3])
    np.testing.assert_allclose(found["novelty"].to_numpy(), expected)
    where = found["out_of_range"].to_pylist()
    assert where[:20] == [f"{first} high, {second} low"] * 20
    assert where[20:60] == [f"{first} high"] * 40
    assert np.mean(np.array(where[60:]) == "") > 0.9


def test_statistics_that_are_none_are_named(folder, fitted, tmp_path):
    with pytest.raises(ValueError, match=r"Unknown statistic 'newness'; .*q97\.5, or novelty\."):
        predict_files(
            folder / "model",
            [folder / "table.csv"],
            tmp_path / "new.parquet",
            statistics=["newness"],
        )
    with pytest.raises(IncompatibleError, match="'out_of_range' cannot be kept"):
        prediction.Job(fitted[0].columns, keep=("out_of_range",), statistics=("novelty",))


@pytest.mark.slow
def test_what_training_had_not_is_counted_once_beside_the_novelty(tmp_path):
    rng = np.random.default_rng(0)
    kinds = rng.choice(["a", "b"], 200)
    lines = [
        f"{k},{v:.4f},{v + (k == 'a'):.4f}"
        for k, v in zip(kinds, rng.normal(size=200), strict=True)
    ]
    (tmp_path / "t.csv").write_text("\n".join(["kind,x,y", *lines]))
    fit_tables(
        [tmp_path / "t.csv"],
        tmp_path / "m",
        roles=Roles(("y",), features=("kind", "x"), categorical=("kind",)),
        settings=SETTINGS,
    )
    (tmp_path / "new.csv").write_text("\n".join(["kind,x", *["c,0.1"] * 7, *["a,0.1"] * 300]))
    with (
        pytest.warns(UserWarning, match=r"^7 rows have levels of kind"),
        pytest.warns(UserWarning, match=r"7 of 307 rows lie beyond 99 % .* a guess\.$"),
    ):
        predict_files(
            tmp_path / "m", [tmp_path / "new.csv"], tmp_path / "p.parquet", statistics=["novelty"]
        )
