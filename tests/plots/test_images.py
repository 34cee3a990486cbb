"""Pictures of stamps, posteriors and estimators: their numbers against oracles, then their ink."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import stats

from sfumato.errors import IncompatibleError, ShapeError
from sfumato.plots import _labels, estimators, images, posteriors

SCALE = 0.2


def exponential(*, axis_ratio=1.0, angle=0.0, centre=(0.0, 0.0), n=61, h=0.9):
    """A disc exp(-r / h) in counts per square arcsec, on its elliptical radius."""
    axis = (np.arange(n) - 0.5 * (n - 1)) * SCALE
    x, y = np.meshgrid(axis - centre[0], axis - centre[1])
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    return 100 * np.exp(-np.sqrt(axis_ratio * along**2 + across**2 / axis_ratio) / h)


def drawn(axes, label):
    """The line of that label."""
    return next(line for line in axes.lines if line.get_label() == label)


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
    return images.Profile(radius, brightness, error, np.array([4, 9, 0, 9, 9]), np.arange(6) / 5)


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


# --- posteriors


def test_levels_of_a_hand_worked_density():
    density = np.array([[4.0, 1.0], [2.0, 3.0]])
    np.testing.assert_array_equal(
        posteriors.prepare_levels(density, [0.4, 0.41, 0.7, 0.95]), [4, 3, 3, 1]
    )


def test_levels_of_a_gaussian_plane():
    axis = np.linspace(-6, 6, 601)
    density = stats.multivariate_normal(cov=[[1, 0.6], [0.6, 1]]).pdf(
        np.stack(np.meshgrid(axis, axis), axis=-1)
    )
    masses = np.array([0.2, 0.68, 0.95])
    # a plane Gaussian above the share 1 - m of its peak holds the mass m
    expected = density.max() * (1 - masses)
    np.testing.assert_allclose(posteriors.prepare_levels(density, masses), expected, rtol=5e-3)


def test_levels_refuse_other_masses_and_densities():
    with pytest.raises(ValueError, match="strictly between 0 and 1; got"):
        posteriors.prepare_levels([1.0], [1.0])
    for density in ([0.0, 0.0], [1.0, -1.0], [1.0, np.nan]):
        with pytest.raises(ValueError, match="finite, nowhere negative and somewhere positive"):
            posteriors.prepare_levels(density, [0.5])


def test_density_is_that_of_the_weighted_samples():
    rng = np.random.default_rng(3)
    proposal = stats.norm(0, 2)
    x = proposal.rvs(400_000, random_state=rng)
    weights = stats.norm.pdf(x, 1, 0.5) / proposal.pdf(x)
    edges = np.linspace(-2, 4, 61)
    centres = 0.5 * (edges[1:] + edges[:-1])
    density = posteriors.prepare_density(x[:, None], weights, [edges], smooth=1.0)
    widened = np.hypot(0.5, 0.1)
    np.testing.assert_allclose(density, stats.norm.pdf(centres, 1, widened), atol=0.012)
    assert density.sum() * 0.1 == pytest.approx(1)
    with pytest.raises(ValueError, match="no sample of positive weight"):
        posteriors.prepare_density(x[:, None] + 1e3, weights, [edges])


def test_density_of_a_pair_has_its_own_units():
    rng = np.random.default_rng(4)
    samples = rng.normal(size=(1000, 2)) * [1, 100]
    edges = [np.linspace(-6, 6, 31), np.linspace(-600, 600, 41)]
    density = posteriors.prepare_density(samples, np.ones(1000), edges)
    assert density.shape == (30, 40)
    assert density.sum() * 0.4 * 30 == pytest.approx(1)


def test_limits_hold_samples_of_weight_and_all_points():
    samples = np.linspace(0, 1, 1001)[:, None] * [1, 2]
    weights = np.where(samples[:, 0] <= 0.5, 1.0, 0.0)
    limits = posteriors.prepare_limits(samples, weights, np.array([-1.0, 0.5]))
    np.testing.assert_allclose(limits, [[-1.075, 0.575], [-0.05, 1.05]], atol=0.01)
    same = posteriors.prepare_limits(np.ones((5, 1)), np.ones(5))
    np.testing.assert_allclose(same, [[0.95, 1.05]])


def test_ellipse_holds_its_mass():
    covariance = np.array([[4.0, 1.0], [1.0, 0.5]])
    outline = posteriors.prepare_ellipse([1, 2], covariance, mass=0.68) - [1, 2]
    distance = np.einsum("ni,ij,nj->n", outline, np.linalg.inv(covariance), outline)
    np.testing.assert_allclose(stats.chi2(2).cdf(distance), 0.68)
    np.testing.assert_allclose(outline[0], outline[-1], atol=1e-12)


def corner(d=3, **options):
    rng = np.random.default_rng(5)
    samples = rng.normal(size=(2000, d)) + np.arange(d)
    names, units = list("abcd")[:d], ["mag", "", "arcsec", ""][:d]
    return posteriors.plot_corner(samples, names=names, units=units, **options)


def test_corner_draws_the_lower_triangle():
    truth, maximum = np.arange(3.0), np.arange(3.0) + 0.1
    figure = corner(truth=truth, bound=np.eye(3), maximum=maximum, weights=np.ones(2000))
    grid = np.array(figure.axes).reshape(3, 3)
    shown = [[axes.get_visible() for axes in row] for row in grid]
    np.testing.assert_array_equal(shown, np.tri(3, dtype=bool))
    assert [axes.get_xlabel() for axes in grid[2]] == ["a [mag]", "b", "c [arcsec]"]
    assert [axes.get_ylabel() for axes in grid[:, 0]] == ["", "b", "c [arcsec]"]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[2:] == ["truth", "Cramér–Rao bound, 68 %", "maximum likelihood"]
    pair, single = grid[2, 0], grid[1, 1]
    lines = {line.get_color(): line for line in pair.lines[2:]}
    radius = np.hypot(*(lines[posteriors.BOUND].get_xydata() - [0, 2]).T)
    np.testing.assert_allclose(radius, np.sqrt(-2 * np.log(0.32)))
    np.testing.assert_allclose(lines[posteriors.MAXIMUM].get_xydata(), [[0.1, 2.1]])
    assert pair.lines[0].get_xdata() == [0, 0]
    assert pair.lines[1].get_ydata() == [2, 2]
    gaussian = next(line for line in single.lines if line.get_color() == posteriors.BOUND)
    assert gaussian.get_ydata().max() == pytest.approx(stats.norm.pdf(0), rel=1e-3)
    assert gaussian.get_xdata()[np.argmax(gaussian.get_ydata())] == pytest.approx(1, abs=0.03)
    assert pair.get_ylim() == grid[2, 2].get_xlim()
    assert pair.get_xlim() == grid[0, 0].get_xlim()


@pytest.mark.parametrize("d", [1, 2])
def test_corner_of_few_parameters_without_extras(d):
    figure = corner(d)
    assert len(figure.axes) == d * d
    assert len(figure.legends[0].get_texts()) == 2


def test_corner_with_all_samples_in_one_cell():
    samples = np.tile([1.0, 2.0], (50, 1))
    figure = posteriors.plot_corner(samples, names=["a", "b"], units=["", ""], bins=5)
    assert len(figure.axes) == 4


def test_corner_names_what_disagrees():
    with pytest.raises(IncompatibleError, match="give `truth` too"):
        corner(bound=np.eye(3))
    with pytest.raises(ShapeError, match=r"`bound` must have shape \(3, 3\); got \(2, 2\)"):
        corner(bound=np.eye(2), truth=np.zeros(3))
    with pytest.raises(ShapeError, match=r"`truth` must have shape \(3,\); got \(2,\)"):
        corner(truth=np.zeros(2))
    with pytest.raises(ShapeError, match=r"\(2000, 3\) and \(7,\)"):
        corner(weights=np.ones(7))
    with pytest.raises(ValueError, match="`weights` must be finite"):
        corner(weights=np.zeros(2000))
    with pytest.raises(ValueError, match="`samples` must be finite"):
        posteriors.plot_corner(np.full((4, 1), np.nan), names=["a"], units=[""])
    with pytest.raises(ShapeError, match=r"2 parameters need 2 `names` and `units`; got \(1, 2\)"):
        posteriors.plot_corner(np.zeros((4, 2)), names=["a"], units=["", ""])


# --- bias and scatter


def test_bias_and_scatter_of_hand_worked_bins():
    errors = np.array([1.0, 2.0, 6.0, 5.0, 0.0])
    by = np.array([1.0, 1.5, 1.9, 3.0, 9.0])  # the fourth on the last edge, the fifth outside
    truth = np.arange(5.0)
    result = estimators.prepare_bias_and_scatter(truth + errors, truth, by=by, edges=[0, 1, 2, 3])
    np.testing.assert_array_equal(result.count, [0, 3, 1])
    np.testing.assert_array_equal(result.centre, [0.5, 1.5, 3.0])
    np.testing.assert_allclose(result.bias[:, 0], [np.nan, 3, 5])
    np.testing.assert_allclose(result.scatter[:, 0], [np.nan, np.sqrt(7), np.nan])
    np.testing.assert_allclose(result.bias_error[1], np.sqrt(7 / 3))
    np.testing.assert_allclose(result.robust[1], 1.4826 * 1.0)
    # central moments: m2 = 14 / 3, m4 = (16 + 1 + 81) / 3
    expected = np.sqrt((98 / 3 - (14 / 3) ** 2) / 3) / (2 * np.sqrt(7))
    np.testing.assert_allclose(result.scatter_error[1], expected)


@pytest.mark.parametrize("kind", ["normal", "laplace"])
def test_errors_of_bias_and_scatter_are_the_spread_of_repeats(kind):
    rng = np.random.default_rng(6)
    n_repeats, n = 600, 400
    draws = getattr(rng, kind)(size=(n, n_repeats))
    result = estimators.prepare_bias_and_scatter(
        draws, np.zeros_like(draws), by=np.ones(n), edges=[0, 2]
    )
    checked = ["bias", "scatter", *(["robust"] if kind == "normal" else [])]
    for name in checked:
        spread = np.std(getattr(result, name)[0])
        claimed = np.sqrt(np.mean(getattr(result, f"{name}_error")[0] ** 2))
        assert claimed == pytest.approx(spread, rel=0.1), name
    assert result.robust.shape == (1, n_repeats)


def test_robust_scatter_ignores_what_the_deviation_sees():
    errors = np.random.default_rng(7).normal(size=(2000, 1))
    errors[:20] = 100.0
    result = estimators.prepare_bias_and_scatter(errors, 0 * errors, by=np.ones(2000), edges=[0, 2])
    assert result.scatter[0, 0] > 9
    assert result.robust[0, 0] == pytest.approx(1, abs=0.06)


def test_bias_and_scatter_names_what_disagrees():
    good = np.zeros((4, 2))
    with pytest.raises(ShapeError, match=r"got \(4, 2\), \(4, 1\) and \(4,\)"):
        estimators.prepare_bias_and_scatter(good, good[:, :1], by=np.ones(4), edges=[0, 2])
    with pytest.raises(ValueError, match="`edges` must increase"):
        estimators.prepare_bias_and_scatter(good, good, by=np.ones(4), edges=[2, 0])
    failed = good.copy()
    failed[1, 0] = failed[1, 1] = np.nan
    with pytest.raises(ValueError, match="1 of 4 rows are not finite: leave failed fits out"):
        estimators.prepare_bias_and_scatter(failed, good, by=np.ones(4), edges=[0, 2])


def results(names=("fit", "network"), d=2):
    rng = np.random.default_rng(8)
    by = np.geomspace(5, 200, 900)
    edges = np.geomspace(5, 201, 5)
    truth = np.zeros((900, d))
    return {
        name: estimators.prepare_bias_and_scatter(
            truth + (k + 1) * rng.normal(size=truth.shape) / by[:, None], truth, by=by, edges=edges
        )
        for k, name in enumerate(names)
    }


@pytest.mark.parametrize("robust", [False, True])
def test_bias_and_scatter_drawn_over_bound_and_floor(robust):
    found = results()
    bounds = 1 / found["fit"].centre[:, None] * [1.0, 1.0]
    figure = estimators.plot_bias_and_scatter(
        found,
        names=["a", "b"],
        units=["mag", ""],
        bounds=bounds,
        floors=0.9 * bounds,
        robust=robust,
    )
    upper, lower = np.array(figure.axes).reshape(2, 2)
    word = "robust scatter" if robust else "scatter"
    assert [axes.get_ylabel() for axes in upper] == ["bias [mag]", "bias"]
    assert [axes.get_ylabel() for axes in lower] == [f"{word} [mag]", word]
    assert lower[0].get_xlabel() == "signal-to-noise"
    assert lower[0].get_xscale() == lower[0].get_yscale() == "log"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "fit",
        "network",
        "Cramér–Rao bound",
        "Bayes floor",
    ]
    np.testing.assert_array_equal(drawn(lower[1], "Cramér–Rao bound").get_ydata(), bounds[:, 1])
    assert drawn(lower[1], "Bayes floor").get_linestyle() == "--"
    point = lower[1].containers[1].lines[0]
    value = found["network"].robust if robust else found["network"].scatter
    np.testing.assert_array_equal(point.get_ydata(), value[:, 1])
    np.testing.assert_allclose(point.get_xdata(), found["network"].centre, rtol=0.03)
    np.testing.assert_array_equal(
        upper[0].containers[0].lines[0].get_ydata(), found["fit"].bias[:, 0]
    )


@pytest.mark.parametrize("n", [0, 1, 2, 12])
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_bias_and_scatter_of_few_galaxies_are_drawn(n):
    by = np.linspace(20, 30, n)
    errors = np.stack([1e-3 * by, 1e5 * by**2], axis=1)
    found = estimators.prepare_bias_and_scatter(errors, 0 * errors, by=by, edges=[1, 100])
    figure = estimators.plot_bias_and_scatter({"fit": found}, names=["a", "b"], units=["", ""])
    figure.canvas.draw()
    for axes in figure.axes:
        low, high = axes.get_xlim()
        assert 0 < low < found.centre[0] < high < 2 * low


def test_bias_and_scatter_drawn_names_what_disagrees():
    with pytest.raises(ShapeError, match=r"`bounds` must have shape \(4, 2\).*got \(3, 2\)"):
        estimators.plot_bias_and_scatter(
            results(), names=["a", "b"], units=["", ""], bounds=np.ones((3, 2))
        )
    with pytest.raises(ShapeError, match=r"estimator 'fit' .* for 3 names"):
        estimators.plot_bias_and_scatter(results(), names=list("abc"), units=[""] * 3)


# --- table and map


ROWS = [("moments", [0.4, 8.0, 1.0]), ("network", [0.2, np.nan, 3.0]), ("fit", [0.3, 6.0, 2.0])]
COLUMNS = [("a", "mag"), ("b", ""), ("c", "arcsec")]


@pytest.mark.parametrize(("best", "winners"), [("min", [1, 2, 0]), ("max", [0, 0, 1])])
def test_table_marks_the_best_and_prints_ratios(best, winners):
    figure = estimators.plot_table(ROWS, COLUMNS, best=best, reference=[0.16, 5.0, 1.0])
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["a [mag]", "b", "c [arcsec]"]
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == [n for n, _ in ROWS]
    for axes, winner in zip(figure.axes, winners, strict=True):
        colours = [bar.get_facecolor() for bar in axes.patches]
        others = [c for k, c in enumerate(colours) if k != winner]
        assert others[0] == others[1] != colours[winner]
    written = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert written[0] == ["0.400  (2.50×)", "0.200  (1.25×)", "0.300  (1.88×)"]
    assert written[1] == ["8.00  (1.60×)", "–", "6.00  (1.20×)"]
    assert [bar.get_width() for bar in figure.axes[0].patches] == [0.4, 0.2, 0.3]
    assert figure.axes[0].lines[0].get_xdata() == [0.16, 0.16]
    assert figure.axes[0].get_xlabel() == "floor 0.160"
    assert figure.get_suptitle() == "RMSE, and its ratio to the floor"


def test_table_without_a_floor_in_rows_of_panels():
    figure = estimators.plot_table(ROWS, COLUMNS, n_columns=2, score="MAE")
    assert [axes.get_visible() for axes in figure.axes] == [True, True, True, False]
    assert figure.axes[0].texts[0].get_text() == "0.400"
    assert figure.get_suptitle() == "MAE"


def test_table_of_a_method_without_any_score():
    figure = estimators.plot_table([("one", [np.nan])], [("a", "")])
    assert figure.axes[0].texts[0].get_text() == "–"


def test_table_names_what_disagrees():
    with pytest.raises(ShapeError, match=r"'moments' must hold 2 values; got shape \(3,\)"):
        estimators.plot_table(ROWS, COLUMNS[:2])
    with pytest.raises(ShapeError, match=r"'short' must hold 3 values; got shape \(1,\)"):
        estimators.plot_table([ROWS[0], ("short", [1.0])], COLUMNS)
    with pytest.raises(ShapeError, match="'reference' must hold 3 values"):
        estimators.plot_table(ROWS, COLUMNS, reference=[1.0])
    with pytest.raises(ValueError, match="`best` must be 'min' or 'max'; got 'least'"):
        estimators.plot_table(ROWS, COLUMNS, best="least")


def test_edges_lie_halfway_on_their_scale():
    np.testing.assert_allclose(_labels.prepare_edges([1, 2, 4]), [0.5, 1.5, 3, 5])
    edges = _labels.prepare_edges([1, 4, 16], scale="log")
    np.testing.assert_allclose(edges, [0.5, 2, 8, 32])
    with pytest.raises(ValueError, match="positive values; got -1"):
        _labels.prepare_edges([-1, 2], scale="log")
    with pytest.raises(ValueError, match="two or more increasing"):
        _labels.prepare_edges([2, 1])


def test_round_values_are_few():
    np.testing.assert_allclose(_labels.prepare_round(0.9, 11), [1, 2, 5, 10])
    np.testing.assert_allclose(_labels.prepare_round(0.02, 2), [0.03, 0.1, 0.3, 1])
    np.testing.assert_allclose(_labels.prepare_round(0.5, 2e4), [1, 10, 100, 1000, 10000])
    assert _labels.prepare_round(6, 9).size == 0


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_map_shows_its_values_and_contours(scale):
    x, y = np.array([1.0, 10.0, 100.0]), np.array([1.0, 2.0])
    values = x * y[:, None]
    values[1, 2] = np.inf
    labels = {"xlabel": "S/N", "ylabel": "n", "label": "bound [mag]"}
    figure = estimators.plot_map(x, y, values, contours=[5, 2], x_scale=scale, **labels)
    axes, bar = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel(), bar.get_ylabel()) == ("S/N", "n", "bound [mag]")
    mesh = axes.collections[0]
    assert mesh.get_clim() == (1, 100)
    assert mesh.get_array().mask.sum() == 1
    assert mesh.get_array()[1, 1] == 20
    np.testing.assert_array_equal(axes.collections[1].levels, [2, 5])
    assert {text.get_text() for text in axes.texts} <= {"2", "5"}
    figure = estimators.plot_map(x, y, values, **labels)
    np.testing.assert_array_equal(figure.axes[0].collections[1].levels, [1, 3, 10, 30, 100])


def test_map_names_what_disagrees():
    labels = {"xlabel": "", "ylabel": "", "label": ""}
    with pytest.raises(ShapeError, match=r"got \(3, 2\) for \(2, 3\)"):
        estimators.plot_map([1, 2, 3], [1, 2], np.ones((3, 2)), **labels)
    with pytest.raises(ValueError, match="needs positive values; got -1"):
        estimators.plot_map([1, 2], [1, 2], -np.ones((2, 2)), **labels)
    with pytest.raises(ValueError, match="none that is finite"):
        estimators.plot_map([1, 2], [1, 2], np.full((2, 2), np.nan), **labels)


def test_every_picture_can_be_written(tmp_path):
    data, models, _ = stamps(1)
    grid = np.arange(1.0, 4)
    figures = [
        images.plot_residuals(data, models, 2.0, pixel_scale=SCALE),
        images.plot_profiles(profile_with_gaps(), {"fit": np.ones(5)}),
        corner(2, truth=np.zeros(2), bound=np.eye(2)),
        estimators.plot_bias_and_scatter(results(), names=["a", "b"], units=["", ""]),
        estimators.plot_table(ROWS, COLUMNS),
        estimators.plot_map(
            grid, grid, grid * grid[:, None], xlabel="x", ylabel="y", label="z", x_scale="log"
        ),
    ]
    for index, figure in enumerate(figures):
        path = tmp_path / f"{index}.png"
        figure.savefig(path, dpi=50)
        assert path.stat().st_size > 1000
