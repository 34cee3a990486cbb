"""How predicted redshifts are judged and shown."""

from dataclasses import replace

import numpy as np

from sfumato.jobs.profiles import PLAIN, Profile
from sfumato.metrics.evaluation import quantile_edges
from sfumato.photoz.features import PhotometryFeatures
from sfumato.photoz.metrics import LEAST_REDSHIFT, REDSHIFT_METRICS, TOMOGRAPHIC_EDGES
from sfumato.photoz.plots import plot_points

_BRIGHTEST_CODE = 90.0  # magnitudes from here on mean "not detected" or "not observed"


def magnitude_edges(values: np.ndarray) -> np.ndarray:
    """Edges of bins with equal numbers of magnitudes, their codes left out."""
    numbers = np.asarray(values, float)
    if np.nanmedian(np.abs(numbers)) < _BRIGHTEST_CODE:  # fluxes may be any number
        numbers = numbers[np.abs(numbers) < _BRIGHTEST_CODE]
    return quantile_edges(numbers)


PROFILE: Profile = replace(
    PLAIN,
    name="redshift",
    metrics=REDSHIFT_METRICS,
    edges=lambda _truth: np.array(TOMOGRAPHIC_EDGES),
    value="redshift",
    shown=("bias", "sigma_mad", "pit_ks"),
    plot=lambda objects: plot_points([("", objects.mode, objects.truth)]),
    caption="Mode against truth; dashed lines at 0.15 (1 + z).",
    labels={
        **PLAIN.labels,
        "bias": "bias, median of $\\Delta z / (1 + z)$",
        "sigma_mad": "$\\sigma_{MAD}$ of $\\Delta z / (1 + z)$",
    },
    other_edges=magnitude_edges,
    other="by_magnitude",
    least=LEAST_REDSHIFT,
    features=(PhotometryFeatures.kind,),
)
"""Errors of the mode in (z_p - z) / (1 + z), and tomography."""
