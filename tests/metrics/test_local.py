"""Joint, local and interval metrics against closed forms, plain loops and planted faults."""

import numpy as np
import pytest
from scipy import stats

from sfumato.errors import ShapeError
from sfumato.metrics import calibration, local

RNG = np.random.default_rng(23)
KS_1_PERCENT = 1.63


# --- the local test


def planted(*, n=3000, strength=1.0, seed=4):
    """PIT values uniform as a whole, pushed up in one strip of the first feature, down in the next.

    A share `strength` of a strip has the larger (smaller) of two uniform values, and the densities
    2u and 2(1 - u) of the two strips cancel.
    """
    rng = np.random.default_rng(seed)
    X = rng.uniform(0, 1, (n, 2)) * [1, 50]
    pit, other = rng.random((2, n))
    pushed = rng.random(n) < strength
    up, down = (X[:, 0] > 0.7) & (X[:, 0] <= 0.85), X[:, 0] > 0.85
    pit = np.where(up & pushed, np.maximum(pit, other), pit)
    return np.where(down & pushed, np.minimum(pit, other), pit), X, up, down


def test_local_test_finds_a_planted_fault_that_the_global_test_misses():
    pit, X, up, down = planted()
    assert stats.kstest(pit, "uniform").pvalue > 0.1
    result = local.local_pit_test(pit, X, n_null=200)
    assert result.pvalue == pytest.approx(1 / 201)
    found = result.adjusted_pvalues < 0.05
    assert np.mean((up | down)[found]) > 0.9
    assert X[found, 0].min() > 0.7 - 0.105  # as far as a hundred neighbours reach
    core = ((X[:, 0] > 0.74) & (X[:, 0] < 0.81)) | (X[:, 0] > 0.89)
    assert np.mean(found[core]) > 0.6
    assert np.mean(result.pvalues[core] < 0.05) > 0.9
    half = np.argmin(np.abs(result.levels - 0.5))
    assert np.all(result.observed[found & up, half] < 0.5)  # truths above their medians
    assert np.all(result.observed[found & down, half] > 0.5)
    assert result.level_pvalues[half] < 0.01


def test_local_test_passes_the_calibrated_and_fails_a_halved_width():
    rng = np.random.default_rng(0)
    X, z = rng.normal(size=(1000, 3)), rng.normal(size=1000)
    good = local.local_pit_test(stats.norm.cdf(z), X, n_null=100)
    assert good.pvalue > 0.05
    assert good.adjusted_pvalues.min() > 0.05
    assert np.mean(good.pvalues < 0.05) < 0.2
    bad = local.local_pit_test(stats.norm.cdf(2 * z), X, n_null=100)
    assert bad.pvalue == pytest.approx(1 / 101)
    assert np.mean(bad.adjusted_pvalues < 0.05) > 0.8
    assert good.statistic == pytest.approx(1, abs=0.3)


def test_local_test_has_its_size():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(150, 2))
    results = [
        local.local_pit_test(rng.random(150), X, n_neighbours=15, n_null=39, random_state=seed)
        for seed in range(200)
    ]
    bound = KS_1_PERCENT / np.sqrt(200) + 1 / 40  # p-values come in steps of 1 / 40
    assert calibration.pit_ks([r.pvalue for r in results]) < bound
    assert calibration.pit_ks([r.adjusted_pvalues.min() for r in results]) < bound
    assert calibration.pit_ks([r.level_pvalues[9] for r in results]) < bound
    statistics = [r.statistic for r in results]
    assert np.mean(statistics) == pytest.approx(1, abs=5 * np.std(statistics) / np.sqrt(200))
    local_pvalues = np.concatenate([r.pvalues for r in results])
    assert np.mean(local_pvalues < 0.05) == pytest.approx(0.05, abs=0.01)


def test_local_test_equals_plain_loops():
    rng = np.random.default_rng(6)
    pit, X, levels = rng.random(30), rng.normal(size=(30, 2)) * [1, 100], np.array([0.2, 0.7])
    result = local.local_pit_test(pit, X, levels=levels, n_neighbours=5, n_null=20, random_state=9)
    scaled = X / X.std(axis=0)
    near = [np.argsort(np.sum((scaled - point) ** 2, axis=1))[:5] for point in scaled]

    def squares(values):
        shares = np.array([[np.mean(values[i] <= a) for a in levels] for i in near])
        return 5 * (shares - levels) ** 2 / (levels * (1 - levels))

    ours = squares(pit)
    drawn = np.random.default_rng(9).random((30, 20))
    null = np.array([squares(drawn[:, b]) for b in range(20)])
    np.testing.assert_allclose(
        result.observed, [[np.mean(pit[i] <= a) for a in levels] for i in near]
    )
    np.testing.assert_allclose(result.statistics, ours.mean(axis=1))
    assert result.statistic == pytest.approx(ours.mean())
    above = np.sum(null.mean(axis=(1, 2)) >= ours.mean() - 1e-12)
    assert result.pvalue == pytest.approx((above + 1) / 21)
    at_level = np.sum(null.mean(axis=1) >= ours.mean(axis=0) - 1e-12, axis=0)
    np.testing.assert_allclose(result.level_pvalues, (at_level + 1) / 21)
    threshold = ours.mean(axis=1) - 1e-12
    pooled = np.sum(null.mean(axis=2)[..., None] >= threshold, axis=(0, 1))
    np.testing.assert_allclose(result.pvalues, (pooled + 1) / 601)
    worst = np.sum(null.mean(axis=2).max(axis=1)[:, None] >= threshold, axis=0)
    np.testing.assert_allclose(result.adjusted_pvalues, (worst + 1) / 21)


def test_local_test_over_all_objects_is_global_and_repeatable():
    pit, X, _, _ = planted(n=200)
    X[:, 1] = 3.0  # a constant feature does no harm
    result = local.local_pit_test(pit, X, n_neighbours=200, n_null=20)
    shares = np.mean(pit[:, None] <= result.levels, axis=0)
    np.testing.assert_allclose(result.observed, np.tile(shares, (200, 1)))
    again = local.local_pit_test(pit, X, n_neighbours=200, n_null=20)
    np.testing.assert_array_equal(again.pvalues, result.pvalues)


def test_local_test_refuses_what_it_cannot_use():
    pit, X = RNG.random(50), RNG.normal(size=(50, 2))
    with pytest.raises(ShapeError, match=r"shapes \(n,\) and \(n, f\), n >= 1; got \(50,\)"):
        local.local_pit_test(pit, X[:, 0])
    with pytest.raises(ShapeError, match="`pit` and `X` must have shapes"):
        local.local_pit_test(pit[:9], X)
    with pytest.raises(ValueError, match=r"`pit` must lie in \[0, 1\] without NaN; 1 of 50"):
        local.local_pit_test(np.append(pit[1:], np.nan), X)
    with pytest.raises(ValueError, match="`X` must be finite; 1 of 50 rows are not"):
        local.local_pit_test(pit, np.where(X[7, 1] == X, np.nan, X))
    with pytest.raises(ShapeError, match="`levels` must have shape"):
        local.local_pit_test(pit, X, levels=[])
    with pytest.raises(ValueError, match="`levels` must lie strictly between 0 and 1; got"):
        local.local_pit_test(pit, X, levels=[0.5, 1.0])
    for k in (1, 51):
        with pytest.raises(ValueError, match=f"between 2 and the number of objects, 50; got {k}"):
            local.local_pit_test(pit, X, n_neighbours=k)
    with pytest.raises(ValueError, match="`n_null` must be at least 1"):
        local.local_pit_test(pit, X, n_neighbours=5, n_null=0)
