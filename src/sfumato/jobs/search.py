"""Parameters of the estimator by cross-validated search, with Optuna.

A trial is one set of parameters; its value is the mean negative log-likelihood of held-out rows,
in nats and in the target's own units: lower is better.
"""

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Literal, cast

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, KFold
from sklearn.utils.validation import check_consistent_length

from sfumato import engine
from sfumato._typing import FinishedTrial, Pruner, RunningTrial, Sampler, Storage, Study
from sfumato.errors import DataError, IncompatibleError, choose, optional_module, suggest
from sfumato.estimators.options import SPACE
from sfumato.estimators.regressor import MDNRegressor

STEPS = 10
"""Steps the pruner sees in a fold. They are tenths of `max_epochs`, over which the learning rate's
cycle is stretched: equal epochs of unequal runs do not compare."""

# the first tenths of a run say little: its learning rate is still rising
_PRUNERS: dict[str, Callable[[ModuleType], Pruner]] = {
    "median": lambda pruners: pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=3),
    "asha": lambda pruners: pruners.SuccessiveHalvingPruner(STEPS // 2, reduction_factor=2),
    "none": lambda pruners: pruners.NopPruner(),
}
_STORAGES = {".db": "sqlite", ".sqlite": "sqlite", ".log": "journal", ".journal": "journal"}
_FIT_ERRORS = (ValueError, ArithmeticError, RuntimeError, MemoryError)


@dataclass(frozen=True)
class TuningResult:
    """The ``optuna.Study``, its best parameters and their value, and a row per finished trial.

    A row holds number, state (``"complete"``, ``"pruned"`` or ``"fail"``), value, seconds, error
    and the estimator's parameters.
    """

    study: Study
    best_parameters: dict[str, object]
    best_value: float
    trials: list[dict[str, object]]


def tune(
    estimator: MDNRegressor,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    X_err: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    parameters: Sequence[str] | None = None,
    n_trials: int = 50,
    timeout: float | None = None,
    storage: str | Path | None = None,
    study_name: str = "sfumato",
    pruner: Literal["median", "asha", "none"] = "median",
    n_folds: int = 3,
    n_jobs: int = 1,
    random_state: int = 0,
    on_trial: Callable[[dict[str, object]], None] | None = None,
) -> TuningResult:
    """Search the parameters of an estimator that predict held-out rows best.

    The tree-structured Parzen estimator proposes (Bergstra et al. 2011). With ``n_jobs=1`` and no
    `timeout` the same arguments give the same study, stopped and continued or not.

    Parameters
    ----------
    estimator : `MDNRegressor` holding what is not tuned. It is copied, never fitted; its `on_epoch`
        is not called, and a `random_state` of None becomes this function's.
    X, y, sample_weight : rows (n, c), targets, (n,) or (n, d), weights (n,) of training and score.
    X_err : standard errors (n, c) of the features, which training and score then average over.
    groups : (n,) names or numbers, as in `MDNRegressor.fit`: folds are made of whole groups.
    parameters : names in `SPACE`; None for all.
    n_trials : finished trials of the study, those found in `storage` included.
    timeout : seconds after which no new trial starts.
    storage : file that keeps the study, and from which it is continued: ``.db`` or ``.sqlite``
        (SQLite), ``.log`` or ``.journal`` (a journal, for network disks).
    pruner : stops a trial that falls behind the median, or by successive halving (``"asha"``).
    n_jobs : trials at a time, in threads; above 1 the study depends on their timing.
    on_trial : called with each finished trial's row of `TuningResult.trials`.

    Raises
    ------
    ValueError
        A name is unknown, an argument is out of range, or no trial succeeded.
    DataError, IncompatibleError
        `storage` cannot be opened, or its study has other parameters, folds, seed or data.
    """
    optuna = optional_module("optuna", extra="tune")
    names = _checked_names(parameters)
    X, y = np.asarray(X), np.asarray(y, float)
    errors = None if X_err is None else np.asarray(X_err, float)
    weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, float)
    check_consistent_length(X, y, weight)
    whole = None if groups is None else np.asarray(groups)
    folds = _folds(X, whole, n_folds, random_state)
    if estimator.get_params()["random_state"] is None:
        estimator = _copy(estimator, {"random_state": random_state})
    objective = _Objective(estimator, X, y, weight, errors, names, folds, n_jobs, whole)
    settings = {"parameters": sorted(names), "n_folds": n_folds, "random_state": random_state}
    settings["data"] = _checksum(X, y, weight, errors, whole)

    def sampler(number: int) -> Sampler:
        """Of trial `number`, with a seed of its own: a continued study goes on as if unstopped."""
        seed = np.random.SeedSequence([random_state, number]).generate_state(1)[0]
        return optuna.samplers.TPESampler(seed=int(seed))

    def after(study: Study, trial: FinishedTrial) -> None:
        study.sampler = sampler(trial.number + 1)
        if on_trial is not None:
            on_trial(_row(trial, names))

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)  # `on_trial` and the table say it all
    try:
        study = _open_study(optuna, storage, study_name, pruner)
        _check_settings(study, settings)
        left = n_trials - len(_finished(study))
        if left > 0:
            study.sampler = sampler(len(study.trials))
            study.optimize(objective, left, timeout, n_jobs, catch=_FIT_ERRORS, callbacks=[after])
    finally:
        optuna.logging.set_verbosity(verbosity)
    rows = [_row(trial, names) for trial in _finished(study)]
    if all(row["state"] != "complete" for row in rows):
        last = [str(row["error"]) for row in rows if row["error"]][-1:]
        raise ValueError(f"None of {len(rows)} trials succeeded. {' '.join(last)}".rstrip())
    return TuningResult(study, _suggested(study.best_trial, names), study.best_value, rows)


