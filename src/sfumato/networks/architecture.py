"""What a network is made of, in JSON's types."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol, runtime_checkable

import jax
from jax.typing import ArrayLike
from jaxtyping import PRNGKeyArray

from sfumato._typing import Json
from sfumato.families import MixtureFamily
from sfumato.networks.backbone import Backbone
from sfumato.networks.density import ConditionalDensity
from sfumato.networks.embeddings import (
    Categories,
    Periodic,
    TableFront,
    embedding_size,
)
from sfumato.networks.head import Head
from sfumato.networks.mlp import ACTIVATIONS, MLP


@runtime_checkable
class Builder(Protocol):
    """What makes networks of one shape: an `Architecture`, or a backbone of one's own."""

    def build(
        self, family: MixtureFamily, *, bias: ArrayLike, key: PRNGKeyArray
    ) -> ConditionalDensity:
        """A freshly initialised network whose head starts at these biases."""
        ...


@dataclass(frozen=True)
class Architecture:
    """What a network for tables is made of, in JSON's types: enough to build it again.

    Parameters
    ----------
    n_numeric, n_flags, category_sizes : features by kind, in this order (see `TableFront`).
    backbone, hidden_sizes, activation, dropout_rate : of the dense layers.
    embedding : a name in `EMBEDDINGS`, for the numeric features.
    n_frequencies, frequency_spread, embedding_size : of that embedding.
    edges : of `Bins`, for the piecewise-linear embedding; one tuple for each numeric feature.
    gated : whether layers carry constant factors.
    """

    n_numeric: int
    n_flags: int = 0
    category_sizes: tuple[int, ...] = ()
    backbone: str = "mlp"
    hidden_sizes: tuple[int, ...] = (64, 64)
    activation: str = "silu"
    dropout_rate: float = 0.0
    embedding: str = "none"
    n_frequencies: int = 16
    frequency_spread: float = 0.3
    embedding_size: int = 8
    edges: tuple[tuple[float, ...], ...] = ()
    gated: bool = False

    def __post_init__(self) -> None:
        for name, table in (
            (self.backbone, BACKBONES),
            (self.embedding, EMBEDDINGS),
            (self.activation, ACTIVATIONS),
        ):
            if name not in table:
                raise ValueError(f"{name!r} is none of {', '.join(table)}")

    @classmethod
    def from_dict(cls, values: dict[str, Json]) -> "Architecture":
        """The inverse of `dataclasses.asdict`, with JSON's lists for tuples."""
        tuples: dict[str, Json] = {
            k: _tupled(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return cls(**tuples)

    def build(
        self, family: MixtureFamily, *, bias: ArrayLike, key: PRNGKeyArray
    ) -> ConditionalDensity:
        """A freshly initialised network."""
        keys = jax.random.split(key, 4)
        numbers = EMBEDDINGS[self.embedding](self, keys[2]) if self.n_numeric else None
        n_numeric = self.n_numeric + sum(max(len(own) - 1, 0) for own in self.edges)
        sizes = self.category_sizes
        categories = Categories(sizes, key=keys[3]) if sizes else None
        front = TableFront(numbers, categories, n_numeric, self.n_flags)
        numeric = n_numeric if numbers is None else numbers.out_size
        body = BACKBONES[self.backbone](
            numeric + self.n_flags + sum(embedding_size(n) for n in sizes),
            tuple(self.hidden_sizes),
            activation=self.activation,
            dropout_rate=self.dropout_rate,
            gated=self.gated,
            key=keys[0],
        )
        head = Head(body.out_size, family, bias=bias, key=keys[1])
        return ConditionalDensity(front, body, head)


BACKBONES: dict[str, Callable[..., Backbone]] = {"mlp": MLP, "residual": partial(MLP, skips=True)}
"""The one table from the name of a backbone for tables to what builds it."""

EMBEDDINGS: dict[str, Callable[[Architecture, PRNGKeyArray], Periodic | None]] = {
    "none": lambda _of, _key: None,
    "periodic": lambda of, key: Periodic(
        of.n_numeric,
        n_frequencies=of.n_frequencies,
        size=of.embedding_size,
        spread=of.frequency_spread,
        key=key,
    ),
    "piecewise-linear": lambda _of, _key: None,  # its bins stand among the inputs
}
"""The one table from the name of an embedding of numbers to what builds it."""


def _tupled(values: list) -> tuple:
    return tuple(_tupled(v) if isinstance(v, list) else v for v in values)
