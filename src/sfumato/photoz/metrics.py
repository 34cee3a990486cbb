"""Errors of redshifts in the scaled form of the field, and what is reported of them."""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from sfumato.metrics.evaluation import METRICS, ObjectScores
from sfumato.metrics.point import errors

SIGMA_PER_MAD = 1.4826
"""Standard deviation of a Gaussian per median absolute deviation, 1 / 0.67449."""


def scaled_errors(z_point: ArrayLike, z_true: ArrayLike) -> np.ndarray:
    r"""Errors :math:`\delta = (\hat z - z) / (1 + z)`.

    Parameters
    ----------
    z_point, z_true : (n,) redshifts, above -1.

    Raises
    ------
    ShapeError
        The shapes differ or there are no rows.
    """
    return errors(z_point, z_true) / (1.0 + np.asarray(z_true, float))


def bias(delta: ArrayLike) -> float:
    """Median of the scaled errors."""
    return float(np.median(np.asarray(delta, float)))


def sigma_mad(delta: ArrayLike) -> float:
    r"""Scatter :math:`1.4826\,\mathrm{median}|\delta - \mathrm{median}(\delta)|`.

    Equals the standard deviation for Gaussian errors and ignores outliers; NaN gives NaN.

    Examples
    --------
    >>> round(sigma_mad([-0.1, 0.0, 0.0, 0.1, 5.0]), 5)
    0.14826
    """
    values = np.asarray(delta, float)
    return float(SIGMA_PER_MAD * np.median(np.abs(values - np.median(values))))


def outlier_fraction(delta: ArrayLike, *, threshold: float = 0.15) -> float:
    """Share of objects with an absolute scaled error above `threshold`."""
    return float(np.mean(np.abs(np.asarray(delta, float)) > threshold))


def outlier_fraction_lsst(delta: ArrayLike) -> float:
    r"""Share beyond ``max(0.06, 3 sigma_IQR)``, the LSST science requirement's form.

    It rewards wide cores, so never quote it alone.
    """
    values = np.asarray(delta, float)
    q25, q75 = np.quantile(values, [0.25, 0.75])
    return outlier_fraction(values, threshold=max(0.06, 3 * (q75 - q25) / 1.349))


def tomographic_rms(
    pdf_means: ArrayLike, assigned_by: ArrayLike, truth: ArrayLike, *, edges: ArrayLike
) -> float:
    r"""Rms over bins of (stacked mean - true mean) / (1 + true mean).

    The mean of a stack of equal weights is the mean of the PDFs' means, so no grid is needed.

    Parameters
    ----------
    pdf_means : (n,) mean of each PDF.
    assigned_by : (n,) the point estimate that puts an object in a bin, usually the median.
    truth : (n,) true redshifts.
    edges : increasing bin edges; bins without objects are left out.
    """
    means, true = np.asarray(pdf_means, float), np.asarray(truth, float)
    which = np.digitize(np.asarray(assigned_by, float), np.asarray(edges, float))
    offsets = [
        (means[which == b].mean() - true[which == b].mean()) / (1 + true[which == b].mean())
        for b in range(1, len(np.asarray(edges)))
        if np.any(which == b)
    ]
    if not offsets:
        raise ValueError(f"No object falls inside `edges` {list(np.asarray(edges))}.")
    return float(np.sqrt(np.mean(np.square(offsets))))


LEAST_REDSHIFT = -0.01
"""What is below is no redshift: the fastest stars of our Galaxy reach -0.002."""

TOMOGRAPHIC_EDGES = (0.0, 0.4, 0.7, 1.0, 1.4, 3.1)


def _delta(objects: ObjectScores) -> np.ndarray:
    return scaled_errors(objects.mode, objects.truth)


def _tomographic(objects: ObjectScores) -> float:
    return tomographic_rms(objects.mean, objects.median, objects.truth, edges=TOMOGRAPHIC_EDGES)


REDSHIFT_METRICS: dict[str, Callable[[ObjectScores], float]] = METRICS | {
    "bias": lambda o: bias(_delta(o)),
    "sigma_mad": lambda o: sigma_mad(_delta(o)),
    "outlier_fraction": lambda o: outlier_fraction(_delta(o)),
    "outlier_fraction_lsst": lambda o: outlier_fraction_lsst(_delta(o)),
    "tomographic_rms": _tomographic,
}
"""What is reported of redshifts besides: errors of the mode, in (z_p - z) / (1 + z)."""
