"""The contract of a strategy: how one training run becomes many explicit networks.

Whatever is random about the weights, prediction uses plain networks stacked on a member axis: the
networks of an ensemble, draws of random weights, or thinned networks of Monte Carlo dropout, all
drawn once, with a seed, when training ends. So predictions are deterministic, and files, PDFs and
calibration need not know where members came from.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array

from sfumato.engine.compiled import program
from sfumato.networks.density import ConditionalDensity, Inputs
from sfumato.networks.layers import Linear
from sfumato.training.priors import Prior


@dataclass(frozen=True)
class StrategyTask:
    """What a strategy may look at when training is over.

    Parameters
    ----------
    inputs : from the user's rows to features.
    x, u, weight : training rows: examples (n, *shape), scaled targets (n,) or (n, d), weights (n,).
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
    priors: Mapping[str, Prior] = field(default_factory=dict)


class Finished(NamedTuple):
    """Plain networks stacked on axis 0, and what went less well than it should."""

    members: ConditionalDensity
    warnings: tuple[str, ...] = ()


class Strategy(ABC):
    """One way to express what the network does not know.

    The class variables are all that training asks about a strategy; the defaults are those of
    training that a strategy leaves as it is.
    """

    name: ClassVar[str]
    default_members: ClassVar[int]
    trains_all: ClassVar[bool] = False
    """Whether each member is a network of its own in training; otherwise there is one."""
    decays: ClassVar[bool] = True
    """Whether weight decay applies; not where the strategy has a prior of its own."""
    holds_out: ClassVar[bool] = True
    """Whether some rows were not trained on, so that they can say how well it does."""
    takes_noise: ClassVar[bool] = True
    """Whether it trains on features with measurement errors."""
    keeps_dropout: ClassVar[bool] = False
    """Whether dropout is its uncertainty: then it does not fade, and layers carry gates."""
    needs_rows: ClassVar[bool] = False
    """Whether it looks at the training rows when training is over."""

    def check(self, member: ConditionalDensity) -> None:
        """Refuse a network that it cannot work with; `ValueError` says why and what to do."""
        return

    def n_members(self, asked: int | None) -> int:
        """Members of a prediction, where `asked` were asked for, or None."""
        return self.default_members if asked is None else int(asked)

    def prepare(
        self, member: ConditionalDensity, *, key: Array, n_members: int
    ) -> ConditionalDensity:
        """A network with what the strategy needs in training; here the network as it is."""
        return member

    def penalty(self, member: ConditionalDensity, *, n_rows: int) -> Array | float:
        """What is added to the mean loss, in nats per row; here nothing."""
        return 0.0

    @abstractmethod
    def finish(self, members: ConditionalDensity, task: StrategyTask) -> Finished:
        """Trained networks, stacked, to `task.n_members` plain ones."""


def draws_of(make: Callable[[Array], ConditionalDensity], task: StrategyTask) -> ConditionalDensity:
    """``make(key)`` for each member, stacked."""
    keys = jax.random.split(jax.random.key(task.seed), task.n_members)
    return program(eqx.filter_vmap(make))(keys)


def prior_std(layer: Linear, scale: float) -> float:
    """Prior deviation of a layer's weights: `scale` times that of He et al. (2015)."""
    return scale * float(np.sqrt(2.0 / layer.weight.shape[-1]))


def n_weights(member: ConditionalDensity) -> int:
    """Numbers that a network learns."""
    return sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(member, eqx.is_array)))
