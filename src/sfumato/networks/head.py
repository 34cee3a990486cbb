"""From an embedding to the parameters of a family."""

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, PRNGKeyArray

from sfumato._typing import Params
from sfumato.families import MixtureFamily
from sfumato.networks.layers import Linear


class Head(eqx.Module):
    """A linear layer whose outputs the family constrains to valid parameters.

    Its biases start where the family puts components that cover the targets, its weights small, so
    that the first predictions are the training distribution, whatever the features.
    """

    linear: Linear
    family: MixtureFamily = eqx.field(static=True)

    def __init__(
        self, in_size: int, family: MixtureFamily, *, bias: ArrayLike, key: PRNGKeyArray
    ) -> None:
        linear = Linear(in_size, family.n_raw, gain=0.1, key=key)
        self.linear = eqx.tree_at(lambda layer: layer.bias, linear, jnp.asarray(bias, jnp.float32))
        self.family = family

    def __call__(self, h: Float[Array, "h *n"], *, key: PRNGKeyArray | None = None) -> Params:
        """Parameters (K, ...) from an embedding."""
        return self.family.constrain(self.linear(h, key=key))
