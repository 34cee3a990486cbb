"""An estimator with the columns it was made for: trained from tables, kept in a folder."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sfumato.classification import MDNClassifier
from sfumato.errors import DataError, IncompatibleError
from sfumato.io.models import (
    fitted_state,
    read_archive,
    restored_state,
    versions,
    write_archive,
)
from sfumato.io.tables import TableFile, matrix, read_table
from sfumato.pdfs import GridPDFs
from sfumato.preprocessing.density_ratio import importance_weights
from sfumato.regression import MDNRegressor
from sfumato.uncertainty.strategies import STRATEGIES

FEWEST_ROWS = 20


@dataclass(frozen=True)
class Columns:
    """Which columns of a table mean what.

    Parameters
    ----------
    features : in the order the estimator takes them.
    targets : the columns to predict: one, or the coordinates of a vector.
    weight : the column of row weights, if any.
    errors : those of `features` that are measurement errors and may not be negative.
    categorical : those of `features` that hold words or codes.
    noise : columns of the standard deviations of all features, in their order, or none.
    """

    features: tuple[str, ...]
    targets: tuple[str, ...]
    weight: str | None = None
    errors: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    noise: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        """The targets in words."""
        return ", ".join(self.targets)

    @property
    def categorical_indices(self) -> tuple[int, ...]:
        """Places of the categorical columns among the features."""
        return tuple(self.features.index(name) for name in self.categorical)


@dataclass(frozen=True)
class TrainingData:
    """Arrays for `MDNRegressor.fit`, checked, and where they came from."""

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None
    X_err: np.ndarray | None
    n_dropped: int
    sources: list[str] = field(default_factory=list)


def load_training(
    tables: Sequence[TableFile], columns: Columns, *, drop_missing_targets: bool = False
) -> TrainingData:
    """Read and check the training rows of several tables.

    Parameters
    ----------
    drop_missing_targets : leave out rows whose target is missing, with a warning, instead of
        refusing them.

    Raises
    ------
    DataError
        A column is missing, not numeric, all missing or (errors) negative; the target is missing
        somewhere or constant; there are fewer than 20 rows.
    """
    extra = [columns.weight] if columns.weight else []
    wanted = [*columns.features, *columns.targets, *columns.noise, *extra]
    repeated = [name for name in wanted if wanted.count(name) > 1]
    if repeated:
        message = f"Column {repeated[0]!r} is asked for twice, as feature, error, target or weight"
        raise IncompatibleError(f"{message}. Each column can have one meaning.")
    where = str(tables[0].path)
    blocks, rest = [], []
    for table in tables:
        batch = read_table(table, wanted)
        X = feature_rows(batch, columns, path=table.path)
        _check_errors(X, columns, path=table.path)
        blocks.append(X)
        rest.append(matrix(batch, wanted[len(columns.features) :], path=table.path))
    X, other = np.concatenate(blocks), np.concatenate(rest)
    d, c = len(columns.targets), len(columns.noise)
    kept, n_dropped = _with_targets(other[:, :d], columns, where=where, drop=drop_missing_targets)
    X, other = X[kept], other[kept]
    _check_rows(X, other[:, :d], columns, where=where)
    weight = other[:, -1] if columns.weight else None
    if weight is not None and not np.all(np.isfinite(weight) & (weight >= 0)):
        row = int(np.argmax(~(np.isfinite(weight) & (weight >= 0)))) + 1
        message = f"{where}: weight {columns.weight!r} is negative or missing in row {row}"
        raise DataError(f"{message}. Weights must be at least 0.")
    y = other[:, 0] if d == 1 else other[:, :d]
    X_err = other[:, d : d + c] if c else None
    return TrainingData(X, y, weight, X_err, n_dropped, [str(table.path) for table in tables])


def feature_rows(
    batch: Any, columns: Columns, *, path: Path | str = "table", first_row: int = 0
) -> np.ndarray:
    """Features of some rows, (n, c): numbers, or objects where a column is categorical.

    Raises
    ------
    DataError
        A cell of a column that is not categorical is not a number.
    """
    numeric = [name for name in columns.features if name not in columns.categorical]
    numbers = matrix(batch, numeric, path=path, first_row=first_row)
    if not columns.categorical:
        return numbers
    out = np.empty((len(numbers), len(columns.features)), dtype=object)
    for index, name in enumerate(columns.features):
        if name in columns.categorical:
            out[:, index] = batch[name].to_pylist()
        else:
            out[:, index] = numbers[:, numeric.index(name)]
    return out


def _check_errors(values: np.ndarray, columns: Columns, *, path: Path) -> None:
    for name in columns.errors:
        column = values[:, columns.features.index(name)]
        # -99 and the like say "not observed", beside a magnitude that says the same
        negative = (column < 0) & (column > -90)
        if negative.any():
            row = int(np.argmax(negative))
            where = f"{path}: error {name!r} is negative ({column[row]:g}) in row {row + 1}"
            raise DataError(f"{where}. Errors must be at least 0, or missing.")


def _with_targets(
    targets: np.ndarray, columns: Columns, *, where: str, drop: bool
) -> tuple[np.ndarray, int]:
    """Which rows have all their targets (n,), and how many have not."""
    kept = np.asarray(np.isfinite(targets).all(axis=1))
    n_missing = int(np.sum(~kept))
    if n_missing == len(targets):
        raise DataError(f"{where}: the target {columns.target!r} is missing in every row.")
    if n_missing and not drop:
        row = int(np.argmin(kept)) + 1
        message = f"{where}: the target {columns.target!r} is missing in {n_missing} rows"
        raise DataError(f"{message}, first in row {row}. Fill them, or pass --drop-missing.")
    if n_missing:
        warnings.warn(
            f"Left out {n_missing} rows whose target {columns.target!r} is missing.", stacklevel=3
        )
    return kept, n_missing


def _check_rows(X: np.ndarray, targets: np.ndarray, columns: Columns, *, where: str) -> None:
    if len(targets) < FEWEST_ROWS:
        raise DataError(f"{where}: {len(targets)} rows; at least {FEWEST_ROWS} are needed.")
    constant = np.ptp(targets, axis=0) == 0
    if constant.any():
        index = int(np.argmax(constant))
        message = f"{where}: the target {columns.targets[index]!r} is constant"
        message = f"{message} ({targets[0, index]:g})"
        raise DataError(f"{message}; there is nothing to learn. Check --target.")
    for index, name in enumerate(columns.features):
        if name not in columns.categorical and not np.isfinite(X[:, index].astype(float)).any():
            raise DataError(f"{where}: column {name!r} has no value in any row. Leave it out.")


def check_finite(X: np.ndarray, columns: Columns, *, where: str) -> None:
    """Refuse missing values where no feature transform gives them a meaning.

    Raises
    ------
    DataError
        A value is missing; the message names its column and row.
    """
    for index, name in enumerate(columns.features):
        if name in columns.categorical:
            continue
        bad = ~np.isfinite(X[:, index].astype(float))
        if bad.any():
            message = f"{where}: column {name!r} is missing in row {int(np.argmax(bad)) + 1}"
            cure = "Fill it, pass --missing flag, or use --preset photoz for magnitudes"
            raise DataError(f"{message}. {cure}.")


def shifted_weights(data: TrainingData, columns: Columns, target: TableFile) -> np.ndarray:
    """Weights of the training rows for predicting the rows of another table (n,).

    Raises
    ------
    DataError, IncompatibleError
        As `importance_weights`; columns that are categorical are left out of the comparison.
    """
    names = [name for name in columns.features if name not in columns.categorical]
    places = [columns.features.index(name) for name in names]
    target.require(names)
    rows = matrix(read_table(target, names), names, path=target.path)
    found = importance_weights(data.X[:, places].astype(float), rows)
    return found.weights if data.weight is None else found.weights * data.weight


# -- kept in a folder ------------------------------------------------------------------------------


@dataclass(frozen=True)
class TabularModel:
    """A fitted estimator and the columns it reads."""

    regressor: MDNRegressor
    columns: Columns
    about: dict[str, Any]

    def write(self, path: str | Path) -> None:
        """Write the model folder, whole or not at all."""
        write_model(self.regressor, path, columns=self.columns, about=self.about)

    @classmethod
    def read(cls, path: str | Path) -> "TabularModel":
        """Read a model folder.

        Raises
        ------
        DataError
            The folder is missing, damaged, of a newer format, or was not fitted to a table.
        """
        header, arrays = read_archive(path)
        if header.get("columns", 0) is None:
            raise DataError(f"{path} was fitted to arrays: it names no columns. Use read_model.")
        regressor = _restored(path, header, arrays)
        with _damage(path):
            stored = header["columns"]
            lists: dict[str, Any] = {
                k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()
            }
            columns = Columns(**lists)
            return cls(regressor, columns, header["about"])


def write_model(
    regressor: MDNRegressor | MDNClassifier,
    path: str | Path,
    *,
    columns: Columns | None = None,
    about: dict[str, Any] | None = None,
) -> None:
    """Write a fitted estimator to a folder of ``model.json`` and ``arrays.npz``; no pickle.

    Raises
    ------
    DataError
        The folder cannot be written.
    """
    check_is_fitted(regressor, "network_")
    parameters = regressor.get_params(deep=False)
    parameters.pop("on_epoch")
    parameters = {name: _plain(value) for name, value in parameters.items()}
    parameters["features"] = regressor.features is not None
    header, arrays = fitted_state(
        family=regressor.family_,
        architecture=regressor.architecture_,
        network=regressor.network_,
        sharpening=regressor.sharpening_,
        history=regressor.history_,
        parameters=parameters,
    )
    header["estimator"] = type(regressor).__name__
    header["columns"] = None if columns is None else asdict(columns)
    header["n_features_in"] = vars(regressor)["n_features_in_"]
    header["levels"] = [[column, words] for column, words in regressor.levels_.items()]
    names = getattr(regressor, "feature_names_in_", None)
    header["feature_names_in"] = None if names is None else list(names)
    for name in ("n_clipped_", "family_reason_"):
        header[name] = getattr(regressor, name, None)
    for name in _ARRAYS:
        values = getattr(regressor, name, None)
        if values is not None:
            # words of a data frame are objects, which only pickling could store
            arrays[name] = values.astype(str) if values.dtype == object else values
    prior = getattr(regressor, "training_prior_", None)
    if prior is not None:
        arrays |= {"prior_grid": prior.grid, "prior_density": prior.density}
    made = datetime.now(UTC).isoformat(timespec="seconds")
    header["about"] = {"made": made, "versions": versions(), **(about or {})}
    write_archive(path, header, arrays)


ESTIMATORS = {kind.__name__: kind for kind in (MDNRegressor, MDNClassifier)}
"""The one table from the name in a header to the class of the estimator."""

_ARRAYS = ("classes_", "noise_covariance_")


def _plain(value: Any) -> Any:
    """A constructor argument in JSON's types; what has no such form becomes null."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if type(value) in STRATEGIES.values():
        return {"strategy": value.name, "options": asdict(value)}
    return value if isinstance(value, str | int | float | bool | None) else None


