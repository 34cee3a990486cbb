"""Where in feature space the stated probabilities hold: the local test of PIT values."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from sfumato._numerics import row_chunks
from sfumato.errors import ShapeError

LEVELS = tuple(np.linspace(0.05, 0.95, 19).round(2).tolist())


@dataclass(frozen=True)
class LocalPITTest:
    """What `local_pit_test` found; n objects, q levels.

    Attributes
    ----------
    levels : (q,) probabilities at which calibration was looked at.
    observed : (n, q) share of PIT values up to each level among each object's neighbours, its local
        P-P curve: above the level on both sides of 0.5 the truths lie low, above it below 0.5 and
        below it above 0.5 the PDFs are too narrow.
    statistics : (n,) mean over levels of (observed - level)^2, in units of its expectation for a
        calibrated model: 1 on average if calibrated.
    pvalues : (n,) of each object alone; a share p of them is below p by chance, in patches.
    adjusted_pvalues : (n,) of each object as the worst of all: one below 0.05 anywhere happens to
        a calibrated model in 5 % of cases.
    level_pvalues : (q,) of each level, over all objects.
    statistic, pvalue : of the whole model: the mean of `statistics`.
    """

    levels: np.ndarray
    observed: np.ndarray
    statistics: np.ndarray
    pvalues: np.ndarray
    adjusted_pvalues: np.ndarray
    level_pvalues: np.ndarray
    statistic: float
    pvalue: float


def local_pit_test(
    pit: ArrayLike,
    X: ArrayLike,
    *,
    levels: Sequence[float] | np.ndarray = LEVELS,
    n_neighbours: int = 100,
    n_null: int = 500,
    random_state: int | np.random.Generator = 0,
) -> LocalPITTest:
    """Test whether PIT values are uniform everywhere in feature space, and say where not.

    Zhao et al. (2021) regress 1[PIT <= level] on the features and compare the squared distance of
    the fit to the level with that of uniform PIT values. Here the regression is the mean over the
    nearest neighbours in standardised features, so its null is one sparse product for each draw;
    and each level's square is divided by level (1 - level), as Anderson & Darling (1954) do, which
    raises the power against a wrong width.

    Parameters
    ----------
    pit : (n,) PIT values of objects that were not trained on; `CountPDFs.pit` for counts.
    X : (n, f) features in which to look, each standardised here. Few that mean something (a
        magnitude and the colours, say) see more than many that repeat each other.
    levels : (q,) probabilities strictly between 0 and 1.
    n_neighbours : objects in a mean, itself included. An `observed` of a calibrated model scatters
        by ``sqrt(level (1 - level) / n_neighbours)``; what is narrower in X than its neighbours
        reach is not seen.
    n_null : draws of uniform PIT values; the least global p-value is 1 / (n_null + 1).

    Raises
    ------
    ShapeError
        The shapes disagree.
    ValueError
        A PIT value or level is out of range, a feature is not finite, or `n_neighbours` or `n_null`
        cannot be.
    """
    values, features, probabilities = _checked(pit, X, levels)
    n_objects = len(values)
    if not 2 <= n_neighbours <= n_objects:
        message = f"`n_neighbours` must lie between 2 and the number of objects, {n_objects}"
        raise ValueError(f"{message}; got {n_neighbours}.")
    if n_null < 1:
        raise ValueError(f"`n_null` must be at least 1, better 500; got {n_null}.")
    weights = _neighbour_weights(features, n_neighbours)
    observed = _local_shares(weights, values[:, None], probabilities)[:, 0]
    null = _Null(weights, probabilities, n_neighbours, n_null, np.random.default_rng(random_state))
    return null.compare(observed)


def _checked(
    pit: ArrayLike, X: ArrayLike, levels: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values, features = np.asarray(pit, float), np.asarray(X, float)
    probabilities = np.asarray(levels, float)
    if values.ndim != 1 or features.ndim != 2 or len(values) != len(features) or not features.size:
        message = "`pit` and `X` must have shapes (n,) and (n, f), n >= 1"
        raise ShapeError(f"{message}; got {values.shape} and {features.shape}.")
    if not np.all((values >= 0) & (values <= 1)):
        bad = np.sum(~((values >= 0) & (values <= 1)))
        raise ValueError(f"`pit` must lie in [0, 1] without NaN; {bad} of {values.size} do not.")
    bad = np.sum(~np.isfinite(features).all(axis=1))
    if bad:
        message = f"`X` must be finite; {bad} of {len(features)} rows are not."
        raise ValueError(f"{message} Fill in what is missing or leave these objects out.")
    if probabilities.ndim != 1 or probabilities.size == 0:
        raise ShapeError(f"`levels` must have shape (q,), q >= 1; got {probabilities.shape}.")
    if not np.all((probabilities > 0) & (probabilities < 1)):
        message = "`levels` must lie strictly between 0 and 1"
        raise ValueError(f"{message}; got {probabilities.tolist()}.")
    return values, features, probabilities


def _neighbour_weights(features: np.ndarray, n_neighbours: int) -> sparse.csr_array:
    """Averaging matrix (n, n): 1 / k at each row's k nearest, itself among them."""
    scale = features.std(axis=0)
    standardised = (features - features.mean(axis=0)) / np.where(scale > 0, scale, 1.0)
    search = NearestNeighbors(n_neighbors=n_neighbours).fit(standardised)
    return sparse.csr_array(search.kneighbors_graph(standardised)) / n_neighbours


