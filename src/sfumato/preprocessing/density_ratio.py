"""Importance weights for covariate shift: how much denser the target is where a training row lies.

A model trained on rows that are not distributed as the rows it will predict can be trained with
the weights ``w(x) = p_target(x) / p_train(x)`` instead (Shimodaira 2000), as long as the target
lies where there are training rows at all and the two differ in x alone, not in y given x.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.spatial.distance import cdist, pdist
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from sfumato._numerics import row_chunks
from sfumato.errors import DataError, IncompatibleError, ShapeError, choose
from sfumato.preprocessing.scalers import FARTHEST, AffineScaler, fit_robust

FEWEST_ROWS = 20
"""Rows that each sample needs at least."""

LEAST_EFFECTIVE = (50, 0.05)
"""Effective rows, and share of the training rows, below which `importance_weights` warns."""

MOST_UNMATCHED = 0.25
"""Difference of means, in standard deviations, that weights may leave without a warning."""


class EffectiveSampleSizeWarning(UserWarning):
    """So few rows carry the weights that training with them is mostly noise."""


class OverlapWarning(UserWarning):
    """The target lies where there are no training rows, which no weights can cure."""


@dataclass(frozen=True)
class ImportanceWeights:
    """Weights of the training rows, and what they leave of them.

    Parameters
    ----------
    weights : (n_train,) at least 0, with mean 1; for ``fit(..., sample_weight=weights)``.
    effective_sample_size : rows of weight 1 that are worth as much (see `effective_sample_size`).
    method : the entry of `METHODS` that made them.
    """

    weights: np.ndarray
    effective_sample_size: float
    method: str


def effective_sample_size(weights: ArrayLike) -> float:
    r"""Number of equally weighted rows worth as much, :math:`(\sum w)^2 / \sum w^2` (Kish 1965).

    Parameters
    ----------
    weights : (n,) at least 0 and not all 0, in any unit.
    """
    w = np.asarray(weights, float)
    if w.ndim != 1 or w.size == 0:
        raise ShapeError(f"`weights` must have shape (n,), n >= 1; got {w.shape}.")
    if not (np.all(np.isfinite(w) & (w >= 0)) and np.any(w > 0)):
        raise ValueError("`weights` must be finite, at least 0, and not all 0.")
    w = w / w.max()
    return float(w.sum() ** 2 / np.sum(w**2))


def importance_weights(
    X_train: ArrayLike,
    X_target: ArrayLike,
    *,
    method: str = "classifier",
    clip: float | None = None,
    random_state: int | None = 0,
) -> ImportanceWeights:
    """Density of the target over density of the training rows, at each training row.

    Parameters
    ----------
    X_train : (n_train, d) features to train on, array or data frame; not finite means missing,
        and is filled by the training median.
    X_target : (n_target, d) features to predict, in the same units; data frames match by name.
    method : ``"classifier"``, ``"kmm"`` or ``"ulsif"``; only the first sees what was missing.
    clip : largest weight. Below 1, a quantile of the weights (0.99 caps the highest hundredth);
        above 1, in units of the mean weight. The capped weights are normalised again.
    random_state : seed; the same seed gives the same weights.

    Raises
    ------
    ShapeError
        A sample is not (n, d), or the numbers of columns differ.
    DataError
        Fewer than 20 rows, a column not numeric or without finite value, or other column names.
    IncompatibleError
        The samples do not overlap: every weight is 0.
    ValueError
        There is no such method, or `clip` is not in (0, 1) or above 1.

    Warns
    -----
    EffectiveSampleSizeWarning
        The effective sample size is below 50, or below a twentieth of the training rows.
    OverlapWarning
        Unclipped, a column's mean stays 0.25 standard deviations and noise from the target's.
    """
    estimate = choose(method, METHODS, what="`method`")
    _check_clip(clip)
    samples = _checked(X_train, X_target)
    weights = estimate(samples, np.random.default_rng(random_state))
    weights = _normalised(weights, method)
    _warn_if_unmatched(samples, weights)
    weights = _clipped(weights, clip)
    size = effective_sample_size(weights)
    _warn_if_few(size, n=weights.size)
    return ImportanceWeights(weights, size, method)


def _normalised(weights: np.ndarray, method: str) -> np.ndarray:
    if not np.any(weights > 0):
        message = f"`X_train` and `X_target` do not overlap: every weight by {method!r} is 0"
        raise IncompatibleError(f"{message}. Add training rows that are like the target.")
    return weights / weights.mean()


def _check_clip(clip: float | None) -> None:
    if clip is not None and not (0 < clip < 1 or 1 < clip < np.inf):
        message = "`clip` must be a quantile in (0, 1) or a weight above 1, or None"
        raise ValueError(f"{message}; got {clip!r}.")


def _clipped(weights: np.ndarray, clip: float | None) -> np.ndarray:
    if clip is None:
        return weights
    capped = np.minimum(weights, clip if clip > 1 else np.quantile(weights, clip))
    if not np.any(capped > 0):
        message = f"`clip` {clip!r} must leave a weight above 0; at that quantile the weight is 0"
        raise ValueError(f"{message}. Take a higher quantile.")
    return capped / capped.mean()


def _warn_if_few(size: float, *, n: int) -> None:
    least = max(LEAST_EFFECTIVE[0], LEAST_EFFECTIVE[1] * n)
    if size < least:
        warnings.warn(
            f"The weights leave an effective sample size of {size:.0f} of {n} rows, below "
            f"{least:.0f}: a few rows decide what is learnt, and the variance of the result grows "
            "as its inverse. Cap the weights with `clip`, train unweighted, or gather training "
            "rows that are like the target.",
            EffectiveSampleSizeWarning,
            stacklevel=3,
        )


def _warn_if_unmatched(samples: "_Samples", weights: np.ndarray) -> None:
    """Compare the columns' means, the usual test of balance (Austin & Stuart 2015)."""
    target = samples.target.mean(axis=0)
    spread = np.std(np.concatenate([samples.train, samples.target]), axis=0)
    unit = np.where(spread > 0, spread, 1.0)
    left = np.abs(weights @ samples.train / weights.size - target) / unit
    before = np.abs(samples.train.mean(axis=0) - target) / unit
    noise = np.sqrt(1 / effective_sample_size(weights) + 1 / len(samples.target))
    worst = int(np.argmax(left))
    if left[worst] > MOST_UNMATCHED + 3 * noise:
        name = worst if samples.names is None else repr(samples.names[worst])
        warnings.warn(
            f"Weighted, the mean of column {name} still differs from the target's by "
            f"{left[worst]:.2f} standard deviations ({before[worst]:.2f} before): the target lies "
            "where there are no training rows. Gather such rows, or leave those of the target out.",
            OverlapWarning,
            stacklevel=3,
        )


