"""The search on tables, called from Python: what is given is kept, what is found is written."""

import pytest

from jobs_cases import ROLES, SETTINGS
from sfumato.errors import IncompatibleError
from sfumato.estimators.options import SPACE
from sfumato.jobs.tuning import _asked, tune_tables


def test_groups_are_among_the_options_that_fit_takes_again():
    roles = ROLES._replace(groups="well")
    assert _asked(roles, None, {})["groups"] == "well"


@pytest.mark.slow
def test_what_is_given_is_not_searched(folder):
    told = []
    given = {**SETTINGS, "n_components": 3}
    found = tune_tables(
        [folder / "table.csv"],
        folder / "tuned",
        roles=ROLES,
        settings=given,
        n_trials=2,
        n_folds=2,
        on_trial=told.append,
    )
    searched = set(found.result.best_parameters)
    assert searched == set(SPACE) - set(given)
    assert len(told) == 2
    assert found.model.regressor.n_components == 3
    assert found.model.regressor.max_epochs == SETTINGS["max_epochs"]


def test_a_setting_cannot_be_given_and_searched(folder):
    with pytest.raises(IncompatibleError, match="--components is given and searched as well"):
        tune_tables(
            [folder / "table.csv"],
            folder / "both",
            roles=ROLES,
            settings=SETTINGS,
            parameters=["n_components"],
        )
