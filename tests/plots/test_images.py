"""Pictures of stamps: residuals and profiles against oracles, then their ink."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from plot_cases import drawn, panels_with_ink
from sfumato.errors import ShapeError
from sfumato.plots import images

SCALE = 0.2


def exponential(*, axis_ratio=1.0, angle=0.0, centre=(0.0, 0.0), n=61, h=0.9):
    """A disc exp(-r / h) in counts per square arcsec, on its elliptical radius."""
    axis = (np.arange(n) - 0.5 * (n - 1)) * SCALE
    x, y = np.meshgrid(axis - centre[0], axis - centre[1])
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    return 100 * np.exp(-np.sqrt(axis_ratio * along**2 + across**2 / axis_ratio) / h)


# --- residuals


def test_residual_is_in_sigmas_and_counts_only_pixels_in_use():
    image = np.array([[3.0, 5.0], [1.0, 99.0]])
    mask = np.array([[False, False], [False, True]])
    residual, chi2, dof = images.prepare_residual(
        image, np.ones((2, 2)), 2.0, mask=mask, n_parameters=1
    )
    np.testing.assert_array_equal(residual, [[1, 2], [0, np.nan]])
    assert (chi2, dof) == (5.0, 2)


def test_residual_takes_bad_pixels_only_under_the_mask():
    image, sigma = np.ones((3, 3)), np.ones((3, 3))
    image[0, 0], sigma[1, 1] = np.nan, 0.0
    with pytest.raises(ValueError, match="2 are not: mask them"):
        images.prepare_residual(image, image * 0, sigma)
    bad = np.zeros((3, 3), bool)
    bad[0, 0] = bad[1, 1] = True
    assert images.prepare_residual(image, np.zeros((3, 3)), sigma, mask=bad)[1:] == (7.0, 7)
    with pytest.raises(ValueError, match="7 pixels cannot constrain 7"):
        images.prepare_residual(image, np.zeros((3, 3)), sigma, mask=bad, n_parameters=7)
    with pytest.raises(ShapeError, match=r"`model` must have.*\(2, 3\)"):
        images.prepare_residual(image, np.zeros((2, 3)), sigma)


def stamps(n=3, size=20, seed=0):
    models = np.stack([50 * exponential(n=size, h=0.4 + 0.1 * k) * SCALE**2 for k in range(n)])
    noise = np.random.default_rng(seed).normal(size=models.shape)
    return models + 2 * noise, models, noise


def test_residuals_draw_a_row_for_each_galaxy():
    data, models, noise = stamps()
    masks = np.zeros(data.shape, bool)
    masks[0, :4, :4] = True
    figure = images.plot_residuals(
        data, models, 2.0, pixel_scale=SCALE, masks=masks, titles=["a", "b", "c"], max_rows=2
    )
    assert isinstance(figure, Figure)
    panels = [axes for axes in figure.axes if axes.images]
    bars = [axes.get_ylabel() for axes in figure.axes if not axes.images]
    assert bars == ["counts per pixel", "residual / σ"] * 2
    assert len(panels) == 6
    assert figure.get_suptitle() == "first 2 of 3 galaxies"
    image, model, residual = panels[:3]
    assert image.get_ylabel() == "a\ny [arcsec]"
    assert panels[5].get_xlabel() == "x [arcsec]"
    assert image.images[0].norm is model.images[0].norm
    assert residual.images[0].get_clim() == (-5, 5)
    assert image.images[0].get_extent() == [-2, 2, -2, 2]
    shown = residual.images[0].get_array()
    assert np.all(shown.mask == masks[0])
    np.testing.assert_allclose(shown.compressed(), noise[0][~masks[0]], atol=1e-12)
    expected = np.mean(noise[0][~masks[0]] ** 2)
    assert residual.texts[0].get_text() == f"$\\chi^2$/dof = {expected:.2f}"
    for bar in (axes for axes in figure.axes if axes.get_ylabel().startswith("counts")):
        assert 0 in bar.get_yticks()


def test_residuals_name_what_disagrees():
    data, models, _ = stamps()
    with pytest.raises(ShapeError, match=r"must all be \(n, h, w\); got \(20, 20\)"):
        images.plot_residuals(data[0], models[0], 1.0, pixel_scale=SCALE)
    with pytest.raises(ShapeError, match="each of 3 galaxies; got 1"):
        images.plot_residuals(data, models, 1.0, pixel_scale=SCALE, titles=["a"])


# --- profiles


@pytest.mark.parametrize(
    ("axis_ratio", "angle", "centre"),
    [(1.0, 0.0, (0.0, 0.0)), (0.5, 0.7, (0.0, 0.0)), (0.7, -1.2, (0.5, -0.3)), (0.4, 2.4, (0, 1))],
)
def test_profile_follows_an_elliptical_disc(axis_ratio, angle, centre):
    sky = exponential(axis_ratio=axis_ratio, angle=angle, centre=centre)
    profile = images.prepare_profile(
        sky * SCALE**2,
        0.1,
        pixel_scale=SCALE,
        centre=centre,
        axis_ratio=axis_ratio,
        angle_rad=angle,
        n_bins=12,
    )
    full = profile.count > 8
    assert full.sum() > 8
    expected = 100 * np.exp(-profile.radius / 0.9)
    np.testing.assert_allclose(profile.brightness[full], expected[full], rtol=0.03)
    np.testing.assert_allclose(profile.error, 0.1 / np.sqrt(profile.count) / SCALE**2)
    # annuli keep their area: as many pixels as it holds
    area = np.pi * np.diff(profile.edges**2) / SCALE**2
    np.testing.assert_allclose(profile.count[3:], area[3:], rtol=0.15)


def test_profile_equals_a_plain_loop_over_pixels():
    rng = np.random.default_rng(1)
    image, sigma, mask = rng.normal(size=(9, 12)), rng.uniform(1, 2, (9, 12)), rng.random((9, 12))
    centre, q, angle, edges = (0.1, -0.05), 0.6, 0.4, np.linspace(0, 0.8, 4)
    bins = [[], [], []]
    for row in range(9):
        for column in range(12):
            x, y = (column - 5.5) * SCALE - centre[0], (row - 4) * SCALE - centre[1]
            turned = (x + 1j * y) * np.exp(-1j * angle)
            radius = np.hypot(turned.real * np.sqrt(q), turned.imag / np.sqrt(q))
            if mask[row, column] < 0.8 and radius < edges[-1]:
                pixel = radius, image[row, column], sigma[row, column]
                bins[int(radius // edges[1])].append(pixel)
    profile = images.prepare_profile(
        image,
        sigma,
        pixel_scale=SCALE,
        centre=centre,
        axis_ratio=q,
        angle_rad=angle,
        n_bins=3,
        r_max=0.8,
        mask=mask >= 0.8,
    )
    for k, pixels in enumerate(bins):
        radii, values, noises = np.array(pixels).T
        assert profile.count[k] == len(pixels)
        assert profile.radius[k] == pytest.approx(radii.mean())
        assert profile.brightness[k] == pytest.approx(values.mean() / SCALE**2)
        error = np.sqrt(np.sum(noises**2)) / len(pixels) / SCALE**2
        assert profile.error[k] == pytest.approx(error)


def test_profile_is_unbiased_with_honest_errors():
    rng = np.random.default_rng(2)
    model = exponential() * SCALE**2
    sigma = np.sqrt(1 + model)
    truth = images.prepare_profile(model, sigma, pixel_scale=SCALE, n_bins=10)
    pulls = []
    for _ in range(300):
        noisy = images.prepare_profile(
            model + sigma * rng.normal(size=model.shape), sigma, pixel_scale=SCALE, n_bins=10
        )
        pulls.append((noisy.brightness - truth.brightness) / truth.error)
    np.testing.assert_allclose(np.mean(pulls, axis=0), 0, atol=4 / np.sqrt(300))
    np.testing.assert_allclose(np.std(pulls, axis=0), 1, atol=4 / np.sqrt(600))


def test_profile_reaches_the_edge_of_the_stamp():
    blank = np.zeros((20, 40))
    profile = images.prepare_profile(
        blank, 1.0, pixel_scale=SCALE, axis_ratio=0.25, centre=(1.0, 0.0)
    )
    # along x: semi-axis r / sqrt(q) = 2 r within 3 arcsec; along y: r / 2 within 2
    assert profile.edges[-1] == pytest.approx(1.5)


def test_profile_refuses_what_makes_no_sense():
    blank = np.zeros((20, 20))
    with pytest.raises(ValueError, match=r"`axis_ratio` must lie in \(0, 1\].*got 1.2"):
        images.prepare_profile(blank, 1.0, pixel_scale=SCALE, axis_ratio=1.2)
    with pytest.raises(ValueError, match="`centre` in the stamp"):
        images.prepare_profile(blank, 1.0, pixel_scale=SCALE, centre=(3.0, 0.0))


def profile_with_gaps():
    radius = np.array([0.1, 0.3, np.nan, 0.7, 0.9])
    brightness = np.array([100.0, 30.0, np.nan, -1.0, 2.0])
    error = np.array([2.0, 2.0, np.nan, 2.0, 2.0])
    return images.RadialProfile(
        radius, brightness, error, np.array([4, 9, 0, 9, 9]), np.arange(6) / 5
    )


@pytest.mark.parametrize("x_scale", ["linear", "log"])
def test_profiles_draw_data_models_and_pulls(x_scale):
    model = np.array([98.0, 34.0, 12.0, 5.0, 2.0])
    figure = images.plot_profiles(
        profile_with_gaps(), {"fit": model, "other": 2 * model}, x_scale=x_scale, title="one"
    )
    upper, lower = figure.axes
    assert upper.get_yscale() == "log"
    assert upper.get_xscale() == lower.get_xscale() == x_scale
    assert lower.get_xlabel() == "radius [arcsec]"
    assert "counts / arcsec²" in upper.get_ylabel()
    names = [text.get_text() for text in upper.get_legend().get_texts()]
    assert names == ["data", images.LIMIT, "fit", "other"]
    np.testing.assert_array_equal(upper.containers[0].lines[0].get_ydata(), [100, 30, 2])
    assert drawn(upper, images.LIMIT).get_ydata() == [3.0]
    np.testing.assert_array_equal(drawn(upper, "fit").get_ydata(), [98, 34, 5, 2])
    pulls = [line.get_ydata() for line in lower.lines if line.get_marker() == "o"]
    np.testing.assert_array_equal(pulls[0], [1, -2, np.nan, -3, 0])
    low, high = lower.get_ylim()
    assert low == -high < -48


def test_profiles_want_a_model_in_each_annulus():
    with pytest.raises(ShapeError, match=r"model 'fit' .* got \(4,\) and \(5,\)"):
        images.plot_profiles(profile_with_gaps(), {"fit": np.ones(4)})


def test_pictures_can_be_written():
    data, models, _ = stamps(1)
    residuals = images.plot_residuals(data, models, 2.0, pixel_scale=SCALE)
    profiles = images.plot_profiles(profile_with_gaps(), {"fit": np.ones(5)})
    assert [panels_with_ink(figure) for figure in (residuals, profiles)] == [1, 1]
