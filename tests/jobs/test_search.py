"""The search: what it finds, keeps, continues, stops and refuses; its page."""

import sys
import types

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from sfumato import MDNRegressor
from sfumato.errors import DataError, IncompatibleError, MissingDependencyError
from sfumato.jobs.search import SPACE, tune
from sfumato.jobs.search_page import write_page

TINY = MDNRegressor(hidden_sizes=(8,), n_components=1, n_members=1, max_epochs=3)


class Stub(BaseEstimator):
    """Says what its parameters say, at once: worse the farther `learning_rate` is from 0.003."""

    def __init__(
        self,
        *,
        learning_rate=3e-3,
        dropout_rate=0.0,
        max_epochs=10,
        random_state=None,
        on_epoch=None,
    ):
        self.learning_rate = learning_rate
        self.dropout_rate = dropout_rate
        self.max_epochs = max_epochs
        self.random_state = random_state
        self.on_epoch = on_epoch

    def fit(self, X, y, sample_weight=None):
        self.family_ = types.SimpleNamespace(log_jacobian=0.0)
        self.loss_ = float(abs(np.log(self.learning_rate / 3e-3)))
        self.weight_ = sample_weight
        for epoch in range(self.max_epochs if self.on_epoch else 0):
            self.on_epoch(epoch, self.loss_, self.loss_)
        return self

    def predict_pdfs(self, X):
        return types.SimpleNamespace(log_prob=lambda y: np.full(len(y), -self.loss_))


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(5)
    X = rng.normal(size=(60, 2))
    return X, X[:, 0] + 0.3 * rng.normal(size=60)


@pytest.fixture(scope="module")
def searched(rows):
    return tune(TINY, *rows, parameters=["learning_rate", "hidden_sizes"], n_trials=2, n_folds=2)


@pytest.mark.slow
def test_the_best_parameters_are_in_the_space_and_fit(searched, rows):
    best = searched.best_parameters
    assert set(best) == {"learning_rate", "hidden_sizes"}
    assert 1e-4 <= best["learning_rate"] <= 5e-2
    assert 1 <= len(best["hidden_sizes"]) <= 3
    assert 16 <= min(best["hidden_sizes"]) <= max(best["hidden_sizes"]) <= 256
    assert searched.best_value == min(row["value"] for row in searched.trials)
    MDNRegressor(**TINY.get_params() | best)


@pytest.mark.slow
def test_the_value_is_the_held_out_likelihood_of_the_folds(searched, rows):
    from sklearn.model_selection import KFold

    X, y = rows
    model = MDNRegressor(**TINY.get_params() | searched.best_parameters | {"random_state": 0})
    losses = [
        -model.fit(X[train], y[train]).predict_pdfs(X[valid]).log_prob(y[valid]).mean()
        for train, valid in KFold(2, shuffle=True, random_state=0).split(X)
    ]
    assert searched.best_value == pytest.approx(np.mean(losses), rel=1e-5)


def test_folds_are_of_whole_groups(rows):
    groups = np.arange(60) // 12
    met = []

    class Grouped(Stub):
        def fit(self, X, y, sample_weight=None, *, groups=None):
            met.append(set(groups))
            return super().fit(X, y, sample_weight)

    found = tune(Grouped(), *rows, groups=groups, parameters=["learning_rate"], n_trials=1)
    # three folds of five groups
    assert sorted(map(len, met)) == [3, 3, 4]
    assert set.union(*met) == set(range(5))
    other = {"parameters": ["learning_rate"], "n_trials": 1}
    with pytest.raises(ValueError, match="All rows are of one group, and none would be left"):
        tune(Grouped(), *rows, groups=np.zeros(60), **other)
    assert found.trials[0]["state"] == "complete"


@pytest.mark.slow
def test_losses_told_to_the_pruner_are_in_units_of_the_target(searched, rows):
    X, y = rows
    options = {"parameters": ["learning_rate", "hidden_sizes"], "n_trials": 1, "n_folds": 2}
    other = tune(TINY, X, 1000 * y, **options).study.trials[0].intermediate_values
    assert set(other) == {3, 6, 10}
    for step, value in searched.study.trials[0].intermediate_values.items():
        assert other[step] == pytest.approx(value + np.log(1000), abs=1e-3)


def test_every_parameter_of_the_space_belongs_to_the_estimator():
    assert set(SPACE) <= set(MDNRegressor().get_params())


def test_the_search_closes_in_and_repeats(rows):
    found = [tune(Stub(), *rows, parameters=["learning_rate"], n_trials=30) for _ in range(2)]
    assert found[0].best_value < 0.1
    assert found[0].best_parameters == found[1].best_parameters
    other = tune(Stub(), *rows, parameters=["learning_rate"], n_trials=30, random_state=1)
    assert other.best_parameters != found[0].best_parameters


@pytest.mark.parametrize("name", ["study.db", "study.log"])
def test_a_stored_study_goes_on_as_if_never_stopped(rows, tmp_path, name):
    options = {"parameters": ["learning_rate"], "pruner": "none"}
    whole = tune(Stub(), *rows, n_trials=13, **options)
    seen = []
    for n_trials in (4, 13):
        again = tune(
            Stub(),
            *rows,
            n_trials=n_trials,
            storage=tmp_path / name,
            on_trial=seen.append,
            **options,
        )
    assert [row["number"] for row in seen] == list(range(13))
    assert [row["learning_rate"] for row in again.trials] == pytest.approx(
        [row["learning_rate"] for row in whole.trials]
    )
    assert len(tune(Stub(), *rows, n_trials=5, storage=tmp_path / name, **options).trials) == 13


