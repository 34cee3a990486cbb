"""Another prior for joint distributions: analytic shifts, training targets, errors."""

import numpy as np
import pytest
from scipy import special, stats

from cases import SMALL
from sfumato import MDNRegressor, read_pdfs, write_pdfs
from sfumato.errors import ShapeError
from sfumato.families import MixtureFamily, bound_component
from sfumato.jobs.model_files import read_model, write_model
from sfumato.pdfs import JointPDFs, density_of

SLOPE = np.array([0.7, -0.4])
CENTRES = np.array([[0.0, 0.0], [1.0, -2.0], [3.0, 1.0]])
TRIL = np.array([[0.5, 0.0], [0.3, 0.4]])
COVARIANCE = TRIL @ TRIL.T


def gaussians(centres=CENTRES):
    centres = np.asarray(centres, float)[:, None, None, :]
    component = bound_component("multivariate-normal", event_size=2)
    params = {
        "log_weights": np.zeros(centres.shape[:3]),
        "loc": centres,
        "scale_tril": np.broadcast_to(TRIL, (*centres.shape[:3], 2, 2)),
    }
    return JointPDFs(MixtureFamily(component, 1, (0.0, 0.0), (1.0, 1.0)), params)


def exponential(points):
    return np.exp(points @ SLOPE)


def test_an_exponential_prior_moves_a_gaussian():
    # N(m, S) times exp(a y) is N(m + S a, S)
    found = gaussians().reweight(exponential, training_prior=None, n_draws=40_000)
    centres = CENTRES + COVARIANCE @ SLOPE
    np.testing.assert_allclose(found.mean(), centres, atol=0.02)
    np.testing.assert_allclose(found.covariance()[1], COVARIANCE, atol=0.02)
    np.testing.assert_allclose(
        found.std(), np.tile(np.sqrt(np.diag(COVARIANCE)), (3, 1)), rtol=0.03
    )
    y = CENTRES + 0.3
    exact = [
        stats.multivariate_normal(c, COVARIANCE).logpdf(v) for c, v in zip(centres, y, strict=True)
    ]
    np.testing.assert_allclose(found.log_prob(y), exact, atol=0.02)
    marginal = found.marginal(1)
    np.testing.assert_allclose(marginal.mean(), found.mean()[:, 1])
    levels = [0.16, 0.5, 0.84]
    expected = stats.norm(centres[:, 1:], np.sqrt(COVARIANCE[1, 1])).ppf(levels)
    np.testing.assert_allclose(marginal.quantiles(levels), expected, atol=0.03)
    draws = found.sample(5000, random_state=1)
    np.testing.assert_allclose(draws.mean(axis=0), centres, atol=0.05)
    assert draws.shape == (5000, 3, 2)


def test_priors_by_coordinate_are_the_product():
    by_name = gaussians().reweight(
        {0: lambda y: np.exp(SLOPE[0] * y), 1: lambda y: np.exp(SLOPE[1] * y)}, training_prior=None
    )
    at_once = gaussians().reweight(exponential, training_prior=None)
    np.testing.assert_allclose(by_name.mean(), at_once.mean(), atol=1e-3)
    np.testing.assert_allclose(by_name.log_prob(CENTRES), at_once.log_prob(CENTRES), atol=1e-3)
    one = gaussians().reweight({-1: lambda y: np.exp(y)}, training_prior=None, n_draws=20_000)
    np.testing.assert_allclose(one.mean(), CENTRES + COVARIANCE[:, 1], atol=0.02)
    part = one[1:]
    assert (len(part), repr(part)) == (2, "ReweightedJointPDFs(2 objects of 20000 draws)")
    np.testing.assert_array_equal(part.mean(), one.mean()[1:])
    np.testing.assert_array_equal(one[2].log_prob(CENTRES[2:]), one.log_prob(CENTRES)[2:])


def test_the_marginal_is_that_of_single_numbers():
    targets = np.random.default_rng(1).normal(1, 1.2, 5000)
    found = gaussians().reweight({0: np.ones_like}, training_prior={0: targets}, n_draws=20_000)
    alone = gaussians().marginal(0).reweight(np.ones_like, training_prior=targets)
    np.testing.assert_allclose(found.marginal(0).mean(), alone.mean(), atol=0.02)
    np.testing.assert_allclose(found.marginal(0).std(), alone.std(), atol=0.02)


def test_outside_of_the_training_targets():
    prior = density_of(np.random.default_rng(0).uniform(-1, 1, 3000))
    pdfs = gaussians([[0, 0], [1, 0], [9, 0]])
    with pytest.warns(UserWarning, match="2 of 3 objects have more than a tenth"):
        zero = pdfs.reweight({0: np.ones_like}, training_prior={0: prior})
    assert zero.draws[1][zero.weights[1] > 0, 0].max() <= 1.01
    assert zero.log_prob([[0, 0], [1.5, 0], [9, 0]])[1] == -np.inf
    assert zero.mean()[2, 0] == pytest.approx(9, abs=0.1)  # nothing is left elsewhere
    with pytest.warns(UserWarning, match="2 of 3 objects"):
        edge = pdfs.reweight({0: np.ones_like}, training_prior={0: prior}, outside="edge")
    np.testing.assert_allclose(edge.mean()[:, 0], [0, 1, 9], atol=0.1)


