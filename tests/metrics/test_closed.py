"""The closed forms of the CRPS against quadrature of the definition."""

import numpy as np
import pytest
from scipy import special

from cases import bound, parameters_of
from oracles import gaussian_crps
from sfumato.families import MixtureFamily
from sfumato.metrics.closed import PAIRS, SINGLES, closed_crps, closed_square
from sfumato.metrics.scores import crps, crps_and_cde
from sfumato.pdfs import ParametricPDFs


def mixtures(name, *, k, n=6, seed=3):
    component = bound(name)
    k = len(component.constants[0]) if component.constants else k
    rng = np.random.default_rng(seed)
    params = dict(
        zip(
            component.parameters,
            (v.reshape(n, 1, k, *v.shape[1:]) for v in parameters_of(name, n=n * k, seed=seed))
            if component.parameters
            else (),
            strict=True,
        )
    )
    log_weights = np.log(rng.dirichlet(np.ones(k), size=(n, 1)))
    return ParametricPDFs(
        MixtureFamily(component, k, 0.5, 2.0), {"log_weights": log_weights, **params}
    )


def by_definition(pdfs, row, y):
    """Integral of (F - step)^2 by Gauss-Legendre, piece by piece between quantiles."""
    one = pdfs[row]
    levels = special.expit(np.linspace(-26, 26, 300))
    edges = np.unique(np.concatenate([one.quantiles(levels)[0], *one._bracket(), [y]]))
    places, weights = np.polynomial.legendre.leggauss(8)
    half = 0.5 * np.diff(edges)[:, None]
    points = 0.5 * (edges[1:] + edges[:-1])[:, None] + half * places
    cdf = one.cdf(points.ravel())[0].reshape(points.shape)
    return np.sum(half * weights * (cdf - (points >= y)) ** 2)


@pytest.mark.parametrize("name", [*PAIRS, *SINGLES])
def test_closed_forms_equal_the_definition(name):
    pdfs = mixtures(name, k=3 if name in PAIRS else 1, n=4)
    assert closed_crps(pdfs, np.zeros(len(pdfs))) is not None
    inside = pdfs.quantiles([0.4])[:, 0]
    far = pdfs.quantiles([0.999])[:, 0]
    truth = np.where(np.arange(4) % 2 == 0, inside, far)
    closed = closed_crps(pdfs, truth)
    for row in range(4):
        assert closed[row] == pytest.approx(by_definition(pdfs, row, truth[row]), rel=1e-4)


def test_a_single_normal_is_the_textbook_form():
    pdfs = mixtures("normal", k=1)
    y = np.linspace(-3, 4, 6)
    loc = 0.5 + 2 * pdfs.params["loc"][:, 0, 0]
    expected = gaussian_crps(loc, 2 * pdfs.params["scale"][:, 0, 0], y)
    np.testing.assert_allclose(crps(pdfs, y), expected, rtol=1e-10)


def test_equal_and_nearly_equal_laplace_scales_agree():
    _, pair = PAIRS["laplace"]
    one = (np.array([0.3]), np.array([0.7]))
    values = [pair(one, (np.array([1.0]), np.array([0.7 + e])))[0] for e in (0, 1e-5, 2e-4, 4e-4)]
    assert np.ptp(values) < 5e-4
    assert np.all(np.diff(values) > 0)


def test_the_squared_normal_density_equals_quadrature():
    pdfs = mixtures("normal", k=3)
    nodes = np.linspace(-60, 60, 400_001)
    square = np.trapezoid(pdfs.pdf(nodes) ** 2, nodes, axis=1)
    np.testing.assert_allclose(closed_square(pdfs), square, rtol=1e-6)


@pytest.mark.parametrize("name", ["student-t", "gumbel", "weibull", "spline", "uniform"])
def test_quadrature_serves_the_others(name):
    pdfs = mixtures(name, k=2, n=3)
    assert closed_crps(pdfs, np.zeros(len(pdfs))) is None
    truth = pdfs.quantiles([0.7])[:, 0]
    for row in range(3):
        expected = by_definition(pdfs, row, truth[row])
        # Simpson's rule on quantiles half a unit of their logit apart
        assert crps_and_cde(pdfs, truth)[0][row] == pytest.approx(expected, rel=5e-3)
