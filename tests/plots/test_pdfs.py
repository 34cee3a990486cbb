"""Predicted densities in pictures: each curve, bar, band and line against the PDFs themselves."""

import itertools

import numpy as np
import pytest

from cases import make_pdfs
from oracles import Mixture
from sfumato.families import COMPONENTS, MixtureFamily
from sfumato.pdfs import CountPDFs, ParametricPDFs
from sfumato.plots.pdfs import density_range, plot_depths, plot_pdfs, plot_stacks

PDFS = make_pdfs(n=4, members=2, k=3)
TRUTH = np.array([1.0, 1.5, 2.0, 3.0])
LABELS = ["a", "b", "c", "d"]


def visible(figure):
    return [axes for axes in figure.axes if axes.get_visible()]


def drawn(axes, label):
    """The line of that label."""
    return next(line for line in axes.lines if line.get_label() == label)


def test_the_range_of_densities_holds_their_quantiles_within_the_support():
    grid = density_range(PDFS, n_points=50)
    quantiles = [[Mixture(PDFS, i).quantile(p) for p in (0.001, 0.999)] for i in range(4)]
    low, high = np.min(quantiles), np.max(quantiles)
    margin = 0.15 * (high - low)
    bottom, top = PDFS.support
    assert grid.size == 50
    # quantiles are good to 1e-10 of the bracket, and the margin has a constant of 1e-6
    assert grid[0] == pytest.approx(max(low - margin, bottom), abs=2e-6)
    assert grid[-1] == pytest.approx(min(high + margin, top), abs=2e-6)


def test_each_panel_draws_the_density_and_its_statistics():
    figure = plot_pdfs(PDFS, truth=TRUTH, labels=LABELS)
    axes = visible(figure)
    assert [a.get_title() for a in axes] == LABELS
    for row, panel in enumerate(axes):
        oracle = Mixture(PDFS, row)
        grid, density = drawn(panel, "p(z | x)").get_data()
        np.testing.assert_allclose(density, oracle.pdf(grid), rtol=1e-9, atol=1e-12)
        assert drawn(panel, "mean").get_xdata()[0] == pytest.approx(oracle.mean(), rel=1e-9)
        assert drawn(panel, "truth").get_xdata()[0] == TRUTH[row]
        # two local searches for a maximum, each good to the root of the rounding error
        assert oracle.pdf(drawn(panel, "mode").get_xdata()[0]) == pytest.approx(
            oracle.pdf(oracle.mode()), rel=1e-6
        )


def test_the_components_add_up_to_the_density():
    panel = visible(plot_pdfs(PDFS[:1], truth=None, labels=LABELS))[0]
    density = drawn(panel, "p(z | x)").get_ydata()
    parts = [line.get_ydata() for line in panel.lines[:6]]  # two members of three components
    np.testing.assert_allclose(np.sum(parts, axis=0), density, rtol=1e-9, atol=1e-12)
    heights = [part.max() for part in parts]
    assert heights == sorted(heights, reverse=True)
    assert "truth" not in [line.get_label() for line in panel.lines]


def test_the_band_is_the_interval_of_68_percent():
    panel = visible(plot_pdfs(PDFS[1:2], truth=None, labels=LABELS))[0]
    oracle = Mixture(PDFS, 1)
    low, high = oracle.quantile(0.16), oracle.quantile(0.84)
    (band,) = panel.collections
    vertices = band.get_paths()[0].vertices
    grid = drawn(panel, "p(z | x)").get_xdata()
    inside = grid[(grid >= low) & (grid <= high)]
    assert vertices[:, 0].min() == inside[0]
    assert vertices[:, 0].max() == inside[-1]
    for at in inside[::20]:
        here = vertices[vertices[:, 0] == at, 1]
        assert {0.0, here.max()} == set(here)
        assert here.max() == pytest.approx(float(oracle.pdf(at)), rel=1e-9)


