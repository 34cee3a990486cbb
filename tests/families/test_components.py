"""Densities, links and moments of every family against SciPy and quadrature."""

import itertools
import pickle
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from cases import SCALAR, VECTOR, bound, parameters_of, unit_targets
from sfumato.errors import DataError, ShapeError
from sfumato.families import COMPONENTS, Beta, MixtureFamily, Normal, family_from_dict
from sfumato.families.beta import beta_log_prob
from sfumato.families.choosing import check_support, choose_family, families_for
from sfumato.families.links import link_of
from sfumato.families.normal import normal_mixture_log_prob
from sfumato.families.start import initial_raw
from sfumato.families.table import REGRESSION

TWINS = {
    "beta": stats.beta,
    "normal": stats.norm,
    "laplace": stats.laplace,
    "logistic": stats.logistic,
    "student-t": stats.t,
    "gumbel": stats.gumbel_r,
    "lognormal": lambda loc, scale: stats.lognorm(scale, scale=np.exp(loc)),
    "gamma": lambda a, rate: stats.gamma(a, scale=1 / rate),
    "inverse-gamma": lambda a, rate: stats.invgamma(a, scale=rate),
    "weibull": lambda scale, c: stats.weibull_min(c, scale=scale),
    "exponential": lambda rate: stats.expon(scale=1 / rate),
    "chi-squared": stats.chi2,
    "truncated-normal": lambda m, s: stats.truncnorm(-m / s, (1 - m) / s, m, s),
    "poisson": stats.poisson,
    "negative-binomial": lambda m, c: stats.nbinom(c, c / (c + m)),
    "binomial": lambda p: stats.binom(12, p),
    "geometric": lambda p: stats.geom(p, loc=-1),
}


@pytest.mark.parametrize("name", TWINS)
def test_exact_functions_equal_scipy(name):
    params = parameters_of(name, n=400)
    component, twin = bound(name), TWINS[name](*params)
    y = twin.rvs(size=400, random_state=1)
    density = twin.logpmf(y) if component.kind == "count" else twin.logpdf(y)
    np.testing.assert_allclose(component.log_density(y, *params), density, rtol=1e-8)
    np.testing.assert_allclose(component.cdf(y, *params), twin.cdf(y), rtol=1e-9)
    mean, variance = component.moments(*params)
    np.testing.assert_allclose(mean, twin.mean(), rtol=1e-10)
    np.testing.assert_allclose(variance, twin.var(), rtol=1e-10)


@pytest.mark.parametrize("name", TWINS)
def test_training_density_equals_scipy_in_single_precision(name):
    params = [v.astype(np.float32) for v in parameters_of(name, n=400)]
    twin = TWINS[name](*(v.astype(float) for v in params))
    y = twin.rvs(size=400, random_state=2).astype(np.float32)
    component = bound(name)
    y = np.asarray(component.clip(y))
    ours = component.log_prob(jnp.asarray(y), *map(jnp.asarray, params))
    exact = (
        twin.logpmf(y.astype(float)) if component.kind == "count" else twin.logpdf(y.astype(float))
    )
    # 5e-3: the rounding of y and the parameters to 24 bits at a precision of 1e5
    np.testing.assert_allclose(ours, exact, atol=5e-3, rtol=2e-4)


@pytest.mark.parametrize(
    "name", ["uniform", pytest.param("spline", marks=pytest.mark.slow), "histogram"]
)
def test_families_of_our_own_are_densities(name):
    component, params = bound(name), parameters_of(name, n=6)
    for row in range(6):
        own = [values[row] for values in params]
        low, high = (float(v) for v in component.reach(*own))
        breaks = np.linspace(low, high, 41)

        def density(u, own=own):
            return float(np.exp(component.log_density(np.array(u), *own)))

        pieces = [
            integrate.quad(density, a, b, limit=200)[0] for a, b in itertools.pairwise(breaks)
        ]
        assert np.sum(pieces) == pytest.approx(1, abs=1e-6)
        middle = component.cdf(breaks[20], *own)
        assert middle == pytest.approx(np.sum(pieces[:20]), abs=1e-6)
        moment = sum(
            integrate.quad(lambda u: u * density(u), a, b, limit=200)[0]
            for a, b in itertools.pairwise(breaks)
        )
        assert component.moments(*own)[0] == pytest.approx(moment, abs=1e-5)


