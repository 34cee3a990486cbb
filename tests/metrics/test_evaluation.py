"""Scores and distances against SciPy, closed forms, and numbers worked by hand."""

import numpy as np
import pytest
from scipy import integrate, stats

from cases import make_pdfs
from oracles import Mixture
from sfumato.errors import ShapeError
from sfumato.families import MixtureFamily, Normal, bound_component
from sfumato.metrics import calibration, evaluation, point, scores
from sfumato.pdfs import GridPDFs, ParametricPDFs
from sfumato.photoz.metrics import (
    REDSHIFT_METRICS,
    bias,
    outlier_fraction,
    outlier_fraction_lsst,
    scaled_errors,
    sigma_mad,
    tomographic_rms,
)

RNG = np.random.default_rng(11)


def one_normal(loc, scale):
    shape = (len(loc), 1, 1)
    params = {
        "log_weights": np.zeros(shape),
        "loc": np.reshape(loc, shape),
        "scale": np.reshape(scale, shape),
    }
    return ParametricPDFs(MixtureFamily(Normal(), 1), params)


def test_crps_and_cde_of_a_normal_have_closed_forms():
    loc, scale, y = RNG.normal(size=30), RNG.uniform(0.1, 3, 30), RNG.normal(size=30) * 2
    pdfs = one_normal(loc, scale)
    z = (y - loc) / scale
    # Gneiting & Raftery (2007), equation 21
    crps = scale * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))
    np.testing.assert_allclose(scores.crps(pdfs, y), crps, rtol=1e-3)
    cde = 1 / (2 * scale * np.sqrt(np.pi)) - 2 * stats.norm.pdf(y, loc, scale)
    np.testing.assert_allclose(scores.cde_losses(pdfs, y), cde, rtol=1e-3, atol=1e-4)


def test_crps_of_a_narrow_density_is_the_absolute_error():
    pdfs = one_normal(np.array([1.0, 1.0]), np.array([1e-4, 1e-4]))
    np.testing.assert_allclose(scores.crps(pdfs, [1.3, 0.2]), [0.3, 0.8], atol=1e-3)


def test_scores_of_beta_mixtures_equal_quadrature():
    pdfs = make_pdfs(n=5)
    y = pdfs.quantiles([0.7])[:, 0]
    for row in range(5):
        oracle = Mixture(pdfs, row)
        grid = np.sort(np.append(oracle.fine_grid(), y[row]))
        crps = np.trapezoid((oracle.cdf(grid) - (grid > y[row])) ** 2, grid)
        cde = np.trapezoid(oracle.pdf(grid) ** 2, grid) - 2 * oracle.pdf(y[row])
        assert scores.crps(pdfs, y)[row] == pytest.approx(crps, rel=2e-3)
        assert scores.cde_losses(pdfs, y)[row] == pytest.approx(cde, rel=2e-3)
        assert scores.log_scores(pdfs, y)[row] == pytest.approx(np.log(oracle.pdf(y[row])))


def test_the_truth_scores_best():
    y = RNG.normal(size=4000)
    means = {
        width: scores.crps(one_normal(np.zeros(4000), np.full(4000, width)), y).mean()
        for width in (0.7, 1.0, 1.4)
    }
    assert min(means, key=means.get) == 1.0


def test_pit_distances_equal_scipy():
    u = RNG.random(500) ** 1.1
    assert calibration.pit_ks(u) == pytest.approx(stats.kstest(u, "uniform").statistic)
    assert calibration.pit_cvm(u) == pytest.approx(
        stats.cramervonmises(u, "uniform").statistic / 500
    )
    # Anderson-Darling by its defining integral: n * int (F_n - u)^2 / (u (1 - u)) du
    grid = (np.arange(400_000) + 0.5) / 400_000
    empirical = np.searchsorted(np.sort(u), grid) / 500
    integral = np.mean((empirical - grid) ** 2 / (grid * (1 - grid)))
    assert calibration.pit_ad(u) == pytest.approx(integral, rel=1e-3)


def test_calibrated_pit_is_uniform_and_a_halved_width_is_not():
    loc, scale = RNG.normal(size=3000), RNG.uniform(0.5, 2, 3000)
    y = RNG.normal(loc, scale)
    good, bad = (calibration.pit_ks(one_normal(loc, s).pit(y)) for s in (scale, scale / 2))
    assert good < 1.63 / np.sqrt(3000)  # the 1 % point of the KS statistic
    assert bad > 0.1
    pit = one_normal(loc, scale).pit(y)
    for level in (0.68, 0.95):
        spread = 5 * np.sqrt(level * (1 - level) / 3000)
        assert calibration.coverage(pit, level) == pytest.approx(level, abs=spread)


def test_pit_outliers_by_hand():
    assert calibration.pit_outlier_rate([5e-5, 0.5, 0.99995, 0.2]) == 0.5


def test_stacked_distance_equals_scipy():
    truth = RNG.normal(0.1, 1, 400)
    pdfs = one_normal(np.zeros(1), np.ones(1))
    distance, offset = calibration.stacked_distance(pdfs, truth)
    assert distance == pytest.approx(stats.kstest(truth, "norm").statistic)
    assert offset == pytest.approx(-truth.mean())


