"""Which rows are held out: whole groups, every row by someone, and none lost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases import SMALL
from sfumato import MDNClassifier, MDNRegressor
from sfumato.errors import IncompatibleError
from sfumato.estimators.rows import count_known
from sfumato.training.folds import (
    ALWAYS,
    FEW_GROUPS,
    held_out_members,
    make_folds,
    member_rows,
)


def folds_of(groups, *, fraction=0.1, seed=0):
    groups = np.asarray(groups)
    x = np.random.default_rng(1).normal(size=(len(groups), 2))
    return make_folds(x, fraction=fraction, rng=np.random.default_rng(seed), groups=groups)


@given(
    sizes=st.lists(st.integers(1, 60), min_size=2, max_size=40).filter(lambda s: sum(s) >= 20),
    fraction=st.sampled_from([0.05, 0.1, 0.3]),
    seed=st.integers(0, 5),
)
def test_groups_of_any_size_stay_whole(sizes, fraction, seed):
    groups = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    folds = folds_of(groups, fraction=fraction, seed=seed)
    assert all(len(set(folds[groups == group])) == 1 for group in range(len(sizes)))
    few = len(sizes) <= FEW_GROUPS
    expected = len(sizes) if few else min(len(sizes), max(2, round(1 / fraction)))
    assert sorted(set(folds)) == list(range(expected))
    # the largest first, each to the emptiest: no two folds differ by more than a group
    counts = np.bincount(folds)
    assert few or counts.max() - counts.min() <= max(sizes)


@given(sizes=st.lists(st.integers(3, 50), min_size=2, max_size=8).filter(lambda s: sum(s) >= 20))
def test_no_row_of_a_member_is_lost(sizes):
    folds = folds_of(np.repeat(np.arange(len(sizes)), sizes))
    train, valid = member_rows(folds, n_members=6)
    for member in range(6):
        held = set(valid[member])
        assert len({folds[row] for row in held}) == 1
        assert held == set(np.flatnonzero(folds == folds[valid[member, 0]]))
        assert set(train[member]) == set(range(len(folds))) - held
    rows, holders = held_out_members(folds, n_members=6)
    for row, members in zip(rows, holders, strict=True):
        assert all(row in valid[member] for member in members)


def unlike_groups(n_groups, seed):
    """Groups that lie elsewhere in x, and whose y is off by what x does not say."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_groups), 40)
    places, offsets = rng.uniform(-3, 3, n_groups), rng.normal(size=n_groups)
    x = places[groups] + 0.02 * rng.normal(size=groups.size)
    return x[:, None], offsets[groups] + 0.05 * rng.normal(size=groups.size), groups


@pytest.mark.slow
def test_a_model_of_groups_does_not_pretend_to_know_the_next_one():
    x, y, groups = unlike_groups(60, 1)
    options = {**SMALL, "max_epochs": 300, "n_members": 4, "hidden_sizes": (64, 64)}
    new_x, new_y, _ = unlike_groups(60, 2)
    score = {}
    for name, given_groups in (("random", None), ("whole", groups)):
        model = MDNRegressor(family="normal", recalibrate=True, random_state=0, **options)
        pdfs = model.fit(x, y, groups=given_groups).predict_pdfs(new_x)
        low, high = pdfs.interval(0.9).T
        score[name] = np.mean((new_y >= low) & (new_y <= high)), pdfs.log_prob(new_y).mean()
    # what is stopped and recalibrated by rows of groups already known takes them by heart
    assert score["random"][0] < 0.75
    assert score["whole"][0] > score["random"][0] + 0.1
    assert score["whole"][1] > score["random"][1] + 0.5


