"""Values that look like codes are named, and measurements are not."""

import numpy as np
import pytest

from cases import SMALL
from sfumato import MDNRegressor
from sfumato.errors import DataError
from sfumato.preprocessing.missing import codes_in

RNG = np.random.default_rng(0)
N = 5000


def with_codes(values, *codes):
    values = np.array(values, float)
    for index, code in enumerate(codes):
        values[40 * index : 40 * (index + 1)] = code
    return values


@pytest.mark.parametrize(
    ("values", "codes"),
    [
        (with_codes(RNG.gamma(3, 0.25, N), -99), [-99]),
        (with_codes(RNG.gamma(3, 0.25, N), -9, -99.9), [-99.9, -9]),
        (with_codes(RNG.normal(22, 1, N), 99, -99), [-99, 99]),
        (with_codes(np.exp(RNG.normal(2, 2, N)) + RNG.normal(0, 1, N), -99), [-99]),
        (with_codes(RNG.normal(0, 1, N), 1e20, -32768), [-32768, 1e20]),
        (np.full(N, -999.0), [-999]),
        (RNG.choice([0, 1, 2, 99.0], N), [99]),
        (RNG.choice([0, 1, 2, 3, -77.0], N), [-77]),
        (np.append(RNG.normal(18, 1, N), -9999.0), [-9999]),
    ],
)
def test_codes_are_found(values, codes):
    assert [code.value for code in codes_in(values)] == codes
    for code in codes_in(values):
        assert code.n_rows == np.sum(values == code.value)


@pytest.mark.parametrize(
    "values",
    [
        RNG.poisson(100, N),
        np.minimum(RNG.poisson(100, N), 110),
        RNG.integers(0, 101, N),
        np.where(RNG.random(N) < 0.3, 100, RNG.uniform(0, 100, N)),
        np.round(RNG.normal(0, 10, N)),
        100.0 * (RNG.random(N) < 0.5),
        RNG.choice([3500.0, 4500, 6000, 7500], N),
        RNG.choice([110.25, 122.5, 147, 220.5], N, p=[0.2, 0.2, 0.1, 0.5]),
        RNG.normal(1e4, 1, N),
        np.append(RNG.normal(18, 1, N), 99.0),
        np.append(np.exp(RNG.normal(7, 2, N)), 9999.0),
        np.full(N, 100.0),
        np.zeros(0),
        np.full(3, np.nan),
    ],
)
def test_measurements_are_not(values):
    assert codes_in(values) == []


@pytest.mark.parametrize(
    ("values", "codes"),
    [
        (with_codes(RNG.gamma(3, 0.25, N), 9.9999), [9.9999]),
        (with_codes(RNG.gamma(3, 0.25, N), 9.99, 99), [9.99, 99]),
        (with_codes(RNG.uniform(0, 20, N), 9.9999), []),
        (with_codes(RNG.gamma(3, 0.25, N), 10.25), []),
        (np.where(RNG.random(N) < 0.1, 9.0, RNG.integers(0, 3, N)), []),
    ],
)
def test_nines_among_targets_are_codes_where_they_stand_alone(values, codes):
    assert [code.value for code in codes_in(values, nines=9.0)] == codes
    assert [code.value for code in codes_in(values)] == [code for code in codes if code > 90]


def test_fit_names_the_column_of_a_code(toy):
    x, y = toy
    x = x.copy()
    x[:20, 1] = -999.0
    model = MDNRegressor(random_state=0, **SMALL).name_columns(["u", "g"])
    with pytest.warns(UserWarning, match=r"g is -999 in 20 rows \(5 %\): taken as measured"):
        model.fit(x, y)


def test_targets_far_beyond_the_bounds_are_refused(toy):
    x, y = toy
    y = y.copy()
    y[:20] = -99
    with (
        pytest.warns(UserWarning, match="the target is -99 in 20 rows"),
        pytest.raises(DataError, match=r"20 of 400 targets \(5 %\) lie beyond the bounds 0 and 5"),
    ):
        MDNRegressor(family="beta", bounds=(0, 5), **SMALL).fit(x, y)