@dataclass(frozen=True)
class _Samples:
    """Scaled and filled rows of both samples, (n, d), and flags of what was missing, (n, k)."""

    names: list | None

    train: np.ndarray
    target: np.ndarray
    train_missing: np.ndarray
    target_missing: np.ndarray


def _checked(X_train: Any, X_target: Any) -> _Samples:
    names = _names(X_train)
    if names is not None and (others := _names(X_target)) is not None:
        _require_same_names(names, others)
        X_target = X_target[names] if names != others else X_target
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


def _names(X: Any) -> list | None:
    """Names of the columns of a data frame; None for anything else."""
    return list(X.columns) if hasattr(X, "columns") and hasattr(X, "to_numpy") else None


def _require_same_names(train: list, target: list) -> None:
    missing = [name for name in train if name not in target]
    extra = [name for name in target if name not in train]
    if missing or extra:
        parts = [f"lacks {missing}"] * bool(missing) + [f"has in addition {extra}"] * bool(extra)
        message = f"`X_target` must have the columns of `X_train`; it {' and '.join(parts)}"
        raise DataError(f"{message}. Rename or select its columns.")


def _matrix(X: Any, what: str) -> np.ndarray:
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


def _by_classifier(samples: _Samples, rng: np.random.Generator) -> np.ndarray:
    """Odds of "target" against "training", by the better of two classifiers; (n_train,).

    The odds are the ratio up to ``n_train / n_target`` (Bickel, Brückner & Scheffer 2009), which
    the normalisation takes out. Every row is judged by a classifier that has not seen it, of five;
    logistic regression on values and squares, exact for independent normals, stands against
    boosted trees, which can follow a ratio that levels off; the lower held-out log loss wins.
    """
    train = np.hstack([samples.train, samples.train_missing])
    target = np.hstack([samples.target, samples.target_missing])
    is_target = np.repeat([0, 1], [len(train), len(target)])
    plain = np.concatenate([train, target])
    squares = np.concatenate([samples.train, samples.target]) ** 2
    seed = int(rng.integers(2**31))
    candidates = [
        (LogisticRegression(max_iter=1000), np.hstack([plain, squares])),
        (_boosted_trees(seed), plain),
    ]
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    logits = [
        np.asarray(cross_val_predict(model, x, is_target, cv=folds, method="decision_function"))
        for model, x in candidates
    ]
    losses = [np.mean(np.logaddexp(0, np.where(is_target == 1, -z, z))) for z in logits]
    best = logits[int(np.argmin(losses))][: len(train)]
    return np.exp(best - best.max())


