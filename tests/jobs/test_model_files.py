"""Files of the version before the rooms, made with it from seeds: they still say what they said."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cases import SMALL
from sfumato import MDNRegressor, read_model, read_pdfs, write_model
from sfumato.errors import DataError, IncompatibleError
from sfumato.io.archive import read_archive, write_archive
from sfumato.jobs.model_files import TabularModel
from sfumato.uncertainty import MonteCarloDropout

BEFORE = Path(__file__).parents[1] / "data" / "before-the-rooms"


@pytest.fixture(scope="module")
def said():
    """What that version predicted, beside its files."""
    return json.loads((BEFORE / "expected.json").read_text())


def test_a_photometric_model(said):
    model = TabularModel.read(BEFORE / "photoz")
    assert model.columns.features[:3] == ("mag_g", "mag_r", "mag_i")
    pdfs = model.regressor.predict_pdfs(np.array(said["X"]))
    # single precision, and another order of sums in another compiler
    found = pdfs.quantiles(said["levels"])
    np.testing.assert_allclose(found, said["photoz_quantiles"], rtol=1e-4)
    found = pdfs.log_prob(np.array(said["redshift"]))
    np.testing.assert_allclose(found, said["photoz_log_prob"], atol=1e-3)


def test_a_model_with_a_strategy_and_a_prior(said):
    model = read_model(BEFORE / "dropout")
    assert model.uncertainty == MonteCarloDropout(rate=0.2)
    assert model.hidden_sizes == (8,)
    np.testing.assert_allclose(model.predict(said["x"]), said["dropout_mean"], rtol=1e-5)
    quantiles = model.predict_pdfs(said["x"]).quantiles(said["levels"])
    np.testing.assert_allclose(quantiles, said["dropout_quantiles"], rtol=1e-4)


def test_a_classifier(said):
    model = read_model(BEFORE / "classifier")
    assert model.classes_.tolist() == ["galaxy", "star"]
    np.testing.assert_allclose(model.predict_proba(said["x"]), said["proba"], atol=1e-6)


def test_a_file_of_pdfs(said):
    pdfs = read_pdfs(BEFORE / "pdfs.parquet")
    quantiles = pdfs.quantiles(said["levels"])
    np.testing.assert_allclose(quantiles, said["pdfs_file_quantiles"], rtol=1e-9)
    assert pdfs.training_prior.grid.size == 401


COUNT = """
import jax, sys
compiled = []
def listen(event, *_, **__):
    if "backend_compile" in event:
        compiled.append(event)
jax.monitoring.register_event_duration_secs_listener(listen)
from sfumato import MDNRegressor, read_model, read_pdfs, write_model
for path in sys.argv[1:]:
    read_model(path)
print(len(compiled))
read_model(sys.argv[2]).predict([[0.0, 0.0]])
print(len(compiled))
"""


def test_loading_compiles_nothing():
    paths = [str(BEFORE / name) for name in ("photoz", "dropout", "classifier")]
    command = [sys.executable, "-c", COUNT, *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded, predicted = map(int, done.stdout.split())
    assert loaded == 0
    assert predicted > 0  # the listener hears


@pytest.mark.slow
def test_what_a_file_cannot_hold_is_said(tmp_path, toy):
    from numpyro.distributions import Normal

    small = {"hidden_sizes": (4,), "n_members": 1, "n_components": 1, "max_epochs": 2}
    model = MDNRegressor(priors={"head": Normal(0.0, 1.0)}, random_state=0, **small).fit(*toy)
    with pytest.warns(UserWarning, match="`priors` holds an object of your own.*to refit it"):
        write_model(model, tmp_path / "model")
    again = read_model(tmp_path / "model")
    np.testing.assert_array_equal(again.predict(toy[0]), model.predict(toy[0]))


ABSURD = {
    "an unknown activation": lambda h, a: h["architecture"].update(activation="spin"),
    "an unknown backbone": lambda h, a: h["architecture"].update(backbone="spine"),
    "20,000 layers": lambda h, a: h["architecture"].update(hidden_sizes=[4] * 20_000),
    "a layer of words": lambda h, a: h["architecture"].update(hidden_sizes=["x"]),
    "a million members": lambda h, a: h.update(n_members=10**6),
    "a sharpening of nothing": lambda h, a: h["sharpening"].update(level=None),
    "an infinite scale": lambda h, a: h["family"].update(scale=float("inf")),
    "a scale without a square": lambda h, a: h["family"].update(scale=1e-320),
    "a word for a shift": lambda h, a: h["family"].update(shift="x"),
    "a scaler of another length": lambda h, a: a.update(scaler_scale=np.ones(1, "f4")),
    "a scaler of nothing": lambda h, a: a["scaler_scale"].fill(np.nan),
    "units of zero": lambda h, a: a["units_scale"].fill(0),
    "units of another length": lambda h, a: a.update(units_centre=np.zeros(7)),
    "weights of 1e30": lambda h, a: a["member_00"].fill(1e30),
    "weights of words": lambda h, a: a.update(member_00=np.full(a["member_00"].shape, "x")),
    "edges that fall": lambda h, a: h["architecture"]["edges"][0].reverse(),
    "an unknown estimator": lambda h, a: h.update(estimator="os.system"),
    "a list for a family": lambda h, a: h.update(family=[1]),
    "no array": lambda h, a: a.pop("member_00"),
}


@pytest.mark.parametrize("name", ABSURD)
def test_absurd_models_are_refused_in_one_line(name, fitted, tmp_path):
    write_model(fitted[0].regressor, tmp_path / "m")
    header, arrays = read_archive(tmp_path / "m")
    ABSURD[name](header, arrays)
    write_archive(tmp_path / "m", header, arrays)
    with pytest.raises(
        DataError, match=r"is damaged: model.json and arrays.npz do not fit"
    ) as told:
        read_model(tmp_path / "m")
    assert "\n" not in str(told.value)


def test_novelty_survives_a_file_and_an_older_file_says_that_it_has_none(toy, tmp_path):
    x, y = toy
    model = MDNRegressor(random_state=0, **SMALL).fit(x, y)
    write_model(model, tmp_path / "m")
    np.testing.assert_array_equal(read_model(tmp_path / "m").novelty(2 * x), model.novelty(2 * x))
    model.novelty_ = None
    write_model(model, tmp_path / "older")
    older = read_model(tmp_path / "older")
    with pytest.raises(IncompatibleError, match=r"knows no novelty\. Fit it again"):
        older.novelty(x)
