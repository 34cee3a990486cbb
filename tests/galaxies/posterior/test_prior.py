"""Priors of galaxies are the densities of their populations."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from scipy import stats

from galaxy_cases import GRID, SMALL
from sfumato.errors import IncompatibleError
from sfumato.galaxies import (
    POPULATIONS,
    Scene,
    Uniform,
)
from sfumato.galaxies.posterior.prior import Prior


@pytest.mark.slow
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


@pytest.mark.slow
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
