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

    def __call__(
        self, x: Float[Array, "f *n"], *, key: PRNGKeyArray | None = None
    ) -> Float[Array, "out *n"]:
        """Apply to one example or a batch; the key is for layers whose weights are random."""
        return self.weight @ x + column(self.bias, x)


def column(values: Array, like: Array) -> Array:
    """`values` with as many axes behind as `like` has examples' axes."""
    return values.reshape(*values.shape, *(1,) * (like.ndim - 1))


def dropout(x: Array, *, rate: Array | float, key: PRNGKeyArray) -> Array:
    """Set a share `rate` of the values to 0 and scale the others by 1 / (1 - rate).

    The mask is an integer hash of a counter ("lowbias32", C. Wellons 2018), several times cheaper
    on a CPU than cryptographic-quality bits, of which dropout has no need.
    """
    bits = jax.lax.iota(jnp.uint32, x.size).reshape(x.shape) * np.uint32(0x9E3779B9)
    bits = bits + jax.random.bits(key, dtype=jnp.uint32)
    bits = (bits ^ (bits >> 16)) * np.uint32(0x7FEB352D)
    bits = (bits ^ (bits >> 15)) * np.uint32(0x846CA68B)
    keep = (bits ^ (bits >> 16)) >= jnp.asarray(rate * (2.0**32 - 256), jnp.uint32)
    return jnp.where(keep, x / (1.0 - rate), 0.0)


class Dropout(eqx.Module):
    """Dropout in training; with `logit`, at a rate that is learned.

    The learned form drops by a relaxed mask whose rate has a gradient (concrete dropout; Gal, Hron
    & Kendall 2017, equation 5). Its temperature is theirs.

    Parameters
    ----------
    rate : share of values dropped, in [0, 1); the first guess where it is learned.
    logit : log-odds of the learned rate, or None.
    """

    rate: float = eqx.field(static=True)
    logit: Array | None = None

    def __call__(
        self, x: Array, *, key: PRNGKeyArray | None, strength: Array | float = 1.0
    ) -> Array:
        """`x` as it is without a key; a given rate is multiplied by `strength`."""
        if key is None or (self.logit is None and self.rate == 0):
            return x
        if self.logit is None:
            rate = self.rate * strength
            # where dropout has faded away its random bits are not even made
            return jax.lax.cond(
                jnp.asarray(rate) > 0, lambda v: dropout(v, rate=rate, key=key), lambda v: v, x
            )
        uniform = jax.random.uniform(key, x.shape, minval=1e-6, maxval=1 - 1e-6)
        noise = jnp.log(uniform) - jnp.log1p(-uniform)
        dropped = jax.nn.sigmoid((self.logit + noise) / _TEMPERATURE)
        return x * (1.0 - dropped) / jax.nn.sigmoid(-self.logit)

    def learned_rate(self) -> Array | float:
        """The rate, learned or given."""
        return self.rate if self.logit is None else jax.nn.sigmoid(self.logit)

    def mask(self, size: int, *, key: PRNGKeyArray) -> Float[Array, " size"]:
        """What one draw multiplies each of `size` values by: 0, or 1 / (1 - rate)."""
        rate = self.learned_rate()
        keep = jax.random.bernoulli(key, 1.0 - rate, (size,))
        return jnp.where(keep, 1.0 / (1.0 - rate), 0.0)


_TEMPERATURE = 0.1


def fold(key: PRNGKeyArray | None, number: int) -> PRNGKeyArray | None:
    """A key of its own for each use of one, or None."""
    return None if key is None else jax.random.fold_in(key, number)
