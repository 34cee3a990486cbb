"""Conformal recalibration: what it promises holds, and the PDF stays one."""

import numpy as np
import pytest
from scipy import stats

from cases import make_pdfs
from sfumato import ConformalRecalibration
from sfumato.families import MixtureFamily, bound_component
from sfumato.metrics.calibration import pit_ks
from sfumato.pdfs import CountPDFs, ParametricPDFs, RecalibratedPDFs
from sfumato.pdfs.recalibrated import LevelMap
from sfumato.recalibration.conformal import level_map


class Wrong:
    """An estimator that states Normal PDFs at x, `width` times as wide as they are."""

    def __init__(self, width=0.5):
        self.width = width

    def get_params(self, deep=True):
        return {"width": self.width}

    def fit(self, X, y):
        return self

    def predict_pdfs(self, X):
        shape = (len(X), 1, 1)
        params = {
            "log_weights": np.zeros(shape),
            "loc": X[:, 0].reshape(shape),
            "scale": np.full(shape, self.width),
        }
        return ParametricPDFs(MixtureFamily(bound_component("normal"), 1), params)


def data(n, seed, *, slope=0.0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(0, 1, (n, 1))
    return X, X[:, 0] + (1 + slope * X[:, 0]) * rng.normal(size=n)


@pytest.mark.parametrize("method", ["split", "cross"])
@pytest.mark.parametrize("width", [0.5, 2.0])
def test_intervals_hold_whatever_the_model(method, width):
    model = ConformalRecalibration(Wrong(width), method=method).fit(*data(4000, 1))
    X, y = data(4000, 2)
    pdfs = model.predict_pdfs(X)
    # five standard errors of 4,000 rows, and of the 1,000 calibrated on
    assert pit_ks(pdfs.pit(y)) < 1.63 * (4000**-0.5 + 1000**-0.5)
    assert pit_ks(Wrong(width).predict_pdfs(X).pit(y)) > 0.1
    low, high = pdfs.interval(0.9).T
    assert np.mean((y >= low) & (y <= high)) == pytest.approx(0.9, abs=5 * 0.3 / 1000**0.5)


class Remembers(Wrong):
    """An estimator that knows the mean of each group it was trained on, and of others nothing."""

    def fit(self, X, y, *, groups=None):
        self.known_ = {group: y[X[:, 0] == group].mean() for group in np.unique(X[:, 0])}
        self.given_ = groups
        return self

    def predict_pdfs(self, X):
        means = [self.known_.get(group, 0.0) for group in X[:, 0]]
        return super().predict_pdfs(np.array(means)[:, None])


@pytest.mark.parametrize("method", ["split", "cross"])
def test_whole_groups_are_set_aside(method):
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(400), 10)
    X, y = groups[:, None].astype(float), rng.normal(size=400)[groups] + 0.1 * rng.normal(size=4000)
    new = 1000 + X
    new_y = rng.normal(size=400)[groups] + 0.1 * rng.normal(size=4000)
    covered = {}
    for name, own in (("rows", None), ("groups", groups)):
        model = ConformalRecalibration(Remembers(0.5), method=method).fit(X, y, groups=own)
        low, high = model.predict_pdfs(new).interval(0.9).T
        covered[name] = np.mean((new_y >= low) & (new_y <= high))
        assert (model.estimator_.given_ is None) == (own is None)
    assert covered["rows"] < 0.3
    # five standard errors of 100 groups that were calibrated on, and of 400 new ones
    assert covered["groups"] == pytest.approx(0.9, abs=5 * 0.3 * (100**-1 + 400**-1) ** 0.5)


def test_groups_make_it_hold_conditionally():
    X, y = data(8000, 4, slope=4.0)
    new_x, new_y = data(8000, 5, slope=4.0)
    narrow = new_x[:, 0] < 0.25
    coverage = {}
    for by in (None, 0):
        model = ConformalRecalibration(Wrong(2.0), by=by).fit(X, y)
        low, high = model.predict_pdfs(new_x).interval(0.8).T
        inside = (new_y >= low) & (new_y <= high)
        coverage[by] = inside[narrow].mean()
    assert abs(coverage[0] - 0.8) < 5 * 0.4 / 500**0.5
    assert abs(coverage[None] - 0.8) > 0.1


def recalibrated(n=8):
    base = make_pdfs("normal", n=n)
    knots = np.array([[0.0, 0.3, 0.6, 0.8, 1.0], [0.0, 0.1, 0.5, 0.9, 1.0]])
    return RecalibratedPDFs(base, LevelMap(knots, np.linspace(0, 1, 5)), np.arange(n) % 2)


def test_a_recalibrated_pdf_is_a_pdf():
    pdfs = recalibrated()
    nodes = np.sort(
        np.concatenate([pdfs.nodes(), pdfs.base.quantiles(np.linspace(0.001, 0.999, 999))], 1)
    )
    np.testing.assert_allclose(np.trapezoid(pdfs.density_at(nodes), nodes, axis=1), 1, atol=3e-3)
    quantiles = pdfs.quantiles([0.25, 0.5, 0.75])
    np.testing.assert_allclose(quantiles[::2], pdfs.base.quantiles([0.3, 0.6, 0.8])[::2], rtol=1e-6)
    draws = pdfs.sample(4000, random_state=1)
    error = 5 * pdfs.std() / 4000**0.5
    assert np.all(np.abs(draws.mean(axis=0) - pdfs.mean()) < error + 2e-3)
    pit = np.stack([pdfs.pit(row) for row in draws[:300]])
    assert stats.kstest(pit.ravel(), "uniform").pvalue > 1e-3
    assert len(pdfs[2:5]) == 3
    np.testing.assert_allclose(pdfs[2:5].mean(), pdfs.mean()[2:5])
    grid = np.linspace(*pdfs.default_grid()[[0, -1]], 40_001)
    assert pdfs.stack(grid=grid).mean()[0] == pytest.approx(pdfs.mean().mean(), abs=5e-3)


def test_counts_stay_counts():
    rng = np.random.default_rng(0)
    rate = np.full((3000, 1, 1), 4.0)
    family = MixtureFamily(bound_component("poisson"), 1)
    pdfs = CountPDFs(family, {"log_weights": np.zeros_like(rate), "rate": rate})

    class Counts(Wrong):
        def predict_pdfs(self, X):
            return pdfs[: len(X)]

    y = rng.negative_binomial(4, 0.5, 3000)
    model = ConformalRecalibration(Counts()).fit(np.zeros((3000, 1)), y)
    out = model.predict_pdfs(np.zeros((500, 1)))
    assert isinstance(out, CountPDFs)
    fresh = rng.negative_binomial(4, 0.5, 500)
    assert pit_ks(out.pit(fresh)) < 1.63 * (500**-0.5 + 750**-0.5)


def test_what_cannot_be_calibrated_is_refused():
    with pytest.raises(ValueError, match="`method` must be one of 'split', 'cross'"):
        ConformalRecalibration(Wrong(), method="jackknife").fit(*data(100, 0))
    with pytest.raises(ValueError, match=r"`fraction` must lie in \(0, 1\); got 1"):
        ConformalRecalibration(Wrong(), fraction=1).fit(*data(100, 0))
    with pytest.raises(ValueError, match="A group has 5 rows to calibrate on; 20 are needed"):
        level_map(np.linspace(0.1, 0.9, 5), np.zeros(5, int))