def _boosted_trees(seed: int) -> HistGradientBoostingClassifier:
    """Small trees, many rows per leaf: the odds are wanted, and not the label."""
    options: dict[str, Any] = {"early_stopping": True, "max_iter": 500, "learning_rate": 0.05}
    return HistGradientBoostingClassifier(
        max_leaf_nodes=7, min_samples_leaf=50, l2_regularization=1.0, random_state=seed, **options
    )


N_CENTRES = 300
"""Kernels that describe both samples; the kernel methods cost its square per row."""

MOST_SOLVED = 20_000
"""Rows of a sample that the kernel methods solve for; the solution holds for every row."""


def _drawn(x: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """At most n rows of x, in random order."""
    return x[rng.permutation(len(x))[:n]]


def _kernel(x: np.ndarray, centres: np.ndarray, width: float) -> np.ndarray:
    """Gaussian kernels (n, b) of `width` around `centres` (b, d), at x (n, d)."""
    return np.exp(cdist(x, centres, "sqeuclidean") / (-2 * width**2))


def _typical_distance(x: np.ndarray) -> float:
    """Median distance of two rows; 1 where most rows are the same."""
    return float(np.median(pdist(x))) or 1.0


def _by_rows(function: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    """`function` of a few thousand rows at a time, joined."""
    return np.concatenate([function(x[rows]) for rows in row_chunks(len(x), width=N_CENTRES)])


WEIGHT_BOUND = 1000.0
"""Largest weight of kernel mean matching, as in its paper."""


def _by_mean_matching(samples: _Samples, rng: np.random.Generator) -> np.ndarray:
    """Kernel mean matching (Huang et al. 2006, section 3.3); (n_train,).

    Bounded weights under which both samples have the same mean in the space of a Gaussian kernel,
    whose width is the median distance of rows. That space is spanned by a Nyström basis of 300
    rows (Williams & Seeger 2001), so time and memory grow as the number of rows.
    """
    half = N_CENTRES // 2
    centres = [_drawn(samples.train, half, rng), _drawn(samples.target, half, rng)]
    landmarks = np.concatenate(centres)
    width = _typical_distance(landmarks)
    values, vectors = np.linalg.eigh(_kernel(landmarks, landmarks, width))
    kept = values > 1e-6 * values[-1]
    basis = vectors[:, kept] / np.sqrt(values[kept])

    def features(x: np.ndarray) -> np.ndarray:
        return _kernel(x, landmarks, width) @ basis

    mean = _by_rows(features, _drawn(samples.target, MOST_SOLVED, rng)).mean(axis=0)
    rows = _by_rows(features, _drawn(samples.train, MOST_SOLVED, rng))
    # sampling moves the squared distance of two kernel means by about 1 / n
    ridge = 1 / min(len(rows), len(samples.target))
    slope, offset = _matched(rows, mean, ridge=ridge)
    return _by_rows(lambda x: np.clip(features(x) @ slope + offset, 0, WEIGHT_BOUND), samples.train)


def _matched(features: np.ndarray, mean: np.ndarray, *, ridge: float) -> tuple[np.ndarray, float]:
    r"""Slope (k,) and offset of the weights :math:`\beta = [\Phi a + c]_0^B` that match `mean`.

    The quadratic programme :math:`\min \|\Phi^T \beta / n - \mu\|^2 + \lambda \|\beta\|^2 / n`
    over :math:`0 \le \beta \le B` of mean 1 has an unknown per row, its dual one per feature.
    """
    n, k = features.shape

    def dual(unknown: np.ndarray) -> tuple[float, np.ndarray]:
        slope, offset = unknown[:k], unknown[k]
        line = features @ slope + offset
        beta = np.clip(line, 0, WEIGHT_BOUND)
        value = np.mean(beta * line - beta**2 / 2) - slope @ mean - offset
        gradient = np.append(features.T @ beta / n - mean + ridge * slope, beta.mean() - 1)
        return float(value + ridge * slope @ slope / 2), gradient

    start = np.append(np.zeros(k), 1.0)
    options = {"maxiter": 1000, "ftol": 1e-12, "gtol": 1e-6, "maxcor": 30}
    solution = minimize(dual, start, jac=True, method="L-BFGS-B", options=options).x
    return solution[:k], float(solution[k])


WIDTHS = (0.25, 0.5, 1.0, 2.0)
"""Kernel widths that uLSIF tries, in units of the median distance of rows."""

RIDGES = 10.0 ** np.arange(-5, 1.5, 0.5)
"""Ridge penalties that uLSIF tries."""

MOST_VALIDATED = 5000
"""Rows of a sample that uLSIF chooses width and ridge on."""


def _by_least_squares(samples: _Samples, rng: np.random.Generator) -> np.ndarray:
    r"""Unconstrained least-squares importance fitting (Kanamori et al. 2009, section 3.1).

    The ratio is :math:`\max(0, 1 + (\phi - \bar\phi_{train}) \cdot \theta)` with Gaussian kernels
    phi on target rows, :math:`\theta = (H + \lambda I)^{-1} (\bar\phi_{target} -
    \bar\phi_{train})` and H their covariance in training: the paper's fit and a constant that is
    not penalised, so that much ridge means "no shift". Five folds choose width and ridge.
    """
    centres = _drawn(samples.target, N_CENTRES, rng)
    typical = _typical_distance(centres)
    train = _drawn(samples.train, MOST_VALIDATED, rng)
    target = _drawn(samples.target, MOST_VALIDATED, rng)
    widths = [factor * typical for factor in WIDTHS]
    losses = [_fold_losses(_kernel(train, centres, w), _kernel(target, centres, w)) for w in widths]
    best = np.unravel_index(np.argmin(losses), (len(widths), len(RIDGES)))
    width, ridge = widths[best[0]], RIDGES[[best[1]]]

    def features(x: np.ndarray) -> np.ndarray:
        return _kernel(x, centres, width)

    train = _by_rows(features, _drawn(samples.train, MOST_SOLVED, rng))
    target = _by_rows(features, _drawn(samples.target, MOST_SOLVED, rng))
    theta, centre = _least_squares(train, target, ridge)
    return _by_rows(lambda x: _ratio(features(x), theta, centre)[:, 0], samples.train)


def _least_squares(
    train: np.ndarray, target: np.ndarray, ridges: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (b, ridges) for kernels of both samples (n, b), and their training mean (b,)."""
    centre = train.mean(axis=0)
    centred = train - centre
    values, vectors = np.linalg.eigh(centred.T @ centred / len(train))
    along = vectors.T @ (target.mean(axis=0) - centre)
    return vectors @ (along[:, None] / (np.maximum(values, 0)[:, None] + ridges)), centre


def _ratio(features: np.ndarray, theta: np.ndarray, centre: np.ndarray) -> np.ndarray:
    return np.maximum(0, 1 + (features - centre) @ theta)


def _fold_losses(train: np.ndarray, target: np.ndarray, *, n_folds: int = 5) -> np.ndarray:
    r"""Held-out loss :math:`\langle w^2 \rangle_{train} / 2 - \langle w \rangle_{target}` by ridge.

    The squared error of the ratio up to a constant (Kanamori et al. 2009, section 2.2); rows are in
    random order already.
    """
    losses = np.zeros(len(RIDGES))
    for fold in range(n_folds):
        held_train = np.arange(len(train)) % n_folds == fold
        held_target = np.arange(len(target)) % n_folds == fold
        theta, centre = _least_squares(train[~held_train], target[~held_target], RIDGES)
        losses += np.mean(_ratio(train[held_train], theta, centre) ** 2, axis=0) / 2
        losses -= np.mean(_ratio(target[held_target], theta, centre), axis=0)
    return losses / n_folds


METHODS = {"classifier": _by_classifier, "kmm": _by_mean_matching, "ulsif": _by_least_squares}
"""The one table from a method's name to the function that gives weights up to a factor."""
