"""The table of options: each row through each face that a user has."""

import dataclasses
import inspect
import json
import tomllib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.base import clone

from sfumato import MDNClassifier, MDNRegressor, read_model
from sfumato.cli.main import make_app
from sfumato.estimators.fitting import FittingPlan
from sfumato.estimators.options import OPTIONS, SPACE, TABLE, from_json, to_json
from sfumato.jobs.tuning import as_text, to_toml
from sfumato.uncertainty import MonteCarloDropout

VALUES = {
    "family": "gamma",
    "n_components": 4,
    "bounds": (0.0, None),
    "trials": 9,
    "n_bins": 7,
    "rank": 2,
    "centres": np.array([0.25, 1.5]),
    "uncertainty": MonteCarloDropout(rate=0.25, prior_length=0.5),
    "n_members": 3,
    "priors": {"head": ("normal", 0.5), "all": ("l2", 1e-4)},
    "backbone": "mlp",
    "hidden_sizes": (24, 12),
    "activation": "gelu",
    "dropout_rate": 0.2,
    "dropout_fade": None,
    "embedding": "periodic",
    "n_frequencies": 5,
    "frequency_spread": 0.3,
    "embedding_size": 3,
    "learning_rate": 1e-3,
    "weight_decay": 0.01,
    "averaging": 0.5,
    "batch_size": 40,
    "max_epochs": 2,
    "max_steps": 90,
    "patience": None,
    "validation_fraction": 0.2,
    "x_scaler": "robust",
    "missing": "flag",
    "recalibrate": True,
    "random_state": 7,
}
"""A value of every option that is not the default; a new row wants one."""

BAD = {
    "family": ("gama", "must be one of 'auto', 'normal'"),
    "bounds": ((0, np.inf), "must be a pair of finite numbers or None"),
    "uncertainty": ("bootstrap", "must be one of 'none', 'ensemble'"),
    "backbone": ("cnn", "must be one of 'mlp', 'residual'"),
    "hidden_sizes": ((64, 0), "must be positive integers"),
    "activation": ("sine", "must be one of 'gelu', 'relu', 'silu', 'tanh'"),
    "dropout_rate": (1.0, r"must lie in \[0, 1\)"),
    "dropout_fade": ((0.3, 0.1), "must increase from 0 on"),
    "embedding": ("plr", "must be one of 'none', 'periodic'"),
    "frequency_spread": (0.0, "must be positive"),
    "learning_rate": ("fast", "must be positive"),
    "weight_decay": (-1, "must be at least 0"),
    "averaging": (1, r"must lie in \[0, 1\)"),
    "patience": (0, "must be positive or None"),
    "validation_fraction": (0.7, r"must lie in \(0, 0.5\]"),
    "x_scaler": ("minmax", "must be one of 'robust', 'standard', 'none'"),
    "missing": ("drop", "must be one of 'error', 'flag'"),
    "recalibrate": ("yes", "must be True or False"),
    **{
        name: (0, "must be an integer of at least 1")
        for name in ("n_components", "trials", "n_bins", "rank", "n_members", "n_frequencies")
    },
    **{
        name: (1.5, "must be an integer of at least 1")
        for name in ("embedding_size", "batch_size", "max_epochs", "max_steps")
    },
}
ASKED = [option for option in OPTIONS if not option.verb]


def same(left, right):
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        return np.array_equal(left, right)
    if isinstance(left, dict):
        return {k: tuple(v) for k, v in left.items()} == {k: tuple(v) for k, v in right.items()}
    return left == right


def test_every_argument_has_a_row_and_every_row_an_argument():
    assert set(TABLE) == set(inspect.signature(MDNRegressor).parameters)
    assert set(inspect.signature(MDNClassifier).parameters) <= set(TABLE)
    assert {option.name for option in ASKED} == set(VALUES)
    flags = [flag for option in OPTIONS for flag in option.flags]
    assert len(set(flags)) == len(flags)


@pytest.mark.parametrize("name", BAD)
def test_every_check_says_what_is_required_and_what_was_given(name):
    value, message = BAD[name]
    x, y = np.linspace(0, 1, 40)[:, None], np.linspace(0, 1, 40)
    with pytest.raises(ValueError, match=f"`{name}` {message}.*; got "):
        MDNRegressor(**{name: value}).fit(x, y)


def test_options_without_a_check_are_checked_where_they_act():
    unchecked = {option.name for option in ASKED} - set(BAD)
    assert unchecked == {"centres", "priors", "random_state"}


@pytest.mark.parametrize("option", ASKED, ids=lambda option: option.name)
def test_text_json_and_scikit_learn(option):
    value = VALUES[option.name]
    shown = option.form.show(value)
    read = tomllib.loads(to_toml({option.flags[0]: shown}))[option.flags[0]]
    assert same(option.parse(read), value)
    stored = json.loads(json.dumps(to_json({option.name: value})))
    assert same(from_json(stored)[option.name], value)
    model = clone(MDNRegressor().set_params(**{option.name: value}))
    assert same(model.get_params()[option.name], value)


