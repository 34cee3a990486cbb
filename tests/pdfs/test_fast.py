"""Compiled kernels against the exact methods."""

import numpy as np
import pytest

from sfumato.families import MixtureFamily, bound_component
from sfumato.pdfs import ParametricPDFs, make_pdfs, summarise

RNG = np.random.default_rng(5)
LEVELS = np.array([0.001, 0.05, 0.16, 0.5, 0.84, 0.95, 0.999])


def mixtures(n, *, seed=0, shift=0.0, scale=1.0):
    rng = np.random.default_rng(seed)
    shape = (n, 3, 4)
    weights = rng.normal(size=shape) * rng.choice([0.1, 2, 30], (n, 1, 1))
    weights -= np.logaddexp.reduce(weights, axis=2)[:, :, None]
    loc = rng.normal(size=shape) * rng.choice([0.1, 1, 5], (n, 1, 1))
    width = np.exp(rng.normal(-1.5, 1.5, shape)).clip(0.01, 5)
    family = MixtureFamily(bound_component("normal"), 4, shift, scale)
    return make_pdfs(family, {"log_weights": weights, "loc": loc, "scale": width})


@pytest.mark.parametrize("n", [1, 255, 257, 700])
def test_quantiles_of_normal_mixtures(n):
    pdfs = mixtures(n, seed=n, shift=120.0, scale=30.0)
    assert isinstance(pdfs, ParametricPDFs)
    mode, found = pdfs.mode_and_quantiles(LEVELS, with_mode=True)
    exact = pdfs.quantiles(LEVELS)
    # in a valley of the density a level says little of a place: either has to be near
    cdf = np.stack([pdfs.pit(found[:, i].astype(float)) for i in range(LEVELS.size)], axis=1)
    near = (np.abs(found - exact) < 3e-4 * 30) | (np.abs(cdf - LEVELS) < 3e-5)
    assert near.all()
    assert np.median(np.abs(found - exact)) < 1e-3
    np.testing.assert_array_equal(mode, pdfs.mode())
    assert pdfs.mode_and_quantiles(LEVELS, with_mode=False)[0] is None
    for row in range(0, n, 100):  # no answer depends on another row
        alone = pdfs[row : row + 1].mode_and_quantiles(LEVELS, with_mode=False)[1]
        np.testing.assert_allclose(alone[0], found[row], rtol=1e-5, atol=1e-3)


def test_quantiles_of_components_nine_decades_apart():
    n, k = 600, 24
    weights = RNG.dirichlet(np.full(k, 0.3), n).clip(1e-9)
    params = {
        "log_weights": np.log(weights / weights.sum(axis=1, keepdims=True)),
        "loc": RNG.normal(size=(n, k)),
        "scale": np.exp(RNG.normal(-4, 3, (n, k))).clip(1e-5, 1e4),
    }
    pdfs = make_pdfs(
        MixtureFamily(bound_component("normal"), k),
        {name: values[:, None] for name, values in params.items()},
    )
    levels = np.array([1e-6, 0.05, 0.5, 0.84, 0.9999])
    found = pdfs.mode_and_quantiles(levels, with_mode=False)[1]
    cdf = np.stack([pdfs.pit(column.astype(float)) for column in found.T], axis=1)
    off = np.abs(found - pdfs.quantiles(levels)) / pdfs.std()[:, None]
    off_share = np.abs(cdf - levels) / np.minimum(levels, 1 - levels)
    assert np.minimum(off, off_share).max() < 3e-5


def test_statistics_take_the_kernel():
    pdfs = mixtures(300)
    told = summarise(pdfs, ["q5", "median", "std"])
    np.testing.assert_allclose(told["median"], pdfs.median(), atol=3e-4)
    np.testing.assert_allclose(told["std"], pdfs.std())
    assert summarise(pdfs[:0], ["q5", "mode"])["q5"].shape == (0,)
