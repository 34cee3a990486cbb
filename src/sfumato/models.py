"""A conditional density: backbone plus head, and many of them evaluated as one program."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from sfumato._compilation import CPU_OPTIONS
from sfumato._typing import Params
from sfumato.backbones import BACKBONES, MLP, Front
from sfumato.backbones.embeddings import Categories, Periodic, PiecewiseLinear, embedding_size
from sfumato.backbones.mlp import fold
from sfumato.families import MixtureFamily
from sfumato.heads import Head
from sfumato.preprocessing import AffineScaler, FeatureTransform


@dataclass(frozen=True)
class Architecture:
    """What a network is made of, in JSON's types: enough to build it again.

    Parameters
    ----------
    n_numeric, n_flags, category_sizes : features by kind, in this order (see `Front`).
    backbone, hidden_sizes, activation, dropout_rate : of the dense layers.
    embedding : a name in `EMBEDDINGS`, for the numeric features.
    n_frequencies, frequency_spread, embedding_size : of that embedding.
    edges : of the piecewise-linear embedding, one tuple for each numeric feature.
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

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Architecture":
        """The inverse of `dataclasses.asdict`, with JSON's lists for tuples."""
        tuples: dict[str, Any] = {
            k: _tupled(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return cls(**tuples)

    def build(
        self, family: MixtureFamily, *, bias: np.ndarray, key: PRNGKeyArray
    ) -> "ConditionalDensity":
        """A freshly initialised network."""
        keys = jax.random.split(key, 4)
        numbers: Periodic | PiecewiseLinear | None = None
        if self.embedding == "periodic" and self.n_numeric:
            numbers = Periodic(
                self.n_numeric,
                n_frequencies=self.n_frequencies,
                size=self.embedding_size,
                spread=self.frequency_spread,
                key=keys[2],
            )
        elif self.embedding == "piecewise-linear" and self.n_numeric:
            numbers = PiecewiseLinear(self.edges)
        sizes = self.category_sizes
        categories = Categories(sizes, key=keys[3]) if sizes else None
        front = Front(numbers, categories, self.n_numeric, self.n_flags)
        body = BACKBONES[self.backbone](
            self._front_size(numbers),
            tuple(self.hidden_sizes),
            activation=self.activation,
            dropout_rate=self.dropout_rate,
            gated=self.gated,
            key=keys[0],
        )
        head = Head(self.hidden_sizes[-1], family, bias=bias, key=keys[1])
        return ConditionalDensity(front, body, head)

    def _front_size(self, numbers: Periodic | PiecewiseLinear | None) -> int:
        numeric = self.n_numeric
        if isinstance(numbers, PiecewiseLinear):
            numeric += numbers.n_bins
        elif numbers is not None:
            numeric *= 1 + self.embedding_size
        return numeric + self.n_flags + sum(embedding_size(n) for n in self.category_sizes)


def _tupled(values: list) -> tuple:
    return tuple(_tupled(v) if isinstance(v, list) else v for v in values)


class ConditionalDensity(eqx.Module):
    """p(y | x): features to the parameters of a distribution, one example or a batch behind."""

    front: Front
    backbone: MLP
    head: Head

    def embed(
        self,
        x: Float[Array, "f *n"],
        *,
        key: PRNGKeyArray | None = None,
        strength: Array | float = 1.0,
    ) -> Float[Array, "h *n"]:
        """What the head sees of the features x; a key switches what is random on."""
        return self.backbone(self.front(x), key=fold(key, 0), strength=strength)

    def __call__(
        self,
        x: Float[Array, "f *n"],
        *,
        key: PRNGKeyArray | None = None,
        strength: Array | float = 1.0,
    ) -> Params:
        """Parameters (K, ...) at the features x; a key switches what is random on."""
        return self.head(self.embed(x, key=key, strength=strength), key=fold(key, 1))

    def log_prob(
        self,
        x: Float[Array, "f *n"],
        u: Float[Array, "*n"],
        *,
        key: PRNGKeyArray | None = None,
        strength: Array | float = 1.0,
    ) -> Float[Array, " *n"]:
        """Log-density of scaled targets u, (n,) or (d, n), at features x.

        A key switches what is random on, with rates of dropout times `strength`.
        """
        return self.head.family.log_prob(self(x, key=key, strength=strength), u)


class Inputs(eqx.Module):
    """From the user's columns to what a member sees: feature transform, then scaler.

    Parameters
    ----------
    features : transform of the columns, or None for the columns as they are.
    scaler : affine scaling of the transformed features.
    """

    features: FeatureTransform | None
    scaler: AffineScaler

    def __call__(
        self,
        columns: Float[Array, "c n"],
        *,
        key: PRNGKeyArray | None = None,
        noise: Array | float = 1.0,
    ) -> Float[Array, "f n"]:
        """Scaled features; a key adds the noise of a training pass, times `noise`."""
        if self.features is not None:
            if key is not None:
                columns = self.features.perturb(columns, key=key, noise=noise)
            columns = self.features(columns)
        return self.scaler(columns)


class Network(eqx.Module):
    """What prediction needs: the inputs, and the members stacked on axis 0 of their arrays."""

    inputs: Inputs
    members: ConditionalDensity

    @property
    def n_members(self) -> int:
        """Networks in the ensemble."""
        return self.members.head.linear.bias.shape[0]

    def parameters(self, x: Float[Array, "n c"]) -> Params:
        """Parameters (n, m, K, ...) of every member at rows x of the user's columns."""
        inputs = self.inputs(x.T)
        arrays, static = eqx.partition(self.members, eqx.is_array)
        members = jax.vmap(lambda member: eqx.combine(member, static)(inputs))(arrays)
        return {name: jnp.moveaxis(value, -1, 0) for name, value in members.items()}


SUB_ROWS = 1024
"""Rows evaluated at once inside the program, so that activations stay in the cache."""


def _map_rows(function: Callable, x: Float[Array, "n c"], *operands: object) -> Any:
    """``function(rows, *operands)`` over cache-sized sets of rows, joined; n a multiple of them."""
    size = min(SUB_ROWS, x.shape[0])
    parts = x.reshape(-1, size, x.shape[1])
    out = jax.lax.map(lambda rows: function(rows, *operands), parts)
    return jax.tree.map(lambda value: value.reshape(-1, *value.shape[2:]), out)


_JIT: Any = eqx.filter_jit  # its stubs do not know the options it hands to jax.jit
map_rows = _JIT(_map_rows, compiler_options=CPU_OPTIONS)


def padded_size(n_rows: int, *, most: int) -> int:
    """The next power of two from 256, or `most`: few sizes, so few compilations."""
    return min(most, max(256, 1 << int(np.ceil(np.log2(max(n_rows, 1))))))