@pytest.mark.parametrize("name", ["uniform", "spline"])
def test_our_own_training_densities_equal_the_exact_ones(name):
    component, params = bound(name), parameters_of(name, n=200)
    u = component.sample(np.random.default_rng(0), *params)
    behind = [jnp.asarray(np.moveaxis(v[None], 1, -1), jnp.float32) for v in params]
    ours = component.log_prob(jnp.asarray(u, jnp.float32), *behind)[0]
    np.testing.assert_allclose(ours, component.log_density(u, *params), atol=3e-3, rtol=1e-4)


@pytest.mark.parametrize("name", SCALAR)
def test_samples_follow_the_cdf(name):
    component = bound(name)
    params = [np.repeat(v[:1], 4000, axis=0) for v in parameters_of(name, n=1)]
    draws = component.sample(np.random.default_rng(5), *params)
    own = [v[0] for v in params]
    if component.kind == "count":
        below, at = component.cdf(draws - 1, *own), component.cdf(draws, *own)
        pit = below + np.random.default_rng(6).random(4000) * (at - below)
    else:
        pit = component.cdf(draws, *own)
    assert stats.kstest(pit, "uniform").pvalue > 1e-3
    assert stats.kstest(0.7 * pit, "uniform").pvalue < 1e-6


@pytest.mark.parametrize("name", VECTOR)
def test_vector_families_equal_scipy_and_their_draws(name):
    component, params = bound(name), parameters_of(name, n=5)
    natural = component.natural(*params, component)
    rng = np.random.default_rng(2)
    for row in range(5):
        own = [np.repeat(v[row : row + 1], 6000, axis=0) for v in params]
        draws = component.sample(rng, *own)
        if name == "dirichlet":
            twin = stats.dirichlet(natural[0][row])
        elif name == "multinomial":
            twin = stats.multinomial(component.trials, natural[0][row])
        else:
            tril = natural[1][row]
            twin = stats.multivariate_normal(natural[0][row], tril @ tril.T)
        some = draws[:50]
        density = twin.logpmf(some) if name == "multinomial" else None
        if density is None:
            density = [twin.logpdf(value) for value in some]
        np.testing.assert_allclose(
            component.log_density(some, *(v[:50] for v in own)), density, rtol=1e-6, atol=1e-6
        )
        behind = [jnp.asarray(np.moveaxis(v[None, :50], 1, -1), jnp.float32) for v in own]
        trained = component.log_prob(jnp.asarray(some.T, jnp.float32), *behind)[0]
        np.testing.assert_allclose(trained, density, rtol=2e-3, atol=1e-2)
        covariance = component.covariance(*(v[:1] for v in own))[0]
        mean = component.mean(*(v[:1] for v in own))[0]
        error = 5 * np.sqrt(np.diag(covariance) / 6000)
        assert np.all(np.abs(draws.mean(axis=0) - mean) <= error)
        scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
        # five standard errors of a covariance, 2 / sqrt(n) of the product of deviations at most
        assert np.all(np.abs(np.cov(draws.T) - covariance) <= 5 * 2 / np.sqrt(6000) * scale)


