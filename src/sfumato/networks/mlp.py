"""The multilayer perceptron, plain and with skips, for tables."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from sfumato.networks.backbone import Backbone
from sfumato.networks.layers import Dropout, Linear, column, fold

ACTIVATIONS = {
    "gelu": jax.nn.gelu,
    "relu": jax.nn.relu,
    "silu": jax.nn.silu,
    "tanh": jnp.tanh,
}
"""The one table from the name of an activation to its function; models store the name."""


class MLP(Backbone):
    """Dense layers, each followed by its activation and, in training, dropout.

    Parameters
    ----------
    in_size : number of features.
    hidden_sizes : width of each layer; the last is the size of the embedding.
    activation : a name in `ACTIVATIONS`.
    dropout_rate : share of activations dropped while training, in [0, 1).
    skips : add its input to what a layer gives, where both are of one width (He et al. 2016).
    gated : multiply what each layer gives by constants, at first 1 (see `sfumato.uncertainty`).
    """

    layers: tuple[Linear, ...]
    drops: tuple[Dropout, ...]
    factors: tuple[Array, ...]
    hidden_sizes: tuple[int, ...] = eqx.field(static=True)
    activation: str = eqx.field(static=True)
    skips: bool = eqx.field(static=True)

    def __init__(
        self,
        in_size: int,
        hidden_sizes: tuple[int, ...],
        *,
        activation: str,
        dropout_rate: float = 0.0,
        skips: bool = False,
        gated: bool = False,
        key: PRNGKeyArray,
    ) -> None:
        sizes = (in_size, *hidden_sizes)
        keys = jax.random.split(key, len(hidden_sizes))
        gain = 1.0 if activation == "tanh" else float(np.sqrt(2.0))
        self.layers = tuple(
            Linear(a, b, gain=gain, key=k)
            for a, b, k in zip(sizes[:-1], sizes[1:], keys, strict=True)
        )
        self.drops = tuple(Dropout(dropout_rate) for _ in hidden_sizes)
        self.factors = tuple(jnp.ones(size) for size in hidden_sizes) if gated else ()
        self.hidden_sizes = tuple(hidden_sizes)
        self.activation = activation
        self.skips = skips

    def __call__(
        self,
        x: Float[Array, "f *n"],
        *,
        key: PRNGKeyArray | None = None,
        strength: Array | float = 1.0,
    ) -> Float[Array, "h *n"]:
        """Embedding of one example or a batch; a key switches what is random on."""
        activate = ACTIVATIONS[self.activation]
        for index, (layer, drop) in enumerate(zip(self.layers, self.drops, strict=True)):
            out = activate(layer(x, key=fold(key, 2 * index)))
            out = drop(out, key=fold(key, 2 * index + 1), strength=strength)
            if self.factors:
                out = out * column(jax.lax.stop_gradient(self.factors[index]), out)
            x = x + out if self.skips and index and out.shape == x.shape else out
        return x

    @property
    def out_size(self) -> int:
        """Width of the last layer."""
        return self.hidden_sizes[-1]

    def dense_layers(self) -> tuple[Any, ...]:  # a strategy makes other classes of them
        """All layers."""
        return self.layers

    def dropouts(self) -> tuple[Dropout, ...]:
        """One behind each layer."""
        return self.drops

    def gates(self) -> tuple[Array, ...]:
        """One for each layer, if it is gated."""
        return self.factors
