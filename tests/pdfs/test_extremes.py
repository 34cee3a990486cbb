"""Statistics of whatever a network may put out, and of shapes that it may not: finite and true."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from cases import SCALAR, bound, predicted
from sfumato.families import MixtureFamily
from sfumato.pdfs import CountPDFs, make_pdfs

LEVELS = np.array([0.001, 0.05, 0.16, 0.5, 0.84, 0.95, 0.999])


def cdf_at(pdfs, values):
    """The cdf of each object at its own values (n, q)."""
    return np.stack([pdfs[row : row + 1].cdf(points)[0] for row, points in enumerate(values)])


@pytest.mark.parametrize("name", SCALAR)
@given(
    seed=st.integers(0, 2**31),
    size=st.sampled_from([0.0, 1.0, 3.0, 10.0, 30.0]),
    centre=st.sampled_from([0.0, -5.0, 5.0]),
)
@settings(max_examples=3)
def test_statistics_are_finite_and_agree(name, seed, size, centre):
    pdfs = predicted(name, seed, size, centre, n=3)
    quantiles, mean, std = pdfs.quantiles(LEVELS), pdfs.mean(), pdfs.std()
    mode, median = pdfs.mode(), pdfs.median()
    for values in (quantiles, mean, std, mode, pdfs.interval(0.68), pdfs.entropy()):
        assert np.all(np.isfinite(values))
    assert np.all(np.diff(quantiles, axis=1) >= 0)
    low, high = pdfs.support
    assert np.all((mode >= low) & (mode <= high))
    assert np.all(np.abs(median - mean) <= std * (1 + 1e-6) + 1e-9 * np.abs(mean) + 1e-9)
    if isinstance(pdfs, CountPDFs):
        # the least whole number that reaches the level
        assert np.all(cdf_at(pdfs, quantiles) >= LEVELS - 1e-9)
    else:
        np.testing.assert_allclose(cdf_at(pdfs, quantiles), np.tile(LEVELS, (3, 1)), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "parameters", "twin"),
    [
        ("gamma", {"concentration": 0.03, "rate": 2.0}, stats.gamma(0.03, scale=0.5)),
        ("weibull", {"scale": 1.0, "concentration": 0.03}, stats.weibull_min(0.03)),
        ("chi-squared", {"df": 0.06}, stats.chi2(0.06)),
        ("inverse-gamma", {"concentration": 2.06, "rate": 1e-5}, stats.invgamma(2.06, scale=1e-5)),
        ("student-t", {"df": 2.1, "loc": 0.0, "scale": 1e-6}, stats.t(2.1, scale=1e-6)),
    ],
)
def test_one_component_is_scipys_however_extreme(name, parameters, twin):
    family = MixtureFamily(bound(name), 1, 0.0, 1.0)
    values = {key: np.full((1, 1, 1), value) for key, value in parameters.items()}
    pdfs = make_pdfs(family, {"log_weights": np.zeros((1, 1, 1)), **values})
    np.testing.assert_allclose(twin.cdf(pdfs.quantiles(LEVELS)[0]), LEVELS, atol=1e-9)
    assert pdfs.entropy()[0] == pytest.approx(twin.entropy(), rel=0.01)
    assert pdfs.mean()[0] == pytest.approx(twin.mean(), rel=1e-9, abs=1e-20)


def mills(alpha):
    """The hazard of a Normal variable at alpha, by Laplace's continued fraction in 60 digits."""
    with localcontext() as context:
        context.prec = 60
        alpha, value = Decimal(alpha), Decimal(alpha)
        for k in range(400, 0, -1):
            value = alpha + k / value
        return value, float(value - alpha), float(1 - value * (value - alpha))


@pytest.mark.parametrize("loc", [-0.5, -5.0, -85.0, 11.0, 1001.0])
def test_a_normal_whose_location_is_far_outside_keeps_its_digits(loc):
    # SciPy's own moments are wrong there: its variance at loc -85, scale 0.2 is negative
    scale = 1 / 32  # alpha is exact
    alpha = (loc - 1 if loc > 1 else -loc) / scale
    hazard, mean, variance = mills(alpha)
    family = MixtureFamily(bound("truncated-normal"), 1, 0.0, 1.0)
    values = {"loc": np.full((1, 1, 1), loc), "scale": np.full((1, 1, 1), scale)}
    pdfs = make_pdfs(family, {"log_weights": np.zeros((1, 1, 1)), **values})
    told = pdfs.mean()[0] if loc < 1 else 1 - pdfs.mean()[0]
    assert told == pytest.approx(scale * mean, rel=1e-8)
    assert pdfs.std()[0] == pytest.approx(scale * np.sqrt(variance), rel=1e-8)
    at_the_bound = pdfs.pdf(np.array([0.0 if loc < 1 else 1.0]))[0, 0]
    assert at_the_bound == pytest.approx(float(hazard) / scale, rel=1e-8)
    np.testing.assert_allclose(pdfs.cdf(pdfs.quantiles(LEVELS)[0])[0], LEVELS, atol=1e-9)


def test_between_components_far_apart_every_quantile_is_found():
    # on the plateau between them a step may lead anywhere
    family = MixtureFamily(bound("normal"), 2, 0.0, 1.0)
    params = {
        "log_weights": np.log([[[0.42, 0.58]]]),
        "loc": np.array([[[1.9e-5, 4.9e5]]]),
        "scale": np.array([[[1e-8, 1e3]]]),
    }
    pdfs = make_pdfs(family, params)
    levels = np.linspace(0.01, 0.99, 99)
    np.testing.assert_allclose(pdfs.cdf(pdfs.quantiles(levels)[0])[0], levels, atol=1e-6)
