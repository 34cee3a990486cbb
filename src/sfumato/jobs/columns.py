"""Which columns of a table mean what."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sfumato.io.tables import TableFile
from sfumato.preprocessing import FeatureTransform
from sfumato.preprocessing.column_units import other_units


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
    groups : the column of what rows belong to; whole groups are held out in training.
    optional : those of `features` that may have no value in any row.
    """

    features: tuple[str, ...]
    targets: tuple[str, ...]
    weight: str | None = None
    errors: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    noise: tuple[str, ...] = ()
    least: float | None = None
    groups: str | None = None
    optional: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        """The targets in words."""
        return ", ".join(self.targets)

    @property
    def categorical_indices(self) -> tuple[int, ...]:
        """Places of the categorical columns among the features."""
        return tuple(self.features.index(name) for name in self.categorical)


def units_of(tables: Sequence[TableFile], columns: Columns) -> dict[str, str]:
    """Units of the features and targets that tables state, by their names in the first."""
    known: dict[str, str] = {}
    for table in tables:
        compare_units(known, {name: name for name in known}, table)
        for name in (*columns.features, *columns.targets):
            if name in table.units:
                known.setdefault(name, table.units[name])
    return known


def compare_units(known: Mapping[str, str], name_of: Mapping[str, str], table: TableFile) -> None:
    """Say which columns of a table are in other units than the known ones.

    Parameters
    ----------
    name_of : from a name in `known` to that of the table.
    """
    here = {name_of[name]: unit for name, unit in known.items() if name in name_of}
    other = other_units(here, table.units)
    if other:
        message = f"{table.path}: {', '.join(other)} in training"
        warnings.warn(f"{message}. Nothing is converted: bring them to one unit.", stacklevel=3)


def say_unsuited(
    tables: Sequence[TableFile], columns: Columns, features: FeatureTransform | None
) -> None:
    """Say which columns state a unit that is not one of what they are taken for."""
    if features is None:
        return
    for table in tables:
        stated = [table.units.get(name) for name in columns.features]
        odd = [f"{columns.features[i]} is in {stated[i]}" for i in features.unsuited(stated)]
        if odd:
            taken = "fluxes" if features.takes_fluxes else "magnitudes"
            message = f"{table.path}: {', '.join(odd)}"
            warnings.warn(f"{message}, and is taken for {taken}: is that meant?", stacklevel=3)
