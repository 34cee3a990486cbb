"""Training from tables, called from Python."""

import numpy as np
import pytest

from jobs_cases import ROLES, SETTINGS
from sfumato import MDNRegressor
from sfumato.errors import DataError
from sfumato.io.tables import DEFAULT
from sfumato.jobs.fitting import fit_tables, open_task


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
