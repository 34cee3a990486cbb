"""What weights are uncertain about: every strategy, its parts against formulas, and its limits."""

from dataclasses import asdict

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import distributions
from scipy import linalg, stats
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sfumato import MDNRegressor, read_model, write_model
from sfumato.families import MixtureFamily, Normal
from sfumato.networks.architecture import Architecture
from sfumato.networks.density import Inputs
from sfumato.networks.layers import Dropout, Linear
from sfumato.preprocessing import AffineScaler
from sfumato.uncertainty._base import StrategyTask
from sfumato.uncertainty.batch_ensemble import BatchEnsemble
from sfumato.uncertainty.dropout import MonteCarloDropout, thinned
from sfumato.uncertainty.ensembles import Ensemble, Single
from sfumato.uncertainty.laplace import Laplace, curvature
from sfumato.uncertainty.strategies import STRATEGIES
from sfumato.uncertainty.variational import BayesianLinear, Variational
from sfumato.uncertainty.weight_posterior import NUTS, SVI

RNG = np.random.default_rng(3)
FAST = {
    "nuts": NUTS(n_warmup=60, n_samples=30, n_chains=1),
    "svi": SVI(n_steps=1500, learning_rate=5e-3),
}


@pytest.fixture(scope="module")
def wave():
    x = RNG.uniform(-1, 1, (200, 1))
    return x, np.sin(4 * x[:, 0]) + 0.1 * RNG.normal(size=200)


def network(seed=0, *, hidden=(6, 5), n_features=2, k=1):
    family = MixtureFamily(Normal(), k)
    architecture = Architecture(n_features, hidden_sizes=hidden, activation="tanh")
    return architecture.build(family, bias=np.zeros(family.n_raw), key=jax.random.key(seed))


def stacked(member):
    arrays, static = eqx.partition(member, eqx.is_array)
    return eqx.combine(jax.tree.map(lambda a: a[None], arrays), static)


def task(x, u, *, n_members=4, seed=0):
    scaler = AffineScaler(jnp.zeros(x.shape[1]), jnp.ones(x.shape[1]))
    return StrategyTask(Inputs(None, scaler), x, u, np.ones(len(u)), n_members, seed)


SLOW = ("none", "ensemble", "variational", "dropout", "batch-ensemble", "laplace", "nuts", "svi")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in STRATEGIES]
)
def test_every_strategy_is_unsure_where_it_has_seen_nothing(name, wave):
    x, y = wave
    small = {"hidden_sizes": (8,)} if name in ("nuts", "svi") else {"hidden_sizes": (32, 32)}
    model = MDNRegressor(
        uncertainty=FAST.get(name, name),
        n_components=1,
        activation="silu",
        max_epochs=100,
        batch_size=50,
        patience=None,
        learning_rate=1e-2,
        embedding="none",
        random_state=0,
        **small,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *_, **__: None)  # short chains are not the point
        model.fit(x, y)
    inside, outside = np.linspace(-0.9, 0.9, 40)[:, None], np.array([[-3.0], [3.0]])
    near, far = model.predict_pdfs(inside), model.predict_pdfs(outside)
    aleatoric, epistemic = near.decompose()
    np.testing.assert_allclose(aleatoric + epistemic, near.variance(), rtol=1e-6)
    # it has learnt the wave: whoever repeats the nearest row misses it by the noise of a row, 0.1,
    # and least squares with p parameters by 0.1 sqrt(p / 200)
    truth = np.sin(4 * inside[:, 0])
    assert np.sqrt(np.mean((near.mean() - truth) ** 2)) < 0.1
    if name == "none":
        assert np.all(epistemic == 0)
        return
    assert near.n_members == STRATEGIES[name].default_members
    assert np.mean(far.decompose()[1]) > 3 * np.mean(epistemic)
    if name == "variational":
        again = clone(model).fit(x, y)
        np.testing.assert_array_equal(again.predict(inside), model.predict(inside))


OWN = {
    "none": Single(),
    "ensemble": Ensemble(),
    "dropout": MonteCarloDropout(rate=0.2, prior_length=0.3),
    "variational": Variational(prior_scale=0.7, initial_scale=0.1),
    "laplace": Laplace(n_draws=3, prior_precision=2.0),
    "batch-ensemble": BatchEnsemble(spread=0.3),
    "nuts": NUTS(n_warmup=4, n_samples=6, n_chains=1, prior_scale=0.8, max_weights=500),
    "svi": SVI(n_steps=20, learning_rate=1e-2, rank=2, prior_scale=0.8),
}
"""Every strategy with options that are not its defaults."""