def test_tomographic_rms_by_hand():
    means, truth = np.array([0.5, 0.7, 1.0, 1.2]), np.array([0.5, 0.5, 1.0, 1.0])
    value = tomographic_rms(means, means, truth, edges=[0, 0.9, 2])
    assert value == pytest.approx(np.sqrt((0.1 / 1.5) ** 2 / 2 + (0.1 / 2) ** 2 / 2))
    with pytest.raises(ValueError, match="No object falls inside"):
        tomographic_rms(means, means, truth, edges=[5, 6])


def test_point_metrics_by_hand():
    delta = scaled_errors([0.2, 1.4, 1.0, 3.0], [0.1, 1.0, 1.0, 1.0])
    np.testing.assert_allclose(delta, [0.1 / 1.1, 0.2, 0.0, 1.0])
    assert bias(delta) == pytest.approx((0.1 / 1.1 + 0.2) / 2)
    assert outlier_fraction(delta) == 0.5
    assert point.rmse([1.0, 2.0], [1.0, 0.0]) == pytest.approx(np.sqrt(2))
    gauss = RNG.normal(0, 0.02, 200_000)
    assert sigma_mad(gauss) == pytest.approx(0.02, rel=0.01)
    # beyond max(0.06, 3 sigma): for sigma = 0.02 both are 0.06, 0.27 % of a Gaussian
    assert outlier_fraction_lsst(gauss) == pytest.approx(0.0027, abs=5e-4)
    with pytest.raises(ShapeError, match="must be of one shape"):
        scaled_errors([1.0], [1.0, 2.0])


def test_metrics_do_not_depend_on_the_order_of_objects():
    pdfs = make_pdfs(n=60)
    truth = pdfs.sample(1, random_state=3)[0]
    objects = evaluation.score_objects(pdfs, truth)
    shuffled = objects[RNG.permutation(60)]
    for name, metric in REDSHIFT_METRICS.items():
        assert metric(shuffled) == pytest.approx(metric(objects), rel=1e-9), name


def test_evaluation_counts_truths_outside_and_gives_errors():
    pdfs = make_pdfs(n=60)
    truth = pdfs.sample(1, random_state=3)[0]
    truth[:2] = pdfs.support[1] + 0.2
    result = evaluation.evaluate(evaluation.score_objects(pdfs, truth), n_bootstrap=20)
    assert result["n_outside"]["value"] == 2
    assert np.isfinite(result["log_score"]["value"])
    assert 0 < result["crps"]["error"] < result["crps"]["value"]


def test_bootstrap_error_of_a_mean_is_its_standard_error():
    pdfs = one_normal(np.zeros(2000), np.ones(2000))
    objects = evaluation.score_objects(pdfs, RNG.normal(size=2000))
    error = evaluation.evaluate(objects, n_bootstrap=200)["log_score"]["error"]
    expected = objects.log_score.std() / np.sqrt(2000)
    assert error == pytest.approx(expected, rel=0.25)  # five times 1 / sqrt(2 * 200)


def test_errors_of_many_objects_come_from_resamplings_of_some(monkeypatch):
    pdfs = one_normal(np.zeros(2000), np.ones(2000))
    objects = evaluation.score_objects(pdfs, RNG.normal(size=2000))
    monkeypatch.setattr(evaluation, "_MOST_RESAMPLED", 200)
    found = evaluation.evaluate(objects, n_bootstrap=400)
    expected = objects.log_score.std() / np.sqrt(2000)
    assert found["log_score"]["error"] == pytest.approx(expected, rel=0.2)
    assert found["log_score"]["value"] == pytest.approx(objects.log_score.mean())


def test_poles_are_left_out_of_the_mean_and_counted():
    family = MixtureFamily(bound_component("beta"), 1, 0.0, 1.0)
    params = {
        "log_weights": np.zeros((3, 1, 1)),
        "alpha": np.array([0.3, 2.0, 3.0])[:, None, None],
        "beta": np.array([4.0, 2.0, 5.0])[:, None, None],
    }
    pdfs = ParametricPDFs(family, params)
    objects = evaluation.score_objects(pdfs, np.array([0.2, 0.5, 0.4]))
    found = evaluation.evaluate(objects, n_bootstrap=0)
    assert found["n_poles"]["value"] == 1
    rest = [
        integrate.quad(lambda x, p=p: p.pdf(x) ** 2, 0, 1)[0] - 2 * p.pdf(y)
        for p, y in ((stats.beta(2, 2), 0.5), (stats.beta(3, 5), 0.4))
    ]
    assert found["cde_loss"]["value"] == pytest.approx(np.mean(rest))


def test_bins_hold_what_they_should():
    pdfs = make_pdfs(n=100)
    objects = evaluation.score_objects(pdfs, pdfs.median())
    edges = evaluation.quantile_edges(np.append(objects.truth, [np.inf, np.nan]), n_bins=4)
    rows = evaluation.in_bins(objects, objects.truth, edges, n_bootstrap=2)
    assert [row["metrics"]["n"]["value"] for row in rows] == [25] * 4


def test_scores_refuse_wrong_shapes():
    with pytest.raises(ShapeError, match="`truth` must have shape"):
        scores.crps(make_pdfs(), np.zeros(3))
    with pytest.raises(ShapeError, match="`pit` must have shape"):
        calibration.pit_ks(np.zeros(0))


def test_grid_scores_of_a_triangle():
    triangle = GridPDFs(np.array([0.0, 1.0, 2.0]), np.array([[0.0, 1.0, 0.0]]))
    # int p^2 = 2/3 and p(1) = 1
    assert scores.cde_losses(triangle, [1.0])[0] == pytest.approx(2 / 3 - 2)
