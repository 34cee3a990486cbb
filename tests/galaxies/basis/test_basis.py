"""The basis of stamps: what it emulates, draws and serves."""

import jax
import numpy as np
import pytest

from galaxy_cases import GRID, PSF, SMALL
from sfumato.errors import IncompatibleError
from sfumato.galaxies import (
    POPULATIONS,
)
from sfumato.galaxies.basis.coefficients import draw_coefficients
from sfumato.galaxies.basis.floor import population_basis
from sfumato.galaxies.basis.stamp_basis import Ranges, StampBasis, build_basis


@pytest.mark.slow
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


@pytest.mark.slow
def test_white_noise_stays_white_in_the_basis(basis):
    noise = jax.random.normal(jax.random.key(0), (2000, 32, 32))
    covariance = np.cov(np.asarray(basis.project(noise)).T)
    error = 5 * np.sqrt(2 / 2000)
    np.testing.assert_allclose(np.diag(covariance), 1.0, atol=error)
    assert np.abs(covariance - np.diag(np.diag(covariance))).max() < error


@pytest.mark.slow
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