def _local_shares(weights: sparse.csr_array, pit: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Share of neighbours' PIT values up to each level, (n, b, q), for b sets of them (n, b)."""
    inside = (pit[..., None] <= levels).astype(float)
    return (weights @ inside.reshape(len(pit), -1)).reshape(inside.shape)


@dataclass(frozen=True)
class _Null:
    """Statistics of calibrated models with the same features: uniform PIT values, redrawn."""

    weights: sparse.csr_array
    levels: np.ndarray
    n_neighbours: int
    n_null: int
    rng: np.random.Generator

    def compare(self, observed: np.ndarray) -> LocalPITTest:
        """P-values by counting the draws whose statistics are at least as large.

        Each object's null is the same, k uniform values of equal weight, so the local p-values
        count over the draws of all objects.
        """
        squares = self._squares(observed)
        statistics = squares.mean(axis=1)
        # equal statistics may differ in the last bit, and equal ones count as at least as large
        local, by_level, overall = (
            values * (1 - 1e-9) for values in (statistics, squares.mean(axis=0), statistics.mean())
        )
        n_above, n_worst = np.zeros(len(local)), np.zeros(len(local))
        n_level, n_global = np.zeros(by_level.size), 0
        for drawn in self._draws(len(local)):
            null = drawn.mean(axis=2)
            n_above += null.size - np.searchsorted(np.sort(null, axis=None), local)
            worst = np.sort(null.max(axis=0))
            n_worst += worst.size - np.searchsorted(worst, local)
            n_level += np.sum(drawn.mean(axis=0) >= by_level, axis=0)
            n_global += np.sum(null.mean(axis=0) >= overall)
        return LocalPITTest(
            self.levels,
            observed,
            statistics,
            (n_above + 1) / (len(local) * self.n_null + 1),
            (n_worst + 1) / (self.n_null + 1),
            (n_level + 1) / (self.n_null + 1),
            float(statistics.mean()),
            float((n_global + 1) / (self.n_null + 1)),
        )

    def _draws(self, n_objects: int):  # noqa: ANN202 - an iterator of arrays (n, b, q)
        """The squares of uniform PIT values, batch by batch."""
        for batch in row_chunks(self.n_null, width=n_objects * self.levels.size, budget=1 << 22):
            pit = self.rng.random((n_objects, batch.stop - batch.start))
            yield self._squares(_local_shares(self.weights, pit, self.levels))

    def _squares(self, shares: np.ndarray) -> np.ndarray:
        """Squared distances of shares (..., q) to the levels over their variance if calibrated."""
        return self.n_neighbours * (shares - self.levels) ** 2 / (self.levels * (1 - self.levels))