@pytest.mark.parametrize("estimator", [MDNRegressor, MDNClassifier])
def test_groups_that_are_none_are_refused(estimator):
    x, y = np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 4
    model = estimator(max_epochs=2, random_state=0)
    names = np.array(["a", "b"] * 20, object)
    for groups, message in (
        (names[:30], "X has 40 rows and groups has 30"),
        (np.where(np.arange(40) == 6, None, names), "`groups` names none for row 7"),
        (["only"] * 40, r"All rows are of one group \(only\).*name blocks of rows"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(x, y, groups=groups)


@pytest.mark.slow
def test_groups_may_be_words_or_numbers_and_follow_their_rows():
    x, y, groups = unlike_groups(10, 3)
    options = {"family": "normal", "random_state": 0, **SMALL}
    by_number = MDNRegressor(**options).fit(x, y, groups=groups).predict(x)
    words = np.array([f"well {group:02}" for group in groups])
    np.testing.assert_array_equal(
        MDNRegressor(**options).fit(x, y, groups=words).predict(x), by_number
    )
    weight = (groups > 0).astype(float)
    kept = groups > 0
    left_out = MDNRegressor(**options).fit(x, y, weight, groups=groups).predict(x)
    gone = MDNRegressor(**options).fit(x[kept], y[kept], groups=groups[kept]).predict(x)
    np.testing.assert_allclose(left_out, gone, rtol=1e-5)


def test_rows_given_to_hold_out_are_held_out_by_all_and_trained_on_by_none():
    folds = np.array([ALWAYS] * 7 + [0] * 3)
    train, valid = member_rows(folds, n_members=6)
    np.testing.assert_array_equal(train, np.tile(np.arange(7), (6, 1)))
    np.testing.assert_array_equal(valid, np.tile(np.arange(7, 10), (6, 1)))
    rows, holders = held_out_members(folds, n_members=6)
    np.testing.assert_array_equal(rows, [7, 8, 9])
    np.testing.assert_array_equal(holders, np.tile(np.arange(6), (3, 1)))


@pytest.mark.slow
def test_a_model_is_stopped_and_recalibrated_by_the_rows_it_is_given(toy):
    x, y = toy
    rng = np.random.default_rng(5)
    other = rng.uniform(-1, 1, (600, 2))
    noisy = 2 + other[:, 0] + 0.8 * rng.normal(size=600)
    model = MDNRegressor(random_state=0, **(SMALL | {"max_epochs": 40}), recalibrate=True)
    plain = model.fit(x, y).predict_pdfs(other)
    valid = model.history_.valid_loss
    pdfs = model.fit(x, y, validation=(other, noisy)).predict_pdfs(other)
    # trained on rows of noise 0.24: only what it is held against says 0.8
    assert plain.std().mean() < 0.4
    assert pdfs.std().mean() == pytest.approx(0.8, rel=0.25)
    assert np.all(model.history_.valid_loss[-1] > valid[-1] + 0.5)
    # nothing of the other rows is learnt: their targets may be anything
    without = MDNRegressor(random_state=0, **SMALL, patience=None)
    a, b = (
        without.fit(x, y, validation=(other, targets)).predict_pdfs(x).mean()
        for targets in (noisy, np.clip(noisy, 1.9, 2.1))
    )
    assert np.corrcoef(a, b)[0, 1] > 0.9
    errors = MDNRegressor(random_state=0, **SMALL).fit(
        x, y, X_err=np.array([0.1, 0.1]), validation=(other, noisy)
    )
    assert errors.noise_covariance_ is not None


@pytest.mark.slow
def test_classes_are_held_out_too(toy):
    x, y = toy
    model = MDNClassifier(random_state=0, hidden_sizes=(8,), n_members=2, max_epochs=5)
    model.fit(x[50:], y[50:] > 2, validation=(x[:50], ~(y[:50] > 2)))
    assert np.all(model.history_.valid_loss > model.history_.train_loss)  # they are the other way
    with pytest.raises(ValueError, match="Training had no class c, `validation` has it"):
        model.fit(x[2:], np.where(y[2:] > 2, "a", "b"), validation=(x[:2], ["a", "c"]))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"validation": [1, 2, 3]}, "must be a pair"),
        ({"validation": (np.zeros((3, 2)), np.zeros(4))}, "inconsistent numbers of samples"),
        ({"validation": (np.zeros((3, 4)), np.zeros(3))}, "4 features, but"),
        ({"validation": (np.zeros((3, 2)), [1.0, np.nan, 2.0])}, r"NaN in row 2"),
        ({"validation": (np.zeros((3, 2)), np.zeros((3, 2)))}, "unlike those of training"),
    ],
)
def test_rows_to_hold_out_are_checked(toy, wrong, told):
    with pytest.raises(ValueError, match=told):
        MDNRegressor(random_state=0, **SMALL).fit(*toy, **wrong)


def test_groups_or_validation_and_only_what_can_hold_out(toy):
    x, y = toy
    with pytest.raises(IncompatibleError, match="Give one of them"):
        MDNRegressor(**SMALL).fit(x, y, groups=y > 2, validation=(x, y))
    model = MDNRegressor(uncertainty="nuts", hidden_sizes=(4,), n_components=1)
    with pytest.raises(IncompatibleError, match=r"holds out none\. Leave `validation` out"):
        model.fit(x[:50], y[:50], validation=(x[50:], y[50:]))


@pytest.mark.slow
def test_rows_of_training_among_those_held_out_are_said(toy):
    x, y = toy
    options = SMALL | {"max_epochs": 1}
    model = MDNRegressor(random_state=0, validation_fraction=0.3, **options)
    with (
        pytest.warns(UserWarning, match="20 of 100 rows of `validation` are rows of training too"),
        pytest.warns(UserWarning, match="`validation_fraction` has no effect beside `validation`"),
    ):
        model.fit(x[:320], y[:320], validation=(x[300:], y[300:]))


def test_rows_are_counted_where_they_do_not_repeat_by_themselves():
    rows = np.random.default_rng(0).normal(size=(50, 3))
    rows[7, 1] = np.nan
    assert count_known(rows[5:15], rows[10:]) == 5
    assert count_known(rows[5:9], rows[7:]) == 2
    levels = np.arange(50)[:, None] % 4.0
    assert count_known(levels[:10], levels) == 0
