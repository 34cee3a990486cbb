"""Pictures of redshifts and photometry: counts of cells and histograms against NumPy."""

import numpy as np
import pytest

from sfumato.photoz.plots import plot_data, plot_points

RNG = np.random.default_rng(6)
TRUTH = RNG.gamma(4, 0.25, 1500)
POINT = TRUTH + 0.05 * (1 + TRUTH) * RNG.normal(size=1500)
POINT[:60] += 1.0


def test_points_are_counted_in_cells_up_to_the_same_redshift():
    panels = [("one", POINT, TRUTH), ("two", POINT[::-1], TRUTH[:900][::-1].repeat(2)[:1500])]
    figure = plot_points(panels, what="median")
    top = max(np.quantile(truth, 0.999) for _, _, truth in panels)
    edges = np.linspace(0, top, 100)
    for axes, (title, point, truth) in zip(figure.axes[:2], panels, strict=True):
        counts = np.ma.filled(axes.collections[0].get_array(), 0).reshape(99, 99).T
        np.testing.assert_array_equal(counts, np.histogram2d(truth, point, [edges, edges])[0])
        assert axes.get_title() == title
        diagonal, below, above = (line.get_xydata() for line in axes.lines)
        np.testing.assert_allclose(diagonal, [[0, 0], [top, top]])
        for line, sign in ((below, -1), (above, 1)):
            expected = [[0, sign * 0.15], [top, top + sign * 0.15 * (1 + top)]]
            np.testing.assert_allclose(line, expected)
    assert figure.axes[0].get_ylabel() == "median of p(z | x)"


def test_scatter_and_outliers_are_written_into_each_panel():
    axes = plot_points([("", POINT, TRUTH)]).axes[0]
    delta = (POINT - TRUTH) / (1 + TRUTH)
    # 1 / 0.67449 deviations of a Gaussian in a median absolute one
    scatter = np.median(np.abs(delta - np.median(delta))) / 0.67449
    share = np.mean(np.abs(delta) > 0.15)
    (text,) = axes.texts
    first, second = text.get_text().splitlines()
    # four decimals, and 1.4826 is 1 / 0.67449 to five digits
    assert float(first.split("=")[1]) == pytest.approx(scatter, abs=6e-5)
    assert second == f"outliers {100 * share:.1f} %"


def outline(values):
    """Corners of the normalised histogram of 80 bins."""
    density, edges = np.histogram(values, 80, density=True)
    x = np.repeat(edges, 2)
    return np.c_[x, np.concatenate([[0], np.repeat(density, 2), [0]])]


def test_data_are_normalised_histograms_without_codes():
    magnitudes = {b: RNG.normal(24, 1, 800) for b in "gr"}
    magnitudes["g"][:50] = 99.0
    errors = {"shallow": RNG.uniform(0.1, 0.5, 700), "deep": RNG.uniform(0.01, 0.1, 700)}
    errors["shallow"][:20] = 99.0
    left, middle, right = plot_data(TRUTH, magnitudes, errors).axes
    expected = [
        [TRUTH],
        [magnitudes["g"][50:], magnitudes["r"]],
        [np.log(errors["shallow"][20:]), np.log(errors["deep"])],
    ]
    for axes, sets in zip((left, middle, right), expected, strict=True):
        for patch, values in zip(axes.patches, sets, strict=True):
            corners = outline(values)
            found = patch.get_xy()[: len(corners)]
            np.testing.assert_allclose(found, corners, rtol=1e-9, atol=1e-12)
    names = [[text.get_text() for text in a.get_legend().get_texts()] for a in (middle, right)]
    assert names == [["g", "r"], ["shallow", "deep"]]
