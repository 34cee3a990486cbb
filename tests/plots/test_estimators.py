"""Pictures of estimators: bias, scatter, tables and maps against oracles, then their ink."""

import numpy as np
import pytest

from plot_cases import drawn, panels_with_ink
from sfumato.errors import ShapeError
from sfumato.plots import estimators

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
    panels_with_ink = [[text.get_text() for text in axes.texts] for axes in figure.axes]
    assert panels_with_ink[0] == ["0.400  (2.50×)", "0.200  (1.25×)", "0.300  (1.88×)"]
    assert panels_with_ink[1] == ["8.00  (1.60×)", "–", "6.00  (1.20×)"]
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


def test_pictures_can_be_written():
    grid = np.arange(1.0, 4)
    figures = [
        estimators.plot_bias_and_scatter(results(), names=["a", "b"], units=["", ""]),
        estimators.plot_table(ROWS, COLUMNS),
        estimators.plot_map(
            grid, grid, grid * grid[:, None], xlabel="x", ylabel="y", label="z", x_scale="log"
        ),
    ]
    assert [panels_with_ink(figure) for figure in figures] == [1] * len(figures)
