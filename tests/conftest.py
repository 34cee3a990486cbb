"""Fixtures shared by all tests: small data, small models, the real catalogues."""

import atexit
import os
import shutil
import tempfile

if "SFUMATO_CACHE" not in os.environ:
    # the same small programs are compiled again and again: share them, workers included
    os.environ["SFUMATO_CACHE"] = tempfile.mkdtemp(prefix="sfumato-tests-")
    atexit.register(shutil.rmtree, os.environ["SFUMATO_CACHE"], ignore_errors=True)

from jaxtyping import install_import_hook

if os.environ.get("SFUMATO_SHAPES") != "off":
    # every annotation of a shape or a type is checked at every call a test makes
    install_import_hook("sfumato", "checked.shapes")

import numpy as np
import pytest
from hypothesis import settings

from cases import DATA, SMALL, make_pdfs
from sfumato import MDNRegressor

settings.register_profile("sfumato", deadline=None, max_examples=25, derandomize=True)
settings.load_profile("sfumato")


GENERATORS = {}
"""State of every test file's generator `RNG` when the file was read."""


def pytest_collection_modifyitems(items):
    """Remember the test files' generators; leave out real catalogues where these are not."""
    for module in {item.module for item in items}:
        if "RNG" in vars(module):
            GENERATORS[module.__name__] = module.RNG.bit_generator.state
    if DATA.is_dir():
        return
    for item in items:
        if "shared" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="SFUMATO_DATA is not there"))


@pytest.fixture(autouse=True)
def same_draws(request):
    """Whatever ran before a test, its file's `RNG` and fits without a seed draw the same."""
    np.random.seed(0)  # noqa: NPY002, what scikit-learn falls back on
    if request.module.__name__ in GENERATORS:
        request.module.RNG.bit_generator.state = GENERATORS[request.module.__name__]


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


@pytest.fixture(scope="session")
def fitted(toy):
    """A small Beta model of the toy data."""
    return MDNRegressor(family="beta", random_state=0, **SMALL).fit(*toy)
