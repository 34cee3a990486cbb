"""From targets to a family and to numbers on its scale."""

import warnings
from dataclasses import dataclass

import numpy as np

from sfumato.errors import DataError
from sfumato.families import MixtureFamily, bound_component
from sfumato.families._base import Component
from sfumato.families.choosing import check_support, choose_family


@dataclass(frozen=True)
class Wish:
    """What a regressor was asked to predict with; the names are its options."""

    family: str
    n_components: int
    bounds: tuple[float | None, float | None]
    trials: int | None
    n_bins: int
    rank: int


_LARGEST = 1e150


def check_present(y: object) -> np.ndarray | None:
    """Refuse targets that are missing or infinite, by their row; words are no business of this.

    Returns
    -------
    Which coordinates of vectors (n, d) are missing, where some are and no row lacks all of them.

    Raises
    ------
    ValueError
        A target is missing, or all of a vector; or one is infinite.
    """
    try:
        values = np.asarray(y, float)
    except (TypeError, ValueError):
        return None
    if values.ndim not in (1, 2) or np.isfinite(values).all():
        return None
    rows = values.reshape(len(values), -1)
    gaps = np.isnan(rows)
    fine = np.asarray(~np.isinf(rows).any(axis=1) & ~gaps.all(axis=1))
    if rows.shape[1] > 1 and fine.all():
        return gaps
    row = int(np.argmin(fine))
    what = "infinity" if np.isinf(rows[row]).any() else "NaN"
    raise ValueError(f"Input y contains {what} in row {row + 1}. Leave such rows out.")


def check_targets(y: np.ndarray, *, n_components: int) -> None:
    """Refuse targets, (n,) or (n, d), from which nothing can be learnt.

    Raises
    ------
    ValueError
        There are fewer than two, they are constant, or there are more components than rows.
    """
    if len(y) < 2:
        raise ValueError(f"{len(y)} sample of positive weight; at least 2 are needed.")
    if (never := np.isnan(y).all(axis=0)).any():
        place = int(np.argmax(np.atleast_1d(never)))
        raise ValueError(f"Number {place + 1} of the target is missing in every row.")
    largest = float(np.nanmax(np.abs(y)))
    if largest > _LARGEST:
        message = f"The target reaches {largest:g}, whose square is beyond all numbers"
        raise DataError(f"{message}. Leave such rows out, or choose another unit.")
    lowest = np.nanmin(y, axis=0)
    constant = np.nanmax(y, axis=0) == lowest
    if np.any(constant):
        value = np.atleast_1d(lowest)[int(np.argmax(constant))]
        raise ValueError(f"The target is constant ({value:g}); there is nothing to learn.")
    if n_components > len(y):
        raise ValueError(
            f"`n_components` is {n_components}, more than the {len(y)} rows. Lower it."
        )


MANY_WIDTHS = 10
"""Times the width of the central 90 % of the targets: what lies farther away is extreme."""


GAUSSIAN_90 = 3.29
"""Standard deviations that the central 90 % of a Gaussian are wide."""


def extremes(y: np.ndarray) -> np.ndarray:
    """Rows of the few targets (n,) so far away that they alone decide the deviation of all."""
    low, middle, high = np.quantile(y, [0.05, 0.5, 0.95])
    far = np.flatnonzero(np.abs(y - middle) > MANY_WIDTHS * (high - low))
    return far if high > low and far.size <= max(1, 0.01 * len(y)) else far[:0]


def warn_of_extremes(family: MixtureFamily, y: np.ndarray) -> None:
    """Name targets that are `extremes` where the scale is taken from the targets."""
    if y.ndim > 1 or family.component.scaling != "standard" or not (far := extremes(y)).size:
        return
    row = int(far[np.argmax(np.abs(y[far] - np.median(y)))])
    message = f"{far.size} of {len(y):,} targets lie more than {MANY_WIDTHS} times the width of the"
    warnings.warn(
        f"{message} others away, {y[row]:g} in row {row + 1} farthest: they decide the "
        "scale on which the others are hardly seen. Correct or leave them out, take logarithms, or "
        "use family='student-t', which is scaled by the others.",
        stacklevel=3,
    )


def make_family(wish: Wish, y: np.ndarray) -> tuple[MixtureFamily, str]:
    """The mixture with its affine map from the component's scale to the target's, and why.

    Raises
    ------
    ValueError
        The bounds or the trials do not fit the targets.
    DataError
        Targets are vectors where the family takes numbers, or the other way.
    """
    name, reason = wish.family, "it was asked for"
    if name == "auto":
        name, reason = choose_family(y)
    elif y.ndim == 2 and name in VECTOR_TWINS:
        name = VECTOR_TWINS[name]
        reason = f"the targets are vectors of {y.shape[1]} numbers"
    component = _bound(wish, name, y)
    if (component.kind == "vector") != (y.ndim == 2):
        fitting = "'multivariate-normal', 'dirichlet' or 'multinomial'"
        what = f"vectors of {y.shape[1]} numbers" if y.ndim == 2 else "single numbers"
        cure = f"Use {fitting}" if y.ndim == 2 else "Use a family of single numbers"
        raise DataError(f"The targets are {what}; the family {name!r} is not for them. {cure}.")
    # components that no network moves are one for each of their places
    fixed = component.constants
    n_components = len(fixed[0]) if fixed else wish.n_components
    shift, scale = _scaling(component, wish, y)
    return MixtureFamily(component, n_components, shift, scale), reason


