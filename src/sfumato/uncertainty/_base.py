"""The contract of a strategy: how one training run becomes many explicit networks.

Whatever is random about the weights, prediction uses plain networks stacked on a member axis: the
networks of an ensemble, draws of random weights, or thinned networks of Monte Carlo dropout, all
drawn once, with a seed, when training ends. So predictions are deterministic, and files, PDFs and
calibration need not know where members came from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from sfumato.models import ConditionalDensity, Inputs


@dataclass(frozen=True)
class Task:
    """What a strategy may look at when training is over.

    Parameters
    ----------
    inputs : from the user's columns to features.
    x, u, weight : training rows: columns (n, c), scaled targets (n,) or (n, d), weights (n,).
    n_members : explicit networks to hand back.
    seed : of every draw.
    priors : of layers (see `sfumato.training.priors`).
    """

    inputs: Inputs
    x: np.ndarray
    u: np.ndarray
    weight: np.ndarray
    n_members: int
    seed: int
    priors: Mapping[str, Any] = field(default_factory=dict)


class Finished(NamedTuple):
    """Plain networks stacked on axis 0, and what went less well than it should."""

    members: ConditionalDensity
    warnings: tuple[str, ...] = ()


class Strategy(Protocol):
    """One way to express what the network does not know."""

    name: ClassVar[str]
    default_members: ClassVar[int]
    trains_all: ClassVar[bool]
    """Whether each member is a network of its own in training; otherwise there is one."""
    decays: ClassVar[bool]
    """Whether weight decay applies; not where the strategy has a prior of its own."""

    def prepare(self, member: ConditionalDensity, *, key: Array, n_members: int) -> Any:
        """A network with what the strategy needs in training."""
        ...

    def penalty(self, member: Any, *, n_rows: int) -> Array | float:
        """What is added to the mean loss, in nats per row."""
        ...

    def finish(self, members: Any, task: Task) -> Finished:
        """Trained networks, stacked, to `task.n_members` plain ones."""
        ...


class PlainTraining:
    """Training that a strategy leaves as it is."""

    trains_all: ClassVar[bool] = False
    decays: ClassVar[bool] = True

    def prepare(
        self, member: ConditionalDensity, *, key: Array, n_members: int
    ) -> ConditionalDensity:
        """The network as it is."""
        return member

    def penalty(self, member: Any, *, n_rows: int) -> float:
        """None."""
        return 0.0


def first_of(members: Any) -> Any:
    """The first network of a stack."""
    arrays, static = eqx.partition(members, eqx.is_array)
    return eqx.combine(jax.tree.map(lambda leaf: leaf[0], arrays), static)


def draws_of(make: Any, task: Task) -> ConditionalDensity:
    """``make(key)`` for each member, stacked."""
    keys = jax.random.split(jax.random.key(task.seed), task.n_members)
    return eqx.filter_jit(eqx.filter_vmap(make))(keys)


def dense_layers(member: ConditionalDensity) -> tuple[Any, ...]:
    """The dense layers of a network from the first to the head's."""
    return (*member.backbone.layers, member.head.linear)


def replace_dense(member: ConditionalDensity, layers: list[Any]) -> ConditionalDensity:
    """The same network with other dense layers."""
    return eqx.tree_at(dense_layers, member, tuple(layers))


def prior_std(layer: Any, scale: float) -> float:
    """Prior deviation of a layer's weights: `scale` times that of He et al. (2015)."""
    return scale * float(np.sqrt(2.0 / layer.weight.shape[-1]))


def broadcast(member: ConditionalDensity, n_members: int) -> ConditionalDensity:
    """`n_members` copies of one network, stacked."""
    arrays, static = eqx.partition(member, eqx.is_array)
    stacked = jax.tree.map(lambda a: jnp.broadcast_to(a, (n_members, *a.shape)), arrays)
    return eqx.combine(stacked, static)
