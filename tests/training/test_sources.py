"""Sources without rows: a simulator whose best prediction is known."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfumato.errors import IncompatibleError
from sfumato.estimators.fitting import FittingPlan, fit_source
from sfumato.families import MixtureFamily, Normal
from sfumato.networks.backbone import Backbone, Unchanged
from sfumato.networks.density import ConditionalDensity, Inputs, Network
from sfumato.networks.head import Head
from sfumato.preprocessing import AffineScaler
from sfumato.training import Batch, Endless
from sfumato.uncertainty import Ensemble, Laplace

SLOPE, NOISE = np.array([0.8, -0.5], np.float32), 0.4
TRACES = []


class Identity(Backbone):
    """Features as they are: the head alone is linear regression."""

    n: int = eqx.field(static=True)

    @property
    def out_size(self):
        return self.n

    def __call__(self, x, *, key=None, strength=1.0):
        return x

    def dense_layers(self):
        return ()


class Line:
    def build(self, family, *, bias, key):
        return ConditionalDensity(Unchanged(), Identity(2), Head(2, family, bias=bias, key=key))


def draw(key, n, slope):
    """Theta ~ N(0, 1) in two numbers seen through noise: linear, Gaussian, in closed form."""
    TRACES.append(n)
    first, second = jax.random.split(key)
    x = jax.random.normal(first, (2, n))
    y = slope @ x + NOISE * jax.random.normal(second, (n,))
    return Batch(x, y, jnp.ones(n))


def source(**options):
    return Endless(draw, jnp.asarray(SLOPE), **options)


@pytest.mark.slow
def test_an_endless_source_reaches_the_closed_solution():
    TRACES.clear()
    family = MixtureFamily(Normal(), 1)
    inputs = Inputs(None, AffineScaler(jnp.zeros(2), jnp.ones(2)))
    plan = FittingPlan(
        Ensemble(), n_members=2, max_epochs=20, patience=None, weight_decay=0.0, learning_rate=2e-2
    )
    fitted = fit_source(
        family,
        Line(),
        inputs,
        source(n_members=2, batch_size=200, n_batches=40, n_valid=2000),
        plan=plan,
        rng=np.random.default_rng(0),
        n_rows=200 * 40 * 20,
    )
    params = Network(inputs, fitted.members).parameters(jnp.eye(2))
    centre = Network(inputs, fitted.members).parameters(jnp.zeros((1, 2)))["loc"]
    slope = (params["loc"] - centre)[:, :, 0].T
    # 160,000 draws, averaged over the last: five standard errors of a mean of 20,000 of them
    np.testing.assert_allclose(slope, [SLOPE, SLOPE], atol=5 * NOISE / np.sqrt(20_000))
    np.testing.assert_allclose(np.asarray(params["scale"]).mean(), NOISE, rtol=0.03)
    floor = np.log(NOISE) + 0.5 * np.log(2 * np.pi * np.e)
    assert fitted.history.valid_loss.min() == pytest.approx(floor, abs=5 / np.sqrt(2 * 2000))
    # two sizes, each traced once in the program of an epoch, and the validation seen on the host
    assert sorted(set(TRACES)) == [200, 2000]
    assert TRACES.count(200) == 1


def test_validation_is_the_same_in_every_epoch_and_training_never():
    endless = source(n_members=3, batch_size=4, n_batches=5, n_valid=6)
    rng = np.random.default_rng(0)
    first, second = endless.steps(rng), endless.steps(rng)
    assert first.shape == (3, 5)
    assert np.all(first != second)
    held = endless.held_out()
    np.testing.assert_array_equal(held, held[0])
    judged = endless.validation(jnp.asarray(held[0])).x
    np.testing.assert_array_equal(judged, endless.validation(jnp.asarray(held[1])).x)
    trained = endless.batch(jnp.asarray(held[0]), jax.random.key(0)).x
    assert not np.isin(np.asarray(trained), np.asarray(judged)).any()


def test_what_an_endless_source_cannot_do():
    family, inputs = (
        MixtureFamily(Normal(), 1),
        Inputs(None, AffineScaler(jnp.zeros(2), jnp.ones(2))),
    )
    rng = np.random.default_rng(0)

    def run(plan, n_members=2):
        return fit_source(
            family, Line(), inputs, source(n_members=n_members), plan=plan, rng=rng, n_rows=10
        )

    with pytest.raises(IncompatibleError, match="'laplace' looks at rows when training is over"):
        run(FittingPlan(Laplace(), max_epochs=1), 1)
    with pytest.raises(IncompatibleError, match="feeds 2 members; the plan trains 3"):
        run(FittingPlan(Ensemble(), n_members=3, max_epochs=1))
    with pytest.raises(ValueError, match="`max_epochs` must be given for a source without an end"):
        run(FittingPlan(Ensemble(), n_members=2))
