"""Normal distributions of a transformed target: the Jacobian, the moments, and who decides."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from cases import SMALL
from sfumato import MDNRegressor, read_model, read_pdfs, write_model, write_pdfs
from sfumato.families import bound_component
from sfumato.families.transformed import box_cox_exponent

RNG = np.random.default_rng(0)
LOC, SCALE = RNG.normal(size=200), np.exp(RNG.uniform(np.log(0.05), np.log(2), 200))


def check(component, u, log_density, cdf):
    np.testing.assert_allclose(component.log_density(u, LOC, SCALE), log_density, rtol=1e-9)
    np.testing.assert_allclose(component.cdf(u, LOC, SCALE), cdf, rtol=1e-9, atol=1e-14)
    single = (np.float32(values) for values in (u, LOC, SCALE))
    trained = component.log_prob(*map(jnp.asarray, single))
    np.testing.assert_allclose(trained, log_density, rtol=1e-4, atol=2e-3)


def test_log_odds_are_normal():
    component = bound_component("logit-normal")
    u = component.sample(RNG, LOC, SCALE)
    log_odds, twin = special.logit(u), stats.norm(LOC, SCALE)
    check(component, u, twin.logpdf(log_odds) - np.log(u * (1 - u)), twin.cdf(log_odds))
    draws = special.expit(twin.rvs((40_000, 200), random_state=1))
    mean, variance = component.moments(LOC, SCALE)
    np.testing.assert_allclose(mean, draws.mean(axis=0), atol=5 * 0.5 / 200)
    np.testing.assert_allclose(variance, draws.var(axis=0), rtol=0.06)


def test_an_exponent_of_0_is_the_lognormal():
    component, twin = bound_component("box-cox-normal"), stats.lognorm(SCALE, scale=np.exp(LOC))
    u = component.sample(RNG, LOC, SCALE)
    check(component, u, twin.logpdf(u), twin.cdf(u))
    mean, variance = component.moments(LOC, SCALE)
    np.testing.assert_allclose(mean, twin.mean(), rtol=1e-8)
    np.testing.assert_allclose(variance, twin.var(), rtol=1e-8)


@pytest.mark.parametrize("exponent", [0.3, 1.0, 2.0])
def test_powers_are_cut_normals(exponent):
    component = bound_component("box-cox-normal", exponent=exponent)
    loc = np.maximum(LOC, -1 / exponent)
    twin = stats.truncnorm((-1 / exponent - loc) / SCALE, np.inf, loc, SCALE)
    u = component.sample(RNG, loc, SCALE)
    power = special.boxcox(u, exponent)
    density = twin.logpdf(power) + (exponent - 1) * np.log(u)
    np.testing.assert_allclose(component.log_density(u, loc, SCALE), density, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(component.cdf(u, loc, SCALE), twin.cdf(power), rtol=1e-8)
    trained = component.log_prob(*(jnp.asarray(np.float32(v)) for v in (u, loc, SCALE)))
    np.testing.assert_allclose(trained, density, rtol=1e-4, atol=2e-3)
    mean, variance = component.moments(loc, SCALE)
    if exponent == 1:  # the target itself, minus 1
        np.testing.assert_allclose(mean, twin.mean() + 1, rtol=1e-8)
        np.testing.assert_allclose(variance, twin.var(), rtol=1e-6)
    draws = special.inv_boxcox(twin.rvs((40_000, 200), random_state=1), exponent)
    assert np.abs((mean - draws.mean(axis=0)) / np.sqrt(variance)).max() < 5 / 200


def test_whatever_a_network_says_half_of_the_mass_is_left():
    component = bound_component("box-cox-normal", exponent=2.0)
    loc, scale = component.constrain(jnp.linspace(-60, 60, 50), jnp.linspace(20, -20, 50))
    assert float(loc.min()) >= -0.5
    assert np.all(np.isfinite(component.log_prob(jnp.full_like(loc, 1e-6), loc, scale)))


def test_the_targets_decide_the_exponent():
    root = RNG.normal(10, 1, 20_000)
    assert box_cox_exponent(root) == pytest.approx(1, abs=0.15)
    assert box_cox_exponent(root**2) == pytest.approx(0.5, abs=0.08)
    assert box_cox_exponent(5e6 * np.exp(root)) == pytest.approx(0, abs=0.02)
    assert box_cox_exponent(1 / root**3) == 0  # would be below: its mean would be infinite
    assert box_cox_exponent(root - 10) == box_cox_exponent(np.full(5, 2.0)) == 1


@pytest.mark.slow
def test_a_model_keeps_the_users_units_and_its_exponent(tmp_path):
    x = RNG.uniform(-1, 1, (1500, 1))
    y = 100 * (4 + x[:, 0] + 0.3 * RNG.normal(size=1500)) ** 2
    options = SMALL | {"n_components": 1, "max_epochs": 60}
    model = MDNRegressor(family="box-cox-normal", random_state=0, **options).fit(x, y)
    assert 0.2 < model.family_.component.exponent < 0.9
    pdfs = model.predict_pdfs(x)
    exact = stats.norm.logpdf(np.sqrt(y / 100), 4 + x[:, 0], 0.3) - np.log(2 * np.sqrt(100 * y))
    # as good as the truth of its family, in the units of y
    assert pdfs.log_prob(y).mean() > exact.mean() - 0.03
    np.testing.assert_allclose(pdfs.mean(), 100 * ((4 + x[:, 0]) ** 2 + 0.09), rtol=0.05)
    write_model(model, tmp_path / "m")
    again = read_model(tmp_path / "m")
    assert again.family_.component == model.family_.component
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    write_pdfs(pdfs, tmp_path / "p.parquet")
    stored = read_pdfs(tmp_path / "p.parquet")
    np.testing.assert_allclose(stored.mean(), pdfs.mean(), rtol=2e-3)
    np.testing.assert_allclose(stored.log_prob(y), pdfs.log_prob(y), atol=0.02)


@pytest.mark.slow
def test_shares_between_bounds(tmp_path):
    x = RNG.uniform(-1, 1, (1500, 1))
    y = 10 + 5 * special.expit(x[:, 0] + 0.5 * RNG.normal(size=1500))
    options = SMALL | {"n_components": 1, "max_epochs": 60}
    model = MDNRegressor(family="logit-normal", bounds=(10, 15), random_state=0, **options)
    pdfs = model.fit(x, y).predict_pdfs(x)
    unit = (y - 10) / 5
    exact = stats.norm.logpdf(special.logit(unit), x[:, 0], 0.5) - np.log(5 * unit * (1 - unit))
    assert pdfs.log_prob(y).mean() > exact.mean() - 0.03
    assert pdfs.quantiles([0.001, 0.999]).min() > 10
