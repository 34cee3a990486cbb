"""What a feature transform is, and how one is found again by name.

A transform turns a row of the user's columns into the numbers a network sees. The core knows only
this contract; domains bring their own (`sfumato.photoz.features`) and announce them as entry
points of the group ``sfumato.features``, so that a saved model can name the one it needs.
"""

from abc import abstractmethod
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import ClassVar, NamedTuple, Self

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from sfumato.errors import choose
from sfumato.preprocessing.missing import HIGHEST, LOWEST
from sfumato.preprocessing.units import Units, no_units
from sfumato.preprocessing.unseen import GAP


class NewGaps(NamedTuple):
    """Gaps of one kind, (n, n_columns), and how they are told, with a place for the column."""

    where: np.ndarray
    told: str = GAP


class FeatureTransform(eqx.Module):
    """Fitted on training rows, then pure; immutable."""

    kind: ClassVar[str]
    """The name under which it is announced."""

    n_columns: eqx.AbstractVar[int]
    """Columns of the user's table it takes."""

    def units(self, x: np.ndarray) -> Units:
        """What brings training rows x (n, n_columns) to order one, before all else; here nothing.

        Columns that the transform reads codes or magnitudes in have to stay as they are.
        """
        return no_units(x.shape[1])

    def measured(self, x: np.ndarray) -> np.ndarray:
        """Columns x (n, n_columns), NaN where the transform reads a code and no measurement."""
        return x

    @property
    def likely(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest value of each column beyond which a repeated one may be a code."""
        return np.full(self.n_columns, LOWEST), np.full(self.n_columns, HIGHEST)

    def doubt(self, x: np.ndarray) -> str | None:
        """What makes columns x (n, n_columns) look as if they held something else; or None."""
        return None

    def new_gaps(self, x: np.ndarray) -> Sequence[NewGaps]:
        """Where rows x (n, n_columns) lack what all training rows had."""
        return ()

    def unsuited(self, units: Sequence[str | None]) -> list[int]:
        """Columns that state a unit (None: nothing) of something else than what they are for."""
        return []

    @property
    def takes_fluxes(self) -> bool:
        """Whether its columns are fluxes, to which nothing may be added as to magnitudes."""
        return False

    @abstractmethod
    def fit(self, x: np.ndarray) -> Self:
        """A fitted copy; x is (n, n_columns) in its `units` and may hold missing values."""

    def perturb(
        self, x: Float[Array, "c n"], *, key: PRNGKeyArray, noise: Array | float
    ) -> Float[Array, "c n"]:
        """Columns with the noise, times `noise`, and the gaps one pass of training should see."""
        return x

    @abstractmethod
    def __call__(self, x: Float[Array, "c *n"]) -> Float[Array, "f *n"]:
        """Features of one row, or of a batch behind the columns."""

    @property
    def category_sizes(self) -> tuple[int, ...]:
        """Levels of each categorical column; their one-hot features come last."""
        return ()

    def n_numeric(self, n_features: int) -> int:
        """How many of the `n_features` are numbers to be scaled; they come first."""
        return n_features

    @abstractmethod
    def to_dict(self) -> dict[str, object]:
        """Everything needed to build it again, in JSON's types."""

    @classmethod
    @abstractmethod
    def from_dict(cls, values: dict) -> Self:
        """The inverse of `to_dict`."""


def feature_kind(name: str) -> type[FeatureTransform]:
    """The transform announced under `name` by sfumato or another installed package."""
    table = {point.name: point for point in entry_points(group="sfumato.features")}
    return choose(name, table, what="The kind of a feature transform").load()
