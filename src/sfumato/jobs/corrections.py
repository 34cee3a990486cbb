"""Zero points and extinction of magnitudes: of which columns, and whether as in training."""

import warnings
from collections.abc import Sequence

from sfumato._typing import Json
from sfumato.io.tables import Reading
from sfumato.jobs.columns import Columns
from sfumato.preprocessing import FeatureTransform


def check_corrections(
    reading: Reading, columns: Columns, features: FeatureTransform | None
) -> None:
    """Refuse to correct what are no magnitudes of a model.

    Raises
    ------
    DataError
        A table's reading corrects another column, or the model takes fluxes.
    """
    reading.check_corrections(
        [name for name in columns.features if name not in columns.errors],
        are_fluxes=features is not None and features.takes_fluxes,
    )


def compare_corrections(trained: dict[str, Json], reading: Reading) -> None:
    """Say where magnitudes were corrected for training and are not here, or the other way."""
    for name, option in (("zero_points", "--zero-point"), ("extinction", "--extinction")):
        if (name in trained) != (name in reading.corrections):
            where, other = ("in training", "here") if name in trained else ("here", "in training")
            message = f"{option} was given {where} and not {other}"
            warnings.warn(f"{message}: are both sets of magnitudes on one scale?", stacklevel=3)
        elif name in trained and trained[name] != reading.corrections[name]:
            message = f"{option} was {_listed(trained[name])} in training"
            here = _listed(reading.corrections[name])
            warnings.warn(f"{message} and is {here} here: is that meant?", stacklevel=3)


def say_corrected(reading: Reading, keep: Sequence[str]) -> None:
    """Say which columns that are kept are not as in their table."""
    corrected = sorted({*reading.zero_points, *reading.extinction} & set(keep))
    if corrected:
        message = f"{', '.join(corrected)}: kept as corrected by --zero-point and --extinction"
        warnings.warn(f"{message}, not as in the table.", stacklevel=3)


def _listed(corrections: dict[str, float]) -> str:
    return ", ".join(f"{name}={value:g}" for name, value in corrections.items())
