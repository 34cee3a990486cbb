"""Why the loss of a Beta mixture becomes NaN, reproduced in the naive form, and ours finite."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.scipy.special import gammaln

from sfumato.families import Beta, MixtureFamily
from sfumato.networks.architecture import Architecture
from sfumato.networks.density import Inputs
from sfumato.networks.members import make_members
from sfumato.preprocessing import SCALERS
from sfumato.training import Rows, fit, make_optimiser
from sfumato.training.losses import negative_log_likelihood

K = 5


def hard_data(n=600, seed=0):
    """Ten features, a bimodal target, and some targets exactly at and beyond the bounds."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 10)).astype(np.float32)
    y = 1 / (1 + np.exp(-3 * x[:, 0])) + 0.01 * rng.normal(size=n)
    y = np.where(rng.random(n) < 0.2, 1 - y, y)
    y[:3], y[3:6] = 0.0, 1.0
    return x, y.astype(np.float32)


def members(activation, dropout_rate, family, *, seed=0):
    return make_members(
        family,
        Architecture(
            10, hidden_sizes=(20, 20, 10), activation=activation, dropout_rate=dropout_rate
        ),
        n_members=1,
        initial_bias=np.zeros(3 * K),
        seed=seed,
    )


def naive_loss(network, x, y, key):
    """The textbook form: exp links, and the log of a sum of exponentiated densities."""
    raw = network.head.linear(network.backbone(x, key=key))
    weights = jax.nn.softmax(raw[:K], axis=0)
    a, b = jnp.exp(raw[K : 2 * K]), jnp.exp(raw[2 * K :])
    log_norm = gammaln(a + b) - gammaln(a) - gammaln(b)
    density = jnp.exp((a - 1) * jnp.log(y) + (b - 1) * jnp.log1p(-y) + log_norm)
    return -jnp.log(jnp.sum(weights * density, axis=0))


@pytest.mark.slow
def test_the_naive_form_loses_its_gradient():
    x, y = hard_data()
    y = np.clip(y, 1e-5, 1 - 1e-5)
    network = jax.tree.map(
        lambda leaf: leaf[0] if eqx.is_array(leaf) else leaf,
        members("relu", 0.5, MixtureFamily(Beta(), K)),
    )
    arrays, static = eqx.partition(network, eqx.is_array)
    optimiser = optax.adam(1e-2)
    state = optimiser.init(arrays)

    @jax.jit
    def step(arrays, state, key):
        def mean(a):
            return naive_loss(eqx.combine(a, static), jnp.asarray(x.T), jnp.asarray(y), key).mean()

        value, gradient = jax.value_and_grad(mean)(arrays)
        updates, state = optimiser.update(gradient, state)
        return optax.apply_updates(arrays, updates), state, value

    losses = []
    for index in range(1500):
        arrays, state, value = step(arrays, state, jax.random.key(index))
        losses.append(float(value))
        if not np.isfinite(losses[-1]):
            break
    assert not np.isfinite(losses[-1])
    # and it never recovers: one NaN in Adam's moments stays
    for index in range(3):
        arrays, state, value = step(arrays, state, jax.random.key(index))
    assert not np.isfinite(float(value))


def test_single_precision_log_gammas_cancel_and_ours_does_not():
    a, b = jnp.float32(3e6), jnp.float32(7e6)
    y = jnp.float32(0.3)
    textbook = (a - 1) * jnp.log(y) + (b - 1) * jnp.log1p(-y)
    textbook += gammaln(a + b) - gammaln(a) - gammaln(b)
    exact = Beta().log_density(*(np.float64(v) for v in (y, a, b)))
    assert abs(float(textbook) - exact) > 1
    assert float(Beta().log_prob(y, a, b)) == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize(
    ("activation", "dropout_rate"),
    [
        pytest.param(name, rate, marks=pytest.mark.slow)
        for name in ("tanh", "relu", "gelu", "silu")
        for rate in (0.0, 0.5)
    ],
)
def test_ten_thousand_steps_stay_finite(activation, dropout_rate):
    x, y = hard_data()
    family = MixtureFamily(Beta(), K)
    u = np.asarray(family.component.clip(family.to_unit(jnp.asarray(y))))
    rows = np.arange(len(y))[None]
    result = fit(
        members(activation, dropout_rate, family),
        Rows(jnp.asarray(x), jnp.asarray(u), jnp.ones(len(y)), None, rows, rows, 60),
        inputs=Inputs(None, SCALERS["none"](x)),
        loss=negative_log_likelihood,
        optimiser=make_optimiser(learning_rate=1e-2, weight_decay=1e-5, n_steps=10_000),
        max_epochs=1000,
        patience=None,
        rng=np.random.default_rng(0),
    )
    assert result.history.n_epochs * 10 == 10_000
    assert result.history.n_skipped_steps.sum() == 0
    assert np.all(np.isfinite(result.history.train_loss))
    assert np.all(np.isfinite(result.history.valid_loss))
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(result.members))
