"""Ready-made estimators for photometric redshifts: configured objects, no new classes."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, cast

from sfumato._typing import Arguments, Json
from sfumato.errors import IncompatibleError
from sfumato.estimators.regressor import MDNRegressor
from sfumato.jobs.columns import Columns
from sfumato.jobs.presets import Answers, Preset, Question, Roles, Settings, from_template
from sfumato.photoz import doubts
from sfumato.photoz.features import PhotometryFeatures
from sfumato.photoz.metrics import LEAST_REDSHIFT
from sfumato.preprocessing import FeatureTransform

SETTINGS: Arguments = {
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
    **settings: Json,
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
    features = PhotometryFeatures(  # pyright: ignore[reportCallIssue] - n_columns is a property
        bands=tuple(bands), has_errors=has_errors, unit=unit, error_features=error_features
    )
    return MDNRegressor(**{**SETTINGS, "features": features, **settings})


def _prepare(roles: Roles, answers: Answers, settings: Settings) -> tuple[Columns, MDNRegressor]:
    """The magnitude and error columns of the bands, and the estimator for them."""
    bands = tuple(part.strip() for part in str(answers["bands"] or "").split(",") if part.strip())
    if not bands:
        raise IncompatibleError("--preset photoz needs --bands, as in --bands u,g,r,i,z,y.")
    repeated = sorted({band for band in bands if bands.count(band) > 1})
    if repeated:
        raise ValueError(f"--bands names {repeated[0]!r} more than once.")
    error = None if answers["error"] in (None, "none", "") else str(answers["error"])
    values = _columns(str(answers["magnitude"]), bands, option="magnitude")
    errors = () if error is None else _columns(error, bands, option="error")
    if doubt := doubts.of_names(errors):
        warnings.warn(doubt, stacklevel=3)
    options = cast("Arguments", settings)
    regressor = mdn(
        bands,
        has_errors=error is not None,
        unit="flux" if answers["flux"] else "magnitude",
        error_features=bool(answers["error_features"]),
        **options,
    )
    columns = Columns(
        values + errors, roles.targets, roles.weight, errors=errors, least=LEAST_REDSHIFT
    )
    return columns, regressor


def _columns(template: str, bands: tuple[str, ...], *, option: str) -> tuple[str, ...]:
    return from_template(template, bands, option=option, place="band")


def _renamed(columns: Columns, features: FeatureTransform, answers: Answers) -> Columns:
    """The columns of a table that names magnitudes or errors otherwise."""
    bands = cast(PhotometryFeatures, features).bands
    values, errors = columns.features[: len(bands)], columns.errors
    if "magnitude" in answers:
        values = _columns(str(answers["magnitude"]), bands, option="magnitude")
    if "error" in answers and not errors:
        raise IncompatibleError("--error: the model was fitted without errors. Leave it out.")
    if "error" in answers:
        errors = _columns(str(answers["error"]), bands, option="error")
    return replace(columns, features=values + errors, errors=errors)


PRESET = Preset(
    name="photoz",
    help="for magnitudes or fluxes with errors",
    questions=(
        Question("bands", None, "Bands by wavelength, as in `u,g,r,i,z,y`."),
        Question("magnitude", "mag_{band}", "Template of the magnitude columns.", renames=True),
        Question(
            "error",
            "mag_err_{band}",
            "Template of the error columns; `none` without errors.",
            renames=True,
        ),
        Question("flux", default=False, help="The columns hold fluxes."),
        Question(
            "error_features",
            default=True,
            help="Let the network see the errors, beside training with them.",
        ),
    ),
    prepare=_prepare,
    kinds=(PhotometryFeatures.kind,),
    renamed=_renamed,
)
"""Photometric redshifts on the command line."""
