"""The answer does not depend on the units of columns, errors, fluxes or targets."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato import MDNClassifier, MDNRegressor, read_model, write_model
from sfumato.photoz import mock
from sfumato.photoz.presets import mdn
from sfumato.preprocessing.scalers import fit_robust, fit_standard
from sfumato.preprocessing.units import fit_units

QUICK = {"hidden_sizes": (16,), "n_members": 1, "max_epochs": 12, "embedding": "none"}
SCALES = st.integers(-30, 30).map(lambda power: 10.0**power)
OFFSETS = st.sampled_from([0.0, 1.0, -2.4e6, 1e9])


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2))
    return x, x[:, 0] + 0.5 * np.abs(x[:, 1]) + 0.2 * rng.normal(size=300)


def fitted(x, y, **options):
    return MDNRegressor(random_state=0, n_components=2, **QUICK, **options).fit(x, y)


@pytest.fixture(scope="module")
def plain(rows):
    return fitted(*rows).predict(rows[0])


@pytest.mark.slow
@given(scale=SCALES, offset=OFFSETS)
@settings(max_examples=5)
def test_features_in_any_unit(rows, plain, scale, offset):
    x, y = rows
    other = (x + offset) * scale
    # an offset of 1e9 spreads leaves seven digits of a spread in double precision
    np.testing.assert_allclose(fitted(other, y).predict(other), plain, atol=2e-3)


@pytest.mark.slow
@given(scale=SCALES, offset=OFFSETS)
@settings(max_examples=4)
def test_targets_in_any_unit(rows, plain, scale, offset):
    x, y = rows
    mean = fitted(x, scale * (y + offset), family="normal").predict(x)
    expected = fitted(x, y, family="normal").predict(x)
    np.testing.assert_allclose(mean / scale - offset, expected, atol=2e-3)


@pytest.mark.slow
@given(scale=SCALES)
@settings(max_examples=3)
def test_classes_from_features_in_any_unit(rows, scale):
    x, y = rows
    labels = y > 0
    ours, expected = (
        MDNClassifier(random_state=0, **QUICK).fit(k * x, labels).predict_proba(k * x)
        for k in (scale, 1.0)
    )
    np.testing.assert_allclose(ours, expected, atol=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1e-29, 1e20])
def test_errors_of_features_share_their_units(rows, scale, tmp_path):
    x, y = rows
    noise = np.full(x.shape, 0.3)
    model = fitted(x, y)
    expected = model.predict_pdfs(x[:20], X_err=noise[:20]).std()
    other = fitted(scale * x, y)
    write_model(other, tmp_path / "model")
    for one in (other, read_model(tmp_path / "model")):
        found = one.predict_pdfs(scale * x[:20], X_err=scale * noise[:20]).std()
        np.testing.assert_allclose(found, expected, rtol=5e-3)


@pytest.mark.slow
def test_gaps_and_categories_stay_what_they_are(rows):
    x, y = rows
    x = np.column_stack([x, np.arange(300) % 3])
    x[::7, 1] = np.nan
    options = {"missing": "flag", "categorical": [2]}
    expected = fitted(x, y, **options).predict(x)
    other = x * [1e-25, 1e25, 1]
    np.testing.assert_allclose(fitted(other, y, **options).predict(other), expected, atol=2e-3)


@pytest.mark.parametrize(
    "scale", [pytest.param(s, marks=pytest.mark.slow) for s in (1.0, 1e-29, 3.6e-20, 1e12)]
)
def test_fluxes_in_any_unit(scale):
    table = mock.train_table(400, seed=1)
    bands = "ugrizy"
    magnitude, error = (
        np.stack([table[name.format(b)].to_numpy() for b in bands], axis=1)
        for name in ("mag_{}_lsst", "mag_err_{}_lsst")
    )
    seen = np.abs(magnitude) < 90
    flux = np.where(seen, 10 ** (-0.4 * (np.where(seen, magnitude, 30) - 25)), np.nan)
    flux_error = flux * np.where(seen, error, 0.1) / 1.0857
    z = table["redshift"].to_numpy()

    def answer(unit):
        x = unit * np.concatenate([flux, flux_error], axis=1)
        model = mdn(bands, unit="flux", max_epochs=3, n_members=1, random_state=0).fit(x, z)
        return model.predict_pdfs(x).mean()

    found = answer(scale)
    assert np.std(found) > 0.02  # not one answer for all
    np.testing.assert_allclose(found, answer(1.0), atol=5e-3)


@pytest.mark.parametrize("error", [0.0, np.nan])
def test_flux_errors_that_are_not_known_make_no_wild_magnitudes(error):
    from sfumato.photoz.features import PhotometryFeatures

    flux = 10 ** np.random.default_rng(0).normal(1, 0.3, (200, 2))
    x = np.concatenate([flux, np.full(flux.shape, error)], axis=1)
    features = PhotometryFeatures(("g", "r"), unit="flux").fit(x)
    seen = np.asarray(features(jnp.asarray(x.T, jnp.float32)))[:2]
    np.testing.assert_allclose(seen, 25 - 2.5 * np.log10(flux.T), atol=0.15)


@pytest.mark.parametrize("fit", [fit_standard, fit_robust])
@pytest.mark.parametrize("scale", [1e-30, 1e-22, 1.0, 1e18, 1e36])
def test_scalers_find_the_spread_in_any_unit(fit, scale):
    x = np.random.default_rng(0).normal(size=(400, 3)) * scale
    spread = np.asarray(fit(x.astype(np.float32)).scale, float) / scale
    np.testing.assert_allclose(spread, np.asarray(fit(x / scale).scale), rtol=1e-5)


def test_units_are_powers_of_two_around_the_middle():
    units = fit_units(np.array([[1.0, 5.0], [3.0, 5.0], [np.nan, 5.0]]), (0, 1))
    assert units.centre.tolist() == [2.0, 5.0]
    mantissa, _ = np.frexp(units.scale)
    assert mantissa[0] == 0.5
    assert units.scale[1] == np.inf
    assert units(np.array([[4.0, 7.0], [2.0, np.nan]]))[:, 1].tolist()[0] == 0.0
    assert units.moved(np.array([[4.0, 7.0]])) == [1]
    assert units.moved(np.array([[4.0, 5.0], [np.nan, np.nan]])) == []


@pytest.mark.slow
def test_a_constant_column_that_moves_is_ignored_and_said(rows):
    x, y = rows
    frame = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "night": 7.0})
    model = fitted(frame, y)
    moved = frame.assign(night=np.linspace(-1e6, 1e6, len(y)))
    with pytest.warns(UserWarning, match="one value in night, and these rows have others"):
        found = model.predict(moved)
    np.testing.assert_array_equal(found, model.predict(frame))


def test_what_overflows_is_far_and_no_gap():
    units = fit_units(np.array([[1.0], [2.0], [3.0]]), (0,))
    found = units(np.array([[1e39], [-1e300], [np.inf], [np.nan], [2.0]]))[:, 0]
    np.testing.assert_array_equal(found, np.float32([1e30, -1e30, np.inf, np.nan, 0]))
