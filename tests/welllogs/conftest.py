"""Wells of the mock as LAS files, and a small model of them, shared by all tests of a run."""

import warnings

import pytest

from sfumato.jobs.fitting import fit_tables
from sfumato.jobs.presets import Roles
from sfumato.welllogs.mock import make_wells, write_wells

SETTINGS = {"n_members": 2, "hidden_sizes": (16,), "max_epochs": 8, "random_state": 0}
ANSWERS = {"windows": "2,20"}


@pytest.fixture(scope="session")
def wells():
    return make_wells(5, n_samples=600, seed=1)


@pytest.fixture(scope="session")
def files(wells, tmp_path_factory):
    return write_wells(wells, tmp_path_factory.mktemp("wells"))


@pytest.fixture(scope="session")
def model(files, tmp_path_factory):
    """The folder of a model that was fitted to four of the wells."""
    path = tmp_path_factory.mktemp("models") / "model"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that no vertical depth is there
        fit_tables(
            files[:4],
            path,
            roles=Roles(("DTC",)),
            preset="welllog",
            answers=ANSWERS,
            settings=SETTINGS,
        )
    return path
