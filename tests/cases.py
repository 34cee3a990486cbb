"""Everything that comes in kinds: a family added to the table inherits all the properties."""

import os
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from sfumato.families import COMPONENTS, MixtureFamily, bound_component
from sfumato.pdfs import ParametricPDFs
from sfumato.pdfs import make_pdfs as pdfs_of

DATA = Path(os.environ.get("SFUMATO_DATA", Path(__file__).parents[2] / "shared" / "data"))
SMALL = {"hidden_sizes": (16,), "n_members": 2, "n_components": 2, "max_epochs": 8}

SCALAR = [name for name, c in COMPONENTS.items() if c.kind != "vector"]
VECTOR = [name for name, c in COMPONENTS.items() if c.kind == "vector"]

OPTIONS = {
    "binomial": {"trials": 12},
    "multinomial": {"trials": 9, "event_size": 3},
    "histogram": {"edges": (0.0, 0.1, 0.3, 0.35, 0.7, 1.0)},
    "categorical": {"n_classes": 4},
    "spline": {"n_bins": 6},
    "box-cox-normal": {"exponent": 0.4},
}


def bound(name):
    """The component, bound to a small task."""
    options = {"event_size": 3, "rank": 1, "n_bins": 6}
    return bound_component(name, **(options | OPTIONS.get(name, {})))


def predicted(name, seed, size, centre=0.0, *, n=6, members=2):
    """PDFs of raw outputs (n, members) of the given size, through the links in single precision."""
    component = bound(name)
    k = len(component.constants[0]) if component.constants else 3
    shift = 0.0 if component.scaling == "positive" else 0.5
    family = MixtureFamily(component, k, shift, 3.0)
    if component.scaling == "none":
        family = MixtureFamily(component, k)
    rng = np.random.default_rng(seed)
    raw = jnp.asarray(centre + size * rng.normal(size=(family.n_raw, n * members)), jnp.float32)
    params = {name: np.asarray(values) for name, values in family.constrain(raw).items()}
    shaped = {name: np.moveaxis(values, -1, 0) for name, values in params.items()}
    return pdfs_of(family, {m: v.reshape(n, members, *v.shape[1:]) for m, v in shaped.items()})


def parameters_of(name, *, n, seed=0, narrow=False):
    """Random parameters (n, ...) of a family; `narrow` ones are nearly alike."""
    rng = np.random.default_rng(seed)
    wide = 0.1 if narrow else 1.0

    def positive(centre, spread=1.0):
        return centre * np.exp(wide * spread * rng.normal(size=n))

    def unit():
        return 0.5 + wide * rng.uniform(-0.45, 0.45, n)

    real = wide * rng.normal(size=n)
    if name in ("normal", "laplace", "logistic", "gumbel"):
        return real, positive(1.0)
    if name == "beta":
        mean, precision = unit(), positive(300.0, 2.5)
        return 0.3 + mean * precision, 0.3 + (1 - mean) * precision
    if name == "histogram" or name == "categorical":
        constants = bound(name).constants
        rows = rng.integers(len(constants[0]), size=n)
        return tuple(values[rows] for values in constants)
    if name == "spline":
        size = bound(name).n_bins
        widths, heights = (rng.dirichlet(np.full(size, 4 / wide), n) for _ in range(2))
        return widths, heights, np.exp(wide * rng.normal(size=(n, size + 1)))
    if name in VECTOR:
        return _vector_parameters(name, rng, n)
    return {
        "student-t": lambda: (2.5 + positive(3.0), real, positive(1.0)),
        "uniform": lambda: (real, positive(2.0), positive(0.05)),
        "lognormal": lambda: (real, positive(0.5)),
        "box-cox-normal": lambda: (real, positive(0.5)),
        "logit-normal": lambda: (real, np.minimum(positive(0.8), 3.0)),
        "gamma": lambda: (positive(20.0, 1.5), positive(5.0)),
        "inverse-gamma": lambda: (2.5 + positive(10.0), positive(5.0)),
        "weibull": lambda: (positive(2.0), positive(3.0, 0.5)),
        "exponential": lambda: (positive(2.0),),
        "chi-squared": lambda: (2.0 + positive(4.0),),
        "truncated-normal": lambda: (unit(), positive(0.2)),
        "poisson": lambda: (positive(8.0),),
        "negative-binomial": lambda: (positive(8.0), positive(4.0)),
        "binomial": lambda: (unit(),),
        "geometric": lambda: (unit(),),
    }[name]()


def _vector_parameters(name, rng, n):
    loc = rng.normal(size=(n, 3))
    if name == "multivariate-normal-diagonal":
        return loc, np.exp(0.3 * rng.normal(size=(n, 3)))
    if name == "multivariate-normal-low-rank":
        return loc, rng.normal(size=(n, 3, 1)), np.exp(0.3 * rng.normal(size=(n, 3)))
    if name == "multivariate-normal":
        return loc, np.tril(0.5 * rng.normal(size=(n, 3, 3)), -1) + np.eye(3)
    if name == "dirichlet":
        return (np.exp(1 + 0.5 * rng.normal(size=(n, 3))),)
    return (rng.dirichlet(np.full(3, 3.0), n),)


def unit_targets(name):
    """Targets on a component's standard scale that a gradient must survive."""
    component = COMPONENTS[name]
    if name == "categorical":
        return [np.array(0.0), np.array(3.0)]
    if name == "dirichlet":
        return [np.array([0.2, 0.3, 0.5]), np.array([1.0, 0.0, 0.0])]
    if name == "multinomial":
        return [np.array([9.0, 0.0, 0.0]), np.array([2.0, 3.0, 4.0])]
    if component.kind == "vector":
        return [np.zeros(3), np.array([3.0, -2.0, 0.1])]
    if component.kind == "count":
        return [np.array(v) for v in (0.0, 1.0, 12.0)]
    if component.support[0] == 0 and component.scaling != "bounds":
        return [np.array(v) for v in (1e-3, 0.5, 1.0, 3.0)]
    return [np.array(v) for v in (0.0, 1e-7, 0.5, 1.0, 3.0)]


def make_pdfs(name="beta", *, n=12, members=2, k=3, seed=0, shift=0.5, scale=3.0):
    """Mixtures with random parameters, narrow and wide, in units that are not the unit ones."""
    rng = np.random.default_rng(seed)
    log_weights = np.log(rng.dirichlet(np.ones(k), size=(n, members)))
    if name == "beta":
        mean, precision = (
            rng.uniform(0.03, 0.97, (n, members, k)),
            np.exp(rng.uniform(np.log(5), np.log(2e4), (n, members, k))),
        )
        first, second = 1 + mean * precision, 1 + (1 - mean) * precision
    else:
        first = rng.normal(size=(n, members, k))
        second = np.exp(rng.uniform(np.log(0.01), 0, (n, members, k)))
    names = COMPONENTS[name].parameters
    family = MixtureFamily(COMPONENTS[name], k, shift, scale)
    return ParametricPDFs(family, {"log_weights": log_weights, names[0]: first, names[1]: second})
