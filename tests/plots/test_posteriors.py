"""Pictures of posteriors: densities, levels and corners against oracles, then their ink."""

import numpy as np
import pytest
from scipy import stats

from plot_cases import panels_with_ink
from sfumato.errors import IncompatibleError, ShapeError
from sfumato.plots import posteriors


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


def test_a_corner_can_be_written():
    assert panels_with_ink(corner(2, truth=np.zeros(2), bound=np.eye(2))) == 1
