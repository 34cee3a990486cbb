"""Further cycles: begun while there is a gain, each member at its best, the history whole."""

import jax.numpy as jnp
import numpy as np
import pytest

from sfumato import MDNRegressor
from sfumato.estimators import fitting
from sfumato.training.cycles import MOST_CYCLES, fit_cycles
from sfumato.training.history import History
from sfumato.training.loop import FitResult


def falling(start, end, n=40):
    """The history of members (m,) whose loss falls on a line."""
    loss = np.linspace(start, end, n)
    return History(loss, loss, np.full(loss.shape[1], n - 1), 0 * loss, loss)


def run_with(*histories):
    starts = []

    def cycle(members, first_epoch):
        starts.append((float(members[0][0]), first_epoch))
        number = len(starts)
        return FitResult([jnp.full(2, float(number))], histories[number - 1])

    return fit_cycles(cycle, [jnp.zeros(2)]), starts


def test_there_is_another_while_it_gains():
    result, starts = run_with(falling([3, 3], [1, 1]), falling([0.9, 1.2], [0.88, 1.1]))
    assert starts == [(0, 0), (1, 40)]
    np.testing.assert_array_equal(result.members[0], [2, 1])  # the second member was better before
    np.testing.assert_array_equal(result.history.best_epoch, [79, 39])
    assert result.history.valid_loss.shape == (80, 2)
    np.testing.assert_allclose(result.history.lowest, [0.88, 1])


def test_there_is_none_without_a_gain_and_an_end():
    assert run_with(falling([1, 1], [0.9, 0.9]))[1] == [(0, 0)]
    losses = [falling([4.0 - k, 4.0 - k], [3.0 - k, 3.0 - k]) for k in range(9)]
    assert len(run_with(*losses)[1]) == MOST_CYCLES


@pytest.mark.slow
def test_the_default_budget_is_a_first_guess(monkeypatch):
    monkeypatch.setattr(fitting, "FEWEST_EPOCHS", 30)
    monkeypatch.setattr(fitting, "MOST_EPOCHS", 30)
    x = np.random.default_rng(0).uniform(-1, 1, (300, 2))
    y = np.sin(3 * x[:, 0]) * x[:, 1]
    epochs = []
    options = {
        "n_members": 2,
        "hidden_sizes": (16,),
        "random_state": 0,
        "averaging": 0.0,
        "learning_rate": 0.02,
    }
    model = MDNRegressor(**options, on_epoch=lambda epoch, *_: epochs.append(epoch)).fit(x, y)
    assert model.n_epochs_planned_ == 30
    assert model.history_.n_epochs > 30
    assert epochs == list(range(model.history_.n_epochs))
    first = model.history_.valid_loss[:30].min(axis=0)
    assert np.all(model.history_.lowest < first - 0.05)
    asked = MDNRegressor(**options, max_epochs=30).fit(x, y)
    assert asked.history_.n_epochs == 30
    np.testing.assert_array_equal(asked.history_.valid_loss, model.history_.valid_loss[:30])
    assert model.predict_pdfs(x).log_prob(y).mean() > asked.predict_pdfs(x).log_prob(y).mean()
    assert pytest.approx(y.mean(), abs=0.1) == model.predict(x).mean()


@pytest.mark.slow
def test_steps_are_a_budget_of_whole_epochs_and_are_not_gone_beyond():
    x = np.random.default_rng(0).normal(size=(200, 1))
    options = {"n_members": 1, "hidden_sizes": (4,), "validation_fraction": 0.2, "random_state": 0}
    model = MDNRegressor(max_steps=21, batch_size=16, patience=None, **options).fit(x, x[:, 0])
    # 160 rows are 10 steps an epoch
    assert model.n_epochs_planned_ == model.history_.n_epochs == 3
