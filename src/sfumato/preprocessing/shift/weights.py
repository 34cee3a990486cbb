"""Importance weights for covariate shift: how much denser the target is where a training row lies.

A model trained on rows that are not distributed as the rows it will predict can be trained with
the weights ``w(x) = p_target(x) / p_train(x)`` instead (Shimodaira 2000), as long as the target
lies where there are training rows at all and the two differ in x alone, not in y given x.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from sfumato.errors import IncompatibleError, ShapeError, choose
from sfumato.preprocessing.shift.classifier import _by_classifier
from sfumato.preprocessing.shift.kernels import _by_least_squares, _by_mean_matching
from sfumato.preprocessing.shift.samples import _checked, _Samples

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


METHODS = {"classifier": _by_classifier, "kmm": _by_mean_matching, "ulsif": _by_least_squares}
"""The one table from a method's name to the function that gives weights up to a factor."""
