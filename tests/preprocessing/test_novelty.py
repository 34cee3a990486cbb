"""Novelty against distances written out, and against what a quantile has to be."""

import numpy as np
import pytest
from scipy import stats

from sfumato.preprocessing.novelty import MOST_ROWS, Sample, fit_novelty, ranges_of

RANGES = np.zeros((2, 3))


def rows(n, seed=0):
    """Two directions that go together, and one that is small."""
    z = np.random.default_rng(seed).normal(size=(n, 3))
    return z @ np.array([[1.0, 0.9, 0.0], [0.0, 0.2, 0.0], [0.0, 0.0, 5.0]])


def fit(z, seen=None, folds=None, gaps=None):
    whole = np.zeros(len(z), bool)
    seen = Sample(z if seen is None else seen, whole if gaps is None else gaps)
    return fit_novelty(Sample(z, whole), seen, folds, ranges=RANGES)


def of(novelty, z, *, gaps=False):
    return novelty(z, np.full(len(z), gaps))


def fitted(n, seed=0):
    return fit(rows(n, seed))


@pytest.mark.parametrize("n", [1000, 3 * MOST_ROWS])
def test_new_rows_like_those_of_training_are_spread_evenly(n):
    novelty = of(fitted(n), rows(4000, seed=1))
    # 500 held-out rows tell a quantile to 0.03 or so
    assert stats.kstest(novelty, "uniform").statistic < 0.07
    assert np.mean(novelty > 0.99) == pytest.approx(0.01, abs=0.015)


def test_the_distance_is_that_to_the_fifth_neighbour_in_units_of_the_spread():
    z = rows(400)
    found = fitted(400)
    spread = np.cov(z, rowvar=False)
    values, vectors = np.linalg.eigh(spread)
    inverse = vectors @ np.diag(1 / (values + 0.01 * values.mean())) @ vectors.T
    known = z[:200]
    away = known[None] - z[200:, None]
    square = np.einsum("nri,ij,nrj->nr", away, inverse, away)
    distances = np.sqrt(np.sort(square, axis=1)[:, 4])
    expected = np.quantile(distances, np.linspace(0, 1, 513))
    np.testing.assert_allclose(found.distances, [expected, expected], rtol=1e-5)


def test_what_breaks_a_relation_is_novel_though_each_number_is_usual():
    model = fitted(2000)
    odd = np.array([[1.5, -1.5, 0.0]])
    usual = np.array([[1.5, 1.4, 0.0], [-1.5, -1.4, 0.0]])
    assert of(model, odd)[0] == 1.0
    assert np.all(of(model, usual) < 0.99)


def test_rows_are_held_against_other_folds_only():
    # wells apart: within one all rows are alike, and another is far away
    rng = np.random.default_rng(2)
    wells = np.repeat(np.arange(8), 200)
    z = rng.normal(size=(8, 3))[wells] + 0.01 * rng.normal(size=(1600, 3))
    order = rng.permutation(1600)
    by_wells = fit(z[order], folds=wells[order])
    by_rows = fit(z[order])
    another = rng.normal(size=(300, 3))
    assert np.mean(of(by_rows, another) > 0.99) > 0.9  # as any well to come would be
    assert np.mean(of(by_wells, another) > 0.99) < 0.5


def test_rows_that_are_all_alike_leave_a_quantile():
    z = np.repeat(rows(4), 100, axis=0)
    z = z[np.random.default_rng(0).permutation(400)]
    novelty = fit(z)
    assert np.all(np.diff(novelty.distances) > 0)
    assert of(novelty, z[:1] + 3.0)[0] == 1.0


def test_rows_with_gaps_are_held_against_rows_with_gaps():
    def without(z):
        return z * [1.0, 1.0, 0.0] + [0.0, 0.0, 40.0]  # filled, with a flag say

    z = rows(4000)
    gaps = np.arange(4000) % 10 == 0
    seen = np.where(gaps[:, None], without(z), z)
    lost = without(rows(1000, seed=1))
    assert np.mean(of(fitted(4000), lost, gaps=True) > 0.99) == 1.0
    aware = fit(z, seen, gaps=gaps)
    assert stats.kstest(of(aware, lost, gaps=True), "uniform").statistic < 0.12
    # and those without are as they were
    assert stats.kstest(of(aware, rows(4000, seed=2)), "uniform").statistic < 0.06
    # a row with gaps that is odd in what it has is novel all the same
    assert of(aware, without(np.array([[1.5, -1.5, 0.0]])), gaps=True)[0] > 0.99


def test_ranges_are_of_finite_values_and_empty_columns_have_none():
    x = np.array([[1.0, np.nan, np.nan], [3.0, 2.0, np.nan], [np.inf, 5.0, np.nan]])
    np.testing.assert_array_equal(ranges_of(x), [[1.0, 2.0, -np.inf], [3.0, 5.0, np.inf]])
