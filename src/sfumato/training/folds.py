"""Which rows each member trains on, and which it holds out."""

import numpy as np

FEW_ROWS = 20
"""Below this many rows there is nothing to hold out: members validate on what they train on."""


FEW_GROUPS = 8
"""Up to this many groups, each is a fold of its own."""

ALWAYS = -1
"""The fold of rows that everybody trains on; those of fold 0 are then given to hold out."""


def make_folds(
    x: np.ndarray,
    *,
    fraction: float,
    rng: np.random.Generator,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Fold of each row (n,) of x (n, *shape); about 1 / `fraction` folds of nearly equal sizes.

    Rows with the same features, such as repeated measurements of one object, stay together: a
    held-out row whose twin was trained on would say nothing. Not so where features are so coarse
    that a tenth of a fold is alike. Where `groups` (n,) are given, counted from 0, these stay
    together, of whatever size.
    """
    n_rows = len(x)
    n_folds = 1 if n_rows < FEW_ROWS else max(2, round(1 / fraction))
    if groups is not None and n_folds > 1:
        return _whole_groups(groups, n_folds, rng)
    which, sizes = _alike(x)
    if sizes.size == n_rows or sizes.max() > max(2, n_rows / n_folds / 10):
        return rng.permutation(np.arange(n_rows) % n_folds)
    order = rng.permutation(sizes.size)
    before = np.cumsum(sizes[order]) - sizes[order]
    fold_of = np.empty(sizes.size, int)
    fold_of[order] = before * n_folds // n_rows
    return fold_of[which]


def _whole_groups(groups: np.ndarray, n_folds: int, rng: np.random.Generator) -> np.ndarray:
    """Folds (n,) of whole groups: the largest first, each to the fold with the fewest rows."""
    sizes = np.bincount(groups)
    n_folds = sizes.size if sizes.size <= FEW_GROUPS else min(n_folds, sizes.size)
    order = rng.permutation(sizes.size)
    fold_of, rows = np.empty(sizes.size, int), np.zeros(n_folds, int)
    for group in order[np.argsort(-sizes[order], kind="stable")]:
        fold_of[group] = np.argmin(rows)
        rows[fold_of[group]] += sizes[group]
    return rng.permutation(n_folds)[fold_of][groups]


def _alike(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The number of each row's group of equal rows (n,), and the sizes of the groups (g,)."""
    flat = np.ascontiguousarray(x, float).reshape(len(x), -1)
    # a random odd factor for each column: sums modulo 2^64 of different rows differ
    factors = np.random.default_rng(0).integers(2**62, size=flat.shape[1], dtype=np.uint64) * 2 + 1
    sums = (flat.view(np.uint64) * factors).sum(axis=1, dtype=np.uint64)
    _, which, sizes = np.unique(sums, return_inverse=True, return_counts=True)
    return which, sizes


def folds_in_use(folds: np.ndarray, *, n_members: int) -> int:
    """How many folds are held out by someone: few enough that two members at least share each.

    How an average of networks does on rows that it was not trained on can only be seen where more
    than one of them was not.
    """
    return int(min(folds.max() + 1, max(1, n_members // 2)))


def member_rows(folds: np.ndarray, *, n_members: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows each member trains on (m, a) and holds out (m, b).

    Member j holds out fold j modulo `folds_in_use`. Every member gets as many rows as the one
    with the most: where folds are unequal, the others meet some of theirs once more.
    """
    rows = np.arange(folds.size)
    if _is_one(folds):
        return np.tile(rows, (n_members, 1)), np.tile(rows, (n_members, 1))
    n_used = folds_in_use(folds, n_members=n_members)
    held = [member % n_used for member in range(n_members)]
    train = [rows[folds != fold] for fold in held]
    valid = [rows[folds == fold] for fold in held]
    return _rectangle(train), _rectangle(valid)


def held_out_members(folds: np.ndarray, *, n_members: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows held out by someone (n,), and the r members that held each of them out (n, r)."""
    if _is_one(folds):
        return np.arange(folds.size), np.zeros((folds.size, 1), int)
    n_used = folds_in_use(folds, n_members=n_members)
    rows = np.flatnonzero((folds >= 0) & (folds < n_used))
    return rows, folds[rows, None] + n_used * np.arange(n_members // n_used)


def _is_one(folds: np.ndarray) -> bool:
    """Whether all rows are of one fold: there were too few to hold some out."""
    return np.ptp(folds) == 0


def _rectangle(rows: list[np.ndarray]) -> np.ndarray:
    longest = max(part.size for part in rows)
    return np.stack([np.resize(part, longest) for part in rows])
