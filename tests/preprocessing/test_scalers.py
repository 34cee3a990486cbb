"""Scalers against NumPy, columns of nothing included."""

import jax.numpy as jnp
import numpy as np
import pytest

from sfumato.preprocessing import SCALERS


@pytest.mark.parametrize("name", ["standard", "robust"])
def test_a_column_without_numbers_is_filled_and_nothing_is_said(name):
    x = np.random.default_rng(0).normal(5, 2, (100, 3))
    x[:, 1], x[:50, 2] = np.nan, np.inf
    scaled = np.asarray(SCALERS[name](x)(jnp.asarray(x.T, jnp.float32)))
    np.testing.assert_array_equal(scaled[1], 0)
    known = x[50:, 2]
    centre = known.mean() if name == "standard" else np.median(known)
    spread = known.std() if name == "standard" else np.ptp(np.quantile(known, [0.25, 0.75])) / 1.349
    np.testing.assert_allclose(scaled[2, 50:], (known - centre) / spread, rtol=1e-4, atol=1e-4)
