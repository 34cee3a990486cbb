"""Another prior: at hard edges, in thin tails and outside of what was trained on."""

import warnings

import numpy as np
import pytest
from scipy import stats

from sfumato.families import MixtureFamily, Normal
from sfumato.pdfs import GridPDFs, ParametricPDFs, density_of

RNG = np.random.default_rng(3)
LOW, SCALE, NOISE = 13.5, 0.23, 0.12


def exponential(points):
    return np.where(points >= LOW, np.exp(-(points - LOW) / SCALE), 0.0)


@pytest.fixture(scope="module")
def learnt():
    """Exact posteriors under an exponential prior, its targets, and a flat sample's truths."""
    rng = np.random.default_rng(0)
    targets = LOW + np.minimum(rng.exponential(SCALE, 20_000), 1.8)
    truth = rng.uniform(LOW, LOW + 1.8, 3000)
    seen = truth + NOISE * rng.normal(size=truth.size)
    grid = np.linspace(LOW - 0.1, LOW + 1.9, 1001)
    density = exponential(grid) * stats.norm(seen[:, None], NOISE).pdf(grid)
    return GridPDFs(grid, density), truth, targets


def score(pdfs, truth):
    return np.mean(np.maximum(pdfs.log_prob(truth), -30))


@pytest.mark.filterwarnings("ignore:.*outside the training targets:UserWarning")
def test_a_flat_prior_is_as_good_as_with_the_true_one(learnt):
    pdfs, truth, targets = learnt
    flat = np.ones_like
    best = pdfs.reweight(flat, training_prior=exponential)
    edges = np.linspace(LOW, LOW + 1.8, 7)
    place = np.digitize(truth, edges) - 1
    for prior in (density_of(targets), targets, np.histogram(targets, 60)):
        found = pdfs.reweight(flat, training_prior=prior)
        is_histogram = isinstance(prior, tuple)
        assert score(found, truth) > score(best, truth) - (0.06 if is_histogram else 0.02)
        if not is_histogram:
            bias = [(found.mode() - best.mode())[place == i].mean() for i in range(6)]
            assert np.abs(bias).max() < 0.01


@pytest.mark.parametrize(
    "law", [stats.norm(), stats.uniform(), stats.expon(), stats.beta(2, 5), stats.gamma(2)]
)
def test_the_density_of_a_sample_keeps_edges_and_tails(law):
    found = density_of(law.rvs(5000, random_state=1))
    low, high = found.support
    points = np.linspace(low, high, 1001)
    assert np.trapezoid(np.abs(found.pdf(points)[0] - law.pdf(points)), points) < 0.07
    if law.support()[0] == 0 and law.pdf(0) > 0.5:  # a hard edge
        assert found.pdf([low])[0, 0] == pytest.approx(law.pdf(low), rel=0.1)


@pytest.mark.parametrize(
    "y",
    [
        [1.0, 2.0],
        [0.0, 0.0, 1.0],
        np.r_[np.zeros(50), 1e6],
        RNG.standard_cauchy(2000),
        [1e30, 5e30],
    ],
    ids=["two", "heap", "far", "cauchy", "large"],
)
def test_samples_of_any_kind_have_a_density(y):
    found = density_of(np.asarray(y, float))
    low, high = found.support
    assert (low, high) == (np.min(y), np.max(y))
    assert np.all(np.isfinite(found.density))
    assert found.cdf([high])[0, 0] == pytest.approx(1)


def test_values_heaped_on_a_limit_are_no_density():
    y = np.minimum(RNG.exponential(1.0, 4000), 3.0)
    found = density_of(y)
    assert found.support[1] == pytest.approx(3.0)
    inside = np.exp(-2.9) / (1 - np.exp(-3))
    assert found.pdf([2.9])[0, 0] == pytest.approx(inside, rel=0.3)


def normals(loc):
    loc = np.asarray(loc, float)[:, None, None]
    params = {"log_weights": np.zeros(loc.shape), "loc": loc, "scale": np.full(loc.shape, 0.1)}
    return ParametricPDFs(MixtureFamily(Normal(), 1), params)


def test_outside_of_the_training_targets():
    pdfs = normals([0.5, 1.0, 9.0])
    prior = density_of(RNG.uniform(0, 1, 2000))
    for known in (prior, np.linspace(0, 1, 50), ([3, 2], [0.0, 0.4, 1.0])):
        np.testing.assert_allclose(pdfs.mass_outside(known), [0, 0.5, 1], atol=0.01)
    with pytest.warns(UserWarning, match=r"2 of 3 objects have more than a tenth.*mass_outside"):
        zero = pdfs.reweight(np.ones_like, training_prior=prior)
    cut = zero.cdf([prior.support[1]])[:, 0]
    assert cut[:2] == pytest.approx(1, abs=0.02)
    assert zero.mean()[2] == pytest.approx(9, abs=0.01)  # nothing is left elsewhere
    with pytest.warns(UserWarning, match="2 of 3 objects"):
        edge = pdfs.reweight(np.ones_like, training_prior=prior, outside="edge")
    assert edge.mean() == pytest.approx([0.5, 1, 9], abs=0.02)