def _folds(
    X: np.ndarray, groups: np.ndarray | None, n_folds: int, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows to train on and to score, of each fold."""
    if groups is None:
        return list(KFold(n_folds, shuffle=True, random_state=seed).split(X))
    n_groups = len(np.unique(groups))
    if n_groups < 2:
        raise ValueError("All rows are of one group, and none would be left to score. Name more.")
    return list(GroupKFold(min(n_folds, n_groups)).split(X, groups=groups))


def _checksum(
    X: np.ndarray,
    y: np.ndarray,
    weight: np.ndarray,
    errors: np.ndarray | None,
    groups: np.ndarray | None,
) -> int:
    """A number that says whether the data are those of an earlier search."""
    if groups is not None:
        return zlib.crc32(repr((_checksum(X, y, weight, errors, None), groups.tolist())).encode())
    if X.dtype != object and errors is None:
        return zlib.crc32(np.column_stack([X.astype(float), y, weight]).tobytes())
    parts = [repr(X.tolist()).encode(), y.tobytes(), weight.tobytes()]
    return zlib.crc32(b"".join([*parts, b"" if errors is None else errors.tobytes()]))


def _checked_names(parameters: Sequence[str] | None) -> tuple[str, ...]:
    names = tuple(SPACE) if parameters is None else tuple(parameters)
    for name in names:
        if name not in SPACE:
            raise ValueError(f"{name!r} cannot be tuned. {suggest(name, tuple(SPACE))}")
    if not names:
        raise ValueError("`parameters` is empty; name at least one, or pass None for all.")
    return names


def _copy(estimator: MDNRegressor, parameters: Mapping[str, object]) -> MDNRegressor:
    """An unfitted copy with other parameters."""
    return cast(MDNRegressor, clone(estimator)).set_params(**parameters)


@dataclass(frozen=True)
class _Objective:
    """Cross-validated negative log-likelihood of a trial, told to the pruner on the way."""

    estimator: MDNRegressor
    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    errors: np.ndarray | None
    names: tuple[str, ...]
    folds: list[tuple[np.ndarray, np.ndarray]]
    n_jobs: int = 1
    groups: np.ndarray | None = None

    def __call__(self, trial: RunningTrial) -> float:
        if self.n_jobs == 1:
            return self._value(trial)
        with engine.alone():  # in a thread of Optuna's
            return self._value(trial)

    def _value(self, trial: RunningTrial) -> float:
        parameters, losses = _suggested(trial, self.names), []
        try:
            for train, valid in self.folds:
                if losses:
                    _report(trial, float(np.mean(losses)), step=STEPS * len(losses))
                model = _copy(self.estimator, parameters)
                model.on_epoch = None if losses else _reporter(trial, model)
                losses.append(self._loss(model, train, valid))
        except _FIT_ERRORS as error:
            trial.set_user_attr("error", str(error))
            raise
        return float(np.mean(losses))

    def _loss(self, model: MDNRegressor, train: np.ndarray, valid: np.ndarray) -> float:
        fit, predict = model.fit, model.predict_pdfs
        if self.errors is not None:
            fit = partial(fit, X_err=self.errors[train])
            predict = partial(predict, X_err=self.errors[valid])
        if self.groups is not None and len(np.unique(self.groups[train])) > 1:
            fit = partial(fit, groups=self.groups[train])
        fit(self.X[train], self.y[train], sample_weight=self.weight[train])
        log_prob = predict(self.X[valid]).log_prob(self.y[valid])
        loss = -np.average(log_prob, weights=self.weight[valid])
        if not np.isfinite(loss):
            raise ValueError("A held-out target has no likelihood; set `bounds` around them all.")
        return float(loss)


def _reporter(trial: RunningTrial, model: MDNRegressor) -> Callable[[int, float, float], None]:
    """`on_epoch` of the first fold, whose losses are in units of the network's target."""
    last = 0

    def on_epoch(epoch: int, train_loss: float, valid_loss: float) -> None:
        nonlocal last
        step = STEPS * (epoch + 1) // (model.max_epochs or model.n_epochs_planned_)
        if last < step < STEPS:
            last = step
            _report(trial, valid_loss - model.family_.log_jacobian, step=step)

    return on_epoch


def _report(trial: RunningTrial, value: float, *, step: int) -> None:
    trial.report(value, step)
    if trial.should_prune():
        raise optional_module("optuna", extra="tune").TrialPruned


def _suggested(trial: RunningTrial | FinishedTrial, names: Sequence[str]) -> dict[str, object]:
    """The estimator's parameters in a running or finished trial."""
    return {name: SPACE[name].suggest(trial, name) for name in names}


def _open_study(optuna: ModuleType, storage: str | Path | None, name: str, pruner: str) -> Study:
    cut = choose(pruner, _PRUNERS, what="`pruner`")(optuna.pruners)
    if storage is None:
        return optuna.create_study(study_name=name, pruner=cut)
    path = Path(storage)
    kind = choose(path.suffix, _STORAGES, what="The suffix of `storage`")
    try:
        kept = _journal(path) if kind == "journal" else _sqlite(path)
        return optuna.create_study(study_name=name, pruner=cut, storage=kept, load_if_exists=True)
    except Exception as error:  # of SQLAlchemy, JSON or the disk: each reader has its own
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise DataError(f"The study in {path} cannot be opened ({reason}).") from error


def _journal(path: Path) -> Storage:
    journal = optional_module("optuna.storages.journal", extra="tune")
    return journal.JournalStorage(journal.JournalFileBackend(str(path)))


def _sqlite(path: Path) -> Storage:
    """A database whose connections are closed after each use: none is left open behind us."""
    closed = {"poolclass": optional_module("sqlalchemy.pool", extra="tune").NullPool}
    storages = optional_module("optuna.storages", extra="tune")
    return storages.RDBStorage(f"sqlite:///{path}", engine_kwargs=closed)


def _check_settings(study: Study, settings: dict[str, object]) -> None:
    """Refuse a study whose values would not compare with the new ones."""
    for name, value in settings.items():
        if (stored := study.user_attrs.get(name, value)) != value:
            other = "on other rows" if name == "data" else f"with {name} {stored}, not {value}"
            what = f"Study {study.study_name!r} was made {other}"
            raise IncompatibleError(f"{what}. Give the same, or another `storage` or `study_name`.")
        study.set_user_attr(name, value)


def _finished(study: Study) -> list[FinishedTrial]:
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]


def _row(trial: FinishedTrial, names: Sequence[str]) -> dict[str, object]:
    row = {"number": trial.number, "state": trial.state.name.lower(), "value": trial.value}
    row |= {
        "seconds": (trial.duration or timedelta()).total_seconds(),
        "error": trial.user_attrs.get("error"),
    }
    return row | _suggested(trial, names)
