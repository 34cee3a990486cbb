"""The smooth density of a sample of targets, right where the sample stops and where it is thin."""

from functools import cache

import numpy as np
from scipy import linalg

N_POINTS = 401
_SMOOTHINGS = 10.0 ** np.arange(9, -7, -1)
"""Strengths of the penalty for each value of the sample, from smooth to rough."""

_MOST_STEPS = 60
_FEWEST = 10
_FARTHEST = 40.0  # of a log-density below its highest


def sample_density(
    y: np.ndarray, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    r"""Points (401,) over a sample y (n,), and its density there, of integral 1.

    The log-density has the highest Poisson likelihood less a penalty on its third differences
    (Eilers & Marx 1996, Statistical Science 11, 89, section 8), whose strength the Bayesian
    information criterion chooses (Schwarz 1978). A kernel estimate is wrong by half at a hard edge
    and vanishes between the last values of a tail, where a ratio of priors then has no bound. Here
    exponentials and Gaussians, cut off or not, cost no penalty: the density keeps its value at an
    edge, and goes on through the gaps of a tail.

    Parameters
    ----------
    weights : (n,) of the values, not negative; equal if not given.

    Notes
    -----
    Values heaped exactly on either end, as clipped targets are, count for the range alone.
    """
    low = float(np.min(y))
    values = np.asarray(y, float) - low
    grid = np.linspace(0.0, float(np.max(values)) or 1e-12, N_POINTS)
    cells = np.full(N_POINTS, grid[1])
    cells[[0, -1]] *= 0.5
    share = np.ones(values.size) if weights is None else np.asarray(weights, float)
    spread = ~_heaped(values)
    if spread.sum() >= _FEWEST:
        values, share = values[spread], share[spread]
    n = share.sum() ** 2 / np.sum(share**2)
    counts = n * _linear_counts(values / grid[1], share / share.sum())
    theta = _chosen(counts, n * cells / grid[-1], most_freedom=max(8.0, 2 * n**0.25))
    density = np.exp(theta - theta.max())
    points = low + grid
    if np.any(np.diff(points) <= 0):  # so far from 0 that the spread is lost in rounding
        points = low + np.abs(low) * 1e-12 * np.arange(grid.size)
    return points, density / np.trapezoid(density, points)


def _heaped(values: np.ndarray) -> np.ndarray:
    """Values that lie exactly on the lowest or highest of all, where others do as well.

    Targets that were clipped to a limit are a heap there and no density beside it.
    """
    heaped = np.zeros(values.size, bool)
    for end in (values.min(), values.max()):
        same = values == end
        heaped |= same & (same.sum() > 1)
    return heaped


def _linear_counts(places: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Shares at the points, each value's divided between the two that it lies between."""
    index = np.clip(places.astype(int), 0, N_POINTS - 2)
    beyond = places - index
    return np.bincount(index, share * (1 - beyond), N_POINTS) + np.bincount(
        index + 1, share * beyond, N_POINTS
    )


def _chosen(counts: np.ndarray, exposure: np.ndarray, *, most_freedom: float) -> np.ndarray:
    """The log-density of the lowest information criterion, from smooth to rough."""
    theta = np.zeros(counts.size)
    best, lowest = theta, np.inf
    for smoothing in counts.sum() * _SMOOTHINGS:
        theta, freedom = _fitted(counts, exposure, theta, smoothing)
        misfit = 2 * (np.sum(exposure * np.exp(theta)) - counts @ theta)
        loss = misfit + np.log(max(counts.sum(), 8.0)) * freedom
        if freedom > most_freedom:  # values on a lattice are no structure
            break
        if loss < lowest:
            best, lowest = theta, loss
    return best


def _fitted(
    counts: np.ndarray, exposure: np.ndarray, theta: np.ndarray, smoothing: float
) -> tuple[np.ndarray, float]:
    """Newton's method from a smoother estimate; and the degrees of freedom that were used."""
    for _ in range(_MOST_STEPS):
        expected = exposure * np.exp(theta)
        slope = counts - expected - smoothing * _roughness_slope(theta)
        step = linalg.solveh_banded(_information(expected, smoothing), slope)
        theta = theta + step / max(1.0, np.abs(step).max() / 2)
        theta = np.maximum(theta, theta.max() - _FARTHEST)
        if np.abs(step).max() < 1e-4:
            break
    expected = exposure * np.exp(theta)
    hat = linalg.solveh_banded(_information(expected, smoothing), np.diag(expected))
    return theta, float(np.trace(hat))


def _information(expected: np.ndarray, smoothing: float) -> np.ndarray:
    """Upper diagonals of the penalised information, as LAPACK stores them."""
    bands = smoothing * _penalty_bands()
    # a hair more than rounding: what is far below the rest leaves the matrix no rank
    bands[-1] += expected + 1e-14 * bands[-1].max() + 1e-12 * expected.max()
    return bands


@cache
def _penalty_bands() -> np.ndarray:
    differences = np.diff(np.eye(N_POINTS), 3, axis=0)
    penalty = differences.T @ differences
    diagonals = [np.concatenate([np.zeros(k), np.diagonal(penalty, k)]) for k in (3, 2, 1, 0)]
    return np.array(diagonals)


def _roughness_slope(theta: np.ndarray) -> np.ndarray:
    """The penalty times the log-density: third differences, differenced back."""
    return -np.diff(np.pad(np.diff(theta, 3), 3), 3)
