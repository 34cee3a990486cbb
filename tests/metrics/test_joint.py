"""Joint, local and interval metrics against closed forms, plain loops and planted faults."""

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import pdist

from oracles import gaussian_crps, simulate
from sfumato.errors import ShapeError
from sfumato.metrics import calibration, joint

RNG = np.random.default_rng(23)
KS_1_PERCENT = 1.63


# --- energy and variogram scores


def test_energy_score_of_a_gaussian_in_one_dimension_is_its_crps():
    loc, scale, y = RNG.normal(size=8), RNG.uniform(0.2, 3, 8), RNG.normal(size=8) * 2
    even = stats.norm.ppf((np.arange(2000) + 0.5) / 2000)  # draws without noise
    samples = (loc + scale * even[:, None])[..., None]
    crps = gaussian_crps(loc, scale, y)
    np.testing.assert_allclose(joint.energy_scores(samples, y[:, None]), crps, atol=3e-3)


def test_energy_score_equals_plain_loops():
    x, y = RNG.normal(size=(7, 3, 4)), RNG.normal(size=(3, 4))
    for row in range(3):
        near = np.mean([np.linalg.norm(x[i, row] - y[row]) for i in range(7)])
        pairs = [
            np.linalg.norm(x[i, row] - x[j, row]) for i in range(7) for j in range(7) if i != j
        ]
        assert joint.energy_scores(x, y)[row] == pytest.approx(near - np.mean(pairs) / 2)


