"""The multilayer perceptron, for tables."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from sfumato.backbones.layers import Linear, dropout

ACTIVATIONS = {
    "gelu": jax.nn.gelu,
    "relu": jax.nn.relu,
    "silu": jax.nn.silu,
    "tanh": jnp.tanh,
}
"""The one table from the name of an activation to its function; models store the name."""


class MLP(eqx.Module):
    """Dense layers, each followed by its activation and, in training, dropout.

    Parameters
    ----------
    in_size : number of features.
    hidden_sizes : width of each layer; the last is the size of the embedding.
    activation : a name in `ACTIVATIONS`.
    dropout_rate : share of activations dropped while training, in [0, 1).
    """

    layers: tuple[Linear, ...]
    activation: str = eqx.field(static=True)
    dropout_rate: float = eqx.field(static=True)

    def __init__(
        self,
        in_size: int,
        hidden_sizes: tuple[int, ...],
        *,
        activation: str,
        dropout_rate: float = 0.0,
        key: PRNGKeyArray,
    ) -> None:
        sizes = (in_size, *hidden_sizes)
        keys = jax.random.split(key, len(hidden_sizes))
        gain = 1.0 if activation == "tanh" else float(np.sqrt(2.0))
        self.layers = tuple(
            Linear(a, b, gain=gain, key=k)
            for a, b, k in zip(sizes[:-1], sizes[1:], keys, strict=True)
        )
        self.activation = activation
        self.dropout_rate = dropout_rate

    def __call__(
        self, x: Float[Array, "f *n"], *, key: PRNGKeyArray | None = None
    ) -> Float[Array, "h *n"]:
        """Embedding of one example or a batch; a key switches dropout on."""
        activate = ACTIVATIONS[self.activation]
        for index, layer in enumerate(self.layers):
            x = activate(layer(x))
            if key is not None and self.dropout_rate > 0:
                x = dropout(x, rate=self.dropout_rate, key=jax.random.fold_in(key, index))
        return x