VECTOR_TWINS = {"normal": "multivariate-normal"}
"""Families of single numbers that are asked for and have a twin for vectors."""

Scale = float | tuple[float, ...]


def _scaling(component: Component, wish: Wish, y: np.ndarray) -> tuple[Scale, Scale]:
    """Shift and scale that make the targets standard."""
    if component.scaling == "standard" and y.ndim == 2:
        return tuple(np.nanmean(y, axis=0).tolist()), tuple(np.nanstd(y, axis=0).tolist())
    if component.scaling == "robust":
        low, middle, high = np.quantile(y, [0.05, 0.5, 0.95])
        return float(middle), float(high - low) / GAUSSIAN_90 or float(y.std())
    if component.scaling == "standard":
        return float(y.mean()), float(y.std())
    if component.scaling == "positive":
        return 0.0, float(abs(y).mean())
    if component.scaling == "bounds":
        lower, upper = _bounds(wish.bounds, y)
        return lower, upper - lower
    return 0.0, 1.0


def _bound(wish: Wish, name: str, y: np.ndarray) -> Component:
    """The component with the dimension, trials and bins of this task."""
    component = bound_component(name)
    trials = wish.trials if component.needs_trials else None
    if component.needs_trials and trials is None:
        if y.ndim == 1:
            raise ValueError(f"The family {name!r} needs `trials`, the number of trials.")
        trials = int(np.nansum(y, axis=-1).max())
    with_gaps = True if np.isnan(y).any() else None
    if with_gaps and not component.takes_gaps:
        row = int(np.argmax(np.isnan(y).any(axis=1))) + 1
        message = f"The family {name!r} takes whole vectors, and row {row} lacks a number"
        raise DataError(f"{message}. Leave such rows out, or use 'multivariate-normal'.")
    edges = _edges(wish, y) if y.ndim == 1 and component.scaling == "bounds" else None
    return component.bound(
        trials=trials,
        rank=int(wish.rank),
        event_size=y.shape[1] if y.ndim == 2 else 1,
        n_bins=min(wish.n_bins, MOST_SPLINE_BINS),
        edges=edges,
        with_gaps=with_gaps,
        exponent=component.exponent_of(y),
    )


MOST_SPLINE_BINS = 16
MOST_BEYOND = 0.02
"""Share of the targets that may be moved to a bound."""


def _edges(wish: Wish, y: np.ndarray) -> tuple[float, ...]:
    """Edges in (0, 1) of bins of about equal shares of the targets; the outer ones are bounds."""
    lower, upper = _bounds(wish.bounds, y)
    inner = np.quantile(y, np.linspace(0, 1, wish.n_bins + 1)[1:-1])
    unit = np.unique(np.round((inner - lower) / (upper - lower), 9))
    inside = unit[(unit > 1e-6) & (unit < 1 - 1e-6)]
    return (0.0, *inside.tolist(), 1.0)


def _bounds(bounds: tuple[float | None, float | None], y: np.ndarray) -> tuple[float, float]:
    """Bounds of the target, given or a twentieth beyond the training range."""
    margin = 0.05 * np.ptp(y)
    lower = float(y.min() - margin) if bounds[0] is None else float(bounds[0])
    upper = float(y.max() + margin) if bounds[1] is None else float(bounds[1])
    if not lower < upper:
        raise ValueError(f"`bounds` must increase; got {bounds!r}.")
    if y.max() <= lower or y.min() >= upper:
        raise ValueError(f"No target lies inside `bounds` ({lower:g}, {upper:g}).")
    return lower, upper


def scaled_targets(family: MixtureFamily, y: np.ndarray) -> tuple[np.ndarray, int]:
    """Targets on the component's scale, inside its support, and how many had to be moved.

    Raises
    ------
    DataError
        More than 2 % lie beyond the bounds: not measurements, or wrong bounds; or one lies outside
        the support of a family without bounds.
    """
    plain = family.to_unit(y)
    if family.component.scaling != "bounds":
        check_support(family.component, plain, y)
    else:
        beyond = int(np.sum((plain < 0) | (plain > 1)))
        if beyond > MOST_BEYOND * len(y):
            low, high = family.shift, family.shift + family.scale
            share = 100 * beyond / len(y)
            message = f"{beyond:,} of {len(y):,} targets ({share:.3g} %) lie beyond the bounds"
            cure = "Leave such rows out if they are codes, or widen `bounds`"
            raise DataError(f"{message} {low:g} and {high:g}. {cure}.")
    u = np.asarray(family.component.clip(plain), float)
    return u, int(np.sum(~np.isclose(u, plain, atol=1e-9, rtol=1e-6, equal_nan=True)))
