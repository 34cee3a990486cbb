"""Everything one asks of PDFs, against SciPy mixed by hand, quadrature and identities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cases import make_pdfs
from oracles import Mixture
from sfumato import GridPDFs, ParametricPDFs, concatenate
from sfumato.errors import IncompatibleError, ShapeError
from sfumato.pdfs import summarise
from sfumato.pdfs.statistics import parse_statistic

LEVELS = np.array([0.025, 0.16, 0.5, 0.84, 0.975])


def test_density_and_cdf_equal_scipy(pdfs):
    grid = np.linspace(0.6, 3.4, 57)
    for row in range(len(pdfs)):
        oracle = Mixture(pdfs, row)
        np.testing.assert_allclose(pdfs.pdf(grid)[row], oracle.pdf(grid), rtol=1e-9, atol=1e-200)
        np.testing.assert_allclose(pdfs.cdf(grid)[row], oracle.cdf(grid), rtol=1e-9, atol=1e-14)


def test_density_integrates_to_one_in_user_units(pdfs):
    nodes = pdfs.nodes()
    area = np.trapezoid(pdfs.density_at(nodes), nodes, axis=1)
    # trapezoid rule on about 16 nodes per standard deviation of each component
    np.testing.assert_allclose(area, 1.0, atol=5e-3)


def test_moments_equal_the_law_of_total_variance(pdfs):
    for row in range(len(pdfs)):
        oracle = Mixture(pdfs, row)
        assert pdfs.mean()[row] == pytest.approx(oracle.mean(), rel=1e-12)
        assert pdfs.variance()[row] == pytest.approx(oracle.variance(), rel=1e-10)
    np.testing.assert_allclose(pdfs.std() ** 2, pdfs.variance())


def test_quantiles_invert_the_cdf_and_equal_brentq(pdfs):
    quantiles = pdfs.quantiles(LEVELS)
    for row in range(len(pdfs)):
        np.testing.assert_allclose(Mixture(pdfs, row).cdf(quantiles[row]), LEVELS, atol=1e-9)
    oracle = Mixture(pdfs, 0)
    expected = [oracle.quantile(level) for level in LEVELS]
    np.testing.assert_allclose(quantiles[0], expected, rtol=1e-7)
    np.testing.assert_allclose(pdfs.median(), quantiles[:, 2])


def test_mode_is_the_highest_point(pdfs):
    modes = pdfs.mode()
    for row in range(len(pdfs)):
        oracle = Mixture(pdfs, row)
        assert oracle.pdf(modes[row]) >= oracle.pdf(oracle.mode()) * (1 - 1e-6)


def test_log_prob_and_pit_are_per_object(pdfs):
    y = pdfs.quantiles([0.3])[:, 0]
    expected = [np.log(Mixture(pdfs, row).pdf(y[row])) for row in range(len(pdfs))]
    np.testing.assert_allclose(pdfs.log_prob(y), expected, rtol=1e-8)
    np.testing.assert_allclose(pdfs.pit(y), 0.3, atol=1e-9)


def test_entropy_equals_quadrature(pdfs):
    for row in range(4):
        oracle = Mixture(pdfs, row)
        grid = oracle.fine_grid()
        p = oracle.pdf(grid)
        expected = np.trapezoid(np.where(p > 0, -p * np.log(np.where(p > 0, p, 1)), 0), grid)
        assert pdfs.entropy()[row] == pytest.approx(expected, abs=0.02)


def test_intervals_hold_their_probability_and_the_shortest_is_shortest(pdfs):
    tails = pdfs.interval(0.68)
    short = pdfs.interval(0.68, kind="highest-density")
    for row in range(len(pdfs)):
        oracle = Mixture(pdfs, row)
        for low, high in (tails[row], short[row]):
            assert oracle.cdf(high) - oracle.cdf(low) == pytest.approx(0.68, abs=1e-7)
    assert np.all(np.diff(short) <= np.diff(tails) * 1.01)


def test_number_of_modes_by_construction():
    params = {
        "log_weights": np.log([[[0.5, 0.5]], [[0.5, 0.5]], [[0.999, 0.001]]]),
        "alpha": np.array([[[300.0, 700.0]], [[500.0, 500.0]], [[300.0, 700.0]]]),
        "beta": np.array([[[700.0, 300.0]], [[500.0, 500.0]], [[700.0, 300.0]]]),
    }
    pdfs = ParametricPDFs(make_pdfs(k=2).family, params)
    assert list(pdfs.n_modes()) == [2, 1, 1]
    assert list(pdfs.n_modes(threshold=1e-4)) == [2, 1, 2]


def test_samples_follow_the_cdf_and_would_not_follow_another(pdfs):
    draws = pdfs[:3].sample(4000, random_state=0)
    for row in range(3):
        oracle = Mixture(pdfs, row)
        assert stats.kstest(draws[:, row], oracle.cdf).pvalue > 1e-3
        wrong = oracle.mean() + 1.2 * (draws[:, row] - oracle.mean())
        assert stats.kstest(wrong, oracle.cdf).pvalue < 1e-3


def test_a_row_is_independent_of_its_neighbours(pdfs):
    for method in ("mean", "std", "mode", "median", "entropy"):
        whole = getattr(pdfs, method)()
        alone = getattr(pdfs[5], method)()
        # to the last bit but one: sums over rows of another number are added in another order
        np.testing.assert_allclose(whole[5:6], alone, rtol=1e-14)
    whole, alone = (summarise(p, ["mode", "q16"]) for p in (pdfs, pdfs[5]))
    np.testing.assert_allclose(whole["q16"][5:6], alone["q16"], rtol=1e-12)
    np.testing.assert_allclose(whole["mode"][5:6], alone["mode"], rtol=1e-12)


def test_slicing_and_concatenation_commute_with_methods(pdfs):
    parts = [pdfs[:4], pdfs[[7, 4]], pdfs[np.arange(len(pdfs)) > 9]]
    joined = concatenate(parts)
    np.testing.assert_array_equal(joined.mean(), np.concatenate([p.mean() for p in parts]))
    assert len(joined) == 4 + 2 + len(pdfs) - 10
    np.testing.assert_array_equal(pdfs[-1].mean(), pdfs.mean()[-1:])


@pytest.mark.filterwarnings("ignore:.*lies? outside or between:UserWarning")
def test_stack_is_the_average_density(pdfs):
    grid = np.linspace(0.7, 3.3, 101)
    expected = pdfs.pdf(grid).mean(axis=0)
    np.testing.assert_allclose(pdfs.stack().pdf(grid)[0], expected, rtol=1e-10)
    assert pdfs.stack().mean()[0] == pytest.approx(pdfs.mean().mean())
    weights = np.arange(len(pdfs), dtype=float)
    weighted = weights @ pdfs.pdf(grid) / weights.sum()
    np.testing.assert_allclose(pdfs.stack(weights).pdf(grid)[0], weighted, rtol=1e-10)
    gridded = pdfs.stack(weights, grid=grid)
    # the fused kernel is in single precision; the grid renormalises over its own range
    ratio = gridded.pdf(grid)[0] * np.trapezoid(weighted, grid) / weighted
    np.testing.assert_allclose(ratio, 1.0, atol=5e-3)


def test_stack_refuses_nothing_and_bad_weights(pdfs):
    with pytest.raises(ValueError, match="there are no objects"):
        pdfs[:0].stack()
    with pytest.raises(ValueError, match="not negative and not all zero"):
        pdfs.stack(np.zeros(len(pdfs)))
    with pytest.raises(ShapeError, match="`weights` must have shape"):
        pdfs.stack(np.ones(3))
    with pytest.raises(ValueError, match="`weights` must be finite"):  # not what the mask hides
        pdfs.stack(np.ma.masked_greater(np.r_[1e6, np.ones(len(pdfs) - 1)], 1))


@pytest.mark.filterwarnings("ignore:.*lies? outside or between:UserWarning")
def test_reweighting_with_a_flat_weight_changes_nothing(pdfs):
    grid = np.linspace(0.55, 3.45, 3001)
    flat = pdfs[:3].reweight(lambda y: np.full_like(y, 7.0), training_prior=None, grid=grid)
    np.testing.assert_allclose(flat.density, pdfs[:3].to_grid(grid).density, rtol=1e-12)


def test_reweighting_a_normal_by_a_normal_has_a_closed_form():
    family = make_pdfs("normal", shift=0.0, scale=1.0, k=1).family
    params = {
        "log_weights": np.zeros((1, 1, 1)),
        "loc": np.full((1, 1, 1), 1.0),
        "scale": np.full((1, 1, 1), 0.5),
    }
    pdfs = ParametricPDFs(family, params)
    new = pdfs.reweight(
        lambda y: np.exp(-0.5 * (y + 1) ** 2), training_prior=None, grid=np.linspace(-8, 8, 8001)
    )
    # product of N(1, 1/4) and N(-1, 1): precision 4 + 1, mean (4 - 1) / 5
    assert new.mean()[0] == pytest.approx(0.6, abs=1e-6)
    assert new.variance()[0] == pytest.approx(0.2, abs=1e-6)


def test_reweight_refuses_bad_weights(pdfs):
    with pytest.raises(ValueError, match="one finite value >= 0 for each point"):
        pdfs.reweight(lambda y: -np.ones_like(y), training_prior=None)


@given(st.integers(0, 10_000))
def test_fast_statistics_are_within_their_tolerance_of_the_exact_ones(seed):
    pdfs = make_pdfs(n=6, members=1, k=4, seed=seed)
    fast = summarise(pdfs, ["mean", "std", "mode", "median", "q16", "q2.5"])
    np.testing.assert_allclose(fast["mean"], pdfs.mean(), rtol=1e-12)
    exact = pdfs.quantiles([0.5, 0.16, 0.025])
    for column, name in enumerate(("median", "q16", "q2.5")):
        error = np.abs(fast[name] - exact[:, column])
        # 1e-3 of z in a range of 3; in a gap of the density the cdf must be right instead
        off = np.abs(pdfs.pit(fast[name]) - [0.5, 0.16, 0.025][column])
        assert np.all((error < 9e-4) | (off < 2e-4))
    drop = pdfs.log_prob(pdfs.mode()) - pdfs.log_prob(np.asarray(fast["mode"], float))
    assert np.all(drop < 0.02)


def test_statistics_are_named_or_refused():
    assert parse_statistic("q97.5").level == pytest.approx(0.975)
    for name in ("q0", "q100", "average", "q"):
        with pytest.raises(ValueError, match="Unknown statistic"):
            parse_statistic(name)


def test_beta_at_and_beyond_the_bounds():
    pdfs = make_pdfs()
    low, high = pdfs.support
    outside = pdfs.log_prob(np.full(len(pdfs), high + 0.1))
    assert np.all(outside == -np.inf)
    np.testing.assert_array_equal(pdfs.pit(np.full(len(pdfs), low - 1)), 0.0)
    np.testing.assert_allclose(pdfs.pit(np.full(len(pdfs), high + 1)), 1.0, rtol=1e-14)


def test_wrong_shapes_and_levels_are_refused(pdfs):
    with pytest.raises(ShapeError, match="one value per object"):
        pdfs.log_prob(np.zeros(3))
    with pytest.raises(ShapeError, match="one-dimensional and not empty"):
        pdfs.pdf(np.zeros((2, 2)))
    with pytest.raises(ShapeError, match="`points` must have shape"):
        pdfs.density_at(np.zeros(4))
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        pdfs.quantiles([0.0, 0.5])
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        pdfs.interval(1.0)
    with pytest.raises(ValueError, match="`kind` must be"):
        pdfs.interval(0.5, kind="central")
    with pytest.raises(ShapeError, match="one shape"):
        ParametricPDFs(pdfs.family, {"log_weights": np.zeros((2, 1, 3))})
    with pytest.raises(ShapeError, match="object, member, component"):
        ParametricPDFs(pdfs.family, {k: v[:, 0] for k, v in pdfs.params.items()})


@pytest.mark.filterwarnings("ignore:.*lies? outside or between:UserWarning")
def test_concatenation_refuses_unlike_parts(pdfs):
    with pytest.raises(ValueError, match="at least one set"):
        concatenate([])
    with pytest.raises(IncompatibleError, match="share family, members and components"):
        concatenate([pdfs, make_pdfs(k=2)])
    with pytest.raises(IncompatibleError, match="one kind"):
        concatenate([pdfs, pdfs.to_grid()])
    with pytest.raises(IncompatibleError, match="share one grid"):
        concatenate([pdfs.to_grid(), pdfs.to_grid(np.linspace(1, 2, 50))])


def test_empty_sets_have_empty_answers(pdfs):
    none = pdfs[:0]
    for method in ("mean", "std", "mode", "median", "entropy", "n_modes"):
        assert getattr(none, method)().shape == (0,)
    assert none.quantiles([0.1, 0.9]).shape == (0, 2)
    assert none.pdf([1.0, 2.0]).shape == (0, 2)
    assert len(concatenate([none, pdfs])) == len(pdfs)


# -- densities on a grid ---------------------------------------------------------------------------


@pytest.fixture
def triangle():
    """The triangle on [0, 2] with its top at 1, whose every statistic is known."""
    return GridPDFs(np.array([0.0, 1.0, 2.0]), np.array([[0.0, 3.0, 0.0]]))


def test_grid_statistics_of_a_triangle(triangle):
    assert triangle.mean()[0] == pytest.approx(1.0)
    assert triangle.variance()[0] == pytest.approx(1 / 6)
    assert triangle.median()[0] == pytest.approx(1.0)
    assert triangle.quantiles([0.125])[0, 0] == pytest.approx(0.5)
    np.testing.assert_allclose(triangle.cdf([0.5, 1.0, 1.5])[0], [0.125, 0.5, 0.875])
    assert triangle.mode()[0] == pytest.approx(1.0, abs=1e-6)
    np.testing.assert_allclose(triangle.pdf([-1.0, 0.5, 3.0])[0], [0, 0.5, 0])
    draws = triangle.sample(5000, random_state=1)[:, 0]
    assert stats.kstest(draws, stats.triang(0.5, scale=2).cdf).pvalue > 1e-3


def test_grid_stack_and_regrid(triangle):
    both = concatenate([triangle, GridPDFs(triangle.grid, np.array([[1.0, 1.0, 1.0]]))])
    stacked = both.stack([1.0, 3.0])
    np.testing.assert_allclose(stacked.density[0], [0.375, 0.625, 0.375])
    fine = both.to_grid(np.linspace(0, 2, 201))
    np.testing.assert_allclose(fine.mean(), both.mean(), atol=1e-12)


@pytest.mark.parametrize(
    ("grid", "density", "message"),
    [
        ([0.0, 1.0], [[1.0, 1.0, 1.0]], "must have shape"),
        ([0.0, 0.0], [[1.0, 1.0]], "increase strictly"),
        ([0.0, 1.0], [[0.0, 0.0]], "row 0 is negative, not finite or zero"),
        ([0.0, 1.0], [[1.0, 1.0], [1.0, -1.0]], "row 1"),
        ([0.0, 1.0], [[np.nan, 1.0]], "row 0"),
    ],
)
def test_impossible_grids_are_refused(grid, density, message):
    with pytest.raises(ValueError, match=message):
        GridPDFs(np.array(grid), np.array(density))


def test_fast_statistics_of_normals():
    pdfs = make_pdfs("normal")
    found = summarise(pdfs, ["median", "mode"])
    np.testing.assert_allclose(found["median"], pdfs.median(), atol=1e-4)
    np.testing.assert_allclose(found["mode"], pdfs.mode())
