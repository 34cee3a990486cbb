"""Training from tables, called from Python."""

import numpy as np
import pytest

from jobs_cases import ROLES, SETTINGS
from sfumato import MDNRegressor
from sfumato.errors import DataError
from sfumato.jobs.fitting import fit_tables


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
