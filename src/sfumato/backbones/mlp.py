"""The multilayer perceptron and its residual form, for tables."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from sfumato.backbones.layers import Dropout, Linear, column

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
    dropouts: tuple[Dropout, ...]
    activation: str = eqx.field(static=True)

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
        self.dropouts = tuple(Dropout(dropout_rate) for _ in hidden_sizes)
        self.activation = activation

    def __call__(
        self, x: Float[Array, "f *n"], *, key: PRNGKeyArray | None = None
    ) -> Float[Array, "h *n"]:
        """Embedding of one example or a batch; a key switches what is random on."""
        activate = ACTIVATIONS[self.activation]
        for index, (layer, drop) in enumerate(zip(self.layers, self.dropouts, strict=True)):
            x = activate(layer(x, key=fold(key, 2 * index)))
            x = drop(x, key=fold(key, 2 * index + 1))
        return x

    def behind_dropout(self) -> tuple[int | None, ...]:
        """For each dropout, the layer whose inputs it drops; None is the head."""
        return (*range(1, len(self.layers)), None)


class ResidualMLP(eqx.Module):
    """A dense layer, then blocks ``x + W2 f(W1 norm(x))`` of one width, then a norm.

    (He et al. 2016, pre-activation form; layer norm of Ba et al. 2016.) There is one block for
    each hidden size behind the first; the sizes of the blocks' inner layers are theirs.
    """

    layers: tuple[Linear, ...]
    dropouts: tuple[Dropout, ...]
    gains: tuple[Array, ...]
    activation: str = eqx.field(static=True)

    def __init__(
        self,
        in_size: int,
        hidden_sizes: tuple[int, ...],
        *,
        activation: str,
        dropout_rate: float = 0.0,
        key: PRNGKeyArray,
    ) -> None:
        width, inner = hidden_sizes[0], hidden_sizes[1:]
        keys = iter(jax.random.split(key, 1 + 2 * len(inner)))
        layers = [Linear(in_size, width, key=next(keys))]
        for size in inner:
            layers.append(Linear(width, size, gain=float(np.sqrt(2.0)), key=next(keys)))
            layers.append(Linear(size, width, gain=0.5, key=next(keys)))
        self.layers = tuple(layers)
        self.dropouts = tuple(Dropout(dropout_rate) for _ in inner)
        self.gains = tuple(jnp.ones(width) for _ in range(len(inner) + 1))
        self.activation = activation

    def __call__(
        self, x: Float[Array, "f *n"], *, key: PRNGKeyArray | None = None
    ) -> Float[Array, "h *n"]:
        """Embedding of one example or a batch; a key switches what is random on."""
        activate = ACTIVATIONS[self.activation]
        x = self.layers[0](x, key=fold(key, 0))
        for index, drop in enumerate(self.dropouts):
            first, second = self.layers[1 + 2 * index : 3 + 2 * index]
            inner = activate(first(_normed(x, self.gains[index]), key=fold(key, 3 * index + 1)))
            inner = drop(inner, key=fold(key, 3 * index + 2))
            x = x + second(inner, key=fold(key, 3 * index + 3))
        return activate(_normed(x, self.gains[-1]))

    def behind_dropout(self) -> tuple[int | None, ...]:
        """For each dropout, the layer whose inputs it drops."""
        return tuple(2 + 2 * index for index in range(len(self.dropouts)))


def _normed(x: Array, gain: Array) -> Array:
    """Mean 0 and variance 1 over the features of each example, times a learned gain."""
    centred = x - jnp.mean(x, axis=0)
    scale = jax.lax.rsqrt(jnp.mean(centred * centred, axis=0) + 1e-5)
    return centred * scale * column(gain, x)


def fold(key: PRNGKeyArray | None, number: int) -> PRNGKeyArray | None:
    """A key of its own for each use of one, or None."""
    return None if key is None else jax.random.fold_in(key, number)
