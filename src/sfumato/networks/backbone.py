"""The contract of a backbone: any kind of x to an embedding.

Columns (c,), images (c, height, width) and sequences (c, t) go the same road: the axes of one
example first, those of a batch behind them, one axis or none.
"""

from abc import abstractmethod
from typing import Any, Self

import equinox as eqx
from jaxtyping import Array, Float, PRNGKeyArray

from sfumato.networks.layers import Dropout


class Front(eqx.Module):
    """What stands between scaled features and the backbone."""

    @abstractmethod
    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, "*out"]:
        """One example, or a batch of them behind its axes."""


class Unchanged(Front):
    """Images, sequences and bare columns reach the backbone as they are."""

    def __call__(self, x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """The features themselves."""
        return x


class Backbone(eqx.Module):
    """From features to an embedding of `out_size` numbers.

    What a strategy may make uncertain is asked for by name: the dense layers, and where the
    backbone drops activations in training, the dropouts and the constant gates that can take the
    place of their masks.
    """

    @property
    @abstractmethod
    def out_size(self) -> int:
        """Numbers of the embedding."""

    @abstractmethod
    def __call__(
        self,
        x: Float[Array, "*shape"],
        *,
        key: PRNGKeyArray | None = None,
        strength: Array | float = 1.0,
    ) -> Float[Array, "h *n"]:
        """Embedding of one example or a batch.

        Parameters
        ----------
        key : switches what is random on; None is deterministic.
        strength : factor of the rates of dropout.
        """

    @abstractmethod
    def dense_layers(self) -> tuple[Any, ...]:  # a strategy makes other classes of them
        """Layers such as `Linear`, from the first to the last, that may be replaced by others."""

    def dropouts(self) -> tuple[Dropout, ...]:
        """One behind each dense layer, or none at all."""
        return ()

    def gates(self) -> tuple[Array, ...]:
        """Constant factors of what each dense layer gives, or none at all."""
        return ()

    def with_dense_layers(self, layers: tuple[Any, ...]) -> Self:  # as above
        """The same backbone with other dense layers."""
        return eqx.tree_at(lambda backbone: backbone.dense_layers(), self, layers)

    def with_dropouts(self, dropouts: tuple[Dropout, ...]) -> Self:
        """The same backbone with other dropouts."""
        return eqx.tree_at(lambda backbone: backbone.dropouts(), self, dropouts)

    def with_gates(self, gates: tuple[Array, ...]) -> Self:
        """The same backbone with other gates."""
        return eqx.tree_at(lambda backbone: backbone.gates(), self, gates)
