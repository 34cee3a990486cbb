"""Estimates against the truth: counts of cells, and metrics at the middle of their bins."""

import numpy as np
import pytest

from sfumato.plots.points import plot_bins, plot_estimates, plot_groups

RNG = np.random.default_rng(5)
TRUTH = RNG.normal(size=2000)
ESTIMATE = TRUTH + RNG.normal(0, 0.2, 2000)


def cells(axes):
    """Counts (columns, rows) of a histogram in two dimensions, and its edges."""
    mesh = axes.collections[0]
    counts = np.ma.filled(mesh.get_array(), 0).reshape(mesh.get_coordinates().shape[0] - 1, -1)
    corners = mesh.get_coordinates()
    return counts.T, corners[0, :, 0], corners[:, 0, 1]


def test_estimates_are_counted_in_cells_over_the_range_of_the_truth():
    left, right = plot_estimates(ESTIMATE, TRUTH, what="median").axes[:2]
    low, high = np.quantile(TRUTH, [0.001, 0.999])
    edges = np.linspace(low - 0.05 * (high - low), high + 0.05 * (high - low), 100)
    counts, x, y = cells(left)
    for found in (x, y):
        np.testing.assert_allclose(found, edges, rtol=1e-12)
    np.testing.assert_array_equal(counts, np.histogram2d(TRUTH, ESTIMATE, [edges, edges])[0])
    np.testing.assert_allclose(left.lines[0].get_xydata(), [[edges[0]] * 2, [edges[-1]] * 2])
    reach = 1.1 * np.quantile(np.abs(ESTIMATE - TRUTH), 0.995)
    heights = np.linspace(-reach, reach, 100)
    counts, x, y = cells(right)
    np.testing.assert_allclose(y, heights, rtol=1e-12)
    expected = np.histogram2d(TRUTH, ESTIMATE - TRUTH, [edges, heights])[0]
    np.testing.assert_array_equal(counts, expected)
    assert left.get_ylabel() == "median of p(y | x)"
    assert right.get_ylabel() == "median minus truth"


def test_metrics_stand_at_the_middle_of_their_bins_with_both_errors():
    values = {"bias": [-0.1, 0.2, 0.3], "rmse": [1.0, 2.0, 4.0]}
    bounds = [(0.0, 1.0), (1.0, 1.5), (1.5, 3.5)]
    rows = [
        {
            "low": low,
            "high": high,
            "metrics": {n: {"value": v[i], "error": 0.1 * (i + 1)} for n, v in values.items()},
        }
        for i, (low, high) in enumerate(bounds)
    ]
    figure = plot_bins(rows, xlabel="z", names=["bias", "rmse"], labels={"rmse": "RMSE"})
    for axes, name in zip(figure.axes, values, strict=True):
        points, _, (across, along) = axes.containers[0]
        np.testing.assert_allclose(points.get_xydata(), np.c_[[0.5, 1.25, 2.5], values[name]])
        ends = np.array(across.get_segments())[:, :, 0]
        np.testing.assert_allclose(ends, bounds)
        ends = np.array(along.get_segments())[:, :, 1]
        error = np.array([0.1, 0.2, 0.3])
        expected = np.c_[values[name] - error, values[name] + error]
        np.testing.assert_allclose(ends, expected, atol=1e-15)
    assert [axes.get_ylabel() for axes in figure.axes] == ["bias", "RMSE"]
    # a line at 0 where values of both signs are shown
    n_points = 1 + 4  # the points and the caps of two errors
    assert [len(axes.lines) for axes in figure.axes] == [n_points + 1, n_points]
    zero = figure.axes[0].lines[-1]
    assert list(zero.get_ydata()) == pytest.approx([0, 0])


def test_metrics_of_groups_stand_beside_their_names():
    rows = [
        {"group": word, "metrics": {"rmse": {"value": value, "error": 0.1}}}
        for word, value in (("a", 1.0), ("b", 3.0), ("c", 2.0))
    ]
    (axes,) = plot_groups(rows, names=["rmse"], labels={"rmse": "RMSE"}).axes
    points, _, (bars,) = axes.containers[0]
    np.testing.assert_array_equal(points.get_xydata(), [[1, 2], [3, 1], [2, 0]])
    np.testing.assert_allclose(bars.get_segments()[1], [[2.9, 1], [3.1, 1]])
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["a", "b", "c"]
    assert axes.get_xlabel() == "RMSE"
