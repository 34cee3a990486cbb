"""Importance weights against known ratios of Gaussians, and the quadratic programme itself."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats
from threadpoolctl import threadpool_limits

from sfumato.errors import DataError, IncompatibleError, ShapeError
from sfumato.preprocessing.shift import kernels
from sfumato.preprocessing.shift.weights import (
    METHODS,
    EffectiveSampleSizeWarning,
    OverlapWarning,
    effective_sample_size,
    importance_weights,
)

N = 3000

WHERE = {Path(__file__).name, "_decorator.py"}
"""Where warnings are said to come from: the caller's file, or the check of annotations between."""


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    # small problems: threads that wait for a busy core cost far more than they bring
    with threadpool_limits(1):
        yield


def gaussians(d, *, shift, scale, n_train=N, n_target=N, seed=0):
    """Standard normal training rows, shifted target rows, and their true ratio at the former."""
    rng = np.random.default_rng(seed)
    train = rng.normal(size=(n_train, d))
    target = shift + scale * rng.normal(size=(n_target, d))
    log_ratio = stats.norm.logpdf(train, shift, scale) - stats.norm.logpdf(train)
    return train, target, np.exp(log_ratio.sum(axis=1))


SHIFTS = {1: {"shift": 0.6, "scale": 0.8}, 3: {"shift": 0.5, "scale": 0.8}}
# by method and dimension: squared error over that of constant weights; the kernel methods are
# linear near a ratio of 0, so that their logarithms are compared where the ratio is above 0.2
LARGEST_ERROR = {"classifier": 0.02, "kmm": 0.05, "ulsif": 0.1}
LEAST_CORRELATION = {"classifier": 0.99, "kmm": 0.94, "ulsif": 0.9}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("d", SHIFTS)
def test_weights_follow_the_ratio_of_two_gaussians(method, d):
    train, target, truth = gaussians(d, **SHIFTS[d])
    weights = importance_weights(train, target, method=method).weights
    truth = truth / truth.mean()
    assert np.mean((weights - truth) ** 2) / np.var(truth) < LARGEST_ERROR[method]
    assert np.corrcoef(weights, truth)[0, 1] > 0.95
    seen = (truth > 0.2) & (weights > 0)
    assert seen.sum() > 0.98 * np.sum(truth > 0.2)
    found = np.corrcoef(np.log(weights[seen]), np.log(truth[seen]))[0, 1]
    assert found > LEAST_CORRELATION[method]


@pytest.mark.parametrize("method", METHODS)
def test_weighted_means_over_training_rows_are_means_over_the_target(method):
    train, target, _ = gaussians(3, **SHIFTS[3])
    weights = importance_weights(train, target, method=method).weights

    def f(x):
        return np.sin(x[:, 0]) + x[:, 1] * x[:, 2] + x[:, 1] ** 2

    # E f under the target; sin averages to sin(shift) exp(-scale^2 / 2)
    exact = np.sin(0.5) * np.exp(-0.32) + 0.25 + (0.64 + 0.25)
    noise = f(target).std() / np.sqrt(N)
    assert np.mean(weights * f(train)) == pytest.approx(exact, abs=5 * noise)
    assert abs(f(train).mean() - exact) > 10 * noise


@pytest.mark.parametrize("method", METHODS)
def test_without_a_shift_every_row_counts(method):
    train, target, _ = gaussians(3, shift=0, scale=1)
    result = importance_weights(train, target, method=method)
    assert result.method == method
    assert result.weights.mean() == pytest.approx(1)
    assert result.weights.std() < 0.15
    assert result.effective_sample_size > 0.97 * N


@pytest.mark.parametrize("method", METHODS)
def test_the_size_of_the_target_sample_does_not_enter(method):
    train, target, truth = gaussians(1, **SHIFTS[1], n_target=800)
    weights = importance_weights(train, target, method=method).weights
    assert weights.mean() == pytest.approx(1)
    assert np.corrcoef(weights, truth)[0, 1] > 0.95


def test_the_classifier_follows_a_ratio_that_levels_off():
    # a soft cut, far from any ratio of normals: logistic regression would extrapolate it
    rng = np.random.default_rng(3)
    everything = rng.normal(size=(8000, 2))
    kept_share = 0.05 + 0.95 / (1 + np.exp(4 * everything[:, 0]))
    kept = rng.uniform(size=8000) < kept_share
    truth = 1 / kept_share[kept]
    weights = importance_weights(everything[kept], rng.normal(size=(4000, 2))).weights
    truth = truth / truth.mean()
    # trees stop by rows drawn at random, which differ between versions of scikit-learn
    assert np.mean((weights - truth) ** 2) / np.var(truth) < 0.15