LONG = (
    "none",
    "laplace",
    "dropout",
    "variational",
    "batch-ensemble",
    "nuts",
    "svi",
)  # to compile, however small


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n in LONG)) for n in STRATEGIES]
)
def test_members_of_any_strategy_survive_a_file(name, wave, tmp_path):
    x, y = wave
    strategy = OWN[name]
    model = MDNRegressor(
        uncertainty=strategy,
        n_members=None if name == "none" else 3,
        n_components=2,
        max_epochs=2,
        hidden_sizes=(4,),
        embedding="none",
        random_state=0,
    ).fit(x, y)
    write_model(model, tmp_path / "m")
    back = read_model(tmp_path / "m")
    assert type(back.uncertainty) is STRATEGIES[name]
    assert asdict(back.uncertainty) == asdict(strategy)
    assert back.get_params(deep=False) == model.get_params(deep=False)
    stored, read = model.predict_parameters(x), back.predict_parameters(x)
    n_members = 1 if name == "none" else 3
    assert stored["loc"].shape == (200, n_members, 2)
    assert set(stored) == set(read)
    for key, values in stored.items():
        np.testing.assert_array_equal(read[key], values)
    levels = [0.05, 0.5, 0.95]
    quantiles = model.predict_pdfs(x[:9]).quantiles(levels)
    np.testing.assert_array_equal(back.predict_pdfs(x[:9]).quantiles(levels), quantiles)
    assert back.history_.warnings == model.history_.warnings


# -- parts against formulas ------------------------------------------------------------------------


@pytest.mark.slow
def test_thinned_networks_are_dropout_passes():
    member = network()
    drops = tuple(Dropout(0.3) for _ in member.backbone.drops)
    member = eqx.tree_at(lambda m: m.backbone.drops, member, drops)
    x = jnp.asarray(RNG.normal(size=(2, 1)), jnp.float32)
    first, second = (jax.random.split(jax.random.key(seed), 900) for seed in (0, 1))
    thin = eqx.filter_vmap(lambda key: thinned(member, key)(x)["loc"][0, 0])(first)
    passes = eqx.filter_vmap(lambda key: member(x, key=key)["loc"][0, 0])(second)
    # the same distribution: two samples of 900
    assert stats.ks_2samp(np.array(thin), np.array(passes)).pvalue > 1e-3
    plain = eqx.tree_at(lambda m: m.backbone.drops, member, tuple(Dropout(0.0) for _ in drops))
    assert stats.ks_2samp(np.array(thin), np.full(900, plain(x)["loc"][0, 0])).pvalue < 1e-6


@pytest.mark.slow
def test_learned_dropout_rates_move_and_have_a_gradient(wave):
    strategy = MonteCarloDropout()
    member = strategy.prepare(network(n_features=1), key=jax.random.key(0), n_members=1)

    def loss(m):
        value = -m.log_prob(jnp.ones((1, 8)), jnp.ones(8), key=jax.random.key(1)).mean()
        return value + strategy.penalty(m, n_rows=50)

    slope = eqx.filter_grad(loss)(member)
    assert all(float(drop.logit) != 0 for drop in slope.backbone.drops)
    with pytest.raises(ValueError, match=r"`rate` must lie in \(0, 1\) or be 'concrete'; got 1.5"):
        MonteCarloDropout(rate=1.5)


def test_the_divergence_of_random_weights_is_numpyros():
    layer = Linear(3, 2, key=jax.random.key(0))
    random = BayesianLinear(
        layer.weight, layer.bias, jnp.full((2, 3), -1.0), jnp.full(2, -2.0), 0.7
    )
    expected = distributions.kl_divergence(
        distributions.Normal(layer.weight, np.exp(-1.0)), distributions.Normal(0, 0.7)
    ).sum()
    assert float(random.divergence()) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.slow
def test_drawn_preactivations_have_the_distribution_of_drawn_weights():
    layer = Linear(4, 1, key=jax.random.key(0))
    random = BayesianLinear(
        layer.weight, layer.bias, jnp.full((1, 4), -0.5), jnp.full(1, -1.0), 1.0
    )
    x = jnp.asarray(RNG.normal(size=4), jnp.float32)
    keys = jax.random.split(jax.random.key(2), 1500)
    local = jax.vmap(lambda key: random(x, key=key)[0])(keys)
    drawn = jax.vmap(lambda key: random.draw(key=key)(x)[0])(keys)
    assert stats.ks_2samp(np.asarray(local), np.asarray(drawn)).pvalue > 1e-3
    with pytest.raises(ValueError, match="`prior_scale` must be positive; got 0"):
        Variational(prior_scale=0)


@pytest.mark.slow
def test_a_shared_batch_and_its_members_written_out_agree():
    strategy = BatchEnsemble()
    member = strategy.prepare(network(), key=jax.random.key(3), n_members=4)
    x = jnp.asarray(RNG.normal(size=(2, 8)), jnp.float32)
    together = member(x)["loc"]
    finished = strategy.finish(stacked(member), task(np.zeros((3, 2)), np.zeros(3))).members
    for row in range(8):
        arrays, static = eqx.partition(finished, eqx.is_array)
        one = eqx.combine(jax.tree.map(lambda a, r=row: a[r % 4], arrays), static)
        np.testing.assert_allclose(one(x[:, row])["loc"], together[:, row], rtol=1e-4, atol=1e-6)