@pytest.mark.slow
def test_the_fused_normal_mixture_has_the_plain_ones_value_and_gradient():
    rng = np.random.default_rng(0)
    u, loc = rng.normal(size=50), rng.normal(size=(4, 50))
    scale = np.exp(rng.normal(size=(4, 50)))
    logits = rng.normal(size=(4, 50))

    def plain(u, logits, loc, scale):
        z = (u - loc) / scale
        terms = jax.nn.log_softmax(logits, axis=0) - 0.5 * z * z - jnp.log(scale)
        return jax.nn.logsumexp(terms - 0.5 * float(np.log(2 * np.pi)), axis=0)

    def fused(u, logits, loc, scale):
        return normal_mixture_log_prob(u, jax.nn.log_softmax(logits, axis=0), loc, scale)

    arguments = [jnp.asarray(v, jnp.float32) for v in (u, logits, loc, scale)]
    np.testing.assert_allclose(fused(*arguments), plain(*arguments), rtol=1e-5, atol=1e-5)
    ours, theirs = (
        jax.grad(lambda *a, f=f: f(*a).sum(), argnums=(0, 1, 2, 3))(*arguments)
        for f in (fused, plain)
    )
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_beta_variance_is_not_the_squared_product():
    # a b / ((a+b)^2 (a+b+1)): for (2, 3) it is 6 / (25 * 6)
    assert Beta().moments(np.array(2.0), np.array(3.0))[1] == pytest.approx(0.04)


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
def test_constrained_parameters_give_finite_density_and_gradient(name):
    component = bound(name)
    k = len(component.constants[0]) if component.constants else 3
    family = MixtureFamily(component, k)
    pattern = np.resize([1.0, -1, 0.5, 1, -1, 0.2, 1, -1, -0.3], family.n_raw)
    raws = jnp.asarray([sign * size * pattern for size in (0, 5, 50, 1e4) for sign in (-1, 1)])
    targets = jnp.asarray(np.stack([component.clip(u) for u in unit_targets(name)]), jnp.float32)

    def log_prob(raw, target):
        return family.log_prob(family.constrain(raw), target)

    both = jax.vmap(jax.vmap(jax.value_and_grad(log_prob), (0, None)), (None, 0))
    values, slopes = jax.jit(both)(raws.astype(jnp.float32), targets)
    assert np.all(np.isfinite(values))
    assert np.all(np.isfinite(slopes))


def test_a_predicted_beta_is_bounded():
    raw = np.random.default_rng(0).normal(size=(2, 500)) * 20
    alpha, beta = Beta().constrain(jnp.asarray(raw[0]), jnp.asarray(raw[1]))
    assert float(alpha.min()) >= 1
    assert float(beta.min()) >= 1


ONE_PARAMETER = {"exponential", "chi-squared", "geometric", "poisson", "binomial"}


@pytest.mark.parametrize("name", SCALAR)
def test_the_start_covers_the_targets(name):
    component = bound(name)
    u = component.sample(np.random.default_rng(1), *parameters_of(name, n=4000, narrow=True))
    k = len(component.constants[0]) if component.constants else 6
    k = 1 if name == "spline" else k
    family = MixtureFamily(component, k)
    start = jnp.asarray(initial_raw(family, u))
    params = {key: np.asarray(v)[None, None] for key, v in family.constrain(start).items()}
    weights = np.exp(params["log_weights"][0, 0])
    mean, variance = (v[0, 0] for v in component.moments(*family.exact_parameters(params)))
    overall = np.sum(weights * mean)
    assert overall == pytest.approx(u.mean(), abs=0.12 * u.std())
    if name not in ONE_PARAMETER:
        total = np.sum(weights * (variance + (mean - overall) ** 2))
        assert np.sqrt(total) == pytest.approx(u.std(), rel=0.4)


def test_centres_are_kmeans_or_given():
    u = np.concatenate([np.full(50, -2.0), np.full(50, 3.0)]) + 0.01 * np.arange(100) / 100
    family = MixtureFamily(Normal(), 2)
    raw = initial_raw(family, u, centres="kmeans")
    assert sorted(np.round(raw[2:4], 1)) == [-2.0, 3.0]
    assert initial_raw(family, u, centres=[0.5, 1.5])[2:4].tolist() == [0.5, 1.5]
    with pytest.raises(ShapeError, match=r"`centres` must have shape \(2,\)"):
        initial_raw(family, u, centres=[0.5])
    with pytest.raises(ValueError, match="'quantiles', 'kmeans' or an array"):
        initial_raw(family, u, centres="median")


