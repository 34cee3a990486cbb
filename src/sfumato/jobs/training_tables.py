"""From tables to the arrays that an estimator trains on."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from sfumato.errors import DataError, IncompatibleError
from sfumato.io.tables import NOWHERE, Origin, TableFile, matrix, read_table
from sfumato.jobs.columns import Columns
from sfumato.preprocessing.shift.weights import importance_weights
from sfumato.preprocessing.table import words_of

FEWEST_ROWS = 20


@dataclass(frozen=True)
class TrainingData:
    """Arrays for `MDNRegressor.fit`, checked, and where they came from."""

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None
    X_err: np.ndarray | None
    n_dropped: int
    origin: Origin = NOWHERE
    groups: np.ndarray | None = None

    @property
    def sources(self) -> list[str]:
        """The files."""
        return [str(table.path) for table in self.origin.tables]


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
    numbers = [*columns.features, *columns.targets, *columns.noise, *extra]
    wanted = [*numbers, *([columns.groups] if columns.groups else [])]
    repeated = [name for name in wanted if wanted.count(name) > 1]
    if repeated:
        roles = "feature, error, target, weight or groups"
        message = f"Column {repeated[0]!r} is asked for twice, as {roles}"
        raise IncompatibleError(f"{message}. Each column can have one meaning.")
    blocks, rest, groups = [], [], []
    for table in tables:
        table.require([name for name in wanted if name not in columns.errors])
        if absent := [name for name in columns.errors if name not in table.columns]:
            cure = "Name them by --error, as in `{band}_err`, or say --error none if there are none"
            raise DataError(f"{table.path}: no column of errors {absent[0]!r}. {cure}.")
        batch = read_table(table, wanted)
        X = feature_rows(batch, columns, origin=table.origin())
        _check_errors(X, columns, origin=table.origin())
        blocks.append(X)
        rest.append(matrix(batch, numbers[len(columns.features) :], origin=table.origin()))
        if columns.groups:
            groups.append(_group_words(batch[columns.groups], columns.groups, table.origin()))
    X, other = np.concatenate(blocks), np.concatenate(rest)
    d, c = len(columns.targets), len(columns.noise)
    origin = Origin(tuple(tables))
    kept = _with_targets(other[:, :d], columns, origin=origin, drop=drop_missing_targets)
    X, other, n_dropped = X[kept], other[kept], len(X) - int(kept.sum())
    origin = Origin(tuple(tables), kept=np.flatnonzero(kept))
    _check_rows(X, other[:, :d], columns, where=str(tables[0].path))
    weight = other[:, -1] if columns.weight else None
    if weight is not None and not np.all(np.isfinite(weight) & (weight >= 0)):
        path, row = origin.of(int(np.argmax(~(np.isfinite(weight) & (weight >= 0)))))
        message = f"{path}: weight {columns.weight!r} is negative or missing in row {row}"
        raise DataError(f"{message}. Weights must be at least 0.")
    y = other[:, 0] if d == 1 else other[:, :d]
    X_err = other[:, d : d + c] if c else None
    named = np.concatenate(groups)[kept] if groups else None
    return TrainingData(X, y, weight, X_err, n_dropped, origin, named)


def _group_words(column: pa.ChunkedArray, name: str, origin: Origin) -> np.ndarray:
    """What each row belongs to, in words (n,)."""
    words = words_of(np.array(column.to_pylist(), object))
    if "" in words:
        path, row = origin.of(words.index(""))
        message = f"{path}: column {name!r} names no group in row {row}"
        raise DataError(f"{message}. Fill it, or leave such rows out by --where.")
    return np.array(words)


def feature_rows(batch: pa.Table, columns: Columns, *, origin: Origin = NOWHERE) -> np.ndarray:
    """Features of some rows, (n, c): numbers, or objects where a column is categorical.

    Raises
    ------
    DataError
        A cell of a column that is not categorical is not a number.
    """
    numeric = [name for name in columns.features if name not in columns.categorical]
    numbers = matrix(batch, numeric, origin=origin)
    if not columns.categorical:
        return numbers
    out = np.empty((len(numbers), len(columns.features)), dtype=object)
    for index, name in enumerate(columns.features):
        if name in columns.categorical:
            out[:, index] = batch[name].to_pylist()
        else:
            out[:, index] = numbers[:, numeric.index(name)]
    return out


def _check_errors(values: np.ndarray, columns: Columns, *, origin: Origin) -> None:
    for name in columns.errors:
        column = values[:, columns.features.index(name)]
        # -99 and the like say "not observed", beside a magnitude that says the same
        negative = (column < 0) & (column > -90)
        if negative.any():
            row = int(np.argmax(negative))
            path, number = origin.of(row)
            message = f"{path}: error {name!r} is negative ({column[row]:g}) in row {number}"
            raise DataError(f"{message}. Errors must be at least 0, or missing.")


def _with_targets(
    targets: np.ndarray, columns: Columns, *, origin: Origin, drop: bool
) -> np.ndarray:
    """Which rows have a target, or some numbers of it, (n,)."""
    where = origin.of(0)[0]
    known, impossible = np.isfinite(targets), np.zeros(targets.shape, bool)
    if columns.least is not None:
        impossible = known & (targets < columns.least)
        known &= ~impossible
        _say_impossible(targets[impossible], columns, where=where, drop=drop)
    if (never := ~known.any(axis=0)).any():
        name = columns.targets[int(np.argmax(never))]
        raise DataError(f"{where}: the target {name!r} is missing in every row.")
    kept = np.asarray(known.any(axis=1) & ~impossible.any(axis=1))
    n_missing = int(np.sum(~kept))
    if n_missing and not drop:
        path, row = origin.of(int(np.argmin(kept)))
        message = f"{path}: the target {columns.target!r} is missing in {n_missing} rows"
        raise DataError(f"{message}, first in row {row}. Fill them, or pass --drop-missing.")
    if n_missing:
        warnings.warn(
            f"Left out {n_missing} rows whose target {columns.target!r} is missing.", stacklevel=3
        )
    for name, column in zip(columns.targets, known.T, strict=True):
        if n_lacking := int(np.sum(kept & ~column)):
            message = f"{n_lacking:,} rows have no {name!r}, and others of the targets"
            warnings.warn(f"{message}: they are learnt from for what they have.", stacklevel=3)
    return kept


def _say_impossible(values: np.ndarray, columns: Columns, *, where: str, drop: bool) -> None:
    """Refuse targets below what is possible, unless such rows are to be left out."""
    if values.size and not drop:
        codes, counts = np.unique(values, return_counts=True)
        often = ", ".join(f"{codes[i]:g}" for i in np.argsort(-counts)[:3])
        message = f"{where}: the target {columns.target!r} is below {columns.least:g} in"
        message = f"{message} {values.size:,} rows ({often}), which cannot be"
        raise DataError(f"{message}. Correct them, or leave them out by --drop-missing.")


def _check_rows(X: np.ndarray, targets: np.ndarray, columns: Columns, *, where: str) -> None:
    if len(targets) < FEWEST_ROWS:
        raise DataError(f"{where}: {len(targets)} rows; at least {FEWEST_ROWS} are needed.")
    constant = np.nanmax(targets, axis=0) == np.nanmin(targets, axis=0)
    if constant.any():
        index = int(np.argmax(constant))
        message = f"{where}: the target {columns.targets[index]!r} is constant"
        message = f"{message} ({np.nanmin(targets[:, index]):g})"
        raise DataError(f"{message}; there is nothing to learn. Check --target.")
    free = (*columns.categorical, *columns.optional)
    for index, name in enumerate(columns.features):
        if name not in free and not np.isfinite(X[:, index].astype(float)).any():
            raise DataError(f"{where}: column {name!r} has no value in any row. Leave it out.")


def check_finite(data: TrainingData, columns: Columns) -> None:
    """Refuse missing values where no feature transform gives them a meaning.

    Raises
    ------
    DataError
        A value is missing or infinite; the message names its file, column and row.
    """
    for index, name in enumerate(columns.features):
        if name in columns.categorical:
            values = np.array([1.0 if word else np.nan for word in words_of(data.X[:, index])])
        else:
            values = data.X[:, index].astype(float)
        bad = ~np.isfinite(values)
        if bad.any():
            found = int(np.argmax(bad))
            path, row = data.origin.of(found)
            what = "missing" if np.isnan(values[found]) else "infinite"
            message = f"{path}: column {name!r} is {what} in row {row}"
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
    rows = matrix(read_table(target, names), names, origin=target.origin())
    found = importance_weights(data.X[:, places].astype(float), rows)
    return found.weights if data.weight is None else found.weights * data.weight
