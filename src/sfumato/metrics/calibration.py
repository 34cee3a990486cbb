"""Do the stated probabilities hold: PIT distances, coverage, stacked densities."""

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from sfumato.errors import ShapeError
from sfumato.pdfs import AbstractPDFs


def sorted_pit(pit: ArrayLike) -> np.ndarray:
    """PIT values in rising order, (n,); ``ShapeError`` if they are not (n,) or there are none."""
    values = np.sort(np.asarray(pit, float))
    if values.ndim != 1 or values.size == 0:
        raise ShapeError(f"`pit` must have shape (n,), n >= 1; got {values.shape}.")
    return values


def pit_ks(pit: ArrayLike) -> float:
    """Kolmogorov-Smirnov distance of PIT values to the uniform distribution, in [0, 1]."""
    return float(stats.kstest(sorted_pit(pit), "uniform").statistic)


def pit_cvm(pit: ArrayLike) -> float:
    """Cramér-von Mises distance ``integral (F_n - u)^2 du``; the usual statistic is n times it."""
    values = sorted_pit(pit)
    middles = (np.arange(values.size) + 0.5) / values.size
    return float(1 / (12 * values.size**2) + np.mean((values - middles) ** 2))


def pit_ad(pit: ArrayLike) -> float:
    r"""Anderson-Darling distance to uniform, :math:`A^2 / n` (Anderson & Darling 1954).

    PIT values of exactly 0 or 1 are moved inside by 1e-12: the distance is infinite there.
    """
    u = np.clip(sorted_pit(pit), 1e-12, 1 - 1e-12)
    n = u.size
    weight = 2 * np.arange(1, n + 1) - 1
    return float((-n - np.mean(weight * (np.log(u) + np.log1p(-u[::-1])))) / n)


def pit_outlier_rate(pit: ArrayLike, *, tail: float = 1e-4) -> float:
    """Share of PIT values below `tail` or above 1 - `tail`; 2 `tail` if calibrated."""
    values = sorted_pit(pit)
    return float(np.mean((values < tail) | (values > 1 - tail)))


def coverage(pit: ArrayLike, level: float) -> float:
    """Share of truths inside the equal-tailed interval of probability `level`."""
    values = sorted_pit(pit)
    return float(np.mean(np.abs(values - 0.5) <= level / 2))


def stacked_distance(density: AbstractPDFs, truth: ArrayLike) -> tuple[float, float]:
    """KS distance and difference of means between one stacked PDF and the true values.

    Parameters
    ----------
    density : a set of one PDF, as `stack` gives.
    truth : (n,) true values in its units.

    Returns
    -------
    distance in [0, 1]; stacked mean minus true mean, in the units of the target.
    """
    true = np.sort(np.asarray(truth, float))
    cdf = density.cdf(true)[0]
    steps = np.arange(true.size + 1) / true.size
    distance = max(np.max(steps[1:] - cdf), np.max(cdf - steps[:-1]))
    return float(distance), float(density.mean()[0] - true.mean())
