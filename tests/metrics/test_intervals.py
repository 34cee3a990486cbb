"""Joint, local and interval metrics against closed forms, plain loops and planted faults."""

import numpy as np
import pytest
from scipy import stats

from oracles import gaussian_crps
from sfumato.errors import ShapeError
from sfumato.metrics import intervals

RNG = np.random.default_rng(23)
KS_1_PERCENT = 1.63


# --- quantiles, intervals, PIT values


def test_pinball_by_hand_and_its_mean_over_levels_is_half_the_crps():
    losses = intervals.pinball_losses([[1.0, 3.0]], [0.1, 0.9], [2.0])
    np.testing.assert_allclose(losses, [[0.1, 0.1]])
    loc, scale, y = RNG.normal(size=20), RNG.uniform(0.2, 3, 20), RNG.normal(size=20) * 2
    levels = (np.arange(4000) + 0.5) / 4000
    quantiles = stats.norm.ppf(levels, loc[:, None], scale[:, None])
    crps = 2 * intervals.pinball_losses(quantiles, levels, y).mean(axis=1)
    np.testing.assert_allclose(crps, gaussian_crps(loc, scale, y), rtol=1e-3)


def test_pinball_is_least_at_the_quantile():
    y, levels = RNG.normal(size=20_000), np.array([0.1, 0.5, 0.8])
    best = stats.norm.ppf(levels)
    losses = [
        intervals.pinball_losses(np.tile(best + off, (y.size, 1)), levels, y).mean(axis=0)
        for off in (-0.2, 0.0, 0.2)
    ]
    np.testing.assert_array_equal(np.argmin(losses, axis=0), 1)


def test_interval_score_by_hand_and_by_two_quantile_losses():
    by_hand = intervals.interval_scores([0, 0, 0], [1, 1, 1], [0.5, -0.1, 1.2], level=0.8)
    np.testing.assert_allclose(by_hand, [1, 2, 3])
    low, high, y = -RNG.random(50), RNG.random(50), RNG.normal(size=50)
    ours = intervals.interval_scores(low, high, y, level=0.9)
    pinball = intervals.pinball_losses(np.stack([low, high], axis=1), [0.05, 0.95], y)
    np.testing.assert_allclose(ours, 2 / 0.1 * pinball.sum(axis=1))


def test_reliability_curve_counts_and_its_error_is_the_scatter():
    pit = RNG.random(400) ** 1.1
    levels, observed, error = intervals.reliability_curve(pit, n_levels=11)
    np.testing.assert_allclose(observed, [np.mean(pit <= level) for level in levels])
    assert (observed[-1], error[0], error[-1]) == (1, 0, 0)
    many = [intervals.reliability_curve(RNG.random(400), n_levels=11)[1] for _ in range(1000)]
    np.testing.assert_allclose(np.std(many, axis=0), error, rtol=0.11)  # 5 / sqrt(2 * 1000)
    scatter = np.abs(intervals.reliability_curve(stats.norm.cdf(2 * RNG.normal(size=400)))[1] - 0.5)
    assert scatter[10] < 0.4 - 5 * 0.3 / 20  # too narrow: far above the diagonal at 0.1


def test_sharpness_of_a_calibrated_model_is_its_rmse():
    std = RNG.uniform(0.5, 2, 40_000)
    error = RNG.normal(0, std)
    assert intervals.sharpness(std) == pytest.approx(np.sqrt(np.mean(error**2)), rel=0.025)
    assert intervals.sharpness([3.0, 4.0]) == pytest.approx(np.sqrt(12.5))


def test_interval_metrics_refuse_what_they_cannot_use():
    with pytest.raises(ShapeError, match=r"shapes \(n, q\), \(q,\) and \(n,\); got \(2, 3\)"):
        intervals.pinball_losses(np.zeros((2, 3)), [0.5], [0.0, 0.0])
    with pytest.raises(
        ValueError, match=r"`levels` must lie strictly between 0 and 1; got \[1.0\]"
    ):
        intervals.pinball_losses([[0.0]], [1.0], [0.0])
    with pytest.raises(ShapeError, match="`lower`, `upper` and `truth` must be of one shape"):
        intervals.interval_scores([0.0], [1.0, 2.0], [0.5], level=0.9)
    with pytest.raises(ValueError, match="`level` must lie strictly between 0 and 1; got 90"):
        intervals.interval_scores([0.0], [1.0], [0.5], level=90)
    with pytest.raises(ValueError, match="must not exceed `upper`; it does in 1 of 2 rows"):
        intervals.interval_scores([0.0, 2.0], [1.0, 1.0], [0.5, 0.5], level=0.9)
    with pytest.raises(ShapeError, match="`pit` must have shape"):
        intervals.reliability_curve([])
    for pit in ([0.5, np.nan], [0.5, 1.2], [-0.1, 0.5]):
        with pytest.raises(ValueError, match=r"`pit` must lie in \[0, 1\] without NaN"):
            intervals.reliability_curve(pit)
    with pytest.raises(ValueError, match="`n_levels` must be at least 2, for both ends; got 1"):
        intervals.reliability_curve([0.5], n_levels=1)
    with pytest.raises(ShapeError, match="`std` must have shape"):
        intervals.sharpness([])
    with pytest.raises(ValueError, match="`std` must be finite and >= 0; 2 of 3 are not"):
        intervals.sharpness([1.0, -1.0, np.nan])
