"""Many networks as one module, their arrays stacked on a leading axis."""

from collections.abc import Callable
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from sfumato.engine.compiled import program
from sfumato.families import MixtureFamily
from sfumato.networks.architecture import Builder
from sfumato.networks.density import ConditionalDensity

Stack = TypeVar("Stack")
"""A network, or a tree of arrays; a stack of them is of the same type."""


def make_members(
    family: MixtureFamily,
    builder: Builder,
    *,
    n_members: int,
    initial_bias: np.ndarray,
    seed: int,
) -> ConditionalDensity:
    """`n_members` freshly initialised networks with their arrays stacked on a leading axis.

    In single precision, whatever JAX's default is: that is what training is made for.
    """
    keys = jax.random.split(jax.random.key(seed), n_members)
    # the biases, which the targets decide, are an input: other targets compile nothing anew
    bias = jnp.asarray(initial_bias, jnp.float32)
    make = _every(family, builder)
    return program(make)(keys, bias)


def skeleton(family: MixtureFamily, builder: Builder, *, n_members: int) -> ConditionalDensity:
    """What `make_members` gives, with shapes for arrays: nothing is computed or compiled."""
    keys = eqx.filter_eval_shape(lambda: jax.random.split(jax.random.key(0), n_members))
    bias = jax.ShapeDtypeStruct((family.n_raw,), jnp.float32)
    return eqx.filter_eval_shape(_every(family, builder), keys, bias)


def _every(family: MixtureFamily, builder: Builder) -> Callable[..., ConditionalDensity]:
    """Networks of keys (m,) and one bias."""

    def single(leaf: object) -> object:
        return jnp.asarray(leaf, jnp.float32) if eqx.is_inexact_array(leaf) else leaf

    def make(key: jax.Array, bias: jax.Array) -> ConditionalDensity:
        return jax.tree.map(single, builder.build(family, bias=bias, key=key))

    return eqx.filter_vmap(make, in_axes=(0, None))


def first_of(members: Stack) -> Stack:
    """The first network of a stack."""
    arrays, static = eqx.partition(members, eqx.is_array)
    return eqx.combine(jax.tree.map(lambda leaf: leaf[0], arrays), static)


def broadcast(member: ConditionalDensity, n_members: int) -> ConditionalDensity:
    """`n_members` copies of one network, stacked."""
    arrays, static = eqx.partition(member, eqx.is_array)
    stacked = jax.tree.map(lambda a: jnp.broadcast_to(a, (n_members, *a.shape)), arrays)
    return eqx.combine(stacked, static)
