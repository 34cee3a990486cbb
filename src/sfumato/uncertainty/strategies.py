"""The one table from what ``uncertainty=`` names to its strategy."""

from sfumato.errors import choose
from sfumato.uncertainty._base import Strategy
from sfumato.uncertainty.batch_ensemble import BatchEnsemble
from sfumato.uncertainty.dropout import MonteCarloDropout
from sfumato.uncertainty.ensembles import Ensemble, Single
from sfumato.uncertainty.laplace import Laplace
from sfumato.uncertainty.variational import Variational
from sfumato.uncertainty.weight_posterior import NUTS, SVI

STRATEGIES: dict[str, type[Strategy]] = {
    strategy.name: strategy
    for strategy in (
        Single,
        Ensemble,
        MonteCarloDropout,
        Variational,
        Laplace,
        BatchEnsemble,
        NUTS,
        SVI,
    )
}
"""Name to class; an instance with other options is accepted wherever a name is."""


def strategy_of(value: str | Strategy) -> Strategy:
    """A strategy from its name, or as it is.

    Raises
    ------
    ValueError
        There is no strategy of that name.
    """
    return choose(value, STRATEGIES, what="`uncertainty`")() if isinstance(value, str) else value
