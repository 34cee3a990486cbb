"""The loop: what it finds, what it keeps, when it stops, how often it is traced."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfumato.networks import MLP
from sfumato.networks.layers import Linear, dropout
from sfumato.preprocessing import SCALERS
from sfumato.training import Rows, fit, make_optimiser
from sfumato.training.schedules import strengths_at

TRACES = []


def line_loss(member, inputs, batch, key, strengths):
    TRACES.append(batch.x.shape)
    return (member(batch.x)[0] - batch.y) ** 2


def run(*, epochs=150, patience=None, seed=0, poison=False, members=3, on_epoch=None):
    rng = np.random.default_rng(5)
    x = rng.normal(size=(90, 2)).astype(np.float32)
    y = (x @ [2.0, -1.0] + 0.5).astype(np.float32)
    if poison:
        y[10] = np.nan
    keys = jax.random.split(jax.random.key(1), members)
    start = eqx.filter_vmap(lambda k: Linear(2, 1, key=k))(keys)
    rows = np.arange(90)
    return fit(
        start,
        Rows(
            jnp.asarray(x),
            jnp.asarray(y),
            jnp.ones(90),
            None,
            np.tile(rows[:60], (members, 1)),
            np.tile(rows[60:], (members, 1)),
            25,
        ),
        loss=line_loss,
        optimiser=make_optimiser(learning_rate=0.1, weight_decay=0.0, n_steps=epochs * 3),
        max_epochs=epochs,
        patience=patience,
        rng=np.random.default_rng(seed),
        on_epoch=on_epoch,
    )


def test_it_recovers_linear_regression():
    result = run()
    np.testing.assert_allclose(result.members.weight[:, 0], [[2.0, -1.0]] * 3, atol=1e-3)
    np.testing.assert_allclose(result.members.bias[:, 0], 0.5, atol=1e-3)


def test_same_seed_same_bits_other_seed_other_bits():
    first, second, third = run(epochs=5), run(epochs=5), run(epochs=5, seed=1)
    np.testing.assert_array_equal(first.members.weight, second.members.weight)
    assert np.any(first.members.weight != third.members.weight)


def test_it_stops_when_told_and_keeps_the_best_epoch():
    seen = []
    result = run(epochs=400, patience=3, on_epoch=lambda *a: seen.append(a))
    history = result.history
    assert history.n_epochs < 400
    assert len(seen) == history.n_epochs
    assert history.n_epochs - 1 - history.best_epoch.max() == 3
    np.testing.assert_array_equal(history.best_epoch, history.valid_loss.argmin(axis=0))


def test_one_compilation_for_all_epochs():
    TRACES.clear()
    run(epochs=4)
    # the scan's body once and the validation once, whatever the number of epochs or members
    assert len(TRACES) == 2


def test_a_step_without_a_finite_gradient_is_left_out_and_counted():
    result = run(epochs=60, poison=True)
    assert np.all(result.history.n_skipped_steps.sum(axis=0) == 60)  # one batch of every epoch
    np.testing.assert_allclose(result.members.weight[:, 0], [[2.0, -1.0]] * 3, atol=0.05)


def test_batches_hold_every_row_once():
    rows = np.arange(100, 147)[None].repeat(2, axis=0)
    nothing = jnp.zeros(147)
    source = Rows(nothing, nothing, nothing + 1, None, rows, rows, 10)
    steps = source.steps(np.random.default_rng(0))
    assert steps.shape == (2, 5, 10)
    for member in range(2):
        np.testing.assert_array_equal(np.sort(steps[member][steps[member] >= 0]), rows[0])
    assert np.any(steps[0] != steps[1])
    last = source.batch(steps[0, -1], jax.random.key(0))
    np.testing.assert_array_equal(last.weight, steps[0, -1] >= 0)  # the filling has no weight


def test_noise_fades_to_nothing():
    assert strengths_at(0.0) == strengths_at(0.3) == (1.0, 1.0)
    assert strengths_at(1.0) == (0.0, 1.0)
    assert strengths_at(0.7).noise == pytest.approx(0.5)
    fading = [strengths_at(p, dropout_fade=(0.05, 0.2)).dropout for p in (0.0, 0.05, 0.125, 0.3)]
    np.testing.assert_allclose(fading, [1.0, 1.0, 0.5, 0.0], atol=1e-6)


def test_dropout_keeps_the_mean_and_the_rate():
    x = jnp.ones((200, 500))
    out = np.asarray(dropout(x, rate=0.3, key=jax.random.key(0)))
    n = x.size
    assert np.mean(out == 0) == pytest.approx(0.3, abs=5 * np.sqrt(0.21 / n))
    np.testing.assert_allclose(out[out > 0], 1 / 0.7, rtol=1e-6)
    rows = (out == 0).mean(axis=1)
    assert rows.std() == pytest.approx(np.sqrt(0.21 / 500), rel=0.3)  # no row is favoured


def test_a_layer_is_a_matrix_product_and_batches_agree_with_examples():
    mlp = MLP(3, (4, 5), activation="tanh", key=jax.random.key(0))
    x = np.random.default_rng(0).normal(size=(3, 7)).astype(np.float32)
    hidden = x
    for layer in mlp.layers:
        hidden = np.tanh(np.asarray(layer.weight) @ hidden + np.asarray(layer.bias)[:, None])
    np.testing.assert_allclose(mlp(jnp.asarray(x)), hidden, atol=1e-6)
    np.testing.assert_allclose(mlp(jnp.asarray(x[:, 2])), hidden[:, 2], atol=1e-6)
    gradient = jax.grad(lambda m: mlp_sum(m, x))(mlp)
    assert all(np.any(leaf != 0) for leaf in jax.tree.leaves(gradient))


def mlp_sum(mlp, x):
    return jnp.sum(mlp(jnp.asarray(x)) ** 2)


def test_scalers_against_numpy_with_missing_values():
    x = np.random.default_rng(0).lognormal(size=(500, 3))
    x[::7, 1] = np.nan
    x[:, 2] = 4.0
    standard, robust = SCALERS["standard"](x), SCALERS["robust"](x)
    np.testing.assert_allclose(standard.centre, np.nanmean(x, axis=0), rtol=1e-6)
    np.testing.assert_allclose(robust.centre, np.nanmedian(x, axis=0), rtol=1e-6)
    spread = np.subtract(*np.nanquantile(x[:, 0], [0.75, 0.25])) / 1.349
    assert float(robust.scale[0]) == pytest.approx(spread, rel=1e-5)
    scaled = np.asarray(standard(jnp.asarray(x.T)))
    assert np.all(np.isfinite(scaled))
    assert np.all(scaled[1, ::7] == 0)
    assert np.all(scaled[2] == 0)
