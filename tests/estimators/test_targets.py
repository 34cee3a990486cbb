"""Targets that are extreme, on a bound or beyond the range of training: said, and scored right."""

import re

import numpy as np
import pytest

from cases import SMALL
from sfumato import MDNRegressor
from sfumato.estimators.targets import extremes
from sfumato.metrics.evaluation import evaluate, score_objects


def rows(n=400):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 2))
    return x, x[:, 0] + 0.2 * rng.normal(size=n)


@pytest.mark.slow
@pytest.mark.parametrize("far", [50.0, -1e3, 1e8])
def test_a_target_that_rules_the_scale_is_named_and_robust_scaling_offered(far):
    x, y = rows()
    y[7] = far
    assert extremes(y).tolist() == [7]
    with pytest.warns(
        UserWarning, match=rf"1 of 400 targets .* {re.escape(f'{far:g}')} in row 8.*'student-t'"
    ):
        MDNRegressor(random_state=0, **{**SMALL, "max_epochs": 1, "n_components": 1}).fit(x, y)
    settings = {"hidden_sizes": (32,), "n_members": 2, "n_components": 1, "max_epochs": 60}
    model = MDNRegressor(family="student-t", random_state=0, **settings).fit(x, y)
    error = np.delete(model.predict_pdfs(x).median() - y, 7)
    assert np.mean(error**2) < 0.15 * np.var(np.delete(y, 7))


@pytest.mark.parametrize("seed", range(5))
def test_ordinary_targets_are_not_extreme(seed):
    rng = np.random.default_rng(seed)
    for y in (rng.normal(size=300), rng.exponential(size=300), rng.standard_t(3, size=300)):
        assert not extremes(y).size
    assert not extremes(np.where(rng.random(300) < 0.03, 9.0, 0.0)).size


@pytest.mark.slow
def test_a_truth_on_a_bound_is_scored_where_training_saw_it():
    x, y = rows()
    y = np.clip(y, 0, 1)
    model = MDNRegressor(family="beta", bounds=(0, 1), random_state=0, **SMALL).fit(x, y)
    pdfs = model.predict_pdfs(x)
    margin = model.family_.component.margin
    inside = np.clip(y, np.float32(margin), 1 - np.float32(margin))
    scores = score_objects(pdfs, y).log_score
    on_bound = (y == 0) | (y == 1)
    assert 100 < on_bound.sum() == model.n_clipped_
    np.testing.assert_allclose(scores, pdfs.log_prob(inside), rtol=1e-4, atol=1e-4)
    found = evaluate(score_objects(pdfs, y), n_bootstrap=0)
    assert found["n_outside"]["value"] == 0
    assert found["log_score"]["value"] == pytest.approx(scores.mean(), rel=1e-6)


@pytest.mark.slow
def test_truths_beyond_the_support_are_left_out_of_the_mean_and_counted_by_the_median():
    x, y = rows()
    y = np.clip(y, 0.0, 1.0)
    model = MDNRegressor(family="beta", bounds=(0, 1), random_state=0, **SMALL).fit(x, y)
    beyond = np.where(np.arange(400) < 250, 1.5, y)
    found = evaluate(score_objects(model.predict_pdfs(x), beyond), n_bootstrap=0)
    assert found["n_outside"]["value"] == 250
    assert np.isfinite(found["log_score"]["value"])
    assert found["log_score_median"]["value"] == -np.inf
    nothing = evaluate(score_objects(model.predict_pdfs(x), np.full(400, 2.0)), n_bootstrap=0)
    assert nothing["log_score"]["value"] == -np.inf