def test_what_cannot_be_a_prior_is_refused():
    pdfs = normals([0.5])
    with pytest.raises(ValueError, match="`outside` must be one of 'edge', 'zero'"):
        pdfs.reweight(np.ones_like, training_prior=None, outside="none")
    with pytest.raises(ValueError, match=r"A histogram must be \(counts, edges\)"):
        pdfs.reweight(([1, 2], [0, 1]), training_prior=None)
    with pytest.raises(ValueError, match="A function has no range"):
        pdfs.mass_outside(np.ones_like)
    with pytest.raises(ValueError, match="0 at every point of the grid"):
        pdfs.reweight(np.ones_like, training_prior=np.zeros_like)


@pytest.mark.parametrize("others", [[], [10.0], [100.0, 0.01]])
def test_an_object_does_not_depend_on_the_others(others):
    scale = np.array([0.02, *others])[:, None, None]
    params = {"log_weights": np.zeros(scale.shape), "loc": 0.3 + 0 * scale, "scale": scale}
    pdfs = ParametricPDFs(MixtureFamily(Normal(), 1), params)
    found = pdfs.reweight(np.ones_like, training_prior=None)
    np.testing.assert_allclose(found.mean()[0], 0.3, atol=1e-3)
    np.testing.assert_allclose(found.std(), scale[:, 0, 0], rtol=0.02)


def test_a_histogram_finer_than_a_grid_is_a_prior():
    counts, edges = np.array([50.0, 50.0]), np.array([0.3, 0.3005, 0.7])
    found = normals([0.5]).reweight((counts, edges), training_prior=None)
    y = np.linspace(0.3, 0.7, 400_001)
    density = stats.norm(0.5, 0.1).pdf(y) * np.where(y < 0.3005, 1e5, 125.0)
    mean = np.trapezoid(y * density, y) / np.trapezoid(density, y)
    assert found.mean()[0] == pytest.approx(mean, abs=2e-4)
    narrow = normals([0.5]).reweight(([1, 1], [0.4, 0.4001, 0.4002]), training_prior=None)
    assert narrow.mean()[0] == pytest.approx(0.4001, abs=1e-5)


def test_a_grid_that_does_not_resolve_the_densities_is_said():
    pdfs = normals([0.5, 1.0])
    with pytest.warns(UserWarning, match=r"1 of 2 objects lie outside or between 51 points from 0"):
        pdfs.to_grid(np.linspace(0, 1, 51))
    with pytest.warns(UserWarning, match=r"2 of 2 objects .* stretched to 1: choose a finer"):
        pdfs.reweight(np.ones_like, training_prior=None, grid=np.linspace(0, 20, 11))


def test_a_prior_is_one():
    with pytest.raises(ValueError, match="A prior is a set of one PDF; got 2"):
        normals([0.5]).reweight(normals([0.2, 0.9]), training_prior=None)
    with pytest.raises(ValueError, match="counts of a histogram must be finite and not negative"):
        normals([0.5]).reweight(([1, -1], [0, 0.5, 1]), training_prior=None)


def test_a_histogram_may_be_of_counts_or_of_density():
    y = np.random.default_rng(0).gamma(2, 0.3, 500)
    edges = [0, 0.1, 0.2, 0.5, 1, 4]
    pdfs = GridPDFs(np.linspace(0, 3, 301), np.ones((2, 301)))
    flat = {"training_prior": None}
    counts, density = (np.histogram(y, edges, density=d) for d in (False, True))
    one, two = (pdfs.reweight(prior, **flat) for prior in (counts, density))
    np.testing.assert_allclose(one.density, two.density, rtol=1e-12)


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (np.array(["a", "b"]), "must be a function, a set of one PDF, a histogram"),
        (np.array([1.0, np.nan]), "two or more finite numbers; got 1 that are not finite"),
        (np.zeros(10), "all targets are 0, which has no density"),
        (np.zeros((2, 2)), r"two or more finite numbers; got shape \(2, 2\)"),
    ],
)
def test_training_priors_that_are_none_are_refused(learnt, prior, message):
    with pytest.raises(ValueError, match=f"`training_prior`.*{message}"):
        learnt[0].reweight(np.ones_like, training_prior=prior)


def test_a_stack_on_a_grid_that_does_not_hold_it_is_said():
    family = MixtureFamily(Normal(), 1, 0.0, 1.0)
    zeros = np.zeros((3, 1, 1))
    pdfs = ParametricPDFs(family, {"log_weights": zeros, "loc": zeros, "scale": zeros + 0.1})
    with pytest.warns(UserWarning, match="average density lies outside or between 2 points"):
        pdfs.stack(grid=[-3.0, 3.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pdfs.stack(grid=np.linspace(-1, 1, 101))


def test_targets_outside_the_support_are_no_prior():
    grid = np.linspace(0, 1, 11)
    pdfs = GridPDFs(grid, np.ones((2, 11)))
    inside = np.linspace(0, 1, 50)
    with pytest.raises(ValueError, match=r"1 of 51 targets lie outside .* 0 to 1, as -99. Leave"):
        pdfs.reweight(np.append(inside, -99.0), training_prior=None)
    with pytest.raises(ValueError, match=r"`new_prior` must take an array of points.*it says"):
        pdfs.reweight(lambda v: 1.0 if v > 0 else 2.0, training_prior=None)


def test_a_prior_that_is_not_defined_somewhere_says_where():
    pdfs = GridPDFs(np.linspace(-1, 1, 11), np.ones((2, 11)))
    with pytest.raises(ValueError, match=r"each point of -1.* to 1.*; it is nan at -1.*Make it 0"):
        pdfs.reweight(lambda v: np.where(v < 0, np.nan, v), training_prior=None)
