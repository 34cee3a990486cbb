"""Densities, links and moments of the component families against SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sfumato.families import COMPONENTS, Beta, MixtureFamily, Normal
from sfumato.families.beta import beta_log_prob

TWINS = {"beta": stats.beta, "normal": stats.norm}


def draws(name, n=400, seed=0):
    rng = np.random.default_rng(seed)
    if name == "beta":
        precision = np.exp(rng.uniform(np.log(2), np.log(1e5), n))
        mean = rng.uniform(0.05, 0.95, n)
        first, second = 0.3 + mean * precision, 0.3 + (1 - mean) * precision
    else:
        first, second = rng.normal(size=n), np.exp(rng.normal(size=n))
    return first, second


@pytest.mark.parametrize("name", COMPONENTS)
def test_exact_functions_equal_scipy(name):
    first, second = draws(name)
    component, twin = COMPONENTS[name], TWINS[name](first, second)
    y = twin.rvs(random_state=1)
    np.testing.assert_allclose(component.log_density(y, first, second), twin.logpdf(y), rtol=1e-8)
    np.testing.assert_allclose(component.cdf(y, first, second), twin.cdf(y), rtol=1e-9)
    mean, variance = component.moments(first, second)
    np.testing.assert_allclose(mean, twin.mean(), rtol=1e-12)
    np.testing.assert_allclose(variance, twin.var(), rtol=1e-12)


def test_beta_variance_is_not_the_squared_product():
    # a b / ((a+b)^2 (a+b+1)): for (2, 3) it is 6 / (25 * 6)
    assert Beta().moments(np.array(2.0), np.array(3.0))[1] == pytest.approx(0.04)


@pytest.mark.parametrize("name", COMPONENTS)
def test_training_density_equals_scipy_in_single_precision(name):
    first, second = (v.astype(np.float32) for v in draws(name))
    twin = TWINS[name](first.astype(float), second.astype(float))
    y = (
        np.clip(twin.rvs(random_state=2), 1e-5, 1 - 1e-5).astype(np.float32)
        if (name == "beta")
        else twin.rvs(random_state=2).astype(np.float32)
    )
    ours = COMPONENTS[name].log_prob(jnp.asarray(y), jnp.asarray(first), jnp.asarray(second))
    # 5e-3: the rounding of y and the parameters to 24 bits at a precision of 1e5
    np.testing.assert_allclose(ours, twin.logpdf(y.astype(float)), atol=5e-3, rtol=1e-4)


@given(st.floats(-2.5, 11.5), st.floats(-4, 4), st.floats(0.001, 0.999))
def test_beta_derivatives_equal_finite_differences(log_precision, logit, y):
    mean = 1 / (1 + np.exp(-logit))
    alpha, beta = mean * np.exp(log_precision), (1 - mean) * np.exp(log_precision)
    slopes = jax.grad(beta_log_prob, argnums=(1, 2))(
        jnp.float32(y), jnp.float32(alpha), jnp.float32(beta)
    )
    y = float(np.float32(y))
    for index, value in enumerate((alpha, beta)):
        step = 1e-4 * value
        ends = []
        for sign in (-1, 1):
            pair = [alpha, beta]
            pair[index] += sign * step
            ends.append(stats.beta.logpdf(y, *pair))
        expected = (ends[1] - ends[0]) / (2 * step)
        # single precision of log(y / m) near m, times the sensitivity of the difference
        scale = 1 + abs(np.log(y)) + abs(np.log1p(-y)) + 1 / value
        assert float(slopes[index]) == pytest.approx(expected, abs=2e-3 * scale)


@pytest.mark.parametrize("name", COMPONENTS)
@pytest.mark.parametrize("size", [0.0, 5.0, 50.0, 1e4])
def test_constrained_parameters_give_finite_density_and_gradient(name, size):
    family = MixtureFamily(COMPONENTS[name], 3)
    for sign in (-1.0, 1.0):
        raw = sign * size * jnp.array([1.0, -1, 0.5, 1, -1, 0.2, 1, -1, -0.3])
        for u in (0.0, 1e-7, 0.5, 1.0, 3.0):
            target = family.to_unit(jnp.float32(u))
            value, slope = jax.value_and_grad(
                lambda r, t=target: family.log_prob(family.constrain(r), t)
            )(raw)
            assert np.isfinite(value)
            assert np.all(np.isfinite(slope))


def test_a_predicted_beta_is_bounded():
    raw = np.random.default_rng(0).normal(size=(2, 500)) * 20
    alpha, beta = Beta().constrain(jnp.asarray(raw[0]), jnp.asarray(raw[1]))
    assert float(alpha.min()) >= 1
    assert float(beta.min()) >= 1


@pytest.mark.parametrize("name", COMPONENTS)
def test_initial_raw_covers_the_targets(name):
    u = np.random.default_rng(1).beta(2, 5, 4000)
    family = MixtureFamily(COMPONENTS[name], 6)
    params = {k: np.asarray(v) for k, v in family.constrain(family.initial_raw(u)).items()}
    first, second = family.exact_parameters(params)
    mean, variance = family.component.moments(first, second)
    assert np.mean(mean) == pytest.approx(u.mean(), abs=0.02)
    total = np.mean(variance) + np.var(mean)
    assert np.sqrt(total) == pytest.approx(u.std(), rel=0.35)


@pytest.mark.parametrize("component", [Beta(), Normal()])
def test_narrow_keeps_the_mean_and_scales_the_precision(component):
    first, second = draws(component.name)
    first, second = first + 1, second + 1
    narrow = component.narrow(first, second, 0.4)
    np.testing.assert_allclose(
        component.moments(*map(np.asarray, narrow))[0],
        component.moments(first, second)[0],
        rtol=1e-5,
    )
    gained = component.log_precision(*narrow) - component.log_precision(first, second)
    np.testing.assert_allclose(gained, 0.4, atol=1e-4)
