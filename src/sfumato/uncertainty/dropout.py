"""Monte Carlo dropout: members are the trained network thinned by random masks.

A mask is drawn for each member, not for each row, so that a member is one function of the features
and its predictions for two rows belong together; for a single row the two are the same.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.scipy.special import xlogy
from jaxtyping import Array

from sfumato.backbones.layers import Dropout
from sfumato.models import ConditionalDensity
from sfumato.uncertainty._base import Finished, Task, draws_of, first_of

_FIRST_RATE = 0.1


@dataclass(frozen=True)
class MonteCarloDropout:
    """Dropout that stays on in prediction (Gal & Ghahramani 2016).

    Parameters
    ----------
    rate : share of activations dropped, in (0, 1), or ``"concrete"`` for a rate that each layer
        learns (Gal, Hron & Kendall 2017).
    prior_length : prior length scale of the learned rate's penalty (their equation 3).
    """

    rate: float | Literal["concrete"] = "concrete"
    prior_length: float = 0.1
    name: ClassVar[str] = "dropout"
    default_members: ClassVar[int] = 30
    trains_all: ClassVar[bool] = False
    decays: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.rate != "concrete" and not 0 < float(self.rate) < 1:
            raise ValueError(f"`rate` must lie in (0, 1) or be 'concrete'; got {self.rate!r}.")

    def prepare(
        self, member: ConditionalDensity, *, key: Array, n_members: int
    ) -> ConditionalDensity:
        """The network with dropout of this rate behind every layer."""
        learned = self.rate == "concrete"
        rate = _FIRST_RATE if self.rate == "concrete" else float(self.rate)
        odds = jnp.log(rate) - jnp.log1p(-rate)
        drops = tuple(Dropout(rate, odds if learned else None) for _ in member.backbone.dropouts)
        return eqx.tree_at(lambda m: m.backbone.dropouts, member, drops)

    def penalty(self, member: Any, *, n_rows: int) -> Array | float:
        """For learned rates, KL to the prior over masks and weights, per row (their equation 3)."""
        if self.rate != "concrete":
            return 0.0
        total = jnp.zeros(())
        for drop, layer in _next_layers(member):
            p = drop.learned_rate()
            squared = 0.5 * self.prior_length**2 * (1 - p) * jnp.sum(layer.weight**2)
            entropy = -xlogy(p, p) - xlogy(1 - p, 1 - p)
            total = total + squared - layer.weight.shape[1] * entropy
        return total / n_rows

    def finish(self, members: Any, task: Task) -> Finished:
        """Thinned networks, one for each draw of masks."""
        member = first_of(members)
        return Finished(draws_of(lambda key: thinned(member, key), task))


def _next_layers(member: ConditionalDensity) -> list[tuple[Dropout, Any]]:
    """Each dropout with the dense layer behind it."""
    behind = (*member.backbone.layers[1:], member.head.linear)
    return list(zip(member.backbone.dropouts, behind, strict=True))


def thinned(member: ConditionalDensity, key: Array) -> ConditionalDensity:
    """The network that one draw of masks leaves: the masks become its gates."""
    drops = member.backbone.dropouts
    keys = jax.random.split(key, len(drops))
    gates = tuple(
        drop.mask(layer.bias.size, key=k)
        for k, drop, layer in zip(keys, drops, member.backbone.layers, strict=True)
    )
    plain = tuple(Dropout(0.0) for _ in drops)
    return eqx.tree_at(lambda m: (m.backbone.gates, m.backbone.dropouts), member, (gates, plain))
