"""Means and deviations over windows against a loop over all pairs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.preprocessing.windows import surroundings


def by_pairs(values, position, groups, width):
    """The same, sample by sample."""
    mean, deviation = np.full((2, *values.shape), np.nan)
    for i in range(len(values)):
        near = (groups == groups[i]) & (np.abs(position - position[i]) <= 0.5 * width * (1 + 1e-9))
        for c in range(values.shape[1]):
            here = values[near, c]
            here = here[np.isfinite(here)]
            if here.size:
                mean[i, c], deviation[i, c] = here.mean(), here.std()
    return mean, deviation


@given(st.integers(0, 10**6), st.floats(0.2, 30))
def test_windows_against_all_pairs(seed, width):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 60))
    values = rng.normal(1e4, 1, (n, 2))  # large numbers: squares would lose the deviation
    values[rng.random((n, 2)) < 0.3] = np.nan
    position = np.round(rng.uniform(-20, 20, n), 1)  # irregular, repeated, in any order
    position[rng.random(n) < 0.1] = np.nan
    groups = rng.integers(0, 3, n)
    found = surroundings(values, position, groups, width=width)
    mean, deviation = by_pairs(values, position, groups, width)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(found.deviation, deviation, rtol=1e-6, atol=1e-6)


def test_another_step_gives_the_same_features():
    depth = np.arange(0, 100, 0.1)
    fine = surroundings(np.sin(depth)[:, None], depth, np.zeros(depth.size, int), width=10.0)
    coarse = surroundings(
        np.sin(depth[::5])[:, None], depth[::5], np.zeros(depth[::5].size, int), width=10.0
    )
    np.testing.assert_allclose(fine.mean[::5], coarse.mean, atol=0.06)


@pytest.mark.parametrize("width", [0.0, -1.0, np.inf, np.nan])
def test_a_width_is_a_positive_number(width):
    with pytest.raises(ValueError, match="must be a positive number; got"):
        surroundings(np.zeros((2, 1)), np.zeros(2), np.zeros(2, int), width=width)
