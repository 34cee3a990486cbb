"""Which columns of a table mean what."""

from dataclasses import dataclass

from sfumato.io.tables import Reading
from sfumato.preprocessing import FeatureTransform


@dataclass(frozen=True)
class Columns:
    """Which columns of a table mean what.

    Parameters
    ----------
    features : in the order the estimator takes them.
    targets : the columns to predict: one, or the coordinates of a vector.
    weight : the column of row weights, if any.
    errors : those of `features` that are measurement errors and may not be negative.
    categorical : those of `features` that hold words or codes.
    noise : columns of the standard deviations of all features, in their order, or none.
    least : the least that a target can be; what is below stands for a missing one.
    """

    features: tuple[str, ...]
    targets: tuple[str, ...]
    weight: str | None = None
    errors: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    noise: tuple[str, ...] = ()
    least: float | None = None

    @property
    def target(self) -> str:
        """The targets in words."""
        return ", ".join(self.targets)

    @property
    def categorical_indices(self) -> tuple[int, ...]:
        """Places of the categorical columns among the features."""
        return tuple(self.features.index(name) for name in self.categorical)


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
