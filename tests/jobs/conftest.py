"""A small table, and what the jobs make of it, called as a notebook calls them."""

import numpy as np
import pytest

from jobs_cases import ROLES, SETTINGS
from sfumato.jobs.fitting import fit_tables
from sfumato.jobs.prediction import predict_files


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """table.csv of 240 rows with features a and b, target y, and an id."""
    folder = tmp_path_factory.mktemp("jobs")
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, 240))
    y = 70 + 12 * a + 3 * rng.normal(size=240)
    rows = np.column_stack([np.arange(240), a, b, y])
    np.savetxt(folder / "table.csv", rows, "%.8g", ",", header="id,a,b,y", comments="")
    return folder


@pytest.fixture(scope="session")
def fitted(folder):
    """The model of the table, and what the callbacks were told."""
    told = []
    model = fit_tables(
        [str(folder / "table.csv")],
        str(folder / "model"),
        roles=ROLES,
        settings=SETTINGS,
        on_start=lambda regressor: told.append(regressor.max_epochs),
        on_epoch=lambda epoch, train, valid: told.append(epoch),
    )
    return model, told


@pytest.fixture(scope="session")
def pdfs(folder, fitted):
    """The path of the table's PDFs, as text."""
    path = str(folder / "pdfs.parquet")
    predict_files(str(folder / "model"), [str(folder / "table.csv")], path, keep=["id", "y"])
    return path
