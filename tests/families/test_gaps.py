"""Vectors of which some numbers are missing: the likelihood is of what is there."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from cases import bound
from sfumato.families import COMPONENTS

TAKERS = [name for name, component in COMPONENTS.items() if component.takes_gaps]
GAPS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 0, 1], [0, 1, 1], [0, 0, 1]], bool)


def test_they_are_the_gaussian_ones():
    assert sorted(TAKERS) == sorted(n for n in COMPONENTS if n.startswith("multivariate-normal"))


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * ("low-rank" in n)) for n in TAKERS]
)
def test_the_density_is_that_of_the_marginal(name):
    component = bound(name).bound(with_gaps=True)
    rng = np.random.default_rng(0)
    raw = [
        jnp.asarray(rng.normal(size=(2, *shape, len(GAPS))), jnp.float32)
        for shape in component.raw_shapes
    ]
    params = component.constrain(*raw)
    u = np.where(GAPS, np.nan, rng.normal(size=(len(GAPS), 3)))
    found = np.asarray(component.log_prob(jnp.asarray(u.T, jnp.float32), *params))
    of_results = [np.moveaxis(np.asarray(p, float), -1, 0) for p in params]
    mean, covariance = component.mean(*of_results), component.covariance(*of_results)
    for row, gaps in enumerate(GAPS):
        for k in range(2):
            expected = stats.multivariate_normal.logpdf(
                u[row, ~gaps], mean[row, k, ~gaps], covariance[row, k][np.ix_(~gaps, ~gaps)]
            )
            assert found[k, row] == pytest.approx(expected, rel=2e-4, abs=2e-4)
    gradients = jax.grad(lambda p: jnp.sum(component.log_prob(jnp.asarray(u.T, jnp.float32), *p)))(
        params
    )
    assert all(np.all(np.isfinite(part)) for part in gradients)
