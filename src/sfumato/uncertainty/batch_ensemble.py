"""Many members at the price of one: they share their weights up to a factor of rank one.

(Wen, Tran & Ba 2020, BatchEnsemble, equations 1 to 3.) In training each row of a batch passes
through one member, so that an epoch costs what it costs one network.
"""

from dataclasses import dataclass
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from sfumato.engine.compiled import program
from sfumato.networks.density import ConditionalDensity
from sfumato.networks.layers import Linear
from sfumato.networks.members import first_of
from sfumato.uncertainty._base import Finished, Strategy, StrategyTask


class SharedLinear(eqx.Module):
    """A dense layer of m members, ``W * (1 + s)(1 + r)^T``; row i of a batch uses member i mod m.

    The factors are kept as what they differ from 1, so that weight decay pulls members together.
    """

    weight: Float[Array, "out f"]
    inner: Float[Array, "m f"]
    outer: Float[Array, "m out"]
    bias: Float[Array, "m out"]

    def __call__(self, x: Float[Array, "f n"], *, key: PRNGKeyArray | None = None) -> Array:
        """Pre-activations of a batch."""
        which = jnp.arange(x.shape[1]) % self.inner.shape[0]
        scaled = x * (1.0 + self.inner[which].T)
        return (self.weight @ scaled) * (1.0 + self.outer[which].T) + self.bias[which].T

    def member(self, index: Array) -> Linear:
        """The plain layer of one member."""
        weight = self.weight * (1.0 + self.outer[index])[:, None] * (1.0 + self.inner[index])
        blank = Linear(weight.shape[1], weight.shape[0], key=jax.random.key(0))
        values = (weight, self.bias[index])
        return eqx.tree_at(lambda layer: (layer.weight, layer.bias), blank, values)


@dataclass(frozen=True)
class BatchEnsemble(Strategy):
    """Members with shared weights and factors of rank one.

    Parameters
    ----------
    spread : deviation of the initial factors from 1.
    """

    spread: float = 0.5
    name: ClassVar[str] = "batch-ensemble"
    default_members: ClassVar[int] = 8

    def prepare(
        self, member: ConditionalDensity, *, key: Array, n_members: int
    ) -> ConditionalDensity:
        """The network with shared layers."""

        def shared(layer: Linear, key: Array) -> SharedLinear:
            first, second = jax.random.split(key)
            out_size, in_size = layer.weight.shape
            inner = self.spread * jax.random.normal(first, (n_members, in_size))
            outer = self.spread * jax.random.normal(second, (n_members, out_size))
            bias = jnp.broadcast_to(layer.bias, (n_members, out_size))
            return SharedLinear(layer.weight, inner, outer, bias)

        layers = member.dense_layers()
        keys = jax.random.split(key, len(layers))
        return member.with_dense_layers([shared(a, k) for a, k in zip(layers, keys, strict=True)])

    def finish(self, members: ConditionalDensity, task: StrategyTask) -> Finished:
        """The members written out."""
        member = first_of(members)

        def one(index: Array) -> ConditionalDensity:
            return member.with_dense_layers(
                [layer.member(index) for layer in member.dense_layers()]
            )

        return Finished(program(eqx.filter_vmap(one))(jnp.arange(task.n_members)))
