"""Two samples of rows, checked against each other, scaled and filled."""

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from sfumato.errors import DataError, ShapeError
from sfumato.preprocessing.frames import in_order, read_frame
from sfumato.preprocessing.scalers import FARTHEST, AffineScaler, fit_robust

FEWEST_ROWS = 20
"""Rows that each sample needs at least."""


@dataclass(frozen=True)
class _Samples:
    """Scaled and filled rows of both samples, (n, d), and flags of what was missing, (n, k)."""

    names: list | None

    train: np.ndarray
    target: np.ndarray
    train_missing: np.ndarray
    target_missing: np.ndarray


def _checked(X_train: ArrayLike, X_target: ArrayLike) -> _Samples:
    names = _names(X_train)
    if names is not None and (others := _names(X_target)) is not None:
        _require_same_names(names, others)
        X_target = cast(np.ndarray, in_order(X_target, names)) if names != others else X_target
    train, target = _matrix(X_train, "X_train"), _matrix(X_target, "X_target")
    if train.shape[1] != target.shape[1]:
        message = "`X_train` and `X_target` must have the same columns"
        raise ShapeError(f"{message}; got {train.shape[1]} and {target.shape[1]} of them.")
    _require_values(train, "X_train", names)
    _require_values(target, "X_target", names)
    scaler = fit_robust(train)
    missing_train, missing_target = np.isnan(train), np.isnan(target)
    flagged = missing_train.any(axis=0) | missing_target.any(axis=0)
    return _Samples(
        names,
        _scaled(train, scaler),
        _scaled(target, scaler),
        missing_train[:, flagged].astype(float),
        missing_target[:, flagged].astype(float),
    )


def _scaled(x: np.ndarray, scaler: AffineScaler) -> np.ndarray:
    """What `scaler` does, without a compilation for every number of rows; missing becomes 0."""
    z = (x - np.asarray(scaler.centre, float)) / np.asarray(scaler.scale, float)
    return np.clip(np.where(np.isnan(z), 0.0, z), -FARTHEST, FARTHEST)


def _names(X: ArrayLike) -> list | None:
    """Names of the columns of a data frame; None for anything else."""
    frame = read_frame(X)
    return None if frame is None else list(frame.names)


def _require_same_names(train: list, target: list) -> None:
    missing = [name for name in train if name not in target]
    extra = [name for name in target if name not in train]
    if missing or extra:
        parts = [f"lacks {missing}"] * bool(missing) + [f"has in addition {extra}"] * bool(extra)
        message = f"`X_target` must have the columns of `X_train`; it {' and '.join(parts)}"
        raise DataError(f"{message}. Rename or select its columns.")


def _matrix(X: ArrayLike, what: str) -> np.ndarray:
    """X as float (n, d) with NaN where a value is missing."""
    try:
        values = np.asarray(X, float)
    except (TypeError, ValueError) as error:
        raise DataError(f"`{what}` must be numeric: {error}. Encode or drop the column.") from error
    if values.ndim != 2 or values.shape[1] == 0:
        raise ShapeError(f"`{what}` must have shape (n, d), d >= 1; got {values.shape}.")
    if len(values) < FEWEST_ROWS:
        raise DataError(f"`{what}` needs at least {FEWEST_ROWS} rows; got {len(values)}.")
    return np.where(np.isfinite(values), values, np.nan)


def _require_values(values: np.ndarray, what: str, names: list | None) -> None:
    empty = np.isnan(values).all(axis=0)
    if empty.any():
        column = int(np.argmax(empty))
        name = column if names is None else repr(names[column])
        raise DataError(f"`{what}`: column {name} has no finite value. Drop it from both samples.")
