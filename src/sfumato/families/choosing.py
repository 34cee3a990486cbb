"""Which families hold given targets, and which is taken when nobody says."""

import numpy as np

from sfumato.errors import DataError
from sfumato.families._base import Component
from sfumato.families.table import COMPONENTS, REGRESSION


def families_for(y: np.ndarray, *, trials: int | None = None) -> list[str]:
    """Names of the families whose support holds every target y, (n,) or (n, d), as it stands."""
    fitting = []
    for name in REGRESSION:
        component = COMPONENTS[name]
        if (component.kind == "vector") != (y.ndim == 2):
            continue
        if component.scaling == "bounds":
            fitting.append(name)  # whose bounds can be laid around any target
            continue
        if component.needs_trials:
            n = trials if trials is not None else _total(y)
            if n is None:
                continue
            component = component.bound(trials=n)
        if np.all(component.admits(y)):
            fitting.append(name)
    return fitting


def _total(y: np.ndarray) -> int | None:
    """The number of trials that count vectors show; scalars do not show theirs."""
    if y.ndim == 1 or not np.all(y == np.round(y)):
        return None
    totals = np.unique(y.sum(axis=1))
    return int(totals[0]) if totals.size == 1 else None


def check_support(component: Component, u: np.ndarray, y: np.ndarray) -> None:
    """Refuse targets outside the support, and say what would hold them.

    Parameters
    ----------
    u : targets on the component's scale, (n,) or (n, d).
    y : the same in the user's units.

    Raises
    ------
    DataError
        A target lies outside; the message names its row, its value and the families that fit.
    """
    if component.kind == "count" and np.max(y) > MOST_COUNTS:
        message = f"The family {component.name!r} takes counts up to {MOST_COUNTS}"
        row = int(np.argmax(y)) + 1
        cure = "Use a continuous family such as 'gamma' or 'lognormal'"
        raise DataError(f"{message}; the target of row {row} is {np.max(y):g}. {cure}.")
    fine = component.admits(u)
    if np.all(fine):
        return
    row = int(np.argmax(~fine))
    value = f"{y[row]:g}" if y.ndim == 1 else np.array2string(y[row], precision=4)
    fitting = ", ".join(repr(name) for name in families_for(y))
    raise DataError(
        f"The family {component.name!r} takes {component.takes()}; "
        f"the target of row {row + 1} is {value}. "
        f"Families that hold all targets: {fitting}."
    )


MOST_COUNTS = 100_000
"""Largest count of a family of counts: the links of rates reach somewhat further."""


def choose_family(y: np.ndarray) -> tuple[str, str]:
    """The family for targets y, (n,) or (n, d), by their support, and the reason in a sentence."""
    whole = bool(np.all(y == np.round(y)))
    if y.ndim == 2 and np.isnan(y).any():
        return "multivariate-normal", "the targets are vectors, of which some numbers are missing"
    if y.ndim == 2:
        if np.all(y >= 0) and np.allclose(y.sum(axis=1), 1, atol=1e-4):
            return "dirichlet", "the targets are shares that add up to 1"
        if whole and np.all(y >= 0) and _total(y) is not None:
            return "multinomial", f"the targets are counts that add up to {_total(y)} in every row"
        return "multivariate-normal", f"the targets are vectors of {y.shape[1]} real numbers"
    if whole and np.all(y >= 0) and np.max(y) <= MOST_COUNTS:
        if np.var(y) > 1.2 * np.mean(y):
            return "negative-binomial", "the targets are counts, more scattered than Poisson"
        return "poisson", "the targets are counts, not more scattered than Poisson"
    if np.all((y > 0) & (y < 1)):
        return "beta", "the targets lie between 0 and 1"
    if np.all(y > 0) and np.max(y) > 20 * np.median(y):
        return "lognormal", "the targets are positive with a long upper tail"
    if np.all(y > 0):
        return "gamma", "the targets are positive"
    return "normal", "the targets are real numbers of both signs"
