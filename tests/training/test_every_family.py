"""Ten thousand steps of every family on hard data: nothing that is not finite, from five seeds."""

import numpy as np
import pytest

from cases import COMPONENTS, OPTIONS, bound, parameters_of
from faults_cases import WHOLE, amount
from sfumato import MDNRegressor

pytestmark = pytest.mark.slow
FAMILIES = [name for name in COMPONENTS if name not in ("categorical", "histogram")]
CHOSEN = FAMILIES if WHOLE else ["gamma"]
N, BATCH = 600, 60


def hard_features(rng):
    """Ten features, two of them with codes, one with a number beyond all others."""
    x = rng.normal(size=(N, 10))
    x[::7, 1], x[3::7, 1], x[::5, 2] = 99.0, -99.0, -99.0
    x[11, 3] = 1e30
    return x


def targets(name, rng):
    """Draws from a wide distribution of the family itself, and some on its bounds."""
    component = bound(name)
    parameters = parameters_of(name, n=N, seed=1)
    y = np.asarray(component.sample(rng, *(np.asarray(p) for p in parameters)), float)
    if component.scaling == "bounds" and component.kind != "vector":
        y[:3], y[3:6] = 0.0, 1.0
    return y


@pytest.mark.filterwarnings("ignore::UserWarning")  # of codes and of what lies far out
@pytest.mark.parametrize(("activation", "dropout_rate"), [("relu", 0.5), ("silu", 0.0)])
@pytest.mark.parametrize("name", CHOSEN)
def test_ten_thousand_steps_of_five_seeds_stay_finite(name, activation, dropout_rate):
    rng = np.random.default_rng(0)
    x, y = hard_features(rng), targets(name, rng)
    options = {k: v for k, v in OPTIONS.get(name, {}).items() if k in ("trials", "n_bins")}
    bounds = (0.0, 1.0) if bound(name).scaling == "bounds" and y.ndim == 1 else None
    model = MDNRegressor(
        family=name,
        bounds=bounds,
        n_components=3,
        n_members=5,
        backbone="mlp",
        hidden_sizes=(20, 20, 10),
        activation=activation,
        dropout_rate=dropout_rate,
        learning_rate=1e-2,
        batch_size=BATCH,
        max_epochs=amount(1000, 100),
        patience=None,
        random_state=0,
        **options,
    ).fit(x, y)
    history = model.history_
    assert history.n_skipped_steps.sum() == 0
    assert np.all(np.isfinite(history.train_loss))
    assert np.all(np.isfinite(history.valid_loss))
    pdfs = model.predict_pdfs(x)
    assert np.all(np.isfinite(pdfs.mean()))
    # exactly on a bound a density may be 0: such targets are scored where training puts them
    assert np.all(np.isfinite(pdfs.log_prob(pdfs.moved_in(y) if y.ndim == 1 else y)))
    if y.ndim == 1:
        for found in (pdfs.std(), pdfs.mode(), pdfs.quantiles([0.01, 0.5, 0.99]), pdfs.entropy()):
            assert np.all(np.isfinite(found))