@pytest.mark.parametrize("method", METHODS)
def test_weights_are_deterministic_and_ignore_units(method):
    train, target, _ = gaussians(2, shift=0.3, scale=0.9, n_train=600, n_target=500)
    first = importance_weights(train, target, method=method, random_state=4).weights
    again = importance_weights(train, target, method=method, random_state=4).weights
    np.testing.assert_array_equal(first, again)
    units = importance_weights(1e6 * train, 1e6 * target, method=method, random_state=4).weights
    np.testing.assert_allclose(units, first, rtol=0.02, atol=0.02)


def test_matching_solves_the_quadratic_programme(monkeypatch):
    monkeypatch.setattr(kernels, "WEIGHT_BOUND", 2.0)
    rng = np.random.default_rng(5)
    features, mean, ridge = rng.normal(size=(30, 4)), np.full(4, 0.6), 0.05
    slope, offset = kernels._matched(features, mean, ridge=ridge)
    beta = np.clip(features @ slope + offset, 0, 2)

    def objective(b):
        return np.sum((features.T @ b / 30 - mean) ** 2) / 2 + ridge * np.mean(b**2) / 2

    oracle = optimize.minimize(
        objective,
        np.ones(30),
        method="SLSQP",
        bounds=[(0, 2)] * 30,
        constraints={"type": "eq", "fun": lambda b: b.mean() - 1},
        options={"ftol": 1e-14, "maxiter": 1000},
    ).x
    np.testing.assert_allclose(beta, oracle, atol=2e-3)
    assert np.any(oracle < 1e-6)
    assert np.any(oracle > 2 - 1e-6)


def test_kernel_methods_solve_on_some_rows_and_answer_for_all(monkeypatch):
    monkeypatch.setattr(kernels, "MOST_SOLVED", 1500)
    train, target, truth = gaussians(1, **SHIFTS[1])
    for method in ("kmm", "ulsif"):
        weights = importance_weights(train, target, method=method).weights
        assert weights.shape == (N,)
        assert np.corrcoef(weights, truth)[0, 1] > 0.95


def test_effective_sample_size_of_weights_worked_by_hand():
    assert effective_sample_size([3.0, 3.0, 0.0, 0.0]) == pytest.approx(2)
    assert effective_sample_size([1e300, 2e300]) == pytest.approx(9 / 5)
    with pytest.raises(ShapeError, match=r"must have shape \(n,\), n >= 1; got \(0,\)"):
        effective_sample_size([])
    with pytest.raises(ValueError, match="at least 0, and not all 0"):
        effective_sample_size([1.0, -1.0])


def test_clipping_caps_the_weights_and_keeps_their_mean():
    train, target, _ = gaussians(3, **SHIFTS[3])
    plain = importance_weights(train, target, method="kmm")
    for clip, cap in ((0.9, np.quantile(plain.weights, 0.9)), (3.0, 3.0)):
        clipped = importance_weights(train, target, method="kmm", clip=clip)
        capped = np.minimum(plain.weights, cap)
        np.testing.assert_allclose(clipped.weights, capped / capped.mean())
        assert clipped.effective_sample_size > plain.effective_sample_size


def test_missing_values_are_filled_and_flagged():
    rng = np.random.default_rng(6)
    train, target = rng.normal(size=(3000, 2)), rng.normal(size=(3000, 2))
    train[rng.uniform(size=3000) < 0.2, 1] = np.nan
    target[rng.uniform(size=3000) < 0.6, 1] = np.inf
    missing = np.isnan(train[:, 1])
    weights = importance_weights(train, target).weights
    # 0.6 / 0.2 where the value is missing, 0.4 / 0.8 elsewhere
    assert weights[missing].mean() == pytest.approx(3, rel=0.1)
    assert weights[~missing].mean() == pytest.approx(0.5, rel=0.1)
    for method in ("kmm", "ulsif"):
        assert np.all(np.isfinite(importance_weights(train, target, method=method).weights))