def test_unknown_and_unreadable_texts():
    with pytest.raises(ValueError, match=r"unknown parameters \['spin'\]"):
        from_json({"spin": 1})
    for name, text, message in (
        ("hidden_sizes", "a,b", "--hidden must be whole numbers; got 'a,b'"),
        ("bounds", "1", "--bounds must be two numbers, as in 0,3; got '1'"),
        ("priors", ["head"], "--prior must look like head=normal:1"),
        ("patience", "long", "--patience must be a number or none; got 'long'"),
        ("dropout_fade", "0.1", "--dropout-fade must be two numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            TABLE[name].parse(text)


# -- the command line ------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 60))
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": a, "b": b, "y": 1.0 + (rng.random(60) < 0.5) * 8.0}), path)
    return path


def parameters_of_run(monkeypatch, arguments, *, job="sfumato.cli.fit.fit_tables"):
    """The settings that the command line hands to its job."""
    seen = {}

    class Stop(Exception):  # noqa: N818 - ends the command before it trains
        pass

    def record(*_args, **options):
        seen.update(
            options["settings"],
            random_state=options.get("random_state", 0) or options["settings"].get("random_state"),
        )
        raise Stop

    monkeypatch.setattr(job, record)
    with pytest.raises(Stop):
        make_app((arguments[0],))([str(a) for a in arguments], standalone_mode=False)
    return seen


def words(option):
    """The option as words of a command line."""
    shown = option.form.show(VALUES[option.name])
    flag = f"--{option.flags[-1]}"
    if isinstance(shown, bool):
        return [flag]
    return [w for v in (shown if isinstance(shown, list) else [shown]) for w in (flag, str(v))]


@pytest.mark.parametrize(
    ("verb", "job"),
    [("fit", "sfumato.cli.fit.fit_tables"), ("tune", "sfumato.cli.tune.tune_tables")],
)
def test_fit_and_tune_take_every_option_as_words_and_as_config(
    verb, job, table, tmp_path, monkeypatch
):
    start = [verb, table, "--features", "a,b", "--target", "y", "--output", tmp_path / "m"]
    given = [word for option in ASKED for word in words(option)]
    seen = parameters_of_run(monkeypatch, [*start, *given], job=job)
    assert {name for name in VALUES if not same(seen[name], VALUES[name])} == set()
    config = tmp_path / "c.toml"
    config.write_text(to_toml({o.flags[0]: o.form.show(VALUES[o.name]) for o in ASKED}))
    seen = parameters_of_run(monkeypatch, [*start, "--config", config], job=job)
    assert {name for name in VALUES if not same(seen[name], VALUES[name])} == set()
    config.write_text(to_toml({o.name: o.form.show(VALUES[o.name]) for o in ASKED}))
    seen = parameters_of_run(monkeypatch, [*start, "--config", config], job=job)
    assert {name for name in VALUES if not same(seen[name], VALUES[name])} == set()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*has no effect on:UserWarning")
def test_options_survive_a_model_that_was_fitted_from_the_command_line(table, tmp_path):
    fitting = {"family": "normal", "centres": np.array([0.0, 1.0, 2.0, 3.0])}
    chosen = VALUES | fitting | {"priors": {"head": ("normal", 0.5)}, "bounds": (0.0, 20.0)}
    config = tmp_path / "c.toml"
    config.write_text(to_toml(as_text(chosen)))
    command = ["fit", table, "--features", "a,b", "--target", "y", "--config", config]
    make_app(("fit",))([*map(str, [*command, "--output", tmp_path / "m"])], standalone_mode=False)
    found = read_model(tmp_path / "m").get_params()
    wanted = {name: chosen[name] for name in chosen if chosen[name] is not None}
    assert {name for name in wanted if not same(wanted[name], found[name])} == set()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*Argument.*multivariate")
def test_what_tune_finds_is_what_fit_takes(table, tmp_path):
    small = ["--members", "1", "--epochs", "3", "--components", "2", "--weight-decay", "0.02"]
    command = ["tune", table, "--features", "a,b", "--target", "y", *small, "--n-trials", "2"]
    searched = ["--parameters", "hidden_sizes,learning_rate", "--folds", "2"]
    searched += ["--where", "a > -1", "--drop-missing"]
    run = [*map(str, [*command, *searched, "--seed", "3", "--output", tmp_path / "best"])]
    make_app(("tune",))(run, standalone_mode=False)
    best = read_model(tmp_path / "best")
    again = ["fit", table, "--config", tmp_path / "best.toml", "--output", tmp_path / "again"]
    make_app(("fit",))([*map(str, again)], standalone_mode=False)
    other = read_model(tmp_path / "again")
    assert other.get_params() == best.get_params()
    told = [json.loads((tmp_path / m / "model.json").read_text()) for m in ("best", "again")]
    for key in ("where", "rows", "rows_without_target", "units", "corrections"):
        assert told[0]["about"][key] == told[1]["about"][key]
    assert told[0]["about"]["where"] == "a > -1"
    x = [[0.1, 0.2], [1.0, -1.0]]
    np.testing.assert_array_equal(other.predict(x), best.predict(x))


def test_the_search_space_is_the_rows_that_have_a_range():
    assert set(SPACE) == {
        "hidden_sizes", "activation", "n_components", "learning_rate", "weight_decay",
        "dropout_rate", "batch_size", "max_epochs",
    }  # fmt: skip
    assert str(SPACE["learning_rate"]) == "0.0001 to 0.05, by logarithm"


def test_a_plan_of_training_starts_from_the_estimators_defaults():
    declared = inspect.signature(MDNRegressor).parameters
    plan = FittingPlan()
    shared = {f.name for f in dataclasses.fields(plan)} & set(declared) - {"priors"}
    assert len(shared) > 10
    assert {n: vars(plan)[n] for n in shared} == {n: declared[n].default for n in shared}
