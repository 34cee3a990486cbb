"""Fixtures shared by all tests: small data, small models, the real catalogues."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

if "SFUMATO_CACHE" not in os.environ:
    # the same small programs are compiled again and again: share them, workers included
    os.environ["SFUMATO_CACHE"] = tempfile.mkdtemp(prefix="sfumato-tests-")
    atexit.register(shutil.rmtree, os.environ["SFUMATO_CACHE"], ignore_errors=True)

import numpy as np
import pytest
from hypothesis import settings

from sfumato import MDNRegressor
from sfumato.families import COMPONENTS, MixtureFamily
from sfumato.pdfs import ParametricPDFs

settings.register_profile("sfumato", deadline=None, max_examples=25, derandomize=True)
settings.load_profile("sfumato")

DATA = Path(os.environ.get("SFUMATO_DATA", Path(__file__).parents[2] / "shared" / "data"))


def pytest_collection_modifyitems(items):
    """Leave out the tests on real catalogues where these are not."""
    if DATA.is_dir():
        return
    for item in items:
        if "shared" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="SFUMATO_DATA is not there"))


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


@pytest.fixture(params=["beta", "normal"])
def pdfs(request):
    """Sets of mixtures of both families."""
    return make_pdfs(request.param)


@pytest.fixture(scope="session")
def toy():
    """A noisy curve with two features: x (400, 2), y (400,)."""
    rng = np.random.default_rng(3)
    x = rng.uniform(-1, 1, (400, 2))
    return x, 2 + x[:, 0] + 0.2 * (1.2 + x[:, 1]) * rng.normal(size=400)


SMALL = {"hidden_sizes": (16,), "n_members": 2, "n_components": 2, "max_epochs": 8}


@pytest.fixture(scope="session")
def fitted(toy):
    """A small Beta model of the toy data."""
    return MDNRegressor(family="beta", random_state=0, **SMALL).fit(*toy)