def test_counts_are_bars_with_the_interval_dark():
    family = MixtureFamily(COMPONENTS["poisson"], 1)
    rate = np.array([3.0, 8.0])
    counts = CountPDFs(family, {"log_weights": np.zeros((2, 1, 1)), "rate": rate[:, None, None]})
    figure = plot_pdfs(counts, truth=np.array([2.0, 9.0]), labels=["a", "b"], target="number n")
    for row, panel in enumerate(visible(figure)):
        numbers = np.array([bar.get_x() + 0.5 * bar.get_width() for bar in panel.patches])
        heights = [bar.get_height() for bar in panel.patches]
        expected = np.exp(-rate[row]) * rate[row] ** numbers / factorials(numbers)
        np.testing.assert_allclose(heights, expected, rtol=1e-9)
        low, high = counts.interval(0.68)[row]
        dark = [bar.get_facecolor() == panel.patches[0].get_facecolor() for bar in panel.patches]
        np.testing.assert_array_equal(dark, ~((numbers >= low) & (numbers <= high)))
        assert drawn(panel, "mean").get_xdata()[0] == pytest.approx(rate[row], rel=1e-9)
    assert figure.axes[0].get_ylabel() == "probability"


def factorials(numbers):
    return [float(np.prod(np.arange(1, round(n) + 1))) for n in numbers]


def test_depths_are_curves_of_one_object_in_a_panel():
    shallow, deep = make_pdfs(n=4, seed=1), PDFS
    exact = make_pdfs(n=4, seed=2)
    figure = plot_depths(
        [shallow, deep],
        truth=TRUTH,
        labels=["shallow", "deep"],
        dashed=[deep, shallow],
        dashed_label="true magnitudes",
        exact=exact,
    )
    for row, panel in enumerate(visible(figure)):
        for label, pdfs in (("shallow", shallow), ("deep", deep), ("exact, deepest", exact)):
            grid, density = drawn(panel, label).get_data()
            expected = Mixture(pdfs, row).pdf(grid)
            np.testing.assert_allclose(density, expected, rtol=1e-9, atol=1e-12)
        dashed = [line for line in panel.lines if line.get_linestyle() == "--"]
        for line, pdfs in zip(dashed[:2], (deep, shallow), strict=True):
            expected = Mixture(pdfs, row).pdf(line.get_xdata())
            np.testing.assert_allclose(line.get_ydata(), expected, rtol=1e-9, atol=1e-12)
        assert drawn(panel, "truth").get_xdata()[0] == TRUTH[row]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["shallow", "deep", "exact, deepest", "truth", "true magnitudes"]


def test_stacks_are_lines_over_normalised_histograms_of_the_truths():
    grid = np.linspace(0.5, 3.5, 301)
    stacks = np.stack([np.exp(-0.5 * (grid - at) ** 2 / 0.01) for at in (1.0, 2.0)])
    rng = np.random.default_rng(0)
    truths = [rng.normal(1, 0.1, 500), rng.normal(2, 0.1, 300)]
    panels = [("one", stacks, truths), ("two", stacks[::-1], None)]
    figure = plot_stacks(panels, grid, labels=["low", "high"])
    first, second = visible(figure)
    for label, density, values, steps in zip(
        ("low", "high"), stacks, truths, first.patches, strict=True
    ):
        np.testing.assert_array_equal(drawn(first, label).get_xydata(), np.c_[grid, density])
        expected, edges = np.histogram(values, np.linspace(0.5, 3.5, 61), density=True)
        np.testing.assert_allclose(steps.get_data().values, expected, rtol=1e-9)
        np.testing.assert_allclose(steps.get_data().edges, edges)
    assert not second.patches
    np.testing.assert_array_equal(drawn(second, "low").get_ydata(), stacks[1])
    assert [axes.get_title() for axes in (first, second)] == ["one", "two"]
    assert first.get_ylabel() == "n(z), normalised"


def test_labels_of_ticks_do_not_touch_and_every_column_has_its_own():
    # far from 0 and narrow: the numbers are long
    family = MixtureFamily(COMPONENTS["normal"], 1, 0.0, 1.0)
    params = {
        "log_weights": np.zeros((5, 1, 1)),
        "loc": 1234.5 + np.arange(5.0)[:, None, None] / 100,
        "scale": np.full((5, 1, 1), 1e-3),
    }
    figure = plot_pdfs(ParametricPDFs(family, params), truth=None, labels=list("abcde"), target="y")
    figure.canvas.draw()
    shown = [axes for axes in figure.axes if axes.get_visible()]
    for axes in shown:
        low, high = axes.get_xlim()
        ticks = zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
        boxes = [t.get_window_extent() for x, t in ticks if low <= x <= high and t.get_text()]
        assert len(boxes) > 1
        assert all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes))
    assert [axes.get_xlabel() for axes in shown] == ["", "", "y", "y", "y"]
