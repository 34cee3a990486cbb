"""Training from tables: what ``sfumato fit`` does."""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sfumato.engine.system import free_memory
from sfumato.errors import IncompatibleError
from sfumato.estimators.regressor import MDNRegressor
from sfumato.io._files import reserved
from sfumato.io.archive import FOLDER
from sfumato.io.tables import DEFAULT, Reading, TableFile
from sfumato.jobs.columns import Columns, say_unsuited, units_of
from sfumato.jobs.corrections import check_corrections
from sfumato.jobs.model_files import TabularModel
from sfumato.jobs.presets import Answers, Roles, Settings, derived, prepare
from sfumato.jobs.training_tables import (
    TrainingData,
    check_finite,
    load_training,
    shifted_weights,
)
from sfumato.preprocessing.shift.weights import effective_sample_size
from sfumato.training.loop import OnEpoch

_PROGRAM, _NUMBER = 0.9e9, 80.0
"""Bytes that training takes: of the programs, and of every number of the table."""


class FittingTask(NamedTuple):
    """A model that is to be trained, and the rows it is to be trained on."""

    files: list[TableFile]
    columns: Columns
    regressor: MDNRegressor
    data: TrainingData
    reading: Reading
    answers: Answers
    drop_missing: bool

    def held_out(self, table: Path | str) -> tuple[np.ndarray, np.ndarray]:
        """Rows of another table to stop by, with their targets; read as those of training.

        Raises
        ------
        DataError
            As `open_task`.
        """
        files = _opened([table], self.columns, self.regressor, self.reading, self.answers)
        data = _loaded(files, self.columns, self.regressor, drop_missing=self.drop_missing)
        return data.X, data.y

    def finish(
        self,
        weight: np.ndarray | None,
        *,
        validation: tuple[np.ndarray, np.ndarray] | None = None,
        **about: object,
    ) -> TabularModel:
        """The model trained on all rows, with what it came from."""
        data, columns = self.data, self.columns
        self.regressor.name_columns(columns.features, columns.targets)
        groups = data.groups if validation is None else None
        self.regressor.fit(
            data.X, data.y, weight, X_err=data.X_err, groups=groups, validation=validation
        )
        origin = {
            "tables": data.sources,
            "target": columns.target,
            "rows": len(data.y),
            "rows_without_target": data.n_dropped,
            "effective_rows": None if weight is None else effective_sample_size(weight),
            "units": units_of(self.files, columns),
            "corrections": self.reading.corrections,
            "where": self.reading.where,
        }
        return TabularModel(self.regressor, columns, {**origin, **about})


def open_task(
    tables: Sequence[Path | str],
    roles: Roles,
    *,
    preset: str | None,
    answers: Answers | None,
    settings: Settings,
    reading: Reading,
    drop_missing: bool,
) -> FittingTask:
    """The model that is asked for and the rows of the tables, checked for what it can take.

    Raises
    ------
    DataError
        As `load_training`; or a feature is missing where nothing gives that a meaning.
    """
    columns, regressor = prepare(roles, preset=preset, answers=answers or {}, settings=settings)
    check_corrections(reading, columns, regressor.features)
    files = _opened(tables, columns, regressor, reading, answers or {})
    _say_tight(sum(file.n_rows for file in files), len(columns.features) + len(columns.targets))
    data = _loaded(files, columns, regressor, drop_missing=drop_missing)
    return FittingTask(files, columns, regressor, data, reading, answers or {}, drop_missing)


def _opened(
    tables: Sequence[Path | str],
    columns: Columns,
    regressor: MDNRegressor,
    reading: Reading,
    answers: Answers,
) -> list[TableFile]:
    """Tables with the columns that the estimator reads."""
    features = regressor.features
    files = [derived(reading.open(table), columns, features, answers) for table in tables]
    say_unsuited(files, columns, features)
    return files


def _loaded(
    files: Sequence[TableFile], columns: Columns, regressor: MDNRegressor, *, drop_missing: bool
) -> TrainingData:
    """Their rows, checked for what the estimator can take."""
    data = load_training(files, columns, drop_missing_targets=drop_missing)
    if regressor.features is None and regressor.missing == "error":
        check_finite(data, columns)
    return data


def _say_tight(n_rows: int, n_columns: int) -> None:
    """Warn where the rows are more than memory holds: the system ends a process without a word."""
    wanted, free = _PROGRAM + _NUMBER * n_rows * n_columns, free_memory()
    if wanted > free:
        message = f"{n_rows:,} rows of {n_columns} columns take about {wanted / 1e9:.1f} GB"
        left = f"{max(free, 0) / 1e9:.1f} GB are free: the system may end this run"
        cure = "Give fewer rows (--where), or a machine or a limit with more"
        warnings.warn(f"{message} and {left}. {cure}.", stacklevel=4)


def fit_tables(
    tables: Sequence[Path | str],
    output: Path | str,
    *,
    roles: Roles,
    preset: str | None = None,
    answers: Answers | None = None,
    settings: Settings | None = None,
    reading: Reading = DEFAULT,
    drop_missing: bool = False,
    shift_to: Path | str | None = None,
    validation: Path | str | None = None,
    config: Path | str | None = None,
    overwrite: bool = False,
    on_start: Callable[[MDNRegressor], None] = lambda _regressor: None,
    on_epoch: OnEpoch | None = None,
) -> TabularModel:
    """Train a model on tables and write its folder.

    Parameters
    ----------
    tables : files of rows.
    output : the folder.
    roles : which columns are for what.
    preset, answers : a domain's settings, and what its own options were answered.
    settings : arguments of `MDNRegressor`; its `random_state` is 0 unless given.
    reading : which part of the files, which rows, under which names.
    drop_missing : leave out rows without a target.
    shift_to : a table to predict: rows are weighed by how like its rows they are.
    validation : a table to stop by and to recalibrate with, instead of some of the rows.
    config : file the settings came from, for the record.
    overwrite : replace a model that exists.
    on_start : called with the estimator before it trains.
    on_epoch : called as ``on_epoch(epoch, train_loss, valid_loss)``.

    Raises
    ------
    DataError, IncompatibleError, ValueError
        A file, a column or a setting is not as it has to be; nothing is written.
    """
    output = Path(output)
    if validation is not None and roles.groups is not None:
        message = "--groups say what to hold out, and so does --validation"
        raise IncompatibleError(f"{message}. Leave one of them out.")
    with reserved(output, overwrite=overwrite, folder=FOLDER):
        task = open_task(
            tables,
            roles,
            preset=preset,
            answers=answers,
            settings={"random_state": 0, **(settings or {})},
            reading=reading,
            drop_missing=drop_missing,
        )
        weight = task.data.weight
        if shift_to is not None:
            weight = shifted_weights(task.data, task.columns, reading.open(shift_to))
        held = None if validation is None else task.held_out(validation)
        on_start(task.regressor)
        task.regressor.set_params(on_epoch=on_epoch)
        model = task.finish(
            weight,
            validation=held,
            validated_on=None if validation is None else str(validation),
            config=None if config is None else str(config),
        )
        task.regressor.set_params(on_epoch=None)
        model.write(output)
        return model
