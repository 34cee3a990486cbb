"""Targets that are counts or classes: what is learned, kept and refused."""

import numpy as np
import pytest

from sfumato import CountPDFs, MDNClassifier, MDNRegressor, read_model, write_model
from sfumato.errors import DataError

RNG = np.random.default_rng(5)
SMALL = {"hidden_sizes": (16,), "n_members": 2, "max_epochs": 40, "embedding": "none"}


@pytest.mark.slow
def test_a_count_regressor_learns_the_rate():
    x = RNG.uniform(-1, 1, (1500, 1))
    y = RNG.poisson(np.exp(1 + x[:, 0]))
    model = MDNRegressor(family="auto", n_components=1, random_state=0, **SMALL).fit(x, y)
    assert model.family_.component.name in ("poisson", "negative-binomial")
    assert "counts" in model.family_reason_
    pdfs = model.predict_pdfs(np.array([[-0.8], [0.0], [0.8]]))
    assert isinstance(pdfs, CountPDFs)
    np.testing.assert_allclose(pdfs.mean(), np.exp([0.2, 1.0, 1.8]), rtol=0.15)
    with pytest.raises(DataError, match=r"whole numbers.*the target of row 3 is 1\.5"):
        MDNRegressor(family="poisson").fit(x[:5], [1, 2, 1.5, 0, 2])


def test_a_classifier_finds_the_probabilities_and_keeps_its_labels(tmp_path):
    x = RNG.uniform(-1, 1, (3000, 1))
    odds = 1 / (1 + np.exp(-4 * x[:, 0]))
    labels = np.where(RNG.random(3000) < odds, "dog", "cat")
    model = MDNClassifier(random_state=0, recalibrate=True, **SMALL).fit(x, labels)
    assert model.classes_.tolist() == ["cat", "dog"]
    new = np.linspace(-0.9, 0.9, 7)[:, None]
    expected = 1 / (1 + np.exp(-4 * new[:, 0]))
    # 3,000 rows over the range: a deviation of some 0.03 in each place
    np.testing.assert_allclose(model.predict_proba(new)[:, 1], expected, atol=0.1)
    np.testing.assert_allclose(model.predict_proba(new).sum(axis=1), 1, rtol=1e-6)
    assert model.predict(new).tolist() == ["cat"] * 3 + [model.predict(new)[3]] + ["dog"] * 3
    assert model.predict_pdfs(new).n_members == 2
    write_model(model, tmp_path / "m")
    back = read_model(tmp_path / "m")
    np.testing.assert_array_equal(back.predict_proba(new), model.predict_proba(new))
    assert back.predict(new).tolist() == model.predict(new).tolist()
    with pytest.raises(ValueError, match="only one class is present"):
        MDNClassifier().fit(x, np.zeros(3000))