def test_the_last_layers_posterior_is_bayesian_linear_regression():
    # a Normal whose scale the head does not learn: linear regression on the embedding, in whose
    # outputs the Fisher information of the location is 1 / scale^2
    member = network(hidden=(4,))
    x, u = RNG.normal(size=(300, 2)), RNG.normal(size=300)
    work = task(x.astype(np.float32), u, n_members=4000)
    a, b = curvature(member, work, n_draws=200)
    h = np.asarray(member.embed(jnp.asarray(x.T, jnp.float32)), float)
    features = np.concatenate([h, np.ones((1, 300))])
    np.testing.assert_allclose(a, features @ features.T, rtol=1e-4)
    scale = np.asarray(member(jnp.asarray(x.T, jnp.float32))["scale"], float)[0]
    # five standard errors: a squared unit Normal has deviation sqrt 2, over 60,000 draws
    assert b[1, 1] == pytest.approx(np.mean(1 / scale**2), rel=5 * np.sqrt(2 / 60_000) + 0.01)
    assert abs(b[0]).max() < 1e-6  # one component: its logit says nothing
    drawn = Laplace(n_draws=200, prior_precision=3.0).finish(stacked(member), work).members
    weights = np.asarray(drawn.head.linear.weight)[:, 1, :]
    bias = np.asarray(drawn.head.linear.bias)[:, 1]
    joint = np.concatenate([weights, bias[:, None]], axis=1)
    precision = np.kron(b, a) + 3.0 * np.eye(a.shape[0] * b.shape[0])
    block = linalg.inv(precision)[5:10, 5:10]
    np.testing.assert_allclose(np.cov(joint.T), block, atol=6 * block.max() / np.sqrt(4000))


# -- limits ----------------------------------------------------------------------------------------


def test_nuts_refuses_large_networks_with_the_count_and_the_alternative(wave):
    model = MDNRegressor(uncertainty="nuts", hidden_sizes=(64, 64), embedding="none")
    with pytest.raises(ValueError, match=r"NUTS would sample 4873 weights.*uncertainty='svi'"):
        model.fit(*wave)


@pytest.mark.slow
def test_sampling_that_has_not_converged_is_a_warning_with_a_cure(wave):
    # thirty large steps gained .04 to .33 nats over their last fifth with each of eight seeds
    hasty = SVI(n_steps=30, learning_rate=3e-2)
    small = {"hidden_sizes": (8,), "max_epochs": 5, "embedding": "none", "random_state": 4}
    model = MDNRegressor(uncertainty=hasty, n_members=2, **small)
    with pytest.warns(ConvergenceWarning, match="SVI was still gaining .* raise n_steps"):
        model.fit(*wave)
    assert "raise n_steps" in model.history_.warnings[0]


@pytest.mark.slow
def test_training_that_has_not_converged_is_a_warning_with_a_cure(wave):
    model = MDNRegressor(max_epochs=20, learning_rate=1e-4, n_members=1, hidden_sizes=(32,))
    model.set_params(learning_rate=1e-2, batch_size=20, random_state=0, embedding="none")
    model.set_params(dropout_rate=0.0, averaging=0.0, n_components=5, validation_fraction=0.1)
    with pytest.warns(ConvergenceWarning, match="Training was still gaining .* raise max_epochs"):
        model.fit(wave[0], 100 * wave[1])
    assert model.history_.warnings


@pytest.mark.slow
def test_sampling_sees_priors_and_refuses_what_it_cannot_see(wave):
    x, y = wave
    small = {"hidden_sizes": (6,), "n_members": 4, "max_epochs": 20, "embedding": "none"}
    spread = {}
    for name, priors in {"plain": None, "flat": {"all": ("normal", 1e-3)}}.items():
        model = MDNRegressor(uncertainty=FAST["svi"], priors=priors, random_state=0, **small)
        spread[name] = np.ptp(model.fit(x, y).predict(x))
    assert spread["flat"] < 0.3 * spread["plain"]
    with pytest.raises(ValueError, match=r"samples weights for fixed features\. Give X_err to"):
        MDNRegressor(uncertainty="svi", **small).fit(x, y, X_err=[0.1])
    with pytest.raises(ValueError, match="holds out none: it cannot recalibrate"):
        MDNRegressor(uncertainty="nuts", recalibrate=True, **small).fit(x, y)


def test_unknown_strategies_are_refused(wave):
    with pytest.raises(ValueError, match="`uncertainty` must be one of 'none', 'ensemble'"):
        MDNRegressor(uncertainty="bootstrap").fit(*wave)
