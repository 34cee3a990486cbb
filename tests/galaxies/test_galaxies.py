"""Populations, priors, bases, posteriors, fits and floors of galaxies."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from sfumato.engine.compiled import over_rows
from sfumato.errors import DataError, IncompatibleError, ShapeError
from sfumato.galaxies import (
    POPULATIONS,
    ImagePSF,
    Moffat,
    Noise,
    PixelGrid,
    Population,
    Scene,
    Sersic,
    Stamps,
    Uniform,
    fit_stamps,
    render,
    sample_stamps,
)
from sfumato.galaxies.basis.coefficients import draw_coefficients
from sfumato.galaxies.basis.floor import bayesian_floor, population_basis
from sfumato.galaxies.basis.stamp_basis import Ranges, StampBasis, build_basis
from sfumato.galaxies.jobs.bounds import BoundAt, bound_map, bound_table, parse_axis
from sfumato.galaxies.jobs.sets import simulate_set
from sfumato.galaxies.jobs.sources import PSFSource
from sfumato.galaxies.population.labelled import draw_batch, draw_batches
from sfumato.galaxies.population.population import population_from
from sfumato.galaxies.posterior.chains import run_chains
from sfumato.galaxies.posterior.importance import importance_sample
from sfumato.galaxies.posterior.pixels import Posteriors, merge
from sfumato.galaxies.posterior.prior import Prior
from sfumato.galaxies.render.profiles import check_galaxy
from sfumato.galaxies.render.renderer import point_source

GRID = PixelGrid.seeing(32, 32, 0.23, fwhm=0.5)
TRUTH = np.array([1e5, 3.0, 0.3, -0.069, 0.15])
PSF = Moffat(0.5, 2.0)
SMALL = Population(
    flux=Uniform(6e4, 2e5),
    sersic_index=Uniform(0.8, 4.0),
    half_light_radius=Uniform(0.2, 0.5),
    shear=Uniform(0.0, 0.4),
    signal_to_noise=(20.0, 100.0),
    pixels=32,
    name="small",
)


@pytest.fixture(scope="module")
def basis():
    ranges = Ranges((0.8, 4.0), (0.2, 0.5), 0.4)
    return build_basis(SMALL.grid, psf=PSF, ranges=ranges, degree=8)


@pytest.fixture(scope="module")
def batch():
    """A hundred and twenty labelled galaxies of the small population."""
    return jax.jit(lambda key: draw_batch(key, SMALL, 120))(jax.random.key(3))


def noisy(n, *, sigma=200.0, gain=1.0, theta=TRUTH, seed=0):
    """Stamps (n, 1, 32, 32) of one galaxy under draws of the noise."""
    clean = render(Sersic(*theta), PSF, GRID)
    add = jax.jit(lambda keys: over_rows(lambda key: Noise(sigma, gain).add(key, clean), keys))
    return np.asarray(add(jax.random.split(jax.random.key(seed), n)))[:, None]


def stamps_of(images, *, sigma=200.0, gain=1.0):
    return Stamps(images, np.full(images.shape, sigma**-2.0, np.float32), (PSF,), gain)


# -- populations ----------------------------------------------------------------------------------


def test_drawn_parameters_have_the_distributions_asked_for():
    population = replace(
        POPULATIONS["v3"], half_light_radius=Uniform(0.1, 0.6, log=True), pixels=256
    )
    draw = jax.jit(lambda keys: jax.vmap(population.draw)(keys))
    galaxy, fwhm, sigma = draw(jax.random.split(jax.random.key(0), 4000))
    size, angle = np.hypot(galaxy.g1, galaxy.g2), np.arctan2(galaxy.g2, galaxy.g1)
    for values, low, high in (
        (galaxy.flux, 3e4, 4e5),
        (galaxy.sersic_index, 0.5, 6.0),
        (np.log(galaxy.half_light_radius), np.log(0.1), np.log(0.6)),
        (size, 0.0, 0.67),
        (angle, -np.pi, np.pi),
        (fwhm, 0.5, 1.0),
    ):
        assert stats.kstest(np.asarray(values), stats.uniform(low, high - low).cdf).pvalue > 1e-3
    assert set(np.unique(sigma)) == set(range(200, 401))


def test_a_batch_passes_the_cut_and_does_not_depend_on_its_size(batch):
    low, high = SMALL.signal_to_noise
    ratio = np.asarray(batch.signal_to_noise)
    assert np.all((ratio > low) & (ratio < high))
    noiseless = np.asarray(batch.noiseless)
    expected = np.sqrt(np.sum(noiseless**2, axis=(1, 2))) / 200
    np.testing.assert_allclose(ratio, expected, rtol=1e-5)
    residual = (np.asarray(batch.noisy) - noiseless) / np.sqrt(200**2 + noiseless)
    assert abs(residual.var() - 1) < 5 * np.sqrt(2 / residual.size)


def test_endless_batches_differ_and_repeat_with_the_seed():
    first, second = (draw_batches(SMALL, batch_size=4, random_state=5) for _ in range(2))
    a, b = next(first), next(first)
    assert not np.allclose(a.noisy, b.noisy)
    np.testing.assert_array_equal(a.noisy, next(second).noisy)


def test_populations_of_a_file():
    population = population_from(
        {
            "flux": [1e4, 2e4],
            "sersic_index": 1,
            "half_light_radius": {"low": 0.2, "high": 2.0, "scale": "log"},
            "noise_sigma": {"low": 2, "high": 4, "whole": True},
            "signal_to_noise": [5, 50],
            "pixels": 96,
        }
    )
    assert population.flux == Uniform(1e4, 2e4)
    assert population.sersic_index.is_fixed
    assert population.half_light_radius.log
    assert population.noise_sigma.whole
    assert population.grid.shape == (96, 96)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"fluxx": 1}, "unknown entry 'fluxx'. Nearest: 'flux'"),
        ({"flux": "bright"}, r"flux must be a number, \[low, high\]"),
        ({"flux": {"low": 1, "high": 2, "scale": "square"}}, "flux must be a number"),
        ({"sersic_index": [0.3, 2]}, "within 0.5 to 6.0, the renderer's range; got 0.3 to 2.0"),
        ({"shear": [0.0, 1.0]}, r"sizes \|g\| below 1; got 1"),
        ({"noise_sigma": 0}, "`noise_sigma` must be positive"),
        ({"flux": [2, 1]}, "the lower bound first; got 2.0 to 1.0"),
        ({"signal_to_noise": [50, 10]}, "must increase"),
        ({"shear": [0.5, 0.2]}, "the lower bound first; got 0.5 to 0.2"),
        ({"shear": {"low": 0, "high": 0.5, "scale": "log"}}, "`shear` must be positive"),
        ({"shear_fixed": [float("nan"), 0]}, "below 1; got nan"),
        ({"pixels": 64.7}, "pixels must be a whole number"),
        ({"flux": True}, "flux must be a number"),
        ({"flux": {"low": 1, "high": 9, "whole": True}}, "only noise_sigma may be whole"),
        ({"psf_beta": 1.2}, "at least 1.5"),
        ({"gain": -1}, "at least 0 electrons"),
        ({"half_light_radius": [1, 9]}, "stamp of 14.72 arcsec is too small: .* of the light"),
    ],
)
def test_impossible_populations_are_refused(values, message):
    with pytest.raises((DataError, ValueError), match=message):
        population_from(values)


@pytest.mark.parametrize(
    ("galaxy", "message"),
    [
        (Sersic(1.0, 7.0, 0.3), "within 0.5 to 6.0; got 7. Beyond"),
        (Sersic(1.0, 2.0, -0.3), "positive arcsec; got -0.3"),
        (Sersic(1.0, 2.0, 0.3, 0.8, 0.7), r"\|g\| must be below 1"),
        (Sersic(np.nan, 2.0, 0.3), "`flux` must be finite"),
        (Sersic(1.0, 4.0, 30.0), "too small: 88% of the light"),
    ],
)
def test_what_cannot_be_rendered_is_refused(galaxy, message):
    with pytest.raises(ValueError, match=message):
        check_galaxy(galaxy, side=10.0)


def test_a_cut_that_nothing_passes_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr("sfumato.galaxies.jobs.sets.CHUNK", 4)
    faint = replace(SMALL, noise_sigma=Uniform(1e7, 1e7))
    with pytest.raises(IncompatibleError, match="No galaxy in 300 has a signal-to-noise of 20"):
        simulate_set(faint, tmp_path / "faint.hdf5", number=2)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("free", "fixed", "message"),
    [
        (("flux", "g1"), {"sersic_index": 9, "half_light_radius": 1}, "within 0.5 to 6.0; got 9"),
        (("flux", "g1"), {"sersic_index": 2, "half_light_radius": -1}, "positive arcsec"),
        (("flux", "sersic_index", "half_light_radius"), {"x": 100.0}, "must lie on the stamp"),
        (("flux", "sersic_index", "half_light_radius"), {"x": np.nan}, "must lie on the stamp"),
        (("flux", "sersic_index", "half_light_radius"), {"g1": 1.5}, "must be below 1"),
        ((), {}, "Nothing is free"),
        (("flux", "flux"), {}, "flux is named twice"),
    ],
)
def test_scenes_that_cannot_be_are_refused(free, fixed, message):
    with pytest.raises(ValueError, match=message):
        Scene(GRID, free, fixed)


# -- priors ---------------------------------------------------------------------------------------


def test_the_prior_density_is_that_of_the_population():
    prior = Prior(Scene(GRID, (*Scene(GRID).free, "x", "background")), SMALL, 3.0)
    z = jax.random.normal(jax.random.key(0), (7, 20))
    theta = jax.vmap(prior.to_theta, 1, 1)(z)
    np.testing.assert_allclose(prior.to_coordinates(theta), z, atol=2e-3)
    jacobian = jax.vmap(jax.jacfwd(prior.to_theta), 1)(z)
    log_volume = np.linalg.slogdet(np.asarray(jacobian, float))[1]
    box = -np.log((2e5 - 6e4) * 3.2 * 0.3)
    shear = -np.log(2 * np.pi * 0.4 * np.hypot(theta[3], theta[4]))
    rest = stats.norm(0, 2 * 0.23).logpdf(theta[5]) + stats.norm(0, 3).logpdf(theta[6])
    np.testing.assert_allclose(
        prior.log_density(z) - log_volume, box + shear + rest, rtol=0, atol=2e-3
    )


@pytest.mark.parametrize("shear", [Uniform(0.3, 0.5), Uniform(0.05, 0.6, log=True)])
def test_the_size_of_the_shear_has_its_own_distribution(shear):
    prior = Prior(Scene(GRID), replace(SMALL, shear=shear))
    z = jax.random.normal(jax.random.key(0), (5, 20))
    theta = jax.vmap(prior.to_theta, 1, 1)(z)
    np.testing.assert_allclose(prior.to_coordinates(theta), z, atol=5e-3)
    size = np.hypot(theta[3], theta[4])
    assert np.all((size >= shear.low) & (size <= shear.high))
    log_volume = np.linalg.slogdet(np.asarray(jax.vmap(jax.jacfwd(prior.to_theta), 1)(z), float))[1]
    box = -np.log((2e5 - 6e4) * 3.2 * 0.3)
    by_size = -np.log(size * np.log(12)) if shear.log else -np.log(0.2)
    expected = box + by_size - np.log(2 * np.pi * size)
    np.testing.assert_allclose(prior.log_density(z) - log_volume, expected, rtol=0, atol=5e-3)


def test_priors_that_do_not_fit_the_scene_are_refused():
    with pytest.raises(IncompatibleError, match="flux is free in the scene and fixed"):
        Prior(Scene(GRID), POPULATIONS["snr60"])
    with pytest.raises(IncompatibleError, match="both shears free"):
        Prior(Scene(GRID, ("flux", "sersic_index", "half_light_radius", "g1")), SMALL)


# -- importance sampling --------------------------------------------------------------------------


def test_importance_sampling_of_a_skewed_density():
    """A Gamma times a correlated Normal, far from the first proposal; moments are known."""

    def log_density(z):
        gamma = 3 * z[0] - jnp.exp(z[0])  # exp(z0) is Gamma(3), whose integral is 2
        return gamma - 0.5 * jnp.sum((z[1:] - z[0]) ** 2, axis=0) / 0.25

    draws = jax.jit(
        lambda key: importance_sample(
            key, log_density, centre=jnp.full(3, 0.3), covariance=0.5 * jnp.eye(3)
        )
    )(jax.random.key(1))
    weights, z = np.exp(draws.log_weights), np.asarray(draws.z, float)
    size = float(draws.effective_size)
    assert size > 1500
    known = stats.loggamma(3)
    assert abs(weights @ z[0] - known.mean()) < 5 * known.std() / np.sqrt(size)
    second = (z[2] - z[0] @ weights) ** 2 @ weights
    assert abs(second - known.var() - 0.25) < 5 * np.sqrt(2 / size) * (known.var() + 0.25)
    evidence = np.log(2 * 2 * np.pi * 0.25)
    assert abs(float(draws.log_evidence) - evidence) < 5 / np.sqrt(size)


def test_merged_draws_weigh_by_their_evidence():
    rng = np.random.default_rng(0)

    def part(scale, n):
        draws = rng.normal(0, scale, (1, 1, n))
        raw = stats.norm(1, 0.5).logpdf(draws[0]) - stats.norm(0, scale).logpdf(draws[0])
        total = np.logaddexp.reduce(raw, axis=1)
        log_weights = raw - total[:, None]
        size = np.exp(-np.logaddexp.reduce(2 * log_weights, axis=1))
        return Posteriors(("a",), draws, log_weights, total - np.log(n), size)

    first, second = part(0.6, 3000), part(2.0, 9000)  # the first hardly reaches the target
    both = merge(first, second)
    assert both.effective_size[0] > first.effective_size[0]
    draws, weights = both.theta[0, 0], np.exp(both.log_weights[0])
    assert abs(draws @ weights - 1) < 5 * 0.5 / np.sqrt(both.effective_size[0])
    assert abs(both.log_evidence[0]) < 5 / np.sqrt(both.effective_size[0])


# -- bases ----------------------------------------------------------------------------------------


def test_the_basis_emulates_stamps_below_the_noise(basis, batch):
    assert basis.n_modes < 150
    assert basis.error.worst < 0.3
    coefficients = jax.jit(StampBasis.coefficients)(basis, batch.labels.galaxy)
    distance = np.asarray(basis.images(coefficients)) - np.asarray(batch.noiseless)
    # in sigmas of the noise of these galaxies
    assert np.sqrt(np.sum(distance**2, axis=(1, 2))).max() < 0.3 * 200
    np.testing.assert_allclose(
        basis.project(basis.images(coefficients)), coefficients, rtol=1e-3, atol=0.5
    )


def test_white_noise_stays_white_in_the_basis(basis):
    noise = jax.random.normal(jax.random.key(0), (2000, 32, 32))
    covariance = np.cov(np.asarray(basis.project(noise)).T)
    error = 5 * np.sqrt(2 / 2000)
    np.testing.assert_allclose(np.diag(covariance), 1.0, atol=error)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < error


def test_labelled_coefficients_are_those_of_noisy_images(basis):
    draw = jax.jit(draw_coefficients, static_argnums=(1, 3))
    found = draw(jax.random.key(2), SMALL, basis, 500)
    clean = jax.jit(StampBasis.coefficients)(basis, found.labels.galaxy)
    noise = np.asarray(found.noisy - clean) / 200
    assert abs(noise.var() - 1) < 5 * np.sqrt(2 / noise.size)
    inside = np.asarray((found.signal_to_noise > 20) & (found.signal_to_noise < 100))
    np.testing.assert_array_equal(np.asarray(found.inside), inside)


def test_a_basis_needs_one_psf_or_a_range_of_widths():
    with pytest.raises(ValueError, match=r"either `psf` or `ranges\.fwhm`"):
        build_basis(GRID)
    with pytest.raises(ValueError, match="and not both"):
        build_basis(GRID, psf=PSF, ranges=Ranges(fwhm=(0.5, 1.0)))
    with pytest.raises(IncompatibleError, match="its floor is 0"):
        population_basis(POPULATIONS["snr60"])


# -- the floor ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_floor_is_calibrated(basis):
    floor = bayesian_floor(SMALL, 200, basis=basis, random_state=1, least_effective_size=0.0)
    assert np.median(floor.effective_sizes) > 500
    # the error of posterior means on these galaxies is the floor, within 5 standard errors
    np.testing.assert_allclose(floor.achieved, floor.rmse, rtol=5 * 0.06)
    for level in (0.68, 0.95):
        error = 5 * np.sqrt(level * (1 - level) / 200)
        np.testing.assert_allclose(floor.coverage(level), level, atol=error)
    for pit in floor.pit.T:
        assert stats.kstest(pit, "uniform").pvalue > 1e-3


@pytest.mark.slow
def test_posteriors_of_pixels_are_as_close_to_the_truth_as_the_floor(basis, batch):
    floor = bayesian_floor(SMALL, 200, basis=basis, random_state=1)
    images = np.asarray(batch.noisy)[:16, None]
    scene = Scene(SMALL.grid)
    stamps = stamps_of(images)
    found = sample_stamps(stamps, scene, Prior(scene, SMALL), fit_stamps(stamps, scene))
    weights = np.exp(found.log_weights)
    mean = np.einsum("nps,ns->np", found.theta, weights)
    truth = np.stack([np.asarray(v) for v in batch.labels.galaxy[:5]], axis=1)[:16]
    # 16 galaxies: their squared errors in units of the floor average to about 1
    scaled = np.mean(((mean - truth) / floor.rmse) ** 2, axis=0)
    assert np.all((scaled > 0.15) & (scaled < 3.0))
    assert np.all(found.effective_size > 50)


@pytest.mark.slow
def test_posteriors_of_pixels_are_those_of_quadrature():
    # flux and radius free: the posterior on a grid, in NumPy, with the prior flat in both
    n, fixed = 3, {"sersic_index": 2.0, "g1": 0.1, "g2": 0.0}
    scene = Scene(GRID, ("flux", "half_light_radius"), fixed)
    images = noisy(n, theta=np.array([1e5, 2.0, 0.3, 0.1, 0.0]))
    stamps = stamps_of(images)
    fits = fit_stamps(stamps, scene)
    found = sample_stamps(stamps, scene, Prior(scene, SMALL), fits)
    flux, radius = np.linspace(6e4, 2e5, 701), np.linspace(0.2, 0.5, 121)
    unit = np.stack([np.ones(121), np.full(121, 2.0), radius, np.full(121, 0.1), 0 * radius], 1)
    shapes = np.asarray(_models(unit.astype(np.float32)), float).reshape(121, -1)
    inside = np.outer(flux, np.sqrt(np.sum(shapes**2, axis=1)) / 200)
    for row in range(n):
        at = [fits.theta[row, 0], 2.0, fits.theta[row, 1], 0.1, 0.0]
        light = np.asarray(_models(np.tile(np.float32(at), (121, 1)))[0], float).ravel()
        weight = 1 / (200**2 + np.maximum(light, 0))  # the noise is that of the fit
        data = images[row].astype(float).ravel()
        chi2 = np.sum(weight * data**2) - 2 * np.outer(flux, shapes @ (weight * data))
        chi2 += np.outer(flux**2, shapes**2 @ weight)
        density = np.exp(-0.5 * (chi2 - chi2.min())) * ((inside > 20) & (inside < 100))
        total = np.trapezoid(np.trapezoid(density, radius), flux)
        size = found.effective_size[row]
        assert size > 500
        weights = np.exp(found.log_weights[row])
        for index, values in enumerate((flux[:, None], radius[None])):
            moments = [
                np.trapezoid(np.trapezoid(density * values**power, radius), flux) / total
                for power in (1, 2)
            ]
            deviation = np.sqrt(moments[1] - moments[0] ** 2)
            drawn = found.theta[row, index]
            mean = weights @ drawn
            # five standard errors of `size` draws; of a deviation, sqrt(2) less
            assert abs(mean - moments[0]) < 5 * deviation / np.sqrt(size)
            spread = np.sqrt(weights @ (drawn - mean) ** 2)
            assert spread == pytest.approx(deviation, rel=5 / np.sqrt(2 * size))
        evidence = np.log(total / (1.4e5 * 0.3)) - 0.5 * chi2.min()
        assert abs(found.log_evidence[row] - evidence) < 5 / np.sqrt(size)


# -- fits -----------------------------------------------------------------------------------------


N = 500  # of every batch, so that one program serves all


def test_fits_reach_the_bound_and_their_bias_is_known():
    fits = fit_stamps(stamps_of(noisy(N)), Scene(GRID))
    assert np.mean(fits.flags & 1) == 0
    assert abs(fits.chi2_per_degree.mean() - 1) < 5 * np.sqrt(2 / 1019 / N)
    raw, better = fits.theta - TRUTH, fits.theta - fits.bias - TRUTH
    bound = np.median(fits.errors, axis=0)
    robust = 1.4826 * np.median(np.abs(raw - np.median(raw, axis=0)), axis=0)
    np.testing.assert_allclose(robust, bound, rtol=5 * 1.17 / np.sqrt(N))
    error = bound / np.sqrt(N)
    assert raw[:, 2].mean() > 2.5 * error[2]  # radii are biased high
    assert np.all(np.abs(better.mean(axis=0)) < 4 * error)
    assert better[:, 2].std() < raw[:, 2].std()


def test_masked_pixels_count_for_nothing_and_a_lost_galaxy_stops_nothing():
    bright = TRUTH * [2, 0.5, 1, 1, 1]
    images = noisy(N, theta=bright).copy()
    images[:, :, 5:9, 20:24] = np.nan
    weight = np.full(images.shape, 200.0**-2)
    weight[~np.isfinite(images)] = 0
    weight[1] = 0
    fits = fit_stamps(Stamps(images, weight, (PSF,), 1.0), Scene(GRID))
    assert fits.flags[1] == 32
    assert np.isnan(fits.theta[1]).all()
    assert np.isnan(fits.chi2[1])
    rest = np.arange(N) != 1
    assert np.all(fits.n_pixels[rest] == 1024 - 16)
    assert np.all(fits.flags[rest] & 32 == 0)
    pull = ((fits.theta - fits.bias - bright) / fits.errors)[rest]
    assert np.all(np.abs(pull.mean(axis=0)) < 5 / np.sqrt(N))
    assert np.all(np.abs(pull.std(axis=0) - 1) < 5 / np.sqrt(2 * N))


@jax.jit
def _models(theta):
    """Noiseless stamps (n, 32, 32) of parameters (n, 5)."""
    return over_rows(lambda row: render(Sersic(*row), PSF, GRID), theta)


def test_pure_noise_is_not_called_a_galaxy():
    images = np.random.default_rng(0).normal(0, 200, (N, 1, 32, 32)).astype(np.float32)
    fits = fit_stamps(stamps_of(images), Scene(GRID))
    data, model = images[:, 0].astype(float), np.asarray(_models(fits.theta), float)
    ratio = np.sqrt(np.sum(model**2, axis=(1, 2))) / 200
    # single precision of sums of 1,024 pixels, and of the coordinates that were searched
    np.testing.assert_allclose(fits.signal_to_noise, ratio, rtol=1e-3)
    weight = 1 / (200**2 + np.maximum(model, 0))
    chi2 = np.sum(weight * (data - model) ** 2, axis=(1, 2))
    np.testing.assert_allclose(fits.chi2, chi2, rtol=1e-4)
    # what is not seen is what the flag says, for every stamp
    faint = ~(fits.signal_to_noise > 3) | (fits.theta[:, 0] <= 0)
    np.testing.assert_array_equal(fits.flags & 64 > 0, faint)
    assert not np.any(fits.flags & 32)
    # the gain in chi-square, S/N squared, of five parameters: 36 has a chance of 1e-6 a stamp,
    # and 9 one of 0.11, half of them with a negative flux
    assert ratio.max() < 6
    share = 0.5 * stats.chi2(5).sf(9)
    assert np.mean(~faint) < share + 5 * np.sqrt(share / N)
    assert np.all(fits.bias[fits.flags > 0] == 0)


@pytest.mark.slow
def test_exposures_bands_and_background():
    bright = TRUTH * [2, 0.5, 1, 1, 1]
    one = noisy(40, theta=bright)
    scene = Scene(GRID, (*Scene(GRID).free, "background"))
    fits = fit_stamps(stamps_of(one + 500.0), scene)
    assert fits.names[-1] == "background"
    pull = (fits.theta - [*bright, 500.0]) / fits.errors
    assert np.all(np.abs(pull.mean(axis=0)) < 5 / np.sqrt(40))
    assert np.all(np.abs(pull.std(axis=0) - 1) < 5 / np.sqrt(80))

    # a second exposure in another band has its own flux, and both know the shape better
    both = np.concatenate([one, noisy(40, theta=TRUTH * [4, 0.5, 1, 1, 1], seed=1)], axis=1)
    stamps = Stamps(both, np.full(both.shape, 200.0**-2), (PSF, PSF), 1.0)
    double = fit_stamps(stamps, Scene(GRID, bands=(0, 1)))
    assert double.names[:2] == ("flux_0", "flux_1")
    ratio = double.theta[:, 1] / double.theta[:, 0]
    assert abs(ratio.mean() - 2) < 0.02
    single = fit_stamps(stamps_of(one), Scene(GRID))
    assert np.all(np.median(double.errors[:, 2:], axis=0) < np.median(single.errors[:, 1:], axis=0))


@pytest.mark.slow
def test_a_galaxy_without_a_fit_has_no_posterior():
    images = noisy(3)
    weight = np.full(images.shape, 200.0**-2)
    weight[1] = 0
    stamps = Stamps(images, weight, (PSF,), 1.0)
    fits = fit_stamps(stamps, Scene(GRID))
    found = sample_stamps(stamps, Scene(GRID), Prior(Scene(GRID), SMALL), fits)
    assert found.effective_size[1] == 0
    assert np.isnan(found.theta[1]).all()
    assert found.effective_size[0] > 20


@pytest.mark.slow
def test_an_image_of_the_psf_gives_the_fits_of_its_formula():
    images = noisy(8)
    star = np.asarray(point_source(PSF, PixelGrid(61, 61, 0.23)))
    image_psf = ImagePSF(star / star.sum(), 0.23, 1.0)
    weight = np.full(images.shape, 200.0**-2)
    by_image = fit_stamps(Stamps(images, weight, (image_psf,), 1.0), Scene(GRID))
    by_formula = fit_stamps(stamps_of(images), Scene(GRID))
    # the wings of a beta of 2 that a stamp cuts off are 1 % of its light
    shift = (by_image.theta - by_formula.theta) / by_formula.errors
    assert np.abs(shift).max() < 0.5


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"images": np.full((2, 1, 32, 32), np.nan)}, ValueError, "2048 pixels are NaN"),
        ({"inverse_variance": np.zeros((2, 1, 32, 32))}, ValueError, "All pixels"),
        ({"inverse_variance": -np.ones((2, 1, 32, 32))}, ValueError, "at least 0"),
        ({"inverse_variance": np.ones((2, 1, 32, 31))}, ShapeError, "one shape"),
        ({"psfs": (PSF, PSF)}, ShapeError, "1 exposures need as many PSFs; got 2"),
    ],
)
def test_impossible_stamps_are_refused(change, error, message):
    given = {"images": np.zeros((2, 1, 32, 32)), "inverse_variance": np.ones((2, 1, 32, 32))}
    with pytest.raises(error, match=message):
        Stamps(**{**given, "psfs": (PSF,), **change})


# -- bounds ---------------------------------------------------------------------------------------


def at(**change):
    galaxy = dict(
        zip(("flux", "sersic_index", "half_light_radius", "g1", "g2"), TRUTH, strict=True)
    )
    values = {
        "galaxy": galaxy,
        "psf": PSFSource("moffat", 0.5),
        "noise": 200.0,
        "gain": 1.0,
        "pixels": 64,
        "pixel_scale": 0.23,
        "free": tuple(galaxy),
    }
    return BoundAt(**{**values, **change})


def test_the_published_bound_and_what_knowing_others_gains():
    table = bound_table(at())
    published = [0.0565e5, 0.777, 0.0287, 0.0543, 0.0549]
    np.testing.assert_allclose(table["bound"].values, published, rtol=0.01)
    alone = bound_table(at(free=("flux",)))
    np.testing.assert_allclose(alone["bound"].values[0], table["others_known"].values[0], rtol=1e-4)
    same = bound_table(at(noise=1.0).of_population(POPULATIONS["snr60"]))
    np.testing.assert_allclose(same["bound"].values, table["bound"].values, rtol=1e-5)


def test_a_map_holds_the_bound_of_every_place():
    x, y = parse_axis("half_light_radius:0.2:0.4:3"), parse_axis("sersic_index:1:3:2")
    columns = bound_map(at(), x, y)
    np.testing.assert_allclose(columns["half_light_radius"].values, [0.2, 0.3, 0.4] * 2)
    np.testing.assert_allclose(columns["bound_sersic_index"].values[4], 0.777, rtol=0.01)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("size:0:1:3", "unknown parameter 'size'"),
        ("flux:2:1:3", "must be like flux:LOW:HIGH:NUMBER"),
        ("flux:1:2", "must be like"),
        ("flux:1:2:100000", "at most 400 places"),
    ],
)
def test_axes_of_maps_are_checked(text, message):
    with pytest.raises(ValueError, match=message):
        parse_axis(text)


def test_impossible_bounds_are_refused():
    with pytest.raises(ValueError, match="noise must be positive"):
        at(noise=0.0)
    with pytest.raises(IncompatibleError, match="needs one PSF"):
        at(psf=PSFSource("columns"))
    with pytest.raises(IncompatibleError, match="'v1' has many galaxies"):
        at().of_population(POPULATIONS["v1"])
    with pytest.raises(ValueError, match="must be among the free"):
        bound_map(at(free=("flux",)), parse_axis("g1:0:0.1:2"), parse_axis("flux:1:2:2"))


@pytest.mark.slow
def test_markov_chains_agree_with_importance_sampling():
    stamps = stamps_of(noisy(1))
    scene = Scene(GRID)
    prior = Prior(scene, replace(SMALL, signal_to_noise=(0.0, np.inf)))
    fits = fit_stamps(stamps, scene)
    sampled = sample_stamps(stamps, scene, prior, fits, n_draws=(1000, 2000, 3000))
    chained, r_hat = run_chains(stamps, scene, prior, fits, n_draws=2000)
    assert r_hat < 1.02
    weights = np.exp(sampled.log_weights[0])
    mean = sampled.theta[0] @ weights
    deviation = np.sqrt(((sampled.theta[0] - mean[:, None]) ** 2) @ weights)
    error = deviation * np.sqrt(1 / sampled.effective_size[0] + 1 / chained.effective_size[0])
    assert np.all(np.abs(chained.theta[0].mean(axis=1) - mean) < 5 * error)
    np.testing.assert_allclose(chained.theta[0].std(axis=1), deviation, rtol=0.2)
    with pytest.raises(ShapeError, match="one galaxy at a time; got 2"):
        run_chains(stamps_of(noisy(2)), scene, prior, fits)
