"""Predictions along one feature: curves, bands, images and counts against their arrays."""

import numpy as np
import pytest

from cases import make_pdfs
from sfumato.plots.curves import (
    plot_bands,
    plot_components,
    plot_effective,
    plot_image,
    plot_joint,
    plot_likelihood,
    plot_probability,
    plot_samples,
)
from sfumato.training import History

X = np.linspace(-1, 1, 12)
Y = np.sin(3 * X)
PDFS = make_pdfs("normal", n=12, members=2, k=2, shift=0.0, scale=1.0)


def drawn(axes, label):
    """The line of that label."""
    return next(line for line in axes.lines if line.get_label() == label)


def edges_of(collection):
    """Rows (x, low, high) of a filled band."""
    vertices = collection.get_paths()[0].vertices
    return np.array(
        [
            (at, vertices[vertices[:, 0] == at, 1].min(), vertices[vertices[:, 0] == at, 1].max())
            for at in np.unique(vertices[:, 0])
        ]
    )


@pytest.mark.parametrize("at", [None, X + 5])
def test_samples_stand_beside_the_data(at):
    left, right = plot_samples(X, Y, PDFS, at=at).axes
    np.testing.assert_array_equal(left.lines[0].get_xydata(), np.c_[X, Y])
    places = X if at is None else at
    np.testing.assert_array_equal(right.lines[0].get_xydata(), np.c_[places, PDFS.sample(1)[0]])


def test_components_are_weight_mean_and_deviation():
    truth = {"mean": [np.cos]}
    panels = plot_components(X, PDFS, truths=truth).axes
    weights = np.exp(PDFS.params["log_weights"]) / 2  # two members share the probability
    curves = (weights, PDFS.params["loc"], PDFS.params["scale"])
    for axes, values in zip(panels, curves, strict=True):
        for index, curve in enumerate(values.reshape(12, 4).T):
            line = drawn(axes, f"component {index + 1}")
            np.testing.assert_allclose(line.get_xydata(), np.c_[X, curve], rtol=1e-12)
    np.testing.assert_array_equal(drawn(panels[1], "truth").get_ydata(), np.cos(X))
    assert [len(axes.lines) for axes in panels] == [4, 5, 4]


def test_the_image_is_the_density_and_the_cuts_are_its_rows():
    grid = np.linspace(-3, 3, 40)
    left, right = plot_image(X, PDFS, grid, slices=(-0.98, 0.3), data=(X, Y)).axes[:2]
    density = PDFS.pdf(grid)
    image = left.images[0]
    np.testing.assert_array_equal(image.get_array(), density.T)
    assert tuple(image.get_extent()) == (-1, 1, -3, 3)
    assert image.get_clim()[1] == pytest.approx(np.quantile(density, 0.995))
    np.testing.assert_array_equal(left.lines[0].get_xydata(), np.c_[X, Y])
    # of X in steps of 2 / 11, rows 0 and 7 (0.273) are nearest
    for row, mark, cut in zip((0, 7), left.lines[1:], right.lines, strict=True):
        assert mark.get_xdata()[0] == X[row]
        np.testing.assert_array_equal(cut.get_xydata(), np.c_[grid, density[row]])
        assert cut.get_label() == f"x = {X[row]:.2f}"


def test_joint_draws_are_counted_in_hexagons():
    rng = np.random.default_rng(0)
    data, draws = rng.normal(size=(2, 900)), rng.normal(size=(2, 700))
    figure = plot_joint(data, draws)
    for axes, points in zip(figure.axes[:2], (data, draws), strict=True):
        counts = axes.collections[0].get_array()
        assert counts.sum() == points.shape[1]
        assert counts.min() >= 1
    titles = [axes.get_title() for axes in figure.axes[:2]]
    assert titles == ["data", "draws from the predictions"]


def test_bands_are_two_deviations_in_all_and_of_the_members():
    other = make_pdfs("normal", n=12, members=1, k=2, seed=1)
    panels = {"two members": PDFS, "one member": other}
    figure = plot_bands(X, panels, data=(X, Y), truth=np.cos)
    for axes, (name, pdfs) in zip(figure.axes, panels.items(), strict=True):
        loc = pdfs.family.shift + pdfs.family.scale * pdfs.params["loc"]
        scale = pdfs.family.scale * pdfs.params["scale"]
        weights = np.exp(pdfs.params["log_weights"])
        centres = np.sum(weights * loc, axis=2)
        second = np.sum(weights * (scale**2 + loc**2), axis=2)
        mean = centres.mean(axis=1)
        total = np.sqrt(second.mean(axis=1) - mean**2)
        epistemic = centres.std(axis=1)
        assert axes.get_title() == name
        np.testing.assert_allclose(drawn(axes, "mean").get_ydata(), mean, atol=1e-12)
        np.testing.assert_array_equal(drawn(axes, "truth").get_ydata(), np.cos(X))
        np.testing.assert_array_equal(drawn(axes, "data").get_xydata(), np.c_[X, Y])
        for band, deviation in zip(axes.collections, (total, epistemic), strict=True):
            expected = np.c_[X, mean - 2 * deviation, mean + 2 * deviation]
            # the difference of squares above loses some digits
            np.testing.assert_allclose(edges_of(band), expected, atol=1e-9)
    span = np.ptp(Y)
    assert figure.axes[0].get_ylim() == pytest.approx((Y.min() - 0.9 * span, Y.max() + 0.9 * span))


def test_effective_components_are_means_over_members():
    effective = np.array([[1.0, 3.0], [2.0, 3.0], [2.0, 2.0]])
    blank = np.zeros((3, 2))
    history = History(blank, blank, np.zeros(2, int), blank, effective)
    (axes,) = plot_effective({"mixture": history}).axes
    np.testing.assert_array_equal(
        drawn(axes, "mixture").get_xydata(), [[1, 2.0], [2, 2.5], [3, 2.0]]
    )


def test_likelihoods_are_drawn_by_epoch_from_the_second_percentile_on():
    curves = {"a": np.linspace(-8, 0, 101), "b": np.linspace(-4, 1, 51)}
    (axes,) = plot_likelihood(curves).axes
    for name, values in curves.items():
        expected = np.c_[np.arange(1, values.size + 1), values]
        np.testing.assert_array_equal(drawn(axes, name).get_xydata(), expected)
    assert axes.get_ylim()[0] == pytest.approx(-8 + 0.02 * 8)


def test_probabilities_of_members_their_mean_and_the_truth():
    labels = (X > 0).astype(float)
    members = np.random.default_rng(1).random((12, 3))
    (axes,) = plot_probability(X, labels, X, members, truth=lambda x: 0.5 * (1 + x)).axes
    points = drawn(axes, "labels").get_xydata()
    np.testing.assert_array_equal(points[:, 0], X)
    assert np.abs(points[:, 1] - labels).max() < 5 * 0.025  # jitter, to tell points apart
    for line, values in zip(axes.lines[1:4], members.T, strict=True):
        np.testing.assert_array_equal(line.get_xydata(), np.c_[X, values])
    mean = drawn(axes, "p(class 1 | x)").get_ydata()
    np.testing.assert_allclose(mean, members.sum(axis=1) / 3, rtol=1e-12)
    np.testing.assert_array_equal(drawn(axes, "truth").get_ydata(), 0.5 * (1 + X))
