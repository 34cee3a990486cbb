"""Posteriors of pixels: importance sampling and chains against quadrature and each other."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from galaxy_cases import GRID, PSF, SMALL, models, noisy, stamps_of
from sfumato.errors import ShapeError
from sfumato.galaxies import (
    Scene,
    Stamps,
    fit_stamps,
    sample_stamps,
)
from sfumato.galaxies.posterior.chains import run_chains
from sfumato.galaxies.posterior.importance import importance_sample
from sfumato.galaxies.posterior.pixels import Posteriors, merge
from sfumato.galaxies.posterior.prior import Prior


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
    shapes = np.asarray(models(unit.astype(np.float32)), float).reshape(121, -1)
    inside = np.outer(flux, np.sqrt(np.sum(shapes**2, axis=1)) / 200)
    for row in range(n):
        at = [fits.theta[row, 0], 2.0, fits.theta[row, 1], 0.1, 0.0]
        light = np.asarray(models(np.tile(np.float32(at), (121, 1)))[0], float).ravel()
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
