"""Distributions known by weighted draws: against the densities they were drawn for."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from sfumato import GridPDFs, SamplePDFs, concatenate, read_pdfs, write_pdfs
from sfumato.cli.main import run
from sfumato.errors import DataError, IncompatibleError, ShapeError
from sfumato.io.pdfs import open_pdfs
from sfumato.metrics.calibration import pit_ks
from sfumato.metrics.scores import crps
from sfumato.pdfs import summarise

S = 6000
LEVELS = np.array([0.025, 0.16, 0.5, 0.84, 0.975])
NORMAL = stats.norm(1.5, 0.3)
BETA = stats.beta(1.0, 6.0)


def weighted(target, proposal, *, n=8, s=S, bounds=(-np.inf, np.inf), seed=0):
    """Draws of a proposal with importance weights for a target."""
    draws = proposal.rvs((n, s), random_state=seed)
    with np.errstate(divide="ignore"):
        return SamplePDFs(draws, target.logpdf(draws) - proposal.logpdf(draws), bounds)


@pytest.fixture(scope="module")
def normal():
    return weighted(NORMAL, stats.t(5, 1.4, 0.45))


@pytest.fixture(scope="module")
def beta():
    return weighted(BETA, stats.uniform(), bounds=(0.0, 1.0), seed=1)


@pytest.fixture(scope="module", params=["normal", "beta"])
def case(request):
    """A set of PDFs, and what all of its objects are."""
    return request.getfixturevalue(request.param), {"normal": NORMAL, "beta": BETA}[request.param]


def small(n=5, s=40, seed=0):
    rng = np.random.default_rng(seed)
    return SamplePDFs(rng.normal(size=(n, s)), rng.normal(size=(n, s)), (-9.0, 9.0))


# -- the draws -------------------------------------------------------------------------------------


def test_moments_are_those_of_the_weighted_draws(case):
    pdfs, _ = case
    for row in range(len(pdfs)):
        weights = np.exp(pdfs.log_weights[row])
        mean = np.average(pdfs.draws[row], weights=weights)
        assert pdfs.mean()[row] == pytest.approx(mean, rel=1e-12)
        expected = np.average((pdfs.draws[row] - mean) ** 2, weights=weights)
        assert pdfs.variance()[row] == pytest.approx(expected, rel=1e-12)


def test_importance_weights_recover_the_target(case):
    pdfs, target = case
    size = pdfs.effective_size
    assert np.all((size > 500) & (size < S))
    std = target.std()
    assert np.all(np.abs(pdfs.mean() - target.mean()) < 5 * std / np.sqrt(size))
    fourth = target.stats("k") + 2  # of a variance: (kurtosis - 1) sigma^4 / n
    assert np.all(np.abs(pdfs.std() / std - 1) < 5 * np.sqrt(fourth / size) / 2)
    places = target.ppf(LEVELS)
    error = np.sqrt(LEVELS * (1 - LEVELS) / size[:, None]) / target.pdf(places)
    assert np.all(np.abs(pdfs.quantiles(LEVELS) - places) < 5 * error)


def test_effective_size_is_that_of_kong():
    pdfs = SamplePDFs(np.zeros((2, 4)), np.log([[1.0, 1, 1, 1], [3, 1, 1e-300, 1e-300]]))
    np.testing.assert_allclose(pdfs.effective_size, [4, 1.6])


def test_the_cdf_runs_through_the_middle_of_each_draw():
    with np.errstate(divide="ignore"):
        log_weights = np.log([[0.5, 0.2, 0.2, 0.1, 0.0]])
    pdfs = SamplePDFs(np.array([[3.0, 1.0, 1.0, 6.0, np.nan]]), log_weights, (0.0, 7.0))
    np.testing.assert_allclose(pdfs.cdf([1.0, 2.0, 3.0, 6.0])[0], [0.2, 0.425, 0.65, 0.95])
    np.testing.assert_array_equal(pdfs.cdf([-1.0, 0.0, 7.0, 9.0])[0], [0, 0, 1, 1])
    np.testing.assert_allclose(pdfs.quantiles([0.2, 0.425, 0.95])[0], [1.0, 2.0, 6.0])


def test_draws_of_no_weight_change_nothing():
    pdfs = small()
    padding = np.full((5, 3), [np.nan, np.inf, 100.0])
    padded = SamplePDFs(
        np.hstack([padding, pdfs.draws]),
        np.hstack([np.full((5, 3), -np.inf), pdfs.log_weights]),
        pdfs.bounds,
    )
    grid = np.linspace(-4, 4, 50)
    np.testing.assert_allclose(padded.mean(), pdfs.mean(), rtol=1e-12)
    np.testing.assert_allclose(padded.cdf(grid), pdfs.cdf(grid), rtol=1e-12)
    np.testing.assert_allclose(padded.pdf(grid), pdfs.pdf(grid), rtol=1e-9)
    assert np.all(np.isfinite(padded.sample(200)))
    assert np.all(np.isfinite(padded.resampled(200).draws))


def test_pit_is_uniform_and_would_see_wrong_weights():
    rng = np.random.default_rng(2)
    truth_mean = rng.normal(size=1500)
    centre = truth_mean + 0.5 * rng.normal(size=1500)
    # prior N(0, 1), noise 0.5: posterior of precision 5
    draws = centre[:, None] + 1.2 * rng.normal(size=(1500, 500))
    posterior = stats.norm(centre[:, None] * 0.8, np.sqrt(0.2))
    log_weights = posterior.logpdf(draws) - stats.norm(centre[:, None], 1.2).logpdf(draws)
    right = SamplePDFs(draws, log_weights).pit(truth_mean)
    assert stats.kstest(right, "uniform").pvalue > 1e-3
    assert pit_ks(SamplePDFs(draws).pit(truth_mean)) > 0.1


@given(
    # no two draws so near that the density between them is infinite
    hnp.arrays(
        float,
        st.tuples(st.just(2), st.integers(1, 30)),
        elements=st.floats(-1e3, 1e3).map(lambda value: round(value, 9)),
    ),
    st.integers(0, 1000),
)
def test_quantiles_and_cdf_are_inverse(draws, seed):
    rng = np.random.default_rng(seed)
    pdfs = SamplePDFs(draws, rng.normal(size=draws.shape), (-1e3, 2e3))
    levels = rng.uniform(1e-6, 1 - 1e-6, 20)
    places = pdfs.quantiles(levels)
    # draws a rounding error apart make the cdf as steep as rounding lets it be
    low, high = pdfs._cdf(places - 1e-7), pdfs._cdf(places + 1e-7)
    assert np.all((low <= levels + 1e-9) & (high >= levels - 1e-9))
    assert np.all(np.diff(pdfs.cdf(np.linspace(-1100, 1100, 300)), axis=1) >= 0)
    area = np.trapezoid(pdfs.density_at(pdfs.nodes()), pdfs.nodes(), axis=1)
    np.testing.assert_allclose(area, 1.0, rtol=1e-6)


# -- the density -----------------------------------------------------------------------------------


def test_density_is_normalised_and_near_the_target(case):
    pdfs, target = case
    nodes = pdfs.nodes()
    area = np.trapezoid(pdfs.density_at(nodes), nodes, axis=1)
    np.testing.assert_allclose(area, 1.0, rtol=1e-9)
    distance = np.trapezoid(np.abs(pdfs.density_at(nodes) - target.pdf(nodes)), nodes, axis=1)
    # n_eff^(-2/5) is 0.04 to 0.05, the rate of a kernel estimate
    assert np.all(distance < 0.09)


def test_density_at_a_bound_is_not_halved(beta):
    # the target falls with slope -30 from 6: the kernel, of width 0.02, takes some of that
    at_bound = beta.pdf([0.0, 0.01])
    assert np.all(np.abs(at_bound / BETA.pdf([0.0, 0.01]) - 1) < 0.2)
    unbounded = SamplePDFs(beta.draws, beta.log_weights).pdf([0.0])
    np.testing.assert_allclose(unbounded / at_bound[:, :1], 0.5, atol=0.05)
    assert np.all(beta.pdf([-1e-9, 1 + 1e-9]) == 0)


def test_density_equals_the_kernel_sum():
    pdfs = small(n=3, s=50)
    width = pdfs._ladder.width
    grid = np.linspace(-3, 3, 41)
    weights = pdfs.weights
    for row in range(3):
        kernels = stats.norm.pdf(grid[:, None], pdfs.draws[row], width[row])
        expected = kernels @ weights[row]
        np.testing.assert_allclose(pdfs.pdf(grid)[row], expected, atol=5e-3 * expected.max())


def test_kernel_width_is_silvermans():
    draws = stats.norm.ppf((np.arange(2000) + 0.5) / 2000)[None]
    expected = 0.9 * np.std(draws) * 2000**-0.2
    assert SamplePDFs(draws)._ladder.width[0] == pytest.approx(expected, rel=1e-3)
    # two clusters: the deviation is large, the quartiles are larger still
    twice = SamplePDFs(np.hstack([draws - 10, draws + 10]))
    assert twice._ladder.width[0] == pytest.approx(0.9 * twice.std()[0] * 4000**-0.2)


@pytest.mark.parametrize("value", [0.0, 1.0, -3e8, 1e-12])
def test_a_single_draw_is_a_narrow_peak(value):
    pdfs = SamplePDFs(np.full((1, 7), value))
    assert pdfs.median()[0] == pytest.approx(value, rel=1e-7, abs=1e-8)
    assert pdfs.mode()[0] == pytest.approx(value, rel=1e-7, abs=1e-8)
    assert pdfs.pit([value])[0] == pytest.approx(0.5)
    assert np.isfinite(pdfs.log_prob([value]))[0]


def test_draws_on_both_bounds_leave_a_continuous_cdf():
    pdfs = SamplePDFs(np.array([[0.0, 0.0, 0.5, 1.0]]), None, (0.0, 1.0))
    np.testing.assert_allclose(pdfs.cdf([0.0, 0.25, 0.5, 1.0])[0], [0, 0.3125, 0.625, 1])


def test_beyond_all_draws_there_is_nothing(normal):
    np.testing.assert_array_equal(normal.log_prob(np.full(8, 90.0)), -np.inf)
    np.testing.assert_array_equal(normal.pit(np.full(8, 90.0)), 1.0)
    assert np.all(np.isfinite(normal.log_prob(normal.quantiles([0.999])[:, 0])))


def test_crps_is_the_energy_form_but_for_the_kernel(normal):
    pdfs = normal.resampled(1500)
    truth, scores = np.linspace(0.8, 2.3, 8), crps(pdfs, np.linspace(0.8, 2.3, 8))
    for row in range(8):
        draws, width = pdfs.draws[row], pdfs._ladder.width[row]
        pairs, away = draws[:, None] - draws, draws - truth[row]
        energy = np.abs(away).mean() - 0.5 * np.abs(pairs).mean()
        # the kernel, a fifth of the deviation, adds 4 % to the variance: 1 % in the second term
        assert scores[row] == pytest.approx(energy, abs=0.015 * NORMAL.std())
        smooth = stats.foldnorm.mean(np.abs(away) / width, scale=width).mean()
        distance = np.abs(pairs) / (np.sqrt(2) * width)
        smooth -= 0.5 * stats.foldnorm.mean(distance, scale=np.sqrt(2) * width).mean()
        assert scores[row] == pytest.approx(smooth, abs=2e-4 * NORMAL.std())


def test_intervals_and_statistics(normal):
    for kind in ("equal-tailed", "highest-density"):
        low, high = normal.interval(0.68, kind=kind).T
        np.testing.assert_allclose(normal.pit(high) - normal.pit(low), 0.68, atol=1e-9)
    np.testing.assert_allclose(normal.entropy(), NORMAL.entropy(), atol=0.06)
    np.testing.assert_allclose(normal.mode(), 1.5, atol=0.15)
    assert set(summarise(normal, ["mean", "std", "mode", "median", "q16"])) > {"mode", "q16"}


# -- sets ------------------------------------------------------------------------------------------


def test_a_row_is_independent_of_its_neighbours():
    pdfs = small()
    for method in ("mean", "std", "mode", "median", "entropy", "n_modes"):
        whole, alone = getattr(pdfs, method)(), getattr(small()[3], method)()
        np.testing.assert_allclose(whole[3:4], alone, rtol=1e-12)
    grid = np.linspace(-3, 3, 30)
    np.testing.assert_allclose(pdfs.pdf(grid)[3:4], small()[3].pdf(grid), rtol=1e-9)


def test_slices_keep_what_was_computed():
    pdfs = small()
    before = pdfs[[4, 1]].pdf([0.0, 1.0])
    _ = pdfs.pdf([0.0])
    part = pdfs[np.array([False, True, False, False, True])]
    assert "_curve" in part.__dict__
    np.testing.assert_allclose(part.pdf([0.0, 1.0])[::-1], before, rtol=1e-12)
    none = pdfs[:0]
    for method in ("mean", "std", "mode", "median", "entropy", "n_modes"):
        assert getattr(none, method)().shape == (0,)
    assert none.quantiles([0.1, 0.9]).shape == (0, 2)
    assert none.pdf([1.0, 2.0]).shape == (0, 2)
    assert len(concatenate([none, pdfs])) == 5


def test_concatenation_commutes_with_methods():
    pdfs, even = small(), SamplePDFs(small().draws, None, (-9.0, 9.0))
    joined = concatenate([pdfs[:2], even, pdfs[[4]]])
    np.testing.assert_allclose(joined.mean()[[0, 1, 7]], pdfs.mean()[[0, 1, 4]])
    np.testing.assert_allclose(joined.mean()[2:7], even.mean())
    assert concatenate([even, even]).log_weights is None
    with pytest.raises(IncompatibleError, match=r"share bounds and number of draws.*40 draws"):
        concatenate([pdfs, SamplePDFs(pdfs.draws)])
    with pytest.raises(IncompatibleError, match="Use resampled"):
        concatenate([pdfs, pdfs.resampled(7)])
    with pytest.raises(IncompatibleError, match="one kind"):
        concatenate([pdfs, pdfs.to_grid()])


def test_samples_follow_the_weights(normal):
    draws = normal[0].sample(3000, random_state=4)
    assert draws.shape == (3000, 1)
    assert set(draws[:, 0]) <= set(normal.draws[0])
    assert stats.kstest(draws[:, 0], NORMAL.cdf).pvalue > 1e-3


def test_resampling_takes_each_draw_by_its_weight():
    pdfs = small(n=3)
    counts = 500 * pdfs.weights
    again = pdfs.resampled(500, random_state=1)
    assert again.log_weights is None
    assert again.bounds == pdfs.bounds
    for row in range(3):
        times = np.array([np.sum(again.draws[row] == x) for x in pdfs.draws[row]])
        assert np.all((times >= np.floor(counts[row])) & (times <= np.ceil(counts[row])))
    np.testing.assert_array_equal(again.draws, pdfs.resampled(500, random_state=1).draws)
    with pytest.raises(ValueError, match="`n_draws` must be at least 1; got 0"):
        pdfs.resampled(0)


def test_stack_holds_all_draws():
    pdfs, weights = small(), np.array([1.0, 0, 2, 3, 4])
    stacked = pdfs.stack(weights)
    assert len(stacked) == 1
    assert stacked.n_draws == 200
    assert stacked.mean()[0] == pytest.approx(np.average(pdfs.mean(), weights=weights))
    grid = np.linspace(-4, 4, 60)
    gridded = pdfs.stack(weights, grid=grid)
    assert isinstance(gridded, GridPDFs)
    mean = weights @ pdfs.pdf(grid) / 10
    np.testing.assert_allclose(gridded.density[0], mean / np.trapezoid(mean, grid), rtol=1e-9)
    even = SamplePDFs(pdfs.draws).stack()
    assert even.log_weights is None
    np.testing.assert_allclose(pdfs.stack().to_grid(grid).mean(), pdfs.mean().mean(), atol=0.05)
    with pytest.raises(ValueError, match="there are no objects"):
        pdfs[:0].stack()


def test_reweighting_by_another_prior(normal):
    # N(1.5, 0.09) times exp(2 y): the mean moves by 2 variances
    moved = normal.reweight(lambda y: np.exp(2 * y), training_prior=None)
    np.testing.assert_allclose(moved.mean(), 1.5 + 0.18, atol=0.03)


# -- files -----------------------------------------------------------------------------------------


def test_files_keep_equal_draws_of_the_same_distributions(tmp_path, case):
    pdfs, _ = case
    path = tmp_path / "s.parquet"
    write_pdfs(pdfs, path, columns={"id": np.arange(8)}, about={"by": "test"})
    back = read_pdfs(path)
    assert isinstance(back, SamplePDFs)
    assert back.bounds == pdfs.bounds
    assert back.log_weights is None
    assert back.n_draws == 500
    np.testing.assert_allclose(back.mean(), pdfs.mean(), atol=0.02 * pdfs.std().max())
    np.testing.assert_allclose(back.std(), pdfs.std(), rtol=0.03)
    table = pq.read_table(path)
    np.testing.assert_allclose(table["effective_size"].to_numpy(), pdfs.effective_size)
    header = json.loads(table.schema.metadata[b"sfumato"])
    assert (header["object"], header["n_draws"], header["about"]["by"]) == ("samples", 500, "test")
    file = open_pdfs(path)
    assert not file.is_vector
    assert file.columns == ("id", "effective_size")
    chunks = [part for part, _ in file.chunks(["id"], batch_rows=3)]
    np.testing.assert_array_equal(concatenate(chunks).draws, back.draws)


def test_equal_draws_are_stored_as_they_are(tmp_path):
    draws, path = small().draws.astype(np.float32), tmp_path / "s.parquet"
    for log_weights in (None, np.full(draws.shape, -3.0)):
        write_pdfs(SamplePDFs(draws, log_weights), path)
        np.testing.assert_array_equal(read_pdfs(path).draws, draws)
    write_pdfs(SamplePDFs(draws), path, columns={"effective_size": np.arange(5.0)})
    np.testing.assert_array_equal(pq.read_table(path)["effective_size"], np.arange(5.0))


def test_rounding_does_not_carry_draws_across_a_bound(tmp_path):
    path, bounds = tmp_path / "s.parquet", (0.1 + 1e-9, 0.3 - 1e-9)
    write_pdfs(SamplePDFs(np.array([bounds]), None, bounds), path)
    assert read_pdfs(path).bounds == bounds


def test_files_that_cannot_be(tmp_path):
    path = tmp_path / "s.parquet"
    with pytest.raises(ValueError, match="beyond 3e38 do not fit in float32"):
        write_pdfs(SamplePDFs(np.full((1, 2), 1e300)), path)
    with pytest.raises(ValueError, match="`precision` must be 16 or 32"):
        write_pdfs(small(), path, precision=8)
    assert not path.exists()
    write_pdfs(small(), path)
    table = pq.read_table(path)
    header = json.loads(table.schema.metadata[b"sfumato"])
    for change in ({"n_draws": 7}, {"bounds": [2, 1]}, {"bounds": None}):
        damaged = {b"sfumato": json.dumps(header | change)}
        pq.write_table(table.replace_schema_metadata(damaged), path)
        with pytest.raises(DataError, match="its header is damaged"):
            read_pdfs(path)


@pytest.fixture(scope="module")
def samples_file(tmp_path_factory):
    """A file of calibrated posteriors with their truths."""
    rng = np.random.default_rng(5)
    centre = rng.uniform(0.5, 2.5, 60)
    truth = centre + 0.2 * rng.normal(size=60)
    pdfs = SamplePDFs(centre[:, None] + 0.2 * rng.normal(size=(60, 400)), None, (-5.0, 9.0))
    path = tmp_path_factory.mktemp("samples") / "s.parquet"
    write_pdfs(pdfs, path, columns={"y": truth})
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "{}", "--truth", "y", "--bootstrap", "5", "--output", "{}.folder"],
        ["plot", "{}", "--truth", "y", "--output", "{}.pdfs.png"],
        ["plot", "{}", "--kind", "pit", "--truth", "y", "--output", "{}.pit.png"],
        ["plot", "{}", "--kind", "points", "--truth", "y", "--output", "{}.points.png"],
        ["stack", "{}", "--edges", "0,1,2,3", "--truth", "y", "--output", "{}.n.parquet"],
        ["info", "{}"],
    ],
)
def test_commands_take_samples(samples_file, monkeypatch, arguments):
    words = [word.format(samples_file) for word in arguments]
    monkeypatch.setattr("sys.argv", ["sfumato", *words])
    with pytest.raises(SystemExit) as ended:
        run()
    assert not ended.value.code
    if "--output" in arguments:
        assert samples_file.with_name(words[-1].rsplit("/", 1)[-1]).exists()


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((np.zeros(3),), ShapeError, r"must have shape \(n, s\).*got \(3,\).*draws\[None\]"),
        ((np.zeros((2, 3)), np.zeros((2, 4))), ShapeError, r"\(2, 3\); got \(2, 4\).*Give None"),
        ((np.zeros((2, 0)),), ValueError, r"at least one draw.*got shape \(2, 0\).*Leave"),
        (
            (np.zeros((2, 2)), [[0, 0], [-np.inf, -np.inf]]),
            ValueError,
            "All weights of row 1 are zero.*wider proposal",
        ),
        (([[0.0, np.nan]],), ValueError, "draw 1 of row 0 is nan. Leave it out or give"),
        (([[0.0, np.nan]], [[0.0, -900.0]]), ValueError, "must be finite; draw 1 of row 0"),
        (([[0.0, 2.0]], None, (0, 1)), ValueError, r"\(0.0, 1.0\); draw 1 of row 0 is 2. Widen"),
        (([[0.0, 2.0]], [[0.0, np.nan]]), ValueError, r"row 0 has NaN or \+inf. Set those"),
        (([[0.0, 2.0]], [[np.inf, 0.0]]), ValueError, r"row 0 has NaN or \+inf. Set those"),
        (([[0.0]], None, (1, 1)), ValueError, r"lower first; got \(1.0, 1.0\). Use -inf"),
    ],
)
def test_what_cannot_be_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        SamplePDFs(*arguments)
