"""Ready-made estimators for photometric redshifts: configured objects, no new classes."""

from collections.abc import Sequence
from typing import Any, Literal

from sfumato.photoz.features import PhotometryFeatures
from sfumato.regression import MDNRegressor

SETTINGS: dict[str, Any] = {
    "family": "beta",
    "n_components": 8,
    "n_members": 5,
    "hidden_sizes": (128, 128, 128),
    "activation": "silu",
    "dropout_rate": 0.03,
    "learning_rate": 5e-3,
    "weight_decay": 1e-4,
    "batch_size": 256,
    "backbone": "mlp",
    "embedding": "none",
    "dropout_fade": None,
    "averaging": 0.0,
    "validation_fraction": 0.1,
    "x_scaler": "robust",
    "max_epochs": 120,
    "patience": 60,
    "bounds": (0.0, None),
    "recalibrate": True,
}
"""Chosen by cross-validation on the LSST DC2 training sample of 10,225 galaxies."""


def mdn(
    bands: Sequence[str],
    *,
    has_errors: bool = True,
    unit: Literal["magnitude", "flux"] = "magnitude",
    error_features: bool = True,
    **settings: Any,
) -> MDNRegressor:
    """Beta-mixture ensemble over photometry in these bands.

    Parameters
    ----------
    bands : names in order of wavelength. The columns of X are the magnitudes (or fluxes) in this
        order and then, with `has_errors`, their errors.
    has_errors, unit, error_features : see `sfumato.photoz.features.PhotometryFeatures`.
    **settings : arguments of `MDNRegressor` that replace the preset's.

    Examples
    --------
    >>> model = mdn("ugrizy", n_members=2)
    >>> model.n_members, model.features.n_columns
    (2, 12)
    """
    features = PhotometryFeatures(
        tuple(bands), has_errors=has_errors, unit=unit, error_features=error_features
    )
    return MDNRegressor(**{**SETTINGS, "features": features, **settings})