def test_energy_score_of_many_draws_is_summed_in_blocks():
    x, y = RNG.normal(size=(1600, 1, 3)), np.zeros((1, 3))  # more than 724, the first block
    expected = np.linalg.norm(x[:, 0], axis=1).mean() - pdist(x[:, 0]).mean() / 2
    assert joint.energy_scores(x, y)[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("s", [2, 20])
def test_energy_score_does_not_depend_on_the_number_of_draws(s):
    rng = np.random.default_rng(s)
    score = joint.energy_scores(rng.normal(size=(s, 8000, 1)), rng.normal(size=(8000, 1)))
    spread = 5 * score.std() / np.sqrt(8000)
    assert score.mean() == pytest.approx(1 / np.sqrt(np.pi), abs=spread)  # E of the CRPS


def test_energy_score_does_not_see_a_rotation():
    x, y = simulate(n=20)
    turn = stats.ortho_group.rvs(2, random_state=1)
    np.testing.assert_allclose(joint.energy_scores(x @ turn, y @ turn), joint.energy_scores(x, y))


@pytest.mark.parametrize("order", [0.5, 1.0])
def test_variogram_score_equals_plain_loops(order):
    x, y = RNG.normal(size=(6, 3, 4)), RNG.normal(size=(3, 4))
    weights = RNG.random((4, 4))  # not symmetric
    ours = joint.variogram_scores(x, y, order=order, weights=weights)
    unweighted = joint.variogram_scores(x, y, order=order)
    for row in range(3):
        terms = np.zeros((4, 4))
        for i in range(4):
            for j in range(4):
                expected = np.mean(np.abs(x[:, row, i] - x[:, row, j]) ** order)
                terms[i, j] = (np.abs(y[row, i] - y[row, j]) ** order - expected) ** 2
        assert ours[row] == pytest.approx(np.sum(weights * terms))
        assert unweighted[row] == pytest.approx(terms.sum())


def test_the_truth_scores_best_jointly():
    energy = {w: joint.energy_scores(*simulate(width=w)).mean() for w in (0.5, 1.0, 2.0)}
    assert min(energy, key=energy.get) == 1.0
    variogram = {r: joint.variogram_scores(*simulate(stated=r)).mean() for r in (0.0, 0.6, 0.95)}
    assert min(variogram, key=variogram.get) == 0.6


# --- expected coverage by random points


@pytest.mark.parametrize("norm", ["standardised", "euclidean"])
def test_tarp_passes_the_calibrated_and_fails_the_faulty(norm):
    bound = KS_1_PERCENT / np.sqrt(1500)
    assert joint.tarp_distance(*simulate(), norm=norm) < bound
    assert joint.tarp_distance(*simulate(width=0.5), norm=norm) > 2 * bound
    assert joint.tarp_distance(*simulate(width=2.0), norm=norm) > 2 * bound
    assert joint.tarp_distance(*simulate(shift=[0.8, 0.8]), norm=norm) > bound


def test_tarp_credibilities_equal_plain_loops():
    x, y = simulate(n=4, s=5)
    points = RNG.normal(size=(4, 2))
    ours = joint.tarp_credibilities(x, y, references=points, norm="euclidean")
    for row in range(4):
        reach = np.linalg.norm(y[row] - points[row])
        inside = sum(np.linalg.norm(x[i, row] - points[row]) < reach for i in range(5))
        assert inside / 6 <= ours[row] < (inside + 1) / 6


def test_tarp_is_exactly_uniform_for_three_draws():
    credibilities = joint.tarp_credibilities(*simulate(n=4000, s=3))
    assert calibration.pit_ks(credibilities) < KS_1_PERCENT / np.sqrt(4000)


def test_tarp_curve_ends_in_the_corners_and_is_that_of_its_distance():
    x, y = simulate(width=0.5)
    levels, coverage = joint.tarp(x, y, n_levels=21)
    np.testing.assert_allclose(levels, np.linspace(0, 1, 21))
    assert (coverage[0], coverage[-1]) == (0, 1)
    assert joint.tarp_distance(x, y, n_levels=21) == np.max(np.abs(coverage - levels))


def test_tarp_sees_a_wrong_correlation_that_ranks_do_not():
    x, y = simulate(correlation=0.9, stated=-0.9)
    centre = x.mean(axis=0)
    points = centre + 1.5  # along the long axis of the truths, the short one of the draws
    bound = KS_1_PERCENT / np.sqrt(1500)
    assert joint.tarp_distance(x, y, references=points, norm="euclidean") > 2 * bound
    assert np.all(joint.sbc_pvalues(joint.sbc_ranks(x, y), 60) > 0.01)


def test_tarp_rejects_a_model_that_ignores_the_features_only_by_points_that_do_not():
    rng = np.random.default_rng(2)
    feature = rng.normal(size=(2000, 2))
    truth = feature + 0.3 * rng.normal(size=(2000, 2))
    samples = np.sqrt(1.09) * rng.normal(size=(60, 2000, 2))  # the truths' own distribution
    bound = KS_1_PERCENT / np.sqrt(2000)
    assert joint.tarp_distance(samples, truth) < bound
    assert joint.tarp_distance(samples, truth, references=feature) > 5 * bound


def test_standardised_tarp_has_no_units_and_a_constant_dimension_does_no_harm():
    x, y = simulate(n=200)
    units = np.array([1e3, 1e-3])
    points = RNG.normal(size=y.shape)
    ours = joint.tarp_credibilities(x, y, references=points)
    scaled = joint.tarp_credibilities(x * units, y * units, references=points * units)
    np.testing.assert_allclose(scaled, ours)
    padded = [np.concatenate([a, np.ones_like(a[..., :1])], axis=-1) for a in (x, y, points)]
    np.testing.assert_allclose(
        joint.tarp_credibilities(padded[0], padded[1], references=padded[2]), ours
    )


# --- ranks


def test_ranks_count_the_draws_below():
    x, y = RNG.normal(size=(9, 40, 3)), RNG.normal(size=(40, 3))
    ranks = joint.sbc_ranks(x, y)
    np.testing.assert_array_equal(ranks, np.sum(x < y, axis=0))
    assert ranks.dtype.kind == "i"


def test_ranks_of_counts_are_uniform_and_not_without_random_ties():
    rng = np.random.default_rng(1)
    rate = rng.uniform(0.2, 3, (3000, 1))
    x, y = rng.poisson(rate, (19, 3000, 1)), rng.poisson(rate)
    ranks = joint.sbc_ranks(x, y)
    assert (ranks.min(), ranks.max()) == (0, 19)
    assert joint.sbc_pvalues(ranks, 19)[0] > 0.01
    assert joint.sbc_pvalues(np.sum(x < y, axis=0), 19)[0] < 1e-6


@pytest.mark.parametrize("s", [1, 2, 3, 4])
def test_rank_test_is_pearsons_where_its_polynomials_are_complete(s):
    ranks = RNG.integers(0, s, (300, 2), endpoint=True)
    for column, ours in zip(ranks.T, joint.sbc_pvalues(ranks, s), strict=True):
        counts = np.bincount(column, minlength=s + 1)
        assert ours == pytest.approx(stats.chisquare(counts).pvalue)


def test_rank_test_has_its_size():
    ranks = np.random.default_rng(8).integers(0, 99, (100, 2000), endpoint=True)
    pvalues = joint.sbc_pvalues(ranks, 99)
    assert calibration.pit_ks(pvalues) < KS_1_PERCENT / np.sqrt(2000)


@pytest.mark.parametrize("fault", [{"width": 0.5}, {"width": 1.5}, {"shift": [0.4, 0.4]}])
def test_rank_test_passes_the_calibrated_and_fails_the_faulty(fault):
    assert np.all(joint.sbc_pvalues(joint.sbc_ranks(*simulate()), 60) > 0.01)
    assert np.all(joint.sbc_pvalues(joint.sbc_ranks(*simulate(**fault)), 60) < 1e-6)


def test_joint_metrics_do_not_depend_on_chunks(monkeypatch):
    x, y = simulate(n=50)
    chunked = joint.row_chunks

    def everything():
        points = y + 1
        return (
            joint.energy_scores(x, y),
            joint.variogram_scores(x, y),
            joint.tarp_credibilities(x, y, references=points),
            joint.sbc_ranks(x, y),
        )

    whole = everything()
    monkeypatch.setattr(joint, "row_chunks", lambda n, width: chunked(n, width=width, budget=800))
    for ours, expected in zip(everything(), whole, strict=True):
        np.testing.assert_allclose(ours, expected)


def test_joint_metrics_refuse_what_they_cannot_use():
    x, y = simulate(n=10, s=5)
    with pytest.raises(ShapeError, match=r"\(s, n, d\) and \(n, d\), n >= 1; got \(10, 2\)"):
        joint.energy_scores(y, y)
    with pytest.raises(ShapeError, match="Draws come first"):
        joint.sbc_ranks(np.swapaxes(x, 0, 1), y)
    with pytest.raises(ShapeError, match="n >= 1"):
        joint.tarp(x[:, :0], y[:0])
    with pytest.raises(ShapeError, match="s >= 2 draws in d >= 1 dimensions; got s = 1"):
        joint.energy_scores(x[:1], y)
    with pytest.raises(ShapeError, match="s >= 1 draws in d >= 2 dimensions; got s = 5, d = 1"):
        joint.variogram_scores(x[..., :1], y[:, :1])
    holes = y.copy()
    holes[3] = np.nan
    with pytest.raises(ValueError, match="must be finite; 1 of 10 objects are not"):
        joint.sbc_ranks(x, holes)
    with pytest.raises(ValueError, match="`order` must be above 0; got 0"):
        joint.variogram_scores(x, y, order=0)
    with pytest.raises(ShapeError, match=r"`weights` must have shape \(2, 2\); got \(3,\)"):
        joint.variogram_scores(x, y, weights=np.ones(3))
    with pytest.raises(ValueError, match="`weights` must be finite and >= 0"):
        joint.variogram_scores(x, y, weights=-np.ones((2, 2)))
    with pytest.raises(ValueError, match="`norm` must be one of 'standardised', 'euclidean'"):
        joint.tarp(x, y, norm="manhattan")
    with pytest.raises(ShapeError, match="`references` must have the shape of `truth`"):
        joint.tarp(x, y, references=y[:3])
    with pytest.raises(ValueError, match="`references` must be finite; 1 of 10 are not"):
        joint.tarp(x, y, references=holes)
    with pytest.raises(ValueError, match="`n_levels` must be at least 2"):
        joint.tarp_distance(x, y, n_levels=1)
    with pytest.raises(ShapeError, match="`ranks` must have shape"):
        joint.sbc_pvalues(np.zeros(3, int), 5)
    for ranks in ([[6]], [[-1]], [[0.5]]):
        with pytest.raises(ValueError, match=r"integers in 0..n_draws = 0..5"):
            joint.sbc_pvalues(ranks, 5)
