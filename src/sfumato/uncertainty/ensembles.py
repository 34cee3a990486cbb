"""One network, or several trained independently: no randomness in the weights themselves."""

from dataclasses import dataclass
from typing import ClassVar

from sfumato.networks.density import ConditionalDensity
from sfumato.uncertainty._base import Finished, Strategy, StrategyTask


@dataclass(frozen=True)
class Ensemble(Strategy):
    """Networks that differ in their start, their shuffling and the rows they hold out.

    (Lakshminarayanan, Pritzel & Blundell 2017.)
    """

    name: ClassVar[str] = "ensemble"
    default_members: ClassVar[int] = 8
    trains_all: ClassVar[bool] = True

    def finish(self, members: ConditionalDensity, task: StrategyTask) -> Finished:
        """The networks as they are."""
        return Finished(members)


@dataclass(frozen=True)
class Single(Ensemble):
    """One network, and no statement about what it does not know."""

    name: ClassVar[str] = "none"
    default_members: ClassVar[int] = 1

    def n_members(self, asked: int | None) -> int:
        """One, whatever was asked for."""
        return 1
