"""Populations: what is drawn, cut, read from a file and refused."""

from dataclasses import replace

import jax
import numpy as np
import pytest
from scipy import stats

from galaxy_cases import SMALL
from sfumato.errors import DataError, IncompatibleError
from sfumato.galaxies import (
    POPULATIONS,
    Uniform,
)
from sfumato.galaxies.jobs.sets import simulate_set
from sfumato.galaxies.population.labelled import draw_batches
from sfumato.galaxies.population.population import population_from


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


@pytest.mark.slow
def test_a_batch_passes_the_cut_and_does_not_depend_on_its_size(batch):
    low, high = SMALL.signal_to_noise
    ratio = np.asarray(batch.signal_to_noise)
    assert np.all((ratio > low) & (ratio < high))
    noiseless = np.asarray(batch.noiseless)
    expected = np.sqrt(np.sum(noiseless**2, axis=(1, 2))) / 200
    np.testing.assert_allclose(ratio, expected, rtol=1e-5)
    residual = (np.asarray(batch.noisy) - noiseless) / np.sqrt(200**2 + noiseless)
    assert abs(residual.var() - 1) < 5 * np.sqrt(2 / residual.size)


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_cut_that_nothing_passes_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr("sfumato.galaxies.jobs.sets.CHUNK", 4)
    faint = replace(SMALL, noise_sigma=Uniform(1e7, 1e7))
    with pytest.raises(IncompatibleError, match="No galaxy in 300 has a signal-to-noise of 20"):
        simulate_set(faint, tmp_path / "faint.hdf5", number=2)
    assert not list(tmp_path.iterdir())
