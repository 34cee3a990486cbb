"""Calibration in pictures: every line and band is what NumPy counts in the PIT values."""

import numpy as np
import pytest
from scipy import stats

from sfumato.plots.calibration import plot_coverage, plot_pit, plot_reliability

RNG = np.random.default_rng(4)
PITS = {"uniform": RNG.random(400), "narrow": RNG.beta(3, 2, 250)}


def lines(axes):
    return {line.get_label(): line.get_xydata() for line in axes.lines}


def band(axes):
    """Lower and upper edge of the filled band at its x, (n, 3): x, low, high."""
    (found,) = axes.collections
    (path,) = found.get_paths()
    x = np.unique(path.vertices[:, 0])
    low, high = (
        [ends(path.vertices[path.vertices[:, 0] == at, 1]) for at in x] for ends in (min, max)
    )
    return np.stack([x, low, high], axis=1)


def test_pit_histograms_are_densities_by_name():
    figure = plot_pit(PITS, n_bins=10)
    (axes,) = figure.axes
    edges = np.linspace(0, 1, 11)
    steps = {patch.get_label(): patch.get_data() for patch in axes.patches[1:]}
    for name, pit in PITS.items():
        density = np.histogram(pit, edges, density=True)[0]
        np.testing.assert_allclose(steps[name].values, density, rtol=1e-12)
        np.testing.assert_array_equal(steps[name].edges, edges)
    assert axes.get_xlim() == (0, 1)


def test_the_band_of_a_pit_histogram_is_that_of_its_smallest_set():
    (axes,) = plot_pit(PITS, n_bins=10).axes
    grey = next(p for p in axes.patches if p.get_label() == "95 % if uniform")
    low, high = stats.binom.ppf([0.025, 0.975], 250, 0.1)
    # 25 counts a bin are a density of 1
    assert grey.get_y() == pytest.approx(low / 25)
    assert grey.get_y() + grey.get_height() == pytest.approx(high / 25)


def test_reliability_is_the_share_of_values_up_to_each_level():
    figure = plot_reliability(PITS)
    left, right = figure.axes
    for name, pit in PITS.items():
        levels, observed = lines(left)[name].T
        expected = np.mean(pit[:, None] <= levels, axis=0)
        np.testing.assert_allclose(observed, expected, atol=1e-12)
        np.testing.assert_allclose(
            lines(right)[name], np.stack([levels, expected - levels], axis=1), atol=1e-12
        )
    x, low, high = band(right).T
    error = np.sqrt(x * (1 - x) / 250)  # binomial, of the smaller set
    np.testing.assert_allclose(high, 1.96 * error, atol=1e-12)
    np.testing.assert_allclose(low, -1.96 * error, atol=1e-12)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["95 % if calibrated", *PITS]


def test_coverage_is_the_share_of_truths_in_central_intervals():
    left, right = plot_coverage(PITS).axes
    for name, pit in PITS.items():
        levels, share = lines(left)[name].T
        expected = [np.mean((pit >= 0.5 - p / 2) & (pit <= 0.5 + p / 2)) for p in levels]
        np.testing.assert_allclose(share, expected, atol=1e-12)
        np.testing.assert_allclose(lines(right)[name][:, 1], expected - levels, atol=1e-12)
    x, low, high = band(right).T
    np.testing.assert_allclose(x, np.linspace(0.02, 0.98, 49))
    np.testing.assert_allclose(high, 1.96 * np.sqrt(x * (1 - x) / 250), rtol=1e-12)
    np.testing.assert_allclose(low, -high, rtol=1e-12)
