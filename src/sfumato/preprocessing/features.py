"""What a feature transform is, and how one is found again by name.

A transform turns a row of the user's columns into the numbers a network sees. The core knows only
this contract; domains bring their own (`sfumato.photoz.features`) and announce them as entry
points of the group ``sfumato.features``, so that a saved model can name the one it needs.
"""

from importlib.metadata import entry_points
from typing import Any, Protocol, Self

import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from sfumato.errors import choose


class FeatureTransform(Protocol):
    """Fitted on training rows, then pure; immutable."""

    @property
    def kind(self) -> str:
        """The name under which it is announced."""
        ...

    @property
    def n_columns(self) -> int:
        """Columns of the user's table it takes."""
        ...

    def fit(self, x: np.ndarray) -> Self:
        """A fitted copy; x is (n, n_columns) and may hold missing values."""
        ...

    def perturb(
        self, x: Float[Array, "c n"], *, key: PRNGKeyArray, noise: Array | float
    ) -> Float[Array, "c n"]:
        """Columns with the noise, times `noise`, and the gaps one pass of training should see."""
        ...

    def __call__(self, x: Float[Array, " c"]) -> Float[Array, " f"]:
        """Features of one row."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Everything needed to build it again, in JSON's types."""
        ...

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        ...


def feature_kind(name: str) -> type:
    """The transform announced under `name` by sfumato or another installed package."""
    table = {point.name: point for point in entry_points(group="sfumato.features")}
    return choose(name, table, what="The kind of a feature transform").load()