def test_data_frames_are_matched_by_name():
    train, target, _ = gaussians(2, shift=[0.5, 0.0], scale=1, n_train=400, n_target=400)
    expected = importance_weights(train, target).weights
    frame, other = pd.DataFrame(train, columns=["u", "g"]), pd.DataFrame(target, columns=["u", "g"])
    found = importance_weights(frame, other[["g", "u"]]).weights
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(importance_weights(frame, target).weights, expected)
    with pytest.raises(DataError, match=r"lacks \['g'\] and has in addition \['mag_g'\].*Rename"):
        importance_weights(frame, other.rename(columns={"g": "mag_g"}))
    with pytest.raises(DataError, match=r"it lacks \['g'\]\. Rename"):
        importance_weights(frame, other[["u"]])
    with pytest.raises(DataError, match=r"`X_target`: column 'g' has no finite value\. Drop it"):
        importance_weights(frame, other.assign(g=np.nan))
    with pytest.raises(DataError, match=r"`X_train` must be numeric: .*Encode or drop"):
        importance_weights(frame.assign(g="faint"), other)


GOOD = np.random.default_rng(7).normal(size=(60, 2))


@pytest.mark.parametrize(
    ("train", "target", "options", "error", "match"),
    [
        (GOOD, GOOD[:, :1], {}, ShapeError, "must have the same columns; got 2 and 1"),
        (GOOD[:, 0], GOOD, {}, ShapeError, r"`X_train` must have shape \(n, d\).*got \(60,\)"),
        (GOOD, GOOD[:19], {}, DataError, "`X_target` needs at least 20 rows; got 19"),
        (GOOD * [1, np.nan], GOOD, {}, DataError, "`X_train`: column 1 has no finite value"),
        (GOOD, GOOD, {"method": "kde"}, ValueError, "`method` must be one of 'classifier', 'kmm'"),
        (GOOD, GOOD, {"clip": 0.0}, ValueError, r"quantile in \(0, 1\) or a weight above 1.*0.0"),
        (GOOD, GOOD, {"clip": 1}, ValueError, r"quantile in \(0, 1\) or a weight above 1.*got 1"),
        (GOOD, GOOD, {"clip": np.nan}, ValueError, r"quantile in \(0, 1\).*got nan"),
    ],
)
def test_bad_arguments_are_refused(train, target, options, error, match):
    with pytest.raises(error, match=match):
        importance_weights(train, target, **options)


def test_weights_that_are_all_zero_are_refused(monkeypatch):
    monkeypatch.setitem(METHODS, "ulsif", lambda samples, rng: np.zeros(60))
    with pytest.raises(IncompatibleError, match="do not overlap: every weight by 'ulsif' is 0"):
        importance_weights(GOOD, GOOD, method="ulsif")


def test_a_quantile_at_which_the_weight_is_zero_is_refused(monkeypatch):
    monkeypatch.setitem(METHODS, "ulsif", lambda samples, rng: np.arange(60) * 1.0 > 50)
    with pytest.raises(ValueError, match=r"must leave a weight above 0.*higher quantile"):
        importance_weights(GOOD, GOOD, method="ulsif", clip=0.5)


@pytest.mark.parametrize("method", METHODS)
def test_few_or_odd_rows_are_survived(method):
    rng = np.random.default_rng(8)
    train, target = rng.normal(size=(200, 3)), rng.normal(size=(20, 3))
    train[:, 1] = target[:, 1] = 7.0
    target[0, 0] = 1e30
    result = importance_weights(train, target, method=method)
    assert np.all(np.isfinite(result.weights) & (result.weights >= 0))
    assert result.weights.mean() == pytest.approx(1)


@pytest.mark.parametrize("method", METHODS)
def test_few_effective_rows_warn_and_say_how_many(method):
    train, target, _ = gaussians(1, shift=3.0, scale=0.3, n_train=1000)
    match = r"effective sample size of \d+ of 1000 rows, below 50: .* Cap the weights with `clip`"
    with pytest.warns(EffectiveSampleSizeWarning, match=match) as caught:
        result = importance_weights(train, target, method=method)
    assert result.effective_sample_size < 50
    assert Path(caught[0].filename).name in WHERE


@pytest.mark.filterwarnings(
    "ignore::sfumato.preprocessing.shift.weights.EffectiveSampleSizeWarning"
)
@pytest.mark.parametrize("method", METHODS)
def test_a_target_beyond_the_training_rows_warns_whatever_the_weights(method):
    train, target, _ = gaussians(2, shift=[0.0, 30.0], scale=1, n_train=500, n_target=500)
    frame, other = pd.DataFrame(train, columns=["u", "g"]), pd.DataFrame(target, columns=["u", "g"])
    match = r"mean of column 'g' still differs .* by 1\.\d+ .*\(1\.\d+ before\).* Gather such rows"
    with pytest.warns(OverlapWarning, match=match) as caught:
        importance_weights(frame, other, method=method)
    assert Path(caught[0].filename).name in WHERE