@pytest.mark.parametrize("component", [Beta(), Normal()])
def test_narrow_keeps_the_mean_and_scales_the_precision(component):
    first, second = parameters_of(component.name, n=400)
    first, second = first + 1, second + 1
    weights, narrow = component.narrow(np.zeros(400), (first, second), 0.4)
    assert np.all(weights == 0)
    np.testing.assert_allclose(
        component.moments(*map(np.asarray, narrow))[0],
        component.moments(first, second)[0],
        rtol=1e-5,
    )
    gained = component.log_precision(*narrow) - component.log_precision(first, second)
    np.testing.assert_allclose(gained, 0.4, atol=1e-4)


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_family_survives_its_dictionary_and_pickling(name):
    family = MixtureFamily(bound(name), 3, 0.5, 2.0)
    assert family_from_dict(family.to_dict()) == family
    assert pickle.loads(pickle.dumps(family)).to_dict() == family.to_dict()


def test_links_undo_themselves():
    from numpyro.distributions import constraints

    rng = np.random.default_rng(0)
    tril = np.tril(rng.normal(size=(4, 3, 3))) + 3 * np.eye(3)
    cases = [
        (constraints.real, rng.normal(size=50)),
        (constraints.positive, np.exp(rng.normal(size=50))),
        (constraints.unit_interval, rng.uniform(0.01, 0.99, 50)),
        (constraints.simplex, rng.dirichlet(np.ones(4), size=6)),
        (constraints.lower_cholesky, tril),
    ]
    for constraint, values in cases:
        link = link_of(constraint)
        back = link.forward(jnp.asarray(link.inverse(values, 0.0), jnp.float32), 0.0)
        np.testing.assert_allclose(back, values, rtol=2e-3, atol=1e-5)
    with pytest.raises(ValueError, match="no link for the constraint"):
        link_of(constraints.circular)


def test_auto_names_a_family_and_a_reason():
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(3), 50)
    cases = {
        "normal": rng.normal(size=200),
        "gamma": rng.gamma(3, size=200),
        "lognormal": np.exp(2.5 * rng.normal(size=500)),
        "beta": rng.beta(2, 2, 200),
        "poisson": rng.poisson(3, 500),
        "negative-binomial": rng.negative_binomial(1, 0.1, 500),
        "dirichlet": shares,
        "multinomial": rng.multinomial(5, [0.2, 0.3, 0.5], 50),
        "multivariate-normal": rng.normal(size=(50, 2)),
    }
    for name, y in cases.items():
        chosen, reason = choose_family(np.asarray(y, float))
        assert chosen == name
        assert reason.startswith("the targets")
        assert name in families_for(np.asarray(y, float))


def test_targets_outside_the_support_are_named_with_what_would_fit():
    y = np.array([1.0, 2.0, -3.0])
    with pytest.raises(DataError, match=r"values above 0; the target of row 3 is -3.*'normal'"):
        check_support(COMPONENTS["gamma"], y, y)
    y = np.array([1.0, 2.5, 3.0])
    with pytest.raises(DataError, match=r"whole numbers.*row 2 is 2.5.*'gamma'"):
        check_support(COMPONENTS["poisson"], y, y)
    y = np.array([1.0, 7.0])
    with pytest.raises(DataError, match=r"up to .*5 trials; .*row 2 is 7"):
        check_support(replace(COMPONENTS["binomial"], trials=5), y, y)
    y = np.array([[0.5, 0.5], [0.5, 0.6]])
    with pytest.raises(DataError, match=r"add up to 1; the target of row 2"):
        check_support(COMPONENTS["dirichlet"], y, y)


def test_every_family_of_the_seeds_is_in_the_table():
    wanted = "normal laplace logistic student-t lognormal gamma inverse-gamma weibull exponential"
    wanted += " chi-squared beta truncated-normal uniform gumbel poisson negative-binomial binomial"
    wanted += " geometric multivariate-normal multivariate-normal-diagonal dirichlet multinomial"
    wanted += " multivariate-normal-low-rank histogram spline logit-normal box-cox-normal"
    assert set(wanted.split()) == set(REGRESSION)
