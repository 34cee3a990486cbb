"""Counts and classes: probabilities on whole numbers, and everything one asks of them."""

import numpy as np
import pytest
from scipy import stats

from cases import bound, parameters_of
from sfumato import (
    CountPDFs,
    MDNRegressor,
    read_pdfs,
    write_pdfs,
)
from sfumato.errors import DataError
from sfumato.families import MixtureFamily
from sfumato.metrics.scores import crps, crps_and_cde
from sfumato.pdfs import frequencies_of

RNG = np.random.default_rng(5)


def poissons(n=5, members=2, k=2, *, rates=(0.5, 40.0)):
    rate = RNG.uniform(*rates, (n, members, k))
    weights = np.log(RNG.dirichlet(np.ones(k), size=(n, members)))
    return CountPDFs(MixtureFamily(bound("poisson"), k), {"log_weights": weights, "rate": rate})


def probabilities(pdfs, row, most=400):
    """The probability function by hand, from SciPy."""
    weights = np.exp(pdfs.params["log_weights"][row]) / pdfs.n_members
    rates, numbers = pdfs.params["rate"][row], np.arange(most)
    parts = zip(weights.ravel(), rates.ravel(), strict=True)
    return sum(w * stats.poisson(r).pmf(numbers) for w, r in parts)


def test_everything_equals_sums_by_hand():
    pdfs = poissons()
    numbers = np.arange(400)
    truth = np.array([0.0, 3.0, 10.0, 30.0, 80.0])
    score, quadratic = crps_and_cde(pdfs, truth)
    for row in range(5):
        p = probabilities(pdfs, row)
        cdf = np.cumsum(p)
        np.testing.assert_allclose(pdfs.pdf(numbers)[row], p, atol=1e-12)
        assert pdfs.mean()[row] == pytest.approx(p @ numbers)
        assert pdfs.variance()[row] == pytest.approx(p @ numbers**2 - (p @ numbers) ** 2)
        assert pdfs.mode()[row] == np.argmax(p)
        assert pdfs.entropy()[row] == pytest.approx(stats.entropy(p), rel=1e-6)
        for level in (0.025, 0.3, 0.5, 0.9):
            quantile = pdfs.quantiles([level])[row, 0]
            assert quantile == np.searchsorted(cdf, level)
        low, high = pdfs.interval(0.7, kind="highest-density")[row]
        assert p[int(low) : int(high) + 1].sum() >= 0.7 - 1e-9
        shorter = [p[a : a + int(high - low)].sum() for a in range(300)]
        assert max(shorter) < 0.7
        step = (numbers >= truth[row]).astype(float)
        assert score[row] == pytest.approx(np.sum((cdf - step) ** 2), rel=1e-6)
        assert quadratic[row] == pytest.approx(np.sum(p**2) - 2 * p[int(truth[row])], rel=1e-6)
    np.testing.assert_allclose(crps(pdfs, truth), score)


def test_randomised_pit_is_uniform_and_the_plain_one_is_not():
    pdfs = poissons(3000, members=1, k=1, rates=(0.5, 3.0))
    y = pdfs.sample(1, random_state=2)[0]
    assert stats.kstest(pdfs.pit(y), "uniform").pvalue > 1e-3
    assert stats.kstest(pdfs._cdf(y[:, None])[:, 0], "uniform").pvalue < 1e-6
    assert stats.kstest(pdfs.pit(np.floor(y / 2)), "uniform").pvalue < 1e-6


def test_wide_counts_are_tabulated_in_steps():
    pdfs = poissons(2, members=1, k=1, rates=(4e6, 5e6))
    rate = pdfs.params["rate"][:, 0, 0]
    assert np.abs(pdfs.quantiles([0.5])[:, 0] - stats.poisson(rate).median()).max() <= 1
    np.testing.assert_allclose(pdfs.entropy(), 0.5 * np.log(2 * np.pi * np.e * rate), rtol=1e-3)
    np.testing.assert_allclose(crps(pdfs, rate.round()), np.sqrt(rate) * 0.2337, rtol=5e-3)


def test_a_new_prior_and_a_stack_stay_on_whole_numbers():
    pdfs = poissons(4)
    prior = stats.poisson(6).pmf
    new = pdfs.reweight(prior, training_prior=None)
    numbers = np.arange(60)
    for row in range(4):
        p = probabilities(pdfs, row) * prior(np.arange(400))
        np.testing.assert_allclose(new.pdf(numbers)[row], (p / p.sum())[:60], atol=1e-9)
    exact, table = pdfs.stack(), pdfs.stack(grid=np.arange(120))
    np.testing.assert_allclose(table.pdf(numbers), exact.pdf(numbers), atol=1e-9)
    assert exact.mean()[0] == pytest.approx(pdfs.mean().mean())


def test_the_training_prior_of_counts_is_their_frequencies():
    y = RNG.poisson(0.8, 4000).astype(float)
    prior = frequencies_of(y)
    share = np.bincount(y.astype(int)) / 4000
    at = prior.pdf(np.arange(share.size))[0]
    np.testing.assert_allclose(at / at.sum(), share, atol=1e-5)
    with pytest.raises(DataError, match="takes counts up to 100000; the target of row 2 is 1e"):
        MDNRegressor(family="poisson").fit(np.zeros((3, 1)), [5, 10**6, 7])


def test_counts_survive_a_file(tmp_path):
    pdfs = poissons(7)
    write_pdfs(pdfs, tmp_path / "p.parquet", precision=32)
    back = read_pdfs(tmp_path / "p.parquet")
    assert isinstance(back, CountPDFs)
    np.testing.assert_allclose(back.pdf(np.arange(50)), pdfs.pdf(np.arange(50)), rtol=1e-4)


@pytest.mark.parametrize("name", ["negative-binomial", "binomial", "geometric", "categorical"])
def test_other_counts_are_probability_functions(name):
    component = bound(name)
    k = 4 if name == "categorical" else 2
    params = {
        n: v.reshape(3, 1, k)
        for n, v in zip(component.parameters, parameters_of(name, n=3 * k), strict=False)
        if component.parameters
    }
    weights = np.log(RNG.dirichlet(np.ones(k), size=(3, 1)))
    pdfs = CountPDFs(MixtureFamily(component, k), {"log_weights": weights, **params})
    nodes, p = pdfs._table()
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-9)
    np.testing.assert_allclose((p * nodes).sum(axis=1), pdfs.mean(), rtol=1e-7)
    assert np.all(pdfs.quantiles([0.2, 0.8]) == np.round(pdfs.quantiles([0.2, 0.8])))


def test_recalibration_cools_overconfident_classes():
    from sfumato.recalibration.sharpening import fit_sharpening

    logits = RNG.normal(size=(4000, 1, 3))
    p = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    classes = np.array([RNG.choice(3, p=row[0]) for row in p])
    stated = 3 * logits - np.logaddexp.reduce(3 * logits, axis=2, keepdims=True)
    family = MixtureFamily(bound("categorical"), 4)
    found = fit_sharpening(family, {"log_weights": stated}, classes, n_members=1)
    # stated three times too sharp: the inverse temperature is 1/3
    assert np.exp(found.level) == pytest.approx(1 / 3, rel=0.1)
