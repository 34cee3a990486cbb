"""Maximum likelihood: bias, scatter, masks, exposures, and what is refused."""

import numpy as np
import pytest
from scipy import stats

from galaxy_cases import GRID, PSF, TRUTH, N, models, noisy, stamps_of
from sfumato.errors import ShapeError
from sfumato.galaxies import (
    ImagePSF,
    PixelGrid,
    Scene,
    Stamps,
    fit_stamps,
)
from sfumato.galaxies.render.renderer import point_source


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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_pure_noise_is_not_called_a_galaxy():
    images = np.random.default_rng(0).normal(0, 200, (N, 1, 32, 32)).astype(np.float32)
    fits = fit_stamps(stamps_of(images), Scene(GRID))
    data, model = images[:, 0].astype(float), np.asarray(models(fits.theta), float)
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