def _restored_argument(name: str, value: Any) -> Any:
    """The inverse of `_plain`."""
    if isinstance(value, dict) and "strategy" in value:
        return STRATEGIES[value["strategy"]](**value["options"])
    if name in ("hidden_sizes", "bounds", "dropout_fade") and value is not None:
        return tuple(value)
    return value


def read_model(path: str | Path) -> Any:
    """A fitted estimator from the folder that `write_model` or ``sfumato fit`` wrote.

    Raises
    ------
    DataError
        The folder is missing, damaged, not a model, or of a newer format.
    """
    return _restored(path, *read_archive(path))


@contextmanager
def _damage(path: str | Path) -> Iterator[None]:
    """Turn what an edited or damaged header raises into one clear error."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error).splitlines()[0]
        message = f"{path} is damaged: model.json and arrays.npz do not fit ({reason})"
        raise DataError(f"{message}. Fit the model again.") from error


def _restored(path: str | Path, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Any:
    with _damage(path):
        return _restore(header, arrays)


def _restore(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Any:
    family, architecture, network, sharpening, history = restored_state(header, arrays)
    parameters = {n: _restored_argument(n, v) for n, v in header["parameters"].items()}
    parameters["features"] = network.inputs.features if parameters["features"] else None
    kind = ESTIMATORS[header["estimator"]]
    model = kind(
        **{name: parameters[name] for name in kind().get_params(deep=False) if name != "on_epoch"}
    )
    if extra := set(parameters) - set(model.get_params(deep=False)):
        raise ValueError(f"unknown parameters {sorted(extra)}")
    model.family_, model.architecture_, model.network_ = family, architecture, network
    model.sharpening_, model.history_ = sharpening, history
    model.levels_ = {int(column): list(words) for column, words in header["levels"]}
    fitted = vars(model)
    fitted["n_features_in_"] = header["n_features_in"]
    for name in ("n_clipped_", "family_reason_"):
        fitted[name] = header[name]
    for name in _ARRAYS:
        fitted[name] = arrays.get(name)
    fitted["training_prior_"] = None
    if "prior_grid" in arrays:
        fitted["training_prior_"] = GridPDFs(arrays["prior_grid"], arrays["prior_density"])
    if header["feature_names_in"] is not None:
        fitted["feature_names_in_"] = np.array(header["feature_names_in"], object)
    return model
