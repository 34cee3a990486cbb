"""Training that goes on, by further cycles of its schedule, while it is still gaining."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from sfumato.training.history import convergence_note
from sfumato.training.loop import FitResult, Member

MOST_CYCLES = 4


def fit_cycles(cycle: Callable[[Member, int], FitResult], members: Member) -> FitResult:
    """The best of up to four cycles, each from where the one before was best.

    Another begins while the last quarter of the epochs still gained: warm restarts of the learning
    rate (Loshchilov & Hutter 2017).

    Parameters
    ----------
    cycle : trains members whose epochs are counted from a number.
    """
    result = cycle(members, 0)
    for _ in range(MOST_CYCLES - 1):
        if convergence_note(result.history) is None:
            break
        # the loop writes over the arrays that it starts from
        copies = jax.tree.map(lambda v: jnp.copy(v) if eqx.is_array(v) else v, result.members)
        result = _better(result, cycle(copies, result.history.n_epochs))
    return result


def _better(first: FitResult, second: FitResult) -> FitResult:
    """Each member from the run in which its validation loss was lower; the history of both."""
    won = second.history.lowest < first.history.lowest

    def chosen(old: jax.Array, new: jax.Array) -> jax.Array:
        return jnp.where(won.reshape(-1, *(1,) * (old.ndim - 1)), new, old)

    arrays = jax.tree.map(
        chosen, *(eqx.filter(run.members, eqx.is_array) for run in (first, second))
    )
    members = eqx.combine(arrays, second.members)
    return FitResult(members, first.history.followed_by(second.history, won=np.asarray(won)))
