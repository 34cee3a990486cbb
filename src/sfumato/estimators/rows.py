"""What is given for each row besides its features: weights, groups, errors."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import _check_sample_weight

from sfumato.preprocessing.frames import in_order, unmasked
from sfumato.preprocessing.table import words_of


def check_weights(sample_weight: ArrayLike | None, X: np.ndarray) -> np.ndarray:
    """Row weights (n,), finite and not negative; ones if there are none."""
    return _check_sample_weight(
        unmasked(sample_weight), X, dtype=np.float64, ensure_non_negative=True
    )


def check_groups(groups: ArrayLike | None, kept: np.ndarray) -> np.ndarray | None:
    """Groups of the rows that are kept (n,), counted from 0; None if there are none.

    Raises
    ------
    ValueError
        There is none for some row, or all rows are of one group.
    """
    if groups is None:
        return None
    words = words_of(np.asarray(groups, object).reshape(-1))
    if len(words) != len(kept):
        raise ValueError(f"X has {len(kept)} rows and groups has {len(words)}.")
    if "" in words:
        raise ValueError(f"`groups` names none for row {words.index('') + 1}.")
    names, codes = np.unique(np.array(words)[kept], return_inverse=True)
    if len(names) < 2:
        message = f"All rows are of one group ({names[0]}), and none would be left to train on"
        raise ValueError(f"{message}. Leave `groups` out, or name blocks of rows.")
    return codes


def kept_errors(
    X_err: ArrayLike | None, kept: np.ndarray, names: Sequence[str] = ()
) -> np.ndarray | None:
    """Errors of the rows that are kept (n,), whatever their form; of a table, by its names."""
    if X_err is None:
        return None
    errors = np.asarray(in_order(X_err, names), float)
    return errors[kept] if errors.ndim > 1 and len(errors) == len(kept) else errors


def count_known(rows: np.ndarray, others: np.ndarray) -> int:
    """How many of some rows (n, c) are among others (m, c), where hardly any of those repeat.

    Rows of few different numbers, as of categories, repeat by themselves: then 0.
    """
    known = {hash(row.tobytes()) for row in np.asarray(others, np.float64)}
    if len(known) < _MOSTLY * len(others):
        return 0
    return sum(hash(row.tobytes()) in known for row in np.asarray(rows, np.float64))


_MOSTLY = 0.95
