"""Options that have no effect beside the others are named, and only these."""

import warnings

import numpy as np
import pytest

from sfumato import MDNClassifier, MDNRegressor
from sfumato.estimators import fitting
from sfumato.uncertainty import MonteCarloDropout

FAST = {"hidden_sizes": (4,), "max_epochs": 1, "random_state": 0}
X = np.random.default_rng(0).normal(size=(40, 2))
Y = 1.5 + 0.3 * np.tanh(X[:, 0])

IDLE = {
    "bounds": ({"bounds": (0.0, 3.0), "family": "normal"}, "the family 'normal'"),
    "trials": ({"trials": 9, "family": "gamma"}, "the family 'gamma'"),
    "n_bins": ({"n_bins": 9, "family": "normal"}, "the family 'normal'"),
    "rank": ({"rank": 2, "family": "normal"}, "the family 'normal'"),
    "n_components": ({"n_components": 4, "family": "histogram"}, "the family 'histogram'"),
    "n_members": ({"n_members": 3, "uncertainty": "none"}, "uncertainty='none'"),
    "dropout_rate": (
        {"dropout_rate": 0.3, "uncertainty": MonteCarloDropout(rate=0.2), "n_members": 2},
        "uncertainty='dropout'",
    ),
    "weight_decay": (
        {"weight_decay": 0.3, "uncertainty": "variational", "n_members": 2},
        "uncertainty='variational'",
    ),
    "max_steps": ({"max_steps": 9, "max_epochs": 2}, "max_epochs=2"),
    "n_frequencies": ({"n_frequencies": 3, "embedding": "none"}, "embedding='none'"),
    "embedding_size": ({"embedding_size": 3}, "embedding='piecewise-linear'"),
}


class NamedError(Exception):
    """Options have been looked at; what comes is training."""


@pytest.fixture
def _untrained(monkeypatch):
    def stop(*_, **__):
        raise NamedError

    monkeypatch.setattr(fitting, "fit_arrays", stop)


@pytest.mark.usefixtures("_untrained")
@pytest.mark.parametrize("name", IDLE)
def test_an_option_without_effect_is_named(name):
    options, where = IDLE[name]
    members = {} if "n_members" in options or "uncertainty" in options else {"n_members": 2}
    with (
        pytest.warns(UserWarning, match=f"`{name}` has no effect on {where}: ") as told,
        pytest.raises(NamedError),
    ):
        MDNRegressor(**{**FAST, **members, **options}).fit(X, Y)
    assert sum("has no effect" in str(warning.message) for warning in told) == 1


@pytest.mark.usefixtures("_untrained")
@pytest.mark.parametrize(
    "options",
    [
        {"family": "beta", "bounds": (0.0, 3.0), "n_members": 2},
        {"family": "histogram", "n_bins": 5, "bounds": (0.0, 3.0), "n_members": 2},
        {"family": "normal", "uncertainty": "none", "weight_decay": 0.1},
        {"embedding": "periodic", "n_frequencies": 3, "embedding_size": 2, "n_members": 2},
    ],
)
def test_options_that_have_one_are_not(options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(NamedError):
            MDNRegressor(**{**FAST, **options}).fit(X, Y)


@pytest.mark.usefixtures("_untrained")
def test_a_classifier_names_them_too():
    with (
        pytest.warns(UserWarning, match="`n_members` has no effect on uncertainty='none'"),
        pytest.raises(NamedError),
    ):
        MDNClassifier(**FAST, uncertainty="none", n_members=3).fit(X, Y > 1.5)


def test_a_fit_says_so_too():
    with pytest.warns(UserWarning, match="`n_members` has no effect on uncertainty='none'"):
        MDNRegressor(**FAST, uncertainty="none", n_members=3).fit(X, Y)
