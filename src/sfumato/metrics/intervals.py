"""Quantiles, intervals and PIT values as plain arrays: their losses and their reliability."""

import numpy as np
from numpy.typing import ArrayLike

from sfumato.errors import ShapeError
from sfumato.metrics.calibration import sorted_pit


def pinball_losses(quantiles: ArrayLike, levels: ArrayLike, truth: ArrayLike) -> np.ndarray:
    r"""Quantile loss of each predicted quantile, (n, q), in units of the target.

    .. math:: L_\tau(q, y) = (y - q)\,(\tau - 1[y < q])

    (Koenker & Bassett 1978). Its mean is least at the true quantile. Over evenly spaced levels,
    twice the mean over levels tends to the CRPS.

    Parameters
    ----------
    quantiles : (n, q) predicted quantiles, as `quantiles` of a set of PDFs gives.
    levels : (q,) their probabilities, strictly between 0 and 1.
    truth : (n,) true values in the same units.

    Raises
    ------
    ShapeError
        The shapes disagree.
    ValueError
        A level is not strictly between 0 and 1.
    """
    predicted, true = np.asarray(quantiles, float), np.asarray(truth, float)
    tau = np.asarray(levels, float)
    if tau.ndim != 1 or true.ndim != 1 or predicted.shape != (true.size, tau.size):
        message = "`quantiles`, `levels` and `truth` must have shapes (n, q), (q,) and (n,)"
        raise ShapeError(f"{message}; got {predicted.shape}, {tau.shape} and {true.shape}.")
    if not np.all((tau > 0) & (tau < 1)):
        raise ValueError(f"`levels` must lie strictly between 0 and 1; got {tau.tolist()}.")
    error = true[:, None] - predicted
    return error * (tau - (error < 0))


def interval_scores(
    lower: ArrayLike, upper: ArrayLike, truth: ArrayLike, *, level: float
) -> np.ndarray:
    r"""Score of equal-tailed intervals of probability `level`, (n,), in units of the target.

    .. math:: S = (u - l) + \frac{2}{\alpha}\,\max(l - y, y - u, 0), \quad \alpha = 1 - level

    (Gneiting & Raftery 2007, equation 43): the width plus a penalty for each missed truth. It is
    proper for quantiles at ``0.5 - level / 2`` and ``0.5 + level / 2``, not for shortest intervals.

    Parameters
    ----------
    lower, upper, truth : (n,) interval ends and true values, in the same units.
    level : probability of the intervals, strictly between 0 and 1.

    Raises
    ------
    ShapeError
        The shapes differ or there are no rows.
    ValueError
        `level` is outside (0, 1), or a lower end is above its upper end.
    """
    low, high, true = (np.asarray(values, float) for values in (lower, upper, truth))
    if low.ndim != 1 or low.size == 0 or not low.shape == high.shape == true.shape:
        message = "`lower`, `upper` and `truth` must be of one shape (n,), n >= 1"
        raise ShapeError(f"{message}; got {low.shape}, {high.shape} and {true.shape}.")
    if not 0 < level < 1:
        raise ValueError(f"`level` must lie strictly between 0 and 1; got {level}.")
    crossed = int(np.sum(low > high))
    if crossed:
        message = f"`lower` must not exceed `upper`; it does in {crossed} of {low.size} rows."
        raise ValueError(f"{message} Exchange the two arguments or sort the quantiles.")
    miss = np.maximum(np.maximum(low - true, true - high), 0)
    return (high - low) + 2 / (1 - level) * miss


def reliability_curve(
    pit: ArrayLike, *, n_levels: int = 101
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Share of PIT values up to each level: the P-P curve, on the diagonal if calibrated.

    Parameters
    ----------
    pit : (n,) values in [0, 1].
    n_levels : levels, evenly spaced from 0 to 1 with both ends; at least 2.

    Returns
    -------
    levels, observed shares, and the standard error
    :math:`\sqrt{\tau (1 - \tau) / n}` of a calibrated model's share, each (n_levels,). Draw the
    errors about the diagonal, not about the curve (Bröcker & Smith 2007): they do not vanish where
    the observed share happens to be 0 or 1. The levels share objects, so bins are correlated.

    Raises
    ------
    ShapeError
        `pit` is not one-dimensional or is empty.
    ValueError
        A PIT value is outside [0, 1] or NaN, or `n_levels` is below 2.
    """
    values = sorted_pit(pit)
    if not (values[0] >= 0 and values[-1] <= 1):  # NaN sorts to the end and fails too
        message = "`pit` must lie in [0, 1] without NaN"
        raise ValueError(f"{message}; got values from {values[0]:.6g} to {values[-1]:.6g}.")
    if n_levels < 2:
        raise ValueError(f"`n_levels` must be at least 2, for both ends; got {n_levels}.")
    levels = np.linspace(0, 1, n_levels)
    observed = np.searchsorted(values, levels, side="right") / values.size
    return levels, observed, np.sqrt(levels * (1 - levels) / values.size)


def sharpness(std: ArrayLike) -> float:
    r"""Root mean square of the predicted standard deviations, in units of the target.

    The smaller the better, among calibrated models only (Gneiting, Balabdaoui & Raftery 2007). The
    quadratic mean, because a calibrated model's equals the `rmse` of its means.

    Parameters
    ----------
    std : (n,) standard deviation of each PDF.

    Raises
    ------
    ShapeError
        `std` is not one-dimensional or is empty.
    ValueError
        A standard deviation is negative or not finite.
    """
    values = np.asarray(std, float)
    if values.ndim != 1 or values.size == 0:
        raise ShapeError(f"`std` must have shape (n,), n >= 1; got {values.shape}.")
    bad = int(np.sum(~(np.isfinite(values) & (values >= 0))))
    if bad:
        message = f"`std` must be finite and >= 0; {bad} of {values.size} are not."
        raise ValueError(f"{message} Leave these objects out.")
    return float(np.sqrt(np.mean(values**2)))
