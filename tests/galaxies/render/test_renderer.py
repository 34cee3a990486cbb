"""Rendering, its derivatives and bounds against GalSim, quadrature and closed forms."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, special

from oracles import central_difference, moffat_transform, sersic_transform
from sfumato.errors import ShapeError
from sfumato.galaxies.fit.coordinates import LARGEST_SHEAR, Coordinates
from sfumato.galaxies.fit.fisher import crb, fisher, inverse
from sfumato.galaxies.fit.levenberg_marquardt import maximise
from sfumato.galaxies.fit.model import linearise
from sfumato.galaxies.fit.moments import Moments, adaptive_moments, shape_of
from sfumato.galaxies.fit.scene import Scene
from sfumato.galaxies.render import profiles, psf
from sfumato.galaxies.render.noise import Noise, poisson_variance, signal_to_noise
from sfumato.galaxies.render.pixels import PixelGrid
from sfumato.galaxies.render.profiles import Sersic
from sfumato.galaxies.render.psf import Gaussian, ImagePSF, Moffat
from sfumato.galaxies.render.renderer import render

RNG = np.random.default_rng(7)
STAMP = PixelGrid(64, 64, 0.23)
SMALL = PixelGrid(32, 32, 0.23)
ARCSEC_PER_FWHM = 1 / np.sqrt(8 * np.log(2))  # sigma of a Gaussian
# rounding of a sum of a hundred float32 waves, as a share of the peak
ROUNDING = 3e-6


@pytest.fixture(scope="module")
def galsim():
    return pytest.importorskip("galsim")


@pytest.fixture(scope="module")
def precise(galsim):
    return galsim.GSParams(
        folding_threshold=1e-4,
        maxk_threshold=1e-5,
        kvalue_accuracy=1e-7,
        maximum_fft_size=32768,
        stepk_minimum_hlr=40,
    )


@pytest.fixture(scope="module")
def twin(galsim, precise):
    """The same galaxy, drawn by GalSim through a PSF of GalSim."""

    def draw(galaxies, through, grid, method="auto"):
        parts = [
            galsim.Sersic(g.sersic_index, half_light_radius=g.half_light_radius, gsparams=precise)
            .withFlux(g.flux)
            .shear(g1=g.g1, g2=g.g2)
            .shift(g.x or 0.0, g.y or 0.0)
            for g in galaxies
        ]
        both = galsim.Convolve([galsim.Sum(parts), through], gsparams=precise)
        height, width = grid.shape
        image = both.drawImage(
            nx=width, ny=height, scale=grid.pixel_scale, dtype=float, method=method
        )
        return image.array

    return draw


compiled = jax.jit(render, static_argnums=2)


def image_of(galaxy, through, grid):
    """Image by a program that galaxies and PSFs of one kind share."""
    galaxy, through = jax.tree.map(
        lambda v: np.asarray(v, bool if isinstance(v, bool) else np.float32), (galaxy, through)
    )
    return np.asarray(compiled(galaxy, through, grid), float)


def draw(galaxy, fwhm):
    return image_of(galaxy, Moffat(fwhm, 2.0), STAMP)


def assert_alike(image, expected, *, limit=1e-5):
    """Worst pixel as a share of the peak."""
    assert np.abs(image - expected).max() < limit * np.abs(expected).max()


# Transforms ------------------------------------------------------------------------------------

LOG_K = np.linspace(-9, 9.59, 240).astype(np.float32)


@jax.jit
def table(log_k, n):
    value, slope = jax.jvp(
        lambda q: profiles.sersic_transform(q, n), (log_k,), (jnp.ones_like(log_k),)
    )
    by_index = jax.jvp(lambda m: profiles.sersic_transform(log_k, m), (n,), (jnp.ones_like(n),))
    return value, slope, by_index[1]


def test_transforms_of_gaussian_and_exponential_have_closed_forms():
    squared = np.exp(2 * LOG_K.astype(float))
    rate = special.gammaincinv(1, 0.5)
    value = np.exp(-squared / rate / 4)
    slope = -squared / rate / 2 * value
    got = table(LOG_K, jnp.float32(0.5))
    np.testing.assert_allclose(got[0], value, rtol=0, atol=6e-7)
    np.testing.assert_allclose(got[1], slope, rtol=0, atol=1e-5)
    ratio = squared / special.gammaincinv(2, 0.5) ** 2
    got = table(LOG_K, jnp.float32(1.0))
    np.testing.assert_allclose(got[0], (1 + ratio) ** -1.5, rtol=0, atol=6e-7)
    np.testing.assert_allclose(got[1], -3 * ratio * (1 + ratio) ** -2.5, rtol=0, atol=5e-6)


@pytest.mark.parametrize("n", [0.5, 0.62, 1.0, 1.7, 2.9, 4.0, 5.1, 6.0])
def test_sersic_transform_and_its_derivatives_equal_quadrature(n):
    n = float(np.float32(n))
    log_k = LOG_K.astype(float)
    expected, slope = sersic_transform(n, log_k)
    by_index = central_difference(lambda m: sersic_transform(m, log_k)[0], n, 0.005 * n)
    got = table(LOG_K, jnp.float32(n))
    np.testing.assert_allclose(got[0], expected, rtol=0, atol=6e-7)
    np.testing.assert_allclose(got[2], by_index, rtol=0, atol=5e-6)
    wide = LOG_K > -8  # below, the transform is 1 to 1e-5
    np.testing.assert_allclose(got[1][wide], slope[wide], rtol=0, atol=1e-5)


@pytest.mark.parametrize("n", [0.8, 2.3])
def test_sersic_transform_equals_galsim(n, galsim):
    strict = galsim.GSParams(kvalue_accuracy=1e-8, maxk_threshold=1e-7)
    twin = galsim.Sersic(n, half_light_radius=1, gsparams=strict)
    expected = [twin.kValue(k, 0).real for k in np.exp(LOG_K.astype(float))]
    np.testing.assert_allclose(table(LOG_K, jnp.float32(n))[0], expected, rtol=0, atol=7e-7)


@given(st.floats(0.5, 6, width=32))
def test_sersic_transform_falls_from_one_to_zero(n):
    values = np.asarray(table(np.linspace(-9, 9.59, 240, dtype=np.float32), jnp.float32(n))[0])
    assert values[0] == pytest.approx(1, abs=1e-6)
    assert np.diff(values).max() < 5e-7  # four roundings of 1
    # at the last wave number k >> 1 the asymptote is about k^(-2 - 1 / n)
    assert -1e-8 < values[-1] < 5e-6


def test_sersic_transform_is_held_at_the_ends_of_its_table():
    outside = jnp.float32([-40, -9.5, -9, 9.6, 11, 40])
    values, slopes, _ = table(outside, jnp.float32(2))
    np.testing.assert_allclose(values[:3], values[2], rtol=2e-7)
    np.testing.assert_allclose(values[3:], values[3], rtol=1e-5)
    assert np.isfinite(slopes).all()


@pytest.mark.parametrize(("beta", "limit"), [(1.5, 2e-5), (2, 2e-6), (2.5, 2e-6), (4.8, 2e-6)])
def test_moffat_transform_equals_bessel_functions(beta, limit):
    k = np.exp(np.linspace(-6.9, 3.9, 300)).astype(np.float32)
    value, by_beta = jax.jit(
        lambda b: jax.jvp(lambda c: psf.moffat_transform(k, c), (b,), (jnp.ones_like(b),))
    )(jnp.float32(beta))
    beta = float(np.float32(beta))
    exact = central_difference(lambda b: moffat_transform(b, k.astype(float)), beta, 0.01)
    # of slow wings the table lacks what lies beyond a thousand radii: k below 1e-2
    seen = k > (1e-2 if beta < 2 else 0)
    np.testing.assert_allclose(value, moffat_transform(beta, k.astype(float)), rtol=0, atol=limit)
    np.testing.assert_allclose(by_beta[seen], exact[seen], rtol=0, atol=1e-5)


def test_light_profiles_equal_quadrature_and_galsim(galsim):
    radius = np.array([0.01, 0.2, 0.7, 2.0])
    for n in (0.5, 1.0, 2.7, 4.0, 6.0):
        assert profiles.light_within(1.0, n) == pytest.approx(0.5)
        light = {"flux": 30.0, "sersic_index": n, "half_light_radius": 0.6}

        def ring(log_r, light=light):
            r = np.exp(log_r)
            return 2 * np.pi * r**2 * profiles.surface_brightness(r, **light)

        total = integrate.quad(ring, -20, 16, limit=200)[0]
        assert total == pytest.approx(30, rel=1e-7)
        inside = integrate.quad(ring, -20, np.log(0.6 * 1.8), limit=200)[0]
        assert profiles.light_within(1.8, n) == pytest.approx(inside / 30, rel=1e-7)
        twin = galsim.Sersic(n, half_light_radius=0.6, flux=30)
        expected = [twin.xValue(r, 0) for r in radius]
        got = profiles.surface_brightness(radius, **light)
        np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_named_profiles_are_sersic_profiles():
    light = {"flux": 2.0, "half_light_radius": 0.3}
    assert profiles.gaussian(**light, g1=0.1) == Sersic(2.0, 0.5, 0.3, 0.1)
    assert profiles.exponential(**light) == Sersic(2.0, 1.0, 0.3)
    assert profiles.de_vaucouleurs(**light, x=0.2) == Sersic(2.0, 4.0, 0.3, x=0.2)


# Images against GalSim -------------------------------------------------------------------------

EXTREMES = [  # index, radius, g1, g2, FWHM
    (0.5, 0.1, 0.0, 0.0, 0.5),
    (0.5, 0.6, 0.67, 0.0, 1.0),
    (1.0, 0.1, 0.6, 0.0, 0.5),
    (4.0, 0.6, 0.3, 0.3, 0.7),
    (6.0, 0.1, 0.0, -0.67, 0.5),
    (6.0, 0.4, 0.45, 0.49, 1.0),
]
RANDOM = [
    (
        RNG.uniform(0.5, 6),
        RNG.uniform(0.1, 0.6),
        *RNG.uniform(-0.47, 0.47, 2),
        RNG.uniform(0.5, 1),
    )
    for _ in range(5)
]


@pytest.mark.parametrize("case", EXTREMES + RANDOM)
def test_images_equal_galsim(case, galsim, precise, twin):
    *shape, fwhm = case
    galaxy = Sersic(1e5, *shape)
    expected = twin([galaxy], galsim.Moffat(2, fwhm=fwhm, gsparams=precise), STAMP)
    got = draw(galaxy, fwhm)
    worst = np.abs(got - expected).max()
    assert worst < 3e-4 / 100 * np.sqrt(np.sum(expected**2))  # in noise at signal-to-noise 100
    assert worst < 1e-5 * expected.max()
    assert got.sum() == pytest.approx(expected.sum(), rel=5e-5)


@pytest.mark.parametrize(
    "grid",
    [
        PixelGrid(9, 5, 0.3),
        PixelGrid(40, 71, 0.2),
        PixelGrid(1, 24, 0.263),
    ],
    ids=lambda grid: f"{grid.height}x{grid.width}",
)
def test_shifted_galaxies_on_other_stamps_equal_galsim(grid, galsim, precise, twin):
    galaxy = Sersic(700.0, 1.3, 0.35, 0.2, -0.3, x=0.31, y=-0.17)
    sheared = galsim.Moffat(3.5, fwhm=0.7, gsparams=precise).shear(g1=-0.05, g2=0.1)
    got = image_of(galaxy, Moffat(0.7, 3.5, -0.05, 0.1), grid)
    assert got.shape == grid.shape
    assert_alike(got, twin([galaxy], sheared, grid))


def test_bulge_and_disc_add_up(galsim, precise, twin):
    parts = [
        profiles.de_vaucouleurs(flux=300.0, half_light_radius=0.25, g1=0.1),
        profiles.exponential(flux=900.0, half_light_radius=0.6, g1=0.3, g2=0.2, x=0.05),
    ]
    got = image_of(parts, Gaussian(0.8, 0.02, -0.06), SMALL)
    through = galsim.Gaussian(fwhm=0.8, gsparams=precise).shear(g1=0.02, g2=-0.06)
    assert_alike(got, twin(parts, through, SMALL))


def test_undersampled_light_is_folded_as_in_a_detector(galsim, precise, twin):
    galaxy = Sersic(1.0, 0.5, 0.1, x=0.04, y=0.02)
    grid = PixelGrid(20, 21, 0.4, k_max=4.0)
    through = galsim.Gaussian(fwhm=0.3, gsparams=precise)
    assert_alike(image_of(galaxy, Gaussian(0.3), grid), twin([galaxy], through, grid))


def lopsided(galsim):
    """A PSF without any symmetry, narrow in Fourier space."""
    parts = [
        galsim.Gaussian(fwhm=0.8, flux=0.6).shear(g1=0.1, g2=0.15),
        galsim.Gaussian(fwhm=0.9, flux=0.3).shear(g1=-0.2).shift(0.4, 0.15),
        galsim.Gaussian(fwhm=0.8, flux=0.1).shift(-0.2, 0.6),
    ]
    return galsim.Sum(parts)


@pytest.mark.parametrize("size", [(60, 60), (61, 56)], ids=str)
def test_psf_images_keep_orientation_and_centre(size, galsim, twin):
    through = lopsided(galsim)
    image = through.drawImage(
        nx=size[1], ny=size[0], scale=0.12, method="no_pixel", dtype=float
    ).array
    galaxy = Sersic(1e3, 1.5, 0.4, 0.3, 0.1, x=0.1, y=-0.2)
    grid = PixelGrid(32, 29, 0.23)
    assert_alike(
        image_of(galaxy, ImagePSF(image, 0.12, includes_pixel=False), grid),
        twin([galaxy], through, grid),
    )
    without = twin([galaxy], through, grid, method="no_pixel")
    got = image_of(galaxy, ImagePSF(image, 0.12, includes_pixel=True), grid)
    assert_alike(got, without)


def test_psf_images_are_band_limited_surfaces(galsim, precise, twin):
    # smooth noise: an image that no formula describes
    blur = np.exp(-((np.arange(-20, 20) + 0.5) ** 2) / 18)
    image = RNG.random((40, 40)) * np.outer(blur, blur)
    image /= image.sum()
    through = galsim.InterpolatedImage(
        galsim.Image(image, scale=0.2), x_interpolant="lanczos30", gsparams=precise
    )
    galaxy = Sersic(1.0, 1.0, 0.5, 0.1, 0.2)
    got = image_of(galaxy, ImagePSF(image, 0.2, includes_pixel=False), SMALL)
    assert_alike(got, twin([galaxy], through, SMALL), limit=1e-3)  # of the Lanczos interpolation


def test_psf_image_that_includes_the_pixel(galsim, twin):
    through = lopsided(galsim)
    # at the stamp's scale: what a star looks like
    star = through.drawImage(nx=40, ny=40, scale=0.23, dtype=float).array
    galaxy = Sersic(1.0, 2.0, 0.3, -0.2, 0.1)
    got = image_of(galaxy, ImagePSF(star, 0.23, includes_pixel=True), SMALL)
    assert_alike(got, twin([galaxy], through, SMALL), limit=5e-5)


# Properties ------------------------------------------------------------------------------------

indices = st.floats(0.5, 6, width=32)
radii = st.floats(0.125, 0.75, width=32)
shears = st.floats(-0.5, 0.5, width=32)
offsets = st.floats(-1, 1, width=32)


@given(indices, radii, shears, shears, offsets, offsets)
def test_a_quarter_turn_of_the_galaxy_turns_the_image(n, r, g1, g2, x, y):
    image = draw(Sersic(1.0, n, r, g1, g2, x, y), 0.7)
    turned = draw(Sersic(1.0, n, r, -g1, -g2, y, -x), 0.7)
    assert_alike(turned, np.rot90(image), limit=ROUNDING)


@given(indices, radii, shears, shears, st.floats(1, 1e6, width=32))
def test_images_are_linear_in_flux(n, r, g1, g2, flux):
    image, unit = (draw(Sersic(f, n, r, g1, g2), 0.7) for f in (flux, 1.0))
    np.testing.assert_allclose(image, flux * unit, rtol=1e-6, atol=1e-6 * image.max())


def test_all_light_falls_on_a_large_stamp():
    large = PixelGrid(160, 160, 0.23)
    image = image_of(Sersic(3e4, 1.0, 0.6, 0.3, -0.2), Moffat(0.7, 4.8), large)
    assert image.sum() == pytest.approx(3e4, rel=2e-6)


def test_a_shift_moves_the_centroid():
    x, y = STAMP.positions()
    for shift in ((0.0, 0.0), (0.5, -0.3), (-1.7, 2.2)):
        image = image_of(Sersic(1.0, 1.0, 0.3, 0.2, 0.3, *shift), Gaussian(0.7), STAMP)
        centroid = (image * x).sum() / image.sum(), (image.T * y).sum() / image.sum()
        np.testing.assert_allclose(centroid, shift, rtol=0, atol=1e-4)


def test_images_in_a_batch_equal_images_alone():
    rows = RNG.uniform([1, 0.6, 0.2, -0.4, -0.4, -1, -1], [9, 5, 0.6, 0.4, 0.4, 1, 1], (5, 7))
    galaxies, fwhm, beta = Sersic(*rows.T.astype(np.float32)), RNG.uniform(0.5, 1, 5), 2.5
    batch = jax.jit(jax.vmap(lambda g, f: render(g, Moffat(f, beta), SMALL)))(galaxies, fwhm)
    for row, f, image in zip(rows, fwhm, np.asarray(batch), strict=True):
        assert_alike(image_of(Sersic(*row), Moffat(f, beta), SMALL), image, limit=ROUNDING)


def test_every_image_may_have_its_own_psf_image():
    images = RNG.random((3, 40, 40)).astype(np.float32)
    includes = np.array([True, False, True])
    galaxy = Sersic(1.0, 1.0, 0.5)
    batch = jax.jit(
        jax.vmap(lambda image, held: render(galaxy, ImagePSF(image, 0.23, held), SMALL))
    )(images, includes)
    for image, held, got in zip(images, includes, np.asarray(batch), strict=True):
        alone = image_of(galaxy, ImagePSF(image, 0.23, bool(held)), SMALL)
        assert_alike(alone, got, limit=ROUNDING)


# Derivatives -----------------------------------------------------------------------------------

EVERYTHING = (*profiles.PARAMETERS, "fwhm", "beta")
STEPS = np.array([1e3, 0.03, 0.005, 0.01, 0.01, 0.01, 0.01, 0.01, 0.04])


def everything(values):
    return render(Sersic(*values[:7]), Moffat(*values[7:]), SMALL).ravel()


@jax.jit
def slopes_of_all(theta):
    def of_galaxy(values):
        return everything([*values, theta[7], theta[8]])

    return jax.jacfwd(everything)(theta).T, *linearise(of_galaxy, theta[:7])


many = jax.jit(jax.vmap(everything))


@pytest.mark.parametrize(
    "values",
    [
        (1e4, 1.0, 0.4, 0.2, -0.1, 0.1, 0.3, 0.7, 2.0),
        (1e4, 3.7, 0.3, -0.5, 0.3, -0.2, 0.05, 0.6, 2.5),
        (1e4, 5.2, 0.2, 0.0, 0.0, 0.0, 0.0, 0.9, 3.5),
        (1e4, 0.7, 0.5, 0.02, 0.6, 0.4, -0.4, 0.5, 4.8),
    ],
    ids=["disc", "bulge", "round", "edge-on"],
)
@pytest.mark.slow
def test_derivatives_equal_differences(values):
    theta = jnp.float32(values)
    forward, pixels, passes = (np.asarray(a, float) for a in slopes_of_all(theta))
    assert_alike(pixels, np.asarray(many(jnp.tile(theta, (6, 1)))[0]), limit=ROUNDING)
    for i, name in enumerate(EVERYTHING):
        # wide steps of sixth order: neither their curvature nor rounding is seen at 1e-4
        h = 3 * STEPS[i]
        moved = np.tile(np.float32(values), (6, 1))
        moved[:, i] += np.float32(h) * np.array([-3, -2, -1, 1, 2, 3], np.float32)
        weights = np.array([-1, 9, -45, 45, -9, 1]) / (60 * h)
        difference = weights @ np.asarray(many(moved), float)
        for got in (forward[i], *passes[i : i + 1]):
            error = np.abs(got - difference).max() / np.abs(difference).max()
            assert error < 1.2e-4, (name, error)


# Noise -----------------------------------------------------------------------------------------


@partial(jax.jit, static_argnames="smooth")
def noisy(key, image, noise, smooth=False):
    return noise.add(key, image, smooth=smooth)


@pytest.mark.parametrize("smooth", [False, True], ids=["exact", "smooth"])
@pytest.mark.parametrize(("sigma", "gain"), [(3.0, 1.0), (0.5, 4.0), (10.0, 0.25), (2.0, 0.0)])
def test_noise_has_the_mean_and_variance_it_states(sigma, gain, smooth):
    counts = np.array([-2.0, 0.0, 0.8, 30.0, 5e3])
    n = 40_000
    image = jnp.broadcast_to(jnp.float32(counts), (n, 5))
    noise = Noise(sigma, gain)
    drawn = np.asarray(noisy(jax.random.key(3), image, noise, smooth), float)
    variance = sigma**2 + (np.maximum(counts, 0) / gain if gain else 0)
    np.testing.assert_allclose(noise.variance(image)[0], variance, rtol=1e-6)
    mean_error = np.sqrt(variance / n)
    assert np.all(np.abs(drawn.mean(0) - counts) < 5 * mean_error)
    # a Poisson number's fourth cumulant is its mean; the smooth one's variance is 1 / 18 larger
    electrons = np.maximum(counts, 0) * gain
    fourth = 1.4 * (electrons + 1) / gain**4 if gain else 0
    error = np.sqrt((2 * variance**2 + fourth) / n)
    extra = (electrons > 0) / 18 / gain**2 if smooth and gain else 0
    assert np.all(np.abs(drawn.var(0) - variance - extra) < 5 * error)


def test_without_gain_only_the_sky_is_noisy():
    image = jnp.float32([[1e6, -5.0], [0.0, 3.0]])
    sigma = jnp.float32([[1e-3, 0.0], [0.0, 0.0]])
    many = jnp.broadcast_to(jnp.float32([1e6, -5.0, 0.0, 3.0, 1.0]), (40_000, 5))
    assert np.all(noisy(jax.random.key(0), many, Noise(0.0, 0.0), False) == many)
    np.testing.assert_allclose(Noise(sigma).variance(image), sigma**2)
    np.testing.assert_array_equal(poisson_variance(image, 2.0), [[5e5, 0], [0, 1.5]])
    np.testing.assert_array_equal(poisson_variance(image, 0.0), 0)


def test_signal_to_noise_by_hand():
    images = jnp.float32([[[3.0, 0.0], [0.0, 4.0]], [[1.0, 1.0], [1.0, 1.0]]])
    np.testing.assert_allclose(signal_to_noise(images, 0.5), [10, 4], rtol=1e-6)


# The Cramér–Rao bound --------------------------------------------------------------------------


def test_bound_of_a_gaussian_is_the_analytic_one():
    flux, radius, fwhm, scale, sigma_noise = 40.0, 0.5, 0.6, 0.05, 0.01
    grid = PixelGrid(96, 96, scale)
    scene = Scene(grid, ("flux", "half_light_radius", "x", "y"), {"sersic_index": 0.5})
    model = scene.model(scene.optics([Gaussian(fwhm)]))
    theta = jnp.float32([flux, radius, 0.0, 0.0])
    information = jax.jit(lambda t: fisher(model, t, variance=sigma_noise**2))(theta)
    c = 1 / (2 * np.log(2))
    # the pixel adds its own variance
    s = np.sqrt(c * radius**2 + (fwhm * ARCSEC_PER_FWHM) ** 2 + scale**2 / 12)
    base = scale**2 / (4 * np.pi * s**2 * sigma_noise**2)
    by_radius = c * radius / s
    expected = np.diag([1.0, 2 * (flux * by_radius / s) ** 2, *2 * [flux**2 / 2 / s**2]])
    expected[0, 1] = expected[1, 0] = -flux * by_radius / s
    expected *= base
    np.testing.assert_allclose(information, expected, rtol=1e-3, atol=1e-4 * expected[2, 2])
    np.testing.assert_allclose(crb(information), np.linalg.inv(expected), rtol=2e-3, atol=1e-7)


PUBLISHED = {
    200.0: (0.0565e5, 0.777, 0.0287, 0.0543, 0.0549),
    400.0: (0.1126e5, 1.538, 0.0572, 0.1077, 0.1088),
}


@jax.jit
def information_of_stamp(theta, sigma):
    model = Scene(STAMP).model(Scene(STAMP).optics([Moffat(0.5)]))
    return fisher(model, theta, variance=Noise(sigma, gain=1.0).variance)


@pytest.mark.parametrize("sigma", sorted(PUBLISHED))
def test_bounds_equal_published_ones(sigma):
    theta = jnp.float32([1e5, 3, 0.3, -0.069, 0.15])
    bound = np.sqrt(np.diag(crb(information_of_stamp(theta, sigma))))
    np.testing.assert_allclose(bound, PUBLISHED[sigma], rtol=0.01)


def test_bounds_of_many_and_what_is_singular():
    matrices = np.stack([np.diag([1e12, 4.0]), [[2.0, 1.0], [1.0, 2.0]]])
    np.testing.assert_allclose(crb(matrices), np.linalg.inv(matrices), rtol=1e-12)
    flat = np.ones((2, 2))
    many = np.stack([np.eye(2), flat, np.full((2, 2), np.nan)])
    out, singular = inverse(many)
    np.testing.assert_array_equal(singular, [False, True, True])
    np.testing.assert_array_equal(out[0], np.eye(2))
    assert np.isnan(out[1:]).all()
    with pytest.raises(ValueError, match="2 Fisher matrices are singular"):
        crb(many)
    with pytest.raises(ValueError, match="some parameters do not show in the pixels"):
        crb(np.diag([1.0, 0.0]))
    for wrong in (np.ones(3), np.ones((2, 3))):
        with pytest.raises(ShapeError, match=r"must have shape \(\.\.\., p, p\)"):
            crb(wrong)


# Scenes and the search -------------------------------------------------------------------------


def test_scenes_of_several_exposures_equal_images_alone():
    scene = Scene(
        SMALL,
        ("g1", "flux", "background", "x"),
        {"sersic_index": 1.5, "half_light_radius": 0.4, "g2": 0.1, "y": 0.0},
        bands=(0, 1, 1),
    )
    assert scene.names == (
        *("g1", "flux_0", "flux_1", "background_0", "background_1", "background_2", "x"),
    )
    psfs = [Moffat(0.7, 2.0, 0.1), Moffat(0.6, 2.5), Moffat(0.9, 3.0)]
    theta = jnp.float32([0.2, 50, 80, 1, 2, -3, 0.3])
    got = jax.jit(lambda t: scene.model(scene.optics(psfs))(t))(theta).reshape(3, *SMALL.shape)
    for image, through, flux, level in zip(got, psfs, (50, 80, 80), (1, 2, -3), strict=True):
        alone = image_of(Sersic(flux, 1.5, 0.4, 0.2, 0.1, 0.3, 0.0), through, SMALL)
        assert_alike(np.asarray(image), alone + level, limit=ROUNDING)


SCENE = Scene(SMALL)
SEARCH = Coordinates(SCENE)
TRUTH = jnp.float32([1e5, 2.0, 0.4, -0.2, 0.15])


@jax.jit
def search(image, start, sigma, bounds):
    """Parameters that fit an image best, under one compiled program for all tests."""
    model, noise = SCENE.model(SCENE.optics([Moffat(0.6)])), Noise(sigma, 1.0)
    found = maximise(
        lambda u: model(SEARCH.to_theta(u)),
        image.ravel(),
        weight=lambda pixels: 1 / noise.variance(pixels),
        start=SEARCH.from_theta(start),
        bounds=bounds,
    )
    return SEARCH.to_theta(found.u), found


@jax.jit
def local(theta):
    return linearise(SCENE.model(SCENE.optics([Moffat(0.6)])), theta)


def information_at(theta, sigma):
    """Pixels, slopes and Fisher matrix by hand."""
    pixels, slopes = (np.asarray(a, float) for a in local(theta))
    variance = sigma**2 + np.maximum(pixels, 0)
    return pixels, slopes, (slopes / variance) @ slopes.T


@pytest.mark.slow
def test_search_recovers_noiseless_galaxies():
    truths = RNG.uniform([4e4, 0.8, 0.25, -0.4, -0.4], [2e5, 4, 0.6, 0.4, 0.4], (8, 5))
    for truth in np.float32(truths):
        image, _, information = information_at(truth, 50.0)
        start = truth * np.float32([0.7, 1.3, 0.8, 0.0, 0.0])
        theta, found = search(np.float32(image), start, 50.0, SEARCH.bounds())
        assert found.converged
        assert not found.at_bound.any()
        # steps end where they promise less than 1e-3 of chi^2: a thirtieth of a standard deviation
        off = (theta - truth) / np.sqrt(np.diag(crb(information)))
        assert np.abs(off).max() < 0.03
        assert found.chi2 < 1e-3


@pytest.mark.slow
def test_scatter_of_the_search_is_the_bound():
    n, sigma = 200, 20.0
    clean, _, information = information_at(TRUTH, sigma)
    rng = np.random.default_rng(8)
    images = rng.normal(rng.poisson(clean, (n, clean.size)), sigma).astype(np.float32)
    results = [search(image, TRUTH, sigma, SEARCH.bounds()) for image in images]
    assert all(found.converged for _, found in results)
    bound = np.sqrt(np.diag(crb(information)))
    errors = np.array([theta for theta, _ in results], float) - np.asarray(TRUTH, float)
    np.testing.assert_allclose(errors.std(0) / bound, 1, atol=5 / np.sqrt(2 * n))
    np.testing.assert_allclose(errors.mean(0) / bound, 0, atol=5 / np.sqrt(n))
    distance = np.einsum("ni,ij,nj->n", errors, information, errors)  # chi^2 of 5 degrees
    assert distance.mean() == pytest.approx(5, abs=5 * np.sqrt(2 * 5 / n))
    chi2 = np.array([found.chi2 for _, found in results], float)
    freedom = SMALL.n_pixels - 5
    assert chi2.mean() == pytest.approx(freedom, abs=5 * np.sqrt(2 * freedom / n))


def test_search_stays_within_bounds_and_says_so():
    low, high = SEARCH.bounds()
    high[1] = np.log(3.0)
    image, _, _ = information_at(jnp.float32([1e5, 4.5, 0.4, 0.1, 0.2]), 20.0)
    start = jnp.float32([9e4, 2.0, 0.3, 0.0, 0.0])
    theta, found = search(np.float32(image), start, 20.0, (low, high))
    assert found.converged
    assert theta[1] == pytest.approx(3.0, rel=1e-6)
    np.testing.assert_array_equal(found.at_bound, [False, True, False, False, False])
    # the others are best where they are: their slopes, in standard deviations
    pixels, slopes, information = information_at(theta, 20.0)
    slope = (slopes / (20.0**2 + np.maximum(pixels, 0))) @ (image - pixels)
    free = [0, 2, 3, 4]
    move = np.linalg.solve(information[np.ix_(free, free)], slope[free])
    assert move @ slope[free] < 0.03**2


# Moments and coordinates -----------------------------------------------------------------------


def test_moments_of_a_gaussian_are_its_own():
    grid = PixelGrid(48, 41, 0.2)
    x, y = grid.positions()
    covariance = np.array([[0.5, 0.12], [0.12, 0.3]])
    delta = np.stack(np.broadcast_arrays(x[None, :] - 0.3, y[:, None] + 0.2), axis=-1)
    form = np.einsum("yxi,ij,yxj->yx", delta, np.linalg.inv(covariance), delta)
    measure = jax.jit(lambda image: adaptive_moments(image, grid=grid, size=0.8))
    got = measure(jnp.float32(7 * np.exp(-0.5 * form)))
    # each of 12 iterations halves what is left
    np.testing.assert_allclose(got, [0.3, -0.2, 0.5, 0.12, 0.3], rtol=0, atol=0.64 * 2.0**-11)
    for useless in (np.zeros(grid.shape), -np.ones(grid.shape)):
        found = measure(jnp.float32(useless))
        assert np.isfinite(np.asarray(found)).all()


modest = st.floats(-0.34375, 0.34375, width=32)  # beyond, a start need not be so near


@given(st.floats(0.3125, 0.75, width=32), modest, modest)
def test_moments_give_the_shape_before_the_blur(radius, g1, g2):
    galaxy = Sersic(5.0, 0.5, radius, g1, g2, 0.0, 0.0)
    image = measured(np.float32(image_of(galaxy, Gaussian(0.7), STAMP)))
    blur = (0.7 * ARCSEC_PER_FWHM) ** 2 + STAMP.pixel_scale**2 / 12
    got = shape_of(image, Moments(0.0, 0.0, blur, 0.0, blur))
    np.testing.assert_allclose(got, [radius, g1, g2], rtol=0, atol=3e-3)


@jax.jit
def measured(image):
    return adaptive_moments(image, grid=STAMP, size=0.5)


COORDINATES = Coordinates(Scene(STAMP, profiles.PARAMETERS))
to_theta, from_theta = jax.jit(COORDINATES.to_theta), jax.jit(COORDINATES.from_theta)


@given(
    st.floats(1, 1e6, width=32),
    indices,
    radii,
    st.floats(0, 0.96875, width=32),
    st.floats(0, 6.25, width=32),
    offsets,
)
def test_coordinates_and_parameters_are_inverses(flux, n, r, g, angle, x):
    theta = jnp.float32([flux, n, r, g * np.cos(angle), g * np.sin(angle), x, -x])
    u = from_theta(theta)
    np.testing.assert_allclose(to_theta(u), theta, rtol=1e-5, atol=2e-6)
    expected = 2 * np.arctanh(g)
    assert np.hypot(u[3], u[4]) == pytest.approx(expected, rel=2e-5, abs=1e-5)


def test_coordinates_are_smooth_where_the_shear_is_zero():
    theta = jnp.float32([5, 2, 0.5, 0, 0, 0, 0])
    slopes = jax.jit(jax.jacfwd(COORDINATES.from_theta))(theta)
    np.testing.assert_allclose(slopes, np.diag([1, 0.5, 2, 2, 2, 1, 1]), rtol=1e-5)
    back = jax.jit(jax.jacrev(COORDINATES.to_theta))(from_theta(theta))
    np.testing.assert_allclose(back, np.diag([1, 2, 0.5, 0.5, 0.5, 1, 1]), rtol=1e-5)


def test_bounds_hold_what_the_renderer_can_draw():
    low, high = COORDINATES.theta_bounds()
    assert (low[1], high[1]) == profiles.SERSIC_INDEX_RANGE
    assert (low[0], high[0]) == (-np.inf, np.inf)
    assert high[3] == LARGEST_SHEAR == -low[4]
    lowest, highest = COORDINATES.bounds()
    assert np.all(lowest < highest)
    np.testing.assert_allclose(np.exp(lowest[1:3]), low[1:3], rtol=1e-6)
    # larger shears are cut to the bound
    cut = to_theta(from_theta(jnp.float32([1, 1, 1, 0.7, 0.7138, 0, 0])))
    assert np.hypot(cut[3], cut[4]) == pytest.approx(LARGEST_SHEAR, rel=1e-5)


# What is refused -------------------------------------------------------------------------------


def test_grids_refuse_what_is_no_stamp():
    with pytest.raises(ShapeError, match="at least 1 x 1 pixels; got 0 x 8"):
        PixelGrid(0, 8, 0.2)
    for scale in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(ValueError, match="`pixel_scale` must be positive"):
            PixelGrid(8, 8, scale)
    with pytest.raises(ValueError, match="`k_max` must be positive; got 0"):
        PixelGrid(8, 8, 0.2, k_max=0)


def test_scenes_refuse_parameters_that_make_no_galaxy():
    with pytest.raises(ValueError, match=r"Unknown parameter 'size'; there are flux, "):
        Scene(STAMP, ("size",))
    with pytest.raises(ValueError, match="g1 cannot be both free and fixed"):
        Scene(STAMP, fixed={"g1": 0.0})
    with pytest.raises(ValueError, match="sersic_index, half_light_radius must be free or have"):
        Scene(STAMP, ("flux", "x"))


def test_psf_images_must_be_images():
    with pytest.raises(ShapeError, match=r"must have two axes; got shape \(2, 3, 4\)"):
        render(Sersic(1.0, 1.0, 0.3), ImagePSF(np.ones((2, 3, 4)), 0.2), SMALL)
