"""Training from tables, called from Python."""

import numpy as np
import pytest

from jobs_cases import ROLES, SETTINGS
from sfumato import MDNRegressor
from sfumato.errors import DataError, IncompatibleError
from sfumato.io.tables import DEFAULT
from sfumato.jobs.fitting import fit_tables, open_task
from sfumato.jobs.model_files import TabularModel


def test_a_job_prints_nothing_and_tells_its_progress(fitted, folder, capfd):
    model, told = fitted
    assert told[0] == SETTINGS["max_epochs"]
    assert told[1:] == list(range(len(told) - 1))
    assert model.about["rows"] == 240
    fit_tables([folder / "table.csv"], folder / "silent", roles=ROLES, settings=SETTINGS)
    assert capfd.readouterr() == ("", "")


def test_it_is_the_estimator_on_the_columns_with_seed_0(fitted, folder):
    table = np.loadtxt(folder / "table.csv", delimiter=",", skiprows=1)
    direct = MDNRegressor(random_state=0, **SETTINGS).fit(table[:, 1:3], table[:, 3])
    again = fitted[0].regressor.predict_pdfs(table[:5, 1:3]).mean()
    np.testing.assert_array_equal(again, direct.predict_pdfs(table[:5, 1:3]).mean())


@pytest.mark.slow
def test_groups_are_a_column_of_words_or_numbers(folder, tmp_path):
    table = np.loadtxt(folder / "table.csv", delimiter=",", skiprows=1)
    header = (folder / "table.csv").read_text().splitlines()[0]
    wells = [f"W{row % 6}" for row in range(len(table))]
    rows = zip(table.tolist(), wells, strict=True)
    lines = [",".join([*map(repr, cells), well]) for cells, well in rows]
    (tmp_path / "w.csv").write_text("\n".join([f"{header},well", *lines]))
    roles = ROLES._replace(groups="well")
    model = fit_tables([tmp_path / "w.csv"], tmp_path / "m", roles=roles, settings=SETTINGS)
    direct = MDNRegressor(random_state=0, **SETTINGS)
    direct.fit(table[:, 1:3], table[:, 3], groups=wells)
    again = model.regressor.predict(table[:5, 1:3])
    np.testing.assert_array_equal(again, direct.predict(table[:5, 1:3]))
    assert TabularModel.read(tmp_path / "m").columns.groups == "well"
    lines[7] = lines[7].replace("W1", "")
    (tmp_path / "gap.csv").write_text("\n".join([f"{header},well", *lines]))
    with pytest.raises(DataError, match=r"gap.csv: column 'well' names no group in row 8. Fill"):
        fit_tables([tmp_path / "gap.csv"], tmp_path / "n", roles=roles, settings=SETTINGS)


def test_a_model_that_exists_is_not_replaced_unasked(fitted, folder):
    with pytest.raises(DataError, match="exists already"):
        fit_tables([folder / "table.csv"], folder / "model", roles=ROLES, settings=SETTINGS)


def test_too_little_memory_is_said_before_the_system_says_nothing(folder, monkeypatch):
    monkeypatch.setattr("sfumato.jobs.fitting.free_memory", lambda: 2e8)
    with pytest.warns(UserWarning, match=r"240 rows of 3 columns take about 0.9 GB and 0.2 GB"):
        open_task(
            [folder / "table.csv"],
            ROLES,
            preset=None,
            answers=None,
            settings=SETTINGS,
            reading=DEFAULT,
            drop_missing=False,
        )


@pytest.mark.slow
def test_another_table_is_held_out(folder, tmp_path):
    table = np.loadtxt(folder / "table.csv", delimiter=",", skiprows=1)
    header = (folder / "table.csv").read_text().splitlines()[0]
    for name, rows in (("a", table[:200]), ("b", table[200:])):
        np.savetxt(tmp_path / f"{name}.csv", rows, delimiter=",", header=header, comments="")
    model = fit_tables(
        [tmp_path / "a.csv"],
        tmp_path / "m",
        roles=ROLES,
        settings=SETTINGS,
        validation=tmp_path / "b.csv",
    )
    direct = MDNRegressor(random_state=0, **SETTINGS)
    held = table[200:, 1:3], table[200:, 3]
    direct.fit(table[:200, 1:3], table[:200, 3], validation=held)
    again = model.regressor.predict(table[:5, 1:3])
    np.testing.assert_array_equal(again, direct.predict(table[:5, 1:3]))
    assert TabularModel.read(tmp_path / "m").about["validated_on"] == str(tmp_path / "b.csv")
    with pytest.raises(IncompatibleError, match="Leave one of them out"):
        fit_tables(
            [tmp_path / "a.csv"],
            tmp_path / "n",
            roles=ROLES._replace(groups="id"),
            validation=tmp_path / "b.csv",
        )


@pytest.mark.slow
def test_rows_that_lack_one_of_two_targets_are_kept_and_counted(folder, tmp_path):
    table = np.loadtxt(folder / "table.csv", delimiter=",", skiprows=1)
    header = (folder / "table.csv").read_text().splitlines()[0]
    first, second = header.split(",")[2:4]
    table[:30, 3], table[30:40, 2], table[40:45, 2:4] = np.nan, np.nan, np.nan
    np.savetxt(tmp_path / "t.csv", table, delimiter=",", header=header, comments="")
    roles = ROLES._replace(targets=(first, second), features=(header.split(",")[1],))
    with pytest.raises(DataError, match="missing in 5 rows, first in row 41"):
        fit_tables([tmp_path / "t.csv"], tmp_path / "n", roles=roles, settings=SETTINGS)
    with (
        pytest.warns(UserWarning, match="learnt from for what they have") as said,
        pytest.warns(UserWarning, match="Left out 5 rows"),
    ):
        model = fit_tables(
            [tmp_path / "t.csv"], tmp_path / "m", roles=roles, settings=SETTINGS, drop_missing=True
        )
    words = [str(warning.message) for warning in said]
    assert any(f"10 rows have no {first!r}, and others" in told for told in words)
    assert any(f"30 rows have no {second!r}, and others" in told for told in words)
    assert model.about["rows"] == 235


@pytest.mark.slow
def test_rows_without_a_target_are_left_out_of_what_is_held_out_as_they_are_of_training(
    folder, tmp_path
):
    table = np.loadtxt(folder / "table.csv", delimiter=",", skiprows=1)
    header = (folder / "table.csv").read_text().splitlines()[0]
    np.savetxt(tmp_path / "a.csv", table[:200], delimiter=",", header=header, comments="")
    table[210, 3] = np.nan
    np.savetxt(tmp_path / "b.csv", table[200:], delimiter=",", header=header, comments="")
    options = {"roles": ROLES, "settings": SETTINGS, "validation": tmp_path / "b.csv"}
    with pytest.raises(DataError, match=r"b.csv: the target .* is missing in 1 rows"):
        fit_tables([tmp_path / "a.csv"], tmp_path / "m", **options)
    with pytest.warns(UserWarning, match="Left out 1 rows"):
        fit_tables([tmp_path / "a.csv"], tmp_path / "m", drop_missing=True, **options)