@pytest.mark.slow
def test_a_fitted_model_of_vectors_knows_its_training_priors(tmp_path):
    # y ~ N(0, 1) twice, x = y + N(0, 1): under a flat prior of one it is N(x, 1) there
    rng = np.random.default_rng(5)
    y = rng.normal(size=(5000, 2))
    x = y + rng.normal(size=y.shape)
    options = {**SMALL, "max_epochs": 20, "learning_rate": 1e-2}
    model = MDNRegressor(family="multivariate-normal", random_state=0, **options).fit(x, y)
    assert (model.training_prior_, len(model.training_priors_)) == (None, 2)
    places = np.array([[-0.8, 0.5], [0.5, 0.5], [0.8, -0.5]])
    pdfs = model.predict_pdfs(places)
    flat = pdfs.reweight({0: np.ones_like}, n_draws=5000)
    np.testing.assert_allclose(flat.mean()[:, 0], places[:, 0], atol=0.3)
    np.testing.assert_allclose(flat.mean()[:, 1], places[:, 1] / 2, atol=0.2)
    alone = pdfs.marginal(0).reweight(np.ones_like)
    np.testing.assert_allclose(flat.mean()[:, 0], alone.mean(), atol=0.06)
    write_pdfs(pdfs, tmp_path / "p.parquet", precision=32)
    stored = read_pdfs(tmp_path / "p.parquet").reweight({0: np.ones_like}, n_draws=5000)
    np.testing.assert_allclose(stored.mean(), flat.mean(), atol=1e-3)
    write_model(model, tmp_path / "m")
    again = read_model(tmp_path / "m").predict_pdfs(places)
    for before, after in zip(pdfs.training_priors, again.training_priors, strict=True):
        np.testing.assert_allclose(before.density, after.density, rtol=1e-14)


@pytest.mark.slow
def test_counts_and_shares(recwarn):
    component = bound_component("multinomial", event_size=3, trials=12)
    probs = np.array([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]])[:, None, None, :]
    params = {"log_weights": np.zeros((2, 1, 1)), "probs": probs}
    pdfs = JointPDFs(MixtureFamily(component, 1, 0.0, 1.0), params)
    # binomial times b^k is binomial with odds b p / (1 - p)
    found = pdfs.reweight({0: lambda k: 1.5**k}, training_prior=None, n_draws=20_000)
    odds = 1.5 * probs[:, 0, 0, 0] / (1 - probs[:, 0, 0, 0])
    np.testing.assert_allclose(found.mean()[:, 0], 12 * odds / (1 + odds), atol=0.1)
    share = bound_component("dirichlet", event_size=3)
    params = {"log_weights": np.zeros((1, 1, 1)), "concentration": np.array([[[[4.0, 3.0, 2.0]]]])}
    pdfs = JointPDFs(MixtureFamily(share, 1, 0.0, 1.0), params)
    moved = pdfs.reweight({1: lambda y: y**2}, training_prior=None, n_draws=20_000)
    np.testing.assert_allclose(moved.mean()[0], np.array([4, 5, 2]) / 11, atol=0.01)
    norm = np.log(stats.beta(3, 6).moment(2))
    y = np.array([[0.3, 0.5, 0.2]])
    exact = pdfs.log_prob(y) + 2 * np.log(0.5) - norm
    np.testing.assert_allclose(moved.log_prob(y), exact, atol=0.03)
    assert not recwarn
    assert np.isfinite(special.logsumexp(moved.log_prob(y)))


def test_a_prior_in_the_tails_is_said():
    with pytest.warns(UserWarning, match=r"draws of 1 of 3 objects are worth fewer than 30.*n_dr"):
        far = gaussians().reweight(
            lambda y: np.where(y[..., 0] > 4.1, 1.0, 1e-9), training_prior=None, n_draws=500
        )
    assert (far.effective_size < 30).tolist() == [False, False, True]


def test_what_cannot_be_a_prior_of_vectors_is_refused():
    pdfs, flat = gaussians(), {0: np.ones_like}
    with pytest.raises(ValueError, match="'auto'` needs predictions of a fitted regressor"):
        pdfs.reweight(flat)
    with pytest.raises(ValueError, match="needs a function as `training_prior`, or None"):
        pdfs.reweight(exponential)
    with pytest.raises(ValueError, match="needs `training_prior` by coordinate, 'auto' or None"):
        pdfs.reweight(flat, training_prior=exponential)
    with pytest.raises(ValueError, match="`training_prior` lacks coordinate 0"):
        pdfs.reweight(flat, training_prior={1: np.ones_like})
    with pytest.raises(ValueError, match="names one coordinate twice"):
        pdfs.reweight({0: np.ones_like, -2: np.ones_like}, training_prior=None)
    with pytest.raises(ValueError, match="no coordinate 2; there are 0 to 1"):
        pdfs.reweight({2: np.ones_like}, training_prior=None)
    with pytest.raises(ValueError, match=r"one finite value >= 0 for each point \(..., d\)"):
        pdfs.reweight(lambda y: -np.ones(y.shape[:-1]), training_prior=None)
    with pytest.raises(ValueError, match="0 at all 1000 draws of row 0"):
        pdfs.reweight(lambda y: 1.0 * (y[..., 0] > 20), training_prior=None)
    with pytest.raises(ValueError, match="`n_draws` must be at least 1"):
        pdfs.reweight(exponential, training_prior=None, n_draws=0)
    with pytest.raises(ValueError, match="`outside` must be one of"):
        pdfs.reweight(exponential, training_prior=None, outside="none")
    with pytest.raises(ShapeError, match=r"`y` must have shape \(3, 2\)"):
        pdfs.reweight(exponential, training_prior=None).log_prob([1.0, 2.0])
