"""Priors and penalties on layers, and the collapse of mixtures with its remedies."""

import jax
import numpy as np
import pytest
from numpyro import distributions
from scipy import stats

from sfumato import MDNRegressor
from sfumato.families import MixtureFamily, Normal
from sfumato.networks.architecture import Architecture
from sfumato.training.priors import PRIORS, check_priors, layer_weights, prior_loss

SMALL = {"hidden_sizes": (12, 8), "n_members": 1, "n_components": 2, "max_epochs": 30}


def network():
    family = MixtureFamily(Normal(), 2)
    architecture = Architecture(3, hidden_sizes=(5, 4))
    return architecture.build(family, bias=np.zeros(6), key=jax.random.key(0))


def test_log_priors_are_scipys_up_to_a_constant():
    w = np.array([-1.3, -0.2, 0.4, 2.0])
    twins = {
        "normal": stats.norm(scale=0.7),
        "laplace": stats.laplace(scale=0.7),
        "student-t": stats.t(3, scale=0.7),
    }
    for name, twin in twins.items():
        ours = np.asarray(PRIORS[name](w, 0.7)) + twin.logpdf(w)
        np.testing.assert_allclose(ours, ours[0], rtol=1e-5)


def test_the_horseshoe_lies_between_its_published_bounds():
    # Carvalho, Polson & Scott 2010, theorem 1: K/2 log(1 + 4/t^2) < p(t) < K log(1 + 2/t^2)
    t = np.array([0.2, 0.7, 1.5, 4.0])
    draws = stats.halfcauchy.rvs(size=400_000, random_state=0)
    exact = np.array([np.mean(stats.norm(scale=draws).pdf(value)) for value in t])
    ours = np.exp(-np.asarray(PRIORS["horseshoe"](t, 1.0)))
    ratio = exact / ours
    assert ratio.max() / ratio.min() < 2


def test_losses_add_up_over_the_layers_named():
    member = network()
    layers = layer_weights(member)
    assert set(layers) == {"all", "hidden", "head", "hidden.0", "hidden.1"}
    head = np.asarray(layers["head"][0])
    ridge = prior_loss({"head": ("l2", 0.1)}, member, n_rows=50)
    assert float(ridge) == pytest.approx(0.1 * np.sum(head**2), rel=1e-5)
    lasso = prior_loss({"head": ("l1", 0.1)}, member, n_rows=50)
    assert float(lasso) == pytest.approx(0.1 * np.sum(np.abs(head)), rel=1e-5)
    given = prior_loss({"head": distributions.Normal(0, 2)}, member, n_rows=50)
    assert float(given) == pytest.approx(-np.sum(stats.norm(0, 2).logpdf(head)) / 50, rel=1e-5)
    named = prior_loss({"hidden.0": ("normal", 2.0), "hidden.1": ("normal", 2.0)}, member, n_rows=9)
    together = prior_loss({"hidden": ("normal", 2.0)}, member, n_rows=9)
    assert float(named) == pytest.approx(float(together), rel=1e-6)


@pytest.mark.parametrize(
    ("priors", "message"),
    [
        ({"tail": ("l2", 1.0)}, "There is no layer 'tail' for a prior"),
        ({"hed": ("l2", 1.0)}, "Nearest: 'head'"),
        ({"head": ("cauchy", 1.0)}, r"as in \('normal', 1.0\), with a name of normal, laplace"),
        ({"head": 1.0}, "must be a pair of a name and a number"),
        ({"head": ("l1", 0)}, "scale or strength of 'head' must be positive"),
    ],
)
def test_bad_priors_are_refused(priors, message):
    with pytest.raises(ValueError, match=message):
        check_priors(priors, network())


@pytest.mark.slow
def test_a_strong_prior_shrinks_the_layer_it_is_on():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 3))
    y = x[:, 0] + 0.1 * rng.normal(size=300)
    sizes = {}
    for name, priors in {"none": None, "head": {"head": ("normal", 0.01)}}.items():
        model = MDNRegressor(random_state=0, priors=priors, embedding="none", **SMALL).fit(x, y)
        members = model.network_.members
        sizes[name] = {
            "head": float(np.abs(members.head.linear.weight).mean()),
            "hidden": float(np.abs(members.backbone.layers[0].weight).mean()),
        }
    assert sizes["head"]["head"] < 0.3 * sizes["none"]["head"]
    assert sizes["head"]["hidden"] > 0.5 * sizes["none"]["hidden"]


# -- the collapse onto one component ---------------------------------------------------------------


def two_branches(n=1024, seed=0):
    """The two branches of seed 003's second laboratory, spread over the unit interval."""
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 1, n)
    upper = np.sin(x) + 3 * x * np.cos(x) + rng.random(n)
    first = np.round(upper / upper.max()) == 1
    return x[:, None], np.where(first, 2 * x, 8 * x) + 0.5 * rng.random(n)


COLLAPSED = {
    "n_components": 2,
    "uncertainty": "none",
    "hidden_sizes": (20, 10),
    "activation": "relu",
    "embedding": "none",
    "batch_size": 128,
    "max_epochs": 60,
    "random_state": 3,
    "x_scaler": "none",
    "weight_decay": 0.0,
}


@pytest.mark.slow
def test_remedies_bring_a_collapsed_component_back():
    x, y = two_branches()
    # a start at which one component is beyond all targets, and so is never responsible for one
    lost = MDNRegressor(
        **COLLAPSED, centres=[y.mean(), y.mean() + 60 * y.std()], learning_rate=1e-3
    )
    lost.fit(x, y)
    assert lost.history_.n_effective[-1, 0] < 1.3
    remedies = {
        "quantiles": {"centres": "quantiles"},
        "kmeans": {"centres": "kmeans"},
        "given centres": {"centres": [1.0, 4.0]},
        "an L2 penalty on the head": {"centres": "quantiles", "priors": {"head": ("l2", 1e-4)}},
        "an L1 penalty on the head": {"centres": "quantiles", "priors": {"head": ("l1", 1e-4)}},
    }
    loss = lost.history_.valid_loss.min()
    for name, change in remedies.items():
        model = MDNRegressor(**COLLAPSED, learning_rate=1e-2, **change).fit(x, y)
        assert model.history_.n_effective[-1, 0] > 1.4, name
        assert model.history_.valid_loss.min() < loss - 0.3, name
