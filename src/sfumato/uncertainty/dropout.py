"""Monte Carlo dropout: members are the trained network thinned by random masks.

A mask is drawn for each member, not for each row, so that a member is one function of the features
and its predictions for two rows belong together; for a single row the two are the same.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import jax
import jax.numpy as jnp
from jax.scipy.special import xlogy
from jaxtyping import Array

from sfumato.networks.density import ConditionalDensity
from sfumato.networks.layers import Dropout, Linear
from sfumato.networks.members import first_of
from sfumato.uncertainty._base import Finished, Strategy, StrategyTask, draws_of

_FIRST_RATE = 0.1


@dataclass(frozen=True)
class MonteCarloDropout(Strategy):
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
    keeps_dropout: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.rate != "concrete" and not 0 < float(self.rate) < 1:
            raise ValueError(f"`rate` must lie in (0, 1) or be 'concrete'; got {self.rate!r}.")

    def check(self, member: ConditionalDensity) -> None:
        """Refuse a backbone without dropout.

        Raises
        ------
        ValueError
            It has none, or no gates that could take the place of the masks.
        """
        if not member.backbone.dropouts() or not member.backbone.gates():
            raise ValueError(
                f"{type(member.backbone).__name__} has no dropout with gates, which "
                "uncertainty='dropout' needs. Use uncertainty='ensemble' or 'variational'."
            )

    def prepare(
        self, member: ConditionalDensity, *, key: Array, n_members: int
    ) -> ConditionalDensity:
        """The network with dropout of this rate behind every layer."""
        learned = self.rate == "concrete"
        rate = _FIRST_RATE if self.rate == "concrete" else float(self.rate)
        odds = jnp.log(rate) - jnp.log1p(-rate)
        places = member.backbone.dropouts()
        drops = tuple(Dropout(rate, odds if learned else None) for _ in places)
        return member.with_backbone(member.backbone.with_dropouts(drops))

    def penalty(self, member: ConditionalDensity, *, n_rows: int) -> Array | float:
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

    def finish(self, members: ConditionalDensity, task: StrategyTask) -> Finished:
        """Thinned networks, one for each draw of masks."""
        member = first_of(members)
        return Finished(draws_of(lambda key: thinned(member, key), task))


def _next_layers(member: ConditionalDensity) -> list[tuple[Dropout, Linear]]:
    """Each dropout with the dense layer behind it."""
    return list(zip(member.backbone.dropouts(), member.dense_layers()[1:], strict=True))


def thinned(member: ConditionalDensity, key: Array) -> ConditionalDensity:
    """The network that one draw of masks leaves: the masks become its gates."""
    backbone = member.backbone
    drops, layers = backbone.dropouts(), backbone.dense_layers()
    keys = jax.random.split(key, len(drops))
    gates = tuple(
        drop.mask(layer.bias.size, key=k)
        for k, drop, layer in zip(keys, drops, layers, strict=True)
    )
    plain = tuple(Dropout(0.0) for _ in drops)
    return member.with_backbone(backbone.with_gates(gates).with_dropouts(plain))
