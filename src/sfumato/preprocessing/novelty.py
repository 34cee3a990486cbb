"""How unlike its training rows a row is: a distance, told as a quantile of held-out rows.

A row is compared with a sample of the training rows as the network sees them, by the distance to
the fifth-nearest once all directions in which training rows vary are of one length (a Mahalanobis
metric; distances to nearest neighbours find novelty as well as densities do: Ruff et al. 2021, A
Unifying Review of Deep and Shallow Anomaly Detection, section V). What a distance means is read off
rows that were held out: off whole ones for rows without gaps, and off those with gaps for others.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

_KNOWN_ROWS, _HELD_ROWS = 2048, 4096
"""Training rows that others are compared with, and held-out ones that say what a distance means.
Twice as many known ones take twice the time and move the novelty no more than another draw does."""

MOST_ROWS = _KNOWN_ROWS + _HELD_ROWS
"""Training rows that are looked at."""

_NEIGHBOUR = 5
"""The neighbour whose distance counts: a row that is like one stray training row is novel yet."""

_FEW_ROWS = 50
"""Rows of a kind that say too little of what is usual among them."""

_LEVELS = np.linspace(0, 1, 513)
"""Of the distances of held-out rows that are kept."""

_LEAST_VARIANCE = 0.01
"""Of a direction, in units of the mean one: what varies less is noise and is not blown up."""


class Novelty(NamedTuple):
    """Fitted by `fit_novelty`.

    Parameters
    ----------
    metric : (d, d) what rows are multiplied by, so that distances are Euclidean.
    reference : (r, d) training rows in that metric.
    distances : (2, q) of held-out rows without and with gaps, at equally spaced quantiles;
        increasing.
    ranges : (2, c) lowest and highest value of each of the user's columns; see `ranges_of`.
    """

    metric: np.ndarray
    reference: np.ndarray
    distances: np.ndarray
    ranges: np.ndarray

    def __call__(
        self, z: Float[np.ndarray, "n d"], gaps: Bool[np.ndarray, " n"]
    ) -> Float[np.ndarray, " n"]:
        """Share of the held-out training rows that lie closer to the others than rows z do.

        In [0, 1]: 0.99 is farther than 99 % of them, 1 is farther than all.

        Parameters
        ----------
        gaps : whether something was not measured.
        """
        found = _distance(z @ self.metric, self.reference)
        whole, with_gaps = (np.interp(found, kind, _LEVELS) for kind in self.distances)
        return np.where(gaps, with_gaps, whole)


class Sample(NamedTuple):
    """Rows in random order: scaled features (n, d), and whether something was not measured (n,)."""

    z: np.ndarray
    gaps: np.ndarray


def fit_novelty(
    plain: Sample,
    seen: Sample,
    folds: Int[np.ndarray, " n"] | None = None,
    *,
    ranges: Float[np.ndarray, "2 c"],
) -> Novelty:
    """What rows of training are like.

    Parameters
    ----------
    plain : training rows; of more than `MOST_ROWS` the others are not needed.
    seen : the same as one pass of training saw them, with its noise and its gaps.
    folds : (n,) their parts, such as sets of whole wells: a row is held against rows of other parts
        only. None where any two rows are strangers.
    ranges : see `Novelty`.
    """
    n_known = min(_KNOWN_ROWS, max(len(plain.z) // 2, 1))
    held = slice(n_known, n_known + _HELD_ROWS)
    metric = _metric(plain.z)
    # half of what is known is so without the noise and gaps of training
    known = np.where(np.arange(n_known)[:, None] % 2 == 0, plain.z[:n_known], seen.z[:n_known])
    reference = known @ metric

    def distances(rows: Sample) -> np.ndarray:
        z = rows.z[held] @ metric
        if folds is None:
            return _distance(z, reference)
        return _between_folds(z, reference, folds)

    whole = distances(plain)[~plain.gaps[held]]
    lacking = [distances(rows)[rows.gaps[held]] for rows in (plain, seen)]
    kinds = [whole, np.concatenate(lacking)]
    everything = np.concatenate(kinds)
    usual = [_quantiles(kind if kind.size >= _FEW_ROWS else everything) for kind in kinds]
    return Novelty(metric.astype(np.float32), reference.astype(np.float32), np.stack(usual), ranges)


def _quantiles(distances: np.ndarray) -> np.ndarray:
    """Distances at the levels, rising: those of rows that have twins are 0 and have no order."""
    found = np.quantile(distances[np.isfinite(distances)], _LEVELS)
    return found + np.arange(_LEVELS.size) * np.spacing(max(found[-1], 1e-6))


def _between_folds(z: np.ndarray, reference: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Distances (n,) of rows that follow those of the reference in `folds`, to other folds."""
    of_known, of_rows = folds[: len(reference)], folds[len(reference) :][: len(z)]
    found = np.full(len(z), np.nan)
    for fold in np.unique(of_rows):
        others = reference[of_known != fold]
        if len(others):
            found[of_rows == fold] = _distance(z[of_rows == fold], others)
    return found


def ranges_of(x: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "2 c"]:
    """Lowest and highest finite value of each column; of one without any, no value is beyond."""
    known = np.isfinite(x)
    low = np.min(np.where(known, x, np.inf), axis=0)
    high = np.max(np.where(known, x, -np.inf), axis=0)
    return np.where(known.any(axis=0), [low, high], [[-np.inf], [np.inf]])


def _metric(z: np.ndarray) -> np.ndarray:
    """Directions (d, d) in which rows vary, each over its deviation."""
    values, vectors = np.linalg.eigh(np.cov(z, rowvar=False).reshape(z.shape[1], -1))
    floor = _LEAST_VARIANCE * max(float(values.mean()), 1e-12)
    return vectors / np.sqrt(np.maximum(values, 0.0) + floor)


def _distance(z: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """To the fifth-nearest row of the reference."""
    from sklearn.neighbors import NearestNeighbors  # half a second of imports

    if not len(z):
        return np.empty(0)
    nearest = NearestNeighbors(n_neighbors=min(_NEIGHBOUR, len(reference)), algorithm="brute")
    return nearest.fit(reference).kneighbors(z)[0][:, -1]
