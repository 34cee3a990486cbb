"""A conditional density: backbone plus head, and many of them evaluated as one program."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from sfumato._compilation import CPU_OPTIONS
from sfumato._typing import Params
from sfumato.backbones import MLP
from sfumato.heads import Head
from sfumato.preprocessing import AffineScaler, FeatureTransform


class ConditionalDensity(eqx.Module):
    """p(y | x): features to the parameters of a distribution, one example or a batch behind."""

    backbone: MLP
    head: Head

    def __call__(self, x: Float[Array, "f *n"], *, key: PRNGKeyArray | None = None) -> Params:
        """Parameters (K, ...) at the features x; a key switches dropout on."""
        return self.head(self.backbone(x, key=key))

    def log_prob(
        self,
        x: Float[Array, "f *n"],
        u: Float[Array, " *n"],
        *,
        key: PRNGKeyArray | None = None,
    ) -> Float[Array, " *n"]:
        """Log-density of scaled targets u at features x."""
        return self.head.family.log_prob(self(x, key=key), u)


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
        """Parameters (n, m, K) of every member at rows x of the user's columns."""
        inputs = self.inputs(x.T)
        arrays, static = eqx.partition(self.members, eqx.is_array)
        members = jax.vmap(lambda member: eqx.combine(member, static)(inputs))(arrays)
        return {name: jnp.transpose(value, (2, 0, 1)) for name, value in members.items()}


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