@pytest.mark.parametrize(("pruner", "step"), [("median", 3), ("asha", 5)])
def test_trials_that_fall_behind_are_stopped_inside_the_first_fold(rows, pruner, step):
    options = {"parameters": ["learning_rate"], "n_trials": 25}
    found = tune(Stub(), *rows, pruner=pruner, **options)
    stopped = [t for t in found.study.trials if t.state.name == "PRUNED"]
    assert len(stopped) > 3
    assert min(trial.last_step for trial in stopped) == step
    values = {row["state"]: [] for row in found.trials}
    for row in found.trials:
        values[row["state"]].append(row["value"])
    assert np.mean(values["pruned"]) > np.mean(values["complete"])
    kept = tune(Stub(), *rows, pruner="none", **options)
    assert {row["state"] for row in kept.trials} == {"complete"}


def test_failed_fits_are_rows_and_not_the_end(rows):
    class Fragile(Stub):
        def fit(self, X, y, sample_weight=None):
            if self.learning_rate > 3e-3:
                raise ValueError("Training diverged")
            return super().fit(X, y)

    found = tune(Fragile(), *rows, parameters=["learning_rate"], n_trials=8)
    failed = [row for row in found.trials if row["state"] == "fail"]
    assert failed
    assert all(row["error"] == "Training diverged" for row in failed)
    assert found.best_parameters["learning_rate"] <= 3e-3


def test_targets_without_a_likelihood_fail_and_say_why(rows):
    class Outside(Stub):
        def predict_pdfs(self, X):
            return types.SimpleNamespace(log_prob=lambda y: np.full(len(y), -np.inf))

    with pytest.raises(ValueError, match=r"None of 2 trials succeeded. A held-out .* `bounds`"):
        tune(Outside(), *rows, parameters=["learning_rate"], n_trials=2)


def test_weights_reach_the_fit_and_the_score(rows):
    X, _ = rows
    weight = np.r_[np.full(30, 1.0), np.full(30, 3.0)]

    class Weighted(Stub):
        def predict_pdfs(self, X):
            assert set(self.weight_) == {1.0, 3.0}
            return types.SimpleNamespace(log_prob=lambda y: -np.asarray(y))

    # targets that are the index of their group: the score is their weighted mean
    group = np.r_[np.zeros(30), np.ones(30)]
    found = tune(
        Weighted(),
        X,
        group,
        sample_weight=weight,
        parameters=["dropout_rate"],
        n_trials=1,
        n_folds=2,
    )
    assert found.best_value == pytest.approx(0.75, abs=0.05)


def test_threads_do_every_trial_once(rows):
    found = tune(Stub(), *rows, parameters=["learning_rate"], n_trials=6, n_jobs=2)
    assert sorted(row["number"] for row in found.trials) == list(range(6))


def test_the_estimator_given_is_left_as_it_was(rows):
    stub = Stub(random_state=None)
    tune(stub, *rows, parameters=["learning_rate"], n_trials=1)
    assert vars(stub) == vars(Stub())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"parameters": ["learning_rat"]},
            "'learning_rat' cannot be tuned. Nearest: 'learning_rate'",
        ),
        ({"parameters": []}, "`parameters` is empty"),
        ({"parameters": ["n_components"]}, "None of 1 trials succeeded. Invalid parameter"),
        ({"pruner": "mean"}, "`pruner` must be one of 'median', 'asha', 'none'; got 'mean'"),
        ({"storage": "study.txt"}, "suffix of `storage` must be one of '.db'"),
    ],
)
def test_bad_arguments_say_what_is_allowed(rows, options, message):
    with pytest.raises(ValueError, match=message):
        tune(Stub(), *rows, **{"parameters": ["learning_rate"], "n_trials": 1} | options)


def test_a_study_of_other_data_or_parameters_is_not_continued(rows, tmp_path):
    X, y = rows
    options = {"n_trials": 1, "storage": tmp_path / "study.db"}
    tune(Stub(), X, y, parameters=["learning_rate"], **options)
    with pytest.raises(IncompatibleError, match="made on other rows"):
        tune(Stub(), X, y + 1, parameters=["learning_rate"], **options)
    with pytest.raises(IncompatibleError, match=r"made with parameters \['learning_rate'\]"):
        tune(Stub(), X, y, parameters=["dropout_rate"], **options)
    tune(Stub(), X, y, parameters=["dropout_rate"], study_name="other", **options)


@pytest.mark.parametrize("name", ["study.db", "study.log", "missing/study.db", "missing/study.log"])
def test_a_storage_that_is_no_study_is_refused(rows, tmp_path, name):
    path = tmp_path / name
    if path.parent.exists():
        path.write_text("this is not a study, it is a text\n" * 40)
    with pytest.raises(DataError, match="cannot be opened"):
        tune(Stub(), *rows, parameters=["learning_rate"], n_trials=1, storage=path)


def test_without_optuna_the_error_names_the_extra(rows, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'sfumato\[tune\]'"):
        tune(Stub(), *rows)


@pytest.mark.slow
def test_the_page_stands_alone_and_names_the_parameters(searched, tmp_path):
    write_page(searched, tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    for name in ("learning_rate", "hidden_layers", "hidden_sizes", "Importance"):
        assert name in text
    assert text.count("plotly.js v") == 1
    assert "<script src" not in text
    assert "<link" not in text
    for row in searched.trials:
        assert f"{row['value']:.4g}" in text


def test_the_page_of_a_single_trial(rows, tmp_path):
    found = tune(Stub(), *rows, parameters=["learning_rate"], n_trials=1)
    write_page(found, tmp_path / "page.html")
    assert "Importance" not in (tmp_path / "page.html").read_text()
