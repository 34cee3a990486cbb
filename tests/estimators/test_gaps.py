"""Models of vectors of which some numbers are missing."""

import numpy as np
import pytest

from cases import SMALL
from sfumato import MDNRegressor, read_model, write_model
from sfumato.errors import DataError
from sfumato.estimators.targets import Wish, make_family


def correlated(n, seed=0):
    """The second number follows the first; a third of the rows lack one of them."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (n, 1))
    first = x[:, 0] + 0.3 * rng.normal(size=n)
    y = np.stack([100 + 10 * first, 2 * first + 0.2 * rng.normal(size=n)], axis=1)
    gaps = np.zeros(y.shape, bool)
    gaps[rng.permutation(n)[: n // 3], 1] = True
    gaps[np.flatnonzero(~gaps[:, 1])[: n // 10], 0] = True
    return x, y, np.where(gaps, np.nan, y)


@pytest.mark.slow
def test_rows_with_gaps_teach_what_they_have(tmp_path):
    x, y, with_gaps = correlated(1500)
    settings = {"hidden_sizes": (16,), "n_members": 2, "n_components": 1, "max_epochs": 60}
    model = MDNRegressor(random_state=0, **settings).fit(x, with_gaps)
    whole = MDNRegressor(random_state=0, **settings).fit(x, y)
    pdfs, twin = model.predict_pdfs(x), whole.predict_pdfs(x)
    # as good as if nothing were missing, and not what zeros or means in the gaps would give
    assert pdfs.log_prob(y).mean() > twin.log_prob(y).mean() - 0.05
    np.testing.assert_allclose(pdfs.mean().mean(axis=0), y.mean(axis=0), rtol=0.02, atol=0.03)
    covariance = pdfs.covariance().mean(axis=0)
    # slope 0.2 of the second on the first, whose deviation at an x is 3
    assert covariance[0, 1] / covariance[0, 0] == pytest.approx(0.2, abs=0.02)
    assert model.training_priors_[1].mean()[0] == pytest.approx(y[:, 1].mean(), abs=0.1)
    write_model(model, tmp_path / "m")
    again = read_model(tmp_path / "m").predict_pdfs(x[:5])
    np.testing.assert_array_equal(again.mean(), pdfs.mean()[:5])


def test_auto_takes_a_family_that_can():
    _, _, with_gaps = correlated(200)
    family, reason = make_family(Wish("auto", 2, (None, None), None, 8, 1), with_gaps)
    assert family.component.name == "multivariate-normal"
    assert "some numbers are missing" in reason


@pytest.mark.parametrize(
    ("family", "rows", "told"),
    [
        ("normal", [[1.0, 2.0], [np.nan, np.nan]], "NaN in row 2"),
        ("normal", [[1.0, np.inf], [np.nan, 2.0]], "infinity in row 1"),
        ("normal", [[1.0, np.nan], [3.0, np.nan]], "Number 2 of the target is missing in every"),
        (
            "dirichlet",
            [[0.5, 0.5], [np.nan, 0.3], [0.2, 0.8]],
            "takes whole vectors, and row 2",
        ),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(family, rows, told):
    y = np.array(rows * 20)
    with pytest.raises((ValueError, DataError), match=told):
        MDNRegressor(family=family, **SMALL).fit(np.arange(len(y))[:, None] / 9.0, y)
