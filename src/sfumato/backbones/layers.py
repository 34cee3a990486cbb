"""Layers that more than one backbone needs."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray


class Linear(eqx.Module):
    """``W x + b`` over the leading axis, for one example (f,) or a batch (f, n).

    Features come first so that a batch is one matrix product without a transpose, and so that the
    elementwise work behind it runs along contiguous rows.
    """

    weight: Float[Array, "out f"]
    bias: Float[Array, " out"]

    def __init__(
        self, in_size: int, out_size: int, *, gain: float = 1.0, key: PRNGKeyArray
    ) -> None:
        """Normal weights of variance gain^2 / in_size (LeCun 1998; He 2015 at gain sqrt 2)."""
        scale = gain / np.sqrt(in_size)
        self.weight = scale * jax.random.normal(key, (out_size, in_size))
        self.bias = jnp.zeros(out_size)

    def __call__(self, x: Float[Array, "f *n"]) -> Float[Array, "out *n"]:
        """Apply to one example or a batch."""
        return self.weight @ x + self.bias.reshape(-1, *(1,) * (x.ndim - 1))


def dropout(x: Array, *, rate: float, key: PRNGKeyArray) -> Array:
    """Set a share `rate` of the values to 0 and scale the others by 1 / (1 - rate).

    The mask is an integer hash of a counter ("lowbias32", C. Wellons 2018), several times cheaper
    on a CPU than cryptographic-quality bits, of which dropout has no need.
    """
    bits = jax.lax.iota(jnp.uint32, x.size).reshape(x.shape) * np.uint32(0x9E3779B9)
    bits = bits + jax.random.bits(key, dtype=jnp.uint32)
    bits = (bits ^ (bits >> 16)) * np.uint32(0x7FEB352D)
    bits = (bits ^ (bits >> 15)) * np.uint32(0x846CA68B)
    keep = (bits ^ (bits >> 16)) >= np.uint32(rate * 2**32)
    return jnp.where(keep, x / (1.0 - rate), 0.0)
