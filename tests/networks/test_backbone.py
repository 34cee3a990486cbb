"""Backbones of one's own: images and sequences go the road that columns go."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from sfumato.estimators.fitting import Data, FittingPlan, fit_arrays
from sfumato.families import MixtureFamily, Normal
from sfumato.networks.backbone import Backbone, Unchanged
from sfumato.networks.density import ConditionalDensity, Inputs, Network
from sfumato.networks.head import Head
from sfumato.networks.layers import Linear, fold
from sfumato.preprocessing import AffineScaler
from sfumato.uncertainty import Ensemble, MonteCarloDropout, Variational

N, NOISE = 200, 0.1


class Convolved(Backbone):
    """One convolution over any number of axes, squares, a mean over places, and a dense layer."""

    kernel: jax.Array
    dense: Linear

    def __init__(self, shape, *, width=4, key):
        first, second = jax.random.split(key)
        self.kernel = 0.5 * jax.random.normal(first, (width, *shape))
        self.dense = Linear(width, 8, key=second)

    @property
    def out_size(self):
        return 8

    def __call__(self, x, *, key=None, strength=1.0):
        rows = jnp.moveaxis(x, -1, 0)
        dims = (1,) * (rows.ndim - 2)
        found = jax.lax.conv_general_dilated(rows, self.kernel, dims, "SAME")
        pooled = jnp.mean(found**2, axis=tuple(range(2, found.ndim))).T
        return jnp.tanh(self.dense(pooled, key=fold(key, 0)))

    def dense_layers(self):
        return (self.dense,)


class Builder:
    def __init__(self, shape):
        self.shape = shape

    def build(self, family, *, bias, key):
        first, second = jax.random.split(key)
        body = Convolved(self.shape, key=first)
        return ConditionalDensity(Unchanged(), body, Head(8, family, bias=bias, key=second))


def waves(shape):
    """Noise of a random amplitude (n, 1, *shape): the target is how strong it is."""
    rng = np.random.default_rng(0)
    size = rng.uniform(0.3, 1.5, N)
    x = size.reshape(-1, *(1,) * (len(shape) + 1)) * rng.normal(size=(N, 1, *shape))
    return x, np.log(np.mean(x**2, axis=tuple(range(1, x.ndim)))) + NOISE * rng.normal(size=N)


@pytest.mark.parametrize(
    "strategy",
    [
        pytest.param(Ensemble(), id="ensemble"),
        pytest.param(Variational(), id="variational", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize(
    ("shape", "kernel"),
    [
        pytest.param((16, 16), (1, 3, 3), marks=pytest.mark.slow, id="images"),
        pytest.param((64,), (1, 5), marks=pytest.mark.slow, id="sequences"),
    ],
)
def test_images_and_sequences_train_like_columns(shape, kernel, strategy):
    x, y = waves(shape)
    family = MixtureFamily(Normal(), 1, float(y.mean()), float(y.std()))
    inputs = Inputs(None, AffineScaler(jnp.zeros(1), jnp.ones(1)))
    plan = FittingPlan(strategy, n_members=2, max_epochs=50, batch_size=50, learning_rate=2e-2)
    data = Data(x, family.to_unit(y), np.ones(N))
    fitted = fit_arrays(
        family, Builder(kernel), inputs, data, plan=plan, rng=np.random.default_rng(0)
    )
    network = Network(inputs, fitted.members)
    assert network.n_members == 2
    params = network.parameters(jnp.asarray(x, jnp.float32))
    assert params["loc"].shape == (N, 2, 1)
    mean = family.from_unit(np.asarray(params["loc"]).mean(axis=(1, 2)))
    # the targets scatter by 0.5; what is left is their noise and a quarter more at most
    assert np.std(y) > 0.8
    assert np.sqrt(np.mean((mean - y) ** 2)) < 2.5 * NOISE
    stated = family.scale * np.asarray(params["scale"]).mean()
    assert NOISE / 2 < stated < 4 * NOISE
    if isinstance(strategy, Variational):
        drawn = fitted.members.backbone.dense.weight
        assert np.all(np.std(np.asarray(drawn), axis=0) > 0)  # two draws, not two copies


def test_a_strategy_says_what_a_backbone_lacks():
    x, y = waves((64,))
    family = MixtureFamily(Normal(), 1)
    plan = FittingPlan(MonteCarloDropout(), n_members=2, max_epochs=1)
    inputs = Inputs(None, AffineScaler(jnp.zeros(1), jnp.ones(1)))
    with pytest.raises(ValueError, match=r"Convolved has no dropout with gates.*Use uncertainty="):
        fit_arrays(
            family,
            Builder((1, 5)),
            inputs,
            Data(x, y, np.ones(N)),
            plan=plan,
            rng=np.random.default_rng(0),
        )


@pytest.mark.slow
def test_other_layers_in_the_places_of_the_dense_ones():
    family = MixtureFamily(Normal(), 2)
    member = Builder((1, 5)).build(family, bias=np.zeros(6), key=jax.random.key(0))
    layers = [eqx.tree_at(lambda a: a.weight, a, 0 * a.weight) for a in member.dense_layers()]
    silent = member.with_dense_layers(layers)
    x = jnp.asarray(np.random.default_rng(0).normal(size=(1, 20, 7)), jnp.float32)
    assert np.any(member(x)["loc"] != member(x)["loc"][:, :1])
    np.testing.assert_array_equal(silent(x)["loc"], 0)
    expected = stats.norm(0, np.log(2) + 0.01).logpdf(0.3)
    np.testing.assert_allclose(silent.log_prob(x, jnp.full(7, 0.3)), expected, rtol=1e-5)
