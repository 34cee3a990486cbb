"""Priors on a grid, and the ratio of two of them: what reweighting multiplies densities by."""

from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from sfumato.errors import check_one_of
from sfumato.pdfs._sample_density import sample_density

Curve: TypeAlias = Callable[[np.ndarray], ArrayLike] | np.ndarray | tuple
"""A prior: a function of a grid, the targets themselves, or a histogram (counts, edges)."""

Outside = Literal["edge", "zero"]
OUTSIDE: tuple[Outside, ...] = get_args(Outside)

LEAST_PRIOR = 1e-4
"""Of its highest value: a training prior below is taken for this, so that a ratio has a bound."""


def range_of(prior: Curve) -> tuple[float, float] | None:
    """Where the targets of a prior begin and end; None for a function."""
    if callable(prior):
        return None
    if isinstance(prior, tuple) and len(prior) == 2:
        values = np.asarray(prior[1], float)
    else:
        values = _targets_of(prior, name="training_prior")
    return float(np.min(values)), float(np.max(values))


def _targets_of(prior: Curve, *, name: str) -> np.ndarray:
    """Targets (n,) that stand for their density, checked."""
    forms = "a function, a set of one PDF, a histogram (counts, edges), or targets"
    try:
        values = np.asarray(prior, float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"`{name}` must be {forms}; got {prior!r:.60}.") from error
    bad = ~np.isfinite(values)
    if values.ndim != 1 or values.size < 2 or bad.any():
        what = f"{bad.sum()} that are not finite" if bad.any() else f"shape {values.shape}"
        message = f"`{name}`, given as targets, must be two or more finite numbers"
        raise ValueError(f"{message}; got {what}. Else give {forms[: forms.rindex(',')]}.")
    if np.ptp(values) == 0:
        raise ValueError(f"`{name}`: all targets are {values[0]:g}, which has no density.")
    return values


def check_within(prior: object, support: tuple[float, float]) -> None:
    """Refuse targets that no density of this support can have.

    Raises
    ------
    ValueError
        Some of the values that stand for a new prior lie outside.
    """
    if not isinstance(prior, np.ndarray | list):
        return
    values = _targets_of(np.asarray(prior), name="new_prior")
    low, high = support
    slack = 1e-6 * (high - low) if np.isfinite(high - low) else 0.0
    beyond = values[(values < low - slack) | (values > high + slack)]
    if beyond.size:
        message = f"`new_prior`: {beyond.size:,} of {values.size:,} targets lie outside the support"
        raise ValueError(f"{message}, {low:g} to {high:g}, as {beyond[0]:g}. Leave them out.")


def knots_of(prior: Curve) -> np.ndarray:
    """Places where a prior jumps: just below and above the edges of a histogram."""
    if callable(prior) or not isinstance(prior, tuple) or len(prior) != 2:
        return np.zeros(0)
    edges = np.asarray(prior[1], float)
    step = 1e-9 * np.ptp(edges)
    return np.concatenate([edges - step, edges + step])


def prior_ratio(
    points: np.ndarray, new: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """New prior over training prior at points (g,), and which of them were trained on.

    Raises
    ------
    ValueError
        The training prior vanishes everywhere.
    """
    trained = known > 0
    if not trained.any():
        raise ValueError("The training prior is 0 at every point of the grid.")
    # the prior is held at its edge, and bounded below where the targets are very thin
    held = np.interp(points, points[trained], known[trained])
    first, last = points[trained][[0, -1]]
    inside = (points >= first) & (points <= last)
    return new / np.maximum(held, LEAST_PRIOR * held.max()), inside


def limited(
    density: np.ndarray, ratio: np.ndarray, trained: np.ndarray, outside: Outside
) -> np.ndarray:
    """The ratio (g,) or (n, g) that multiplies densities (n, g); see `AbstractPDFs.reweight`."""
    check_one_of(outside, OUTSIDE, what="`outside`")
    if outside == "edge" or trained.all():
        return ratio
    inside = np.where(trained, ratio, 0.0)
    empty = density @ inside <= 0
    return np.where(empty[:, None], ratio, inside) if empty.any() else inside


def _histogram_on(counts: ArrayLike, edges: ArrayLike, grid: np.ndarray) -> np.ndarray:
    """Density of a histogram, of counts or already one, on a grid; 0 outside its edges."""
    counts, edges = np.asarray(counts, float), np.asarray(edges, float)
    if edges.size != counts.size + 1 or np.any(np.diff(edges) <= 0):
        message = "A histogram must be (counts, edges) with rising edges, one more than counts"
        raise ValueError(f"{message}; got {counts.size} and {edges.size}.")
    if not np.all(np.isfinite(counts) & (counts >= 0)):
        raise ValueError("The counts of a histogram must be finite and not negative.")
    widths = np.diff(edges)
    # numpy.histogram(density=True) has divided by the widths already
    is_density = np.isclose(counts @ widths, 1, rtol=1e-9) and np.any(counts != np.round(counts))
    heights = counts if is_density else counts / widths
    place = np.clip(np.searchsorted(edges, grid, side="right") - 1, 0, counts.size - 1)
    inside = (grid >= edges[0]) & (grid <= edges[-1])
    return np.where(inside, heights[place], 0.0)


def on_grid(prior: Curve, grid: np.ndarray, *, name: str) -> np.ndarray:
    """Values (g,) of a prior on the grid, checked."""
    if callable(prior):
        try:
            values = np.asarray(prior(grid), float)
        except (TypeError, ValueError) as error:
            message = f"`{name}` must take an array of points and give one value for each"
            raise ValueError(f"{message}; it says: {error}") from error
    elif isinstance(prior, tuple) and len(prior) == 2:
        values = _histogram_on(*prior, grid)
    else:
        points, density = sample_density(_targets_of(prior, name=name))
        values = np.interp(grid, points, density, left=0.0, right=0.0)
    wants = f"`{name}` must give one finite value >= 0 for each point"
    if values.shape != grid.shape:
        raise ValueError(f"{wants}; got shape {values.shape} for {grid.shape}.")
    bad = ~(np.isfinite(values) & (values >= 0))
    if bad.any():
        where, span = grid[bad][0], f"{grid[0]:.4g} to {grid[-1]:.4g}"
        message = f"{wants} of {span}; it is {values[bad][0]:g} at {where:.4g}"
        raise ValueError(f"{message}. Make it 0 where it is not defined.")
    return values
