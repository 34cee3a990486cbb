"""How predicted redshifts are judged and shown."""

from dataclasses import replace

import numpy as np

from sfumato.jobs.profiles import PLAIN, Profile
from sfumato.photoz.metrics import REDSHIFT_METRICS, TOMOGRAPHIC_EDGES
from sfumato.photoz.plots import plot_points

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
    features=("photometry",),
)
"""Errors of the mode in (z_p - z) / (1 + z), and tomography."""
