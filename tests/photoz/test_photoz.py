"""Photometry features, templates and the mock survey, and their exact answer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from cases import DATA, SMALL
from sfumato import GridPDFs, MDNRegressor, write_pdfs
from sfumato.photoz import doubts, mock, presets
from sfumato.photoz.features import POGSON, PhotometryFeatures
from sfumato.photoz.survey import SurveyPlan
from sfumato.photoz.templates import BANDS, flux_table, igm_transmission
from sfumato.photoz.tomography import stack_file

RNG = np.random.default_rng(2)
MAG = RNG.uniform(20, 26, (500, 3))
ERR = 10 ** (0.3 * (MAG - 26)) * 0.3
X = np.concatenate([MAG, ERR], axis=1)
FITTED = PhotometryFeatures(("g", "r", "i")).fit(X)


def feature(values, name, features=FITTED):
    out = np.asarray(features(jnp.asarray(np.asarray(values, float).T, jnp.float32)))
    return out[features.names.index(name)]


def asinh_mag(flux, band=0, features=FITTED):
    """Lupton, Gunn & Szalay (1999), equation 3, in double precision."""
    b = float(features.softening[band])
    return 25 - POGSON * (np.arcsinh(np.asarray(flux) / (2 * b)) + np.log(b))


def test_asinh_magnitudes_are_the_formula_of_the_flux():
    for band, name in enumerate("gri"):
        expected = asinh_mag(10 ** (-0.4 * (MAG[:, band] - 25)), band)
        # single precision of magnitudes near 25: 2e-6 each for input, flux and output
        np.testing.assert_allclose(feature(X, f"asinh_mag_{name}"), expected, atol=1e-5)


def test_the_softening_is_the_typical_flux_error_of_the_fainter_half():
    flux = 10 ** (-0.4 * (MAG - 25))
    error = flux * ERR / POGSON
    faint = flux <= np.median(flux, axis=0)
    expected = [np.median(error[faint[:, band], band]) for band in range(3)]
    # fluxes in single precision
    np.testing.assert_allclose(FITTED.softening, expected, rtol=1e-5)


def test_asinh_magnitudes_are_magnitudes_when_bright():
    bright = X[MAG[:, 0] < 21]
    np.testing.assert_allclose(feature(bright, "asinh_mag_g"), bright[:, 0], atol=2e-3)


def test_asinh_magnitude_formula_at_zero_flux():
    # at f = 0 it is 25 - 2.5 log10 b
    row = X[:1].copy()
    row[0, 0] = 99
    b = float(FITTED.softening[0])
    assert feature(row, "asinh_mag_g")[0] == pytest.approx(25 - POGSON * np.log(b), abs=1e-4)


def test_colours_are_differences_and_errors_are_logs():
    colour = feature(X, "asinh_mag_g") - feature(X, "asinh_mag_r")
    np.testing.assert_allclose(feature(X, "colour_g-r"), colour, atol=1e-5)
    np.testing.assert_allclose(feature(X, "log_err_i"), np.log(ERR[:, 2]), atol=1e-5)


@pytest.mark.parametrize(
    ("magnitude", "error", "state"),
    [
        (23.0, 0.1, "observed"),
        (99.0, 26.6, "not_detected"),
        (99.0, 99.0, "not_detected"),
        (np.inf, 0.5, "not_detected"),
        (np.nan, 0.5, "not_detected"),
        (-99.0, -99.0, "not_observed"),
        (23.0, np.inf, "not_observed"),
        (np.nan, np.inf, "not_observed"),
        (99.0, np.inf, "not_detected"),
        (-99.9, np.nan, "not_observed"),
        (-80.0, 0.1, "not_observed"),
        (-60.0, 0.1, "not_observed"),
        (-np.inf, 0.1, "not_observed"),
        (np.nan, np.nan, "not_observed"),
    ],
)
def test_every_state_of_a_band(magnitude, error, state):
    row = X[:1].copy()
    row[0, 1], row[0, 4] = magnitude, error
    flags = {name: feature(row, f"{name}_r")[0] for name in ("not_detected", "not_observed")}
    assert flags == {name: float(name == state) for name in flags}
    flux = {"observed": 10 ** (-0.4 * (23.0 - 25)), "not_detected": 0.0, "not_observed": np.nan}
    expected = asinh_mag(flux[state], band=1)
    assert feature(row, "asinh_mag_r")[0] == pytest.approx(expected, abs=1e-5, nan_ok=True)
    log_error = {"observed": 0.1, "not_detected": POGSON, "not_observed": np.nan}[state]
    found = feature(row, "log_err_r")[0]
    assert found == pytest.approx(np.log(log_error), abs=1e-5, nan_ok=True)
    # the neighbours are what they were
    assert feature(row, "asinh_mag_g")[0] == pytest.approx(feature(X[:1], "asinh_mag_g")[0])


@given(
    st.one_of(
        st.floats(-200, 200, width=32),
        st.sampled_from([90.5, -49.5, -50.5, -80, np.inf, -np.inf, np.nan, -1e30]),
    )
)
def test_any_value_is_measured_or_has_its_flag(value):
    row = X[:1].copy()
    row[0, 1] = value
    gone, unseen = value < -50, value > 90 or np.isnan(value)  # its error is finite
    flags = [feature(row, f"{kind}_r")[0] for kind in ("not_detected", "not_observed")]
    assert flags == [float(unseen), float(gone)]
    with np.errstate(over="ignore"):
        flux = np.nan if gone else 0.0 if unseen else 10 ** (-0.4 * (value - 25))
    # flux, logarithm and output in single precision, each 1e-7 of numbers up to 100
    expected = pytest.approx(asinh_mag(flux, band=1), abs=5e-5, nan_ok=True)
    assert feature(row, "asinh_mag_r")[0] == expected
    for name in ("asinh_mag_g", "asinh_mag_i", "log_err_g", "not_detected_i", "not_observed_g"):
        np.testing.assert_array_equal(feature(row, name), feature(X[:1], name))


def test_negative_fluxes_are_measurements():
    flux = 10 ** (-0.4 * (MAG - 25))
    rows = np.concatenate([flux, flux * ERR / POGSON], axis=1)
    features = PhotometryFeatures(("g", "r", "i"), unit="flux").fit(rows)
    # the same softenings, fitted to the same fluxes, but for single precision
    np.testing.assert_allclose(
        feature(rows, "asinh_mag_r", features), feature(X, "asinh_mag_r"), atol=2e-5
    )
    rows[0, 1] = -0.3
    expected = asinh_mag(-0.3, band=1, features=features)
    assert feature(rows[:1], "asinh_mag_r", features)[0] == pytest.approx(expected, abs=1e-5)
    log_error = np.log(np.clip(POGSON * rows[0, 4] / 0.3, 0.002, 5.0))
    assert feature(rows[:1], "log_err_r", features)[0] == pytest.approx(log_error, abs=1e-5)
    out = np.asarray(features(jnp.asarray(rows[:1].T, jnp.float32)))
    np.testing.assert_array_equal(out[-6:], 0)
    rows[0, 1] = np.nan
    assert feature(rows[:1], "not_observed_r", features)[0] == 1


def test_perturbation_has_the_stated_noise_and_gaps():
    columns = jnp.asarray(np.repeat(X[:1], 20_000, axis=0).T, jnp.float32)
    plain = PhotometryFeatures(("g", "r", "i"), drop_fraction=0.0).fit(X)
    moved = np.asarray(plain.perturb(columns, key=jax.random.key(0), noise=1.0))
    flux = 10 ** (-0.4 * (moved[1] - 25))
    expected = 10 ** (-0.4 * (MAG[0, 1] - 25)) * ERR[0, 1] / POGSON
    assert flux.std() == pytest.approx(expected, rel=0.05)
    still = np.asarray(plain.perturb(columns, key=jax.random.key(0), noise=0.0))
    np.testing.assert_allclose(still, columns, rtol=1e-5)
    # noise does not know of its draw: errors of fluxes stay, those of magnitudes go with the fluxes
    np.testing.assert_allclose(
        flux * moved[4], 10 ** (-0.4 * (MAG[0, 1] - 25)) * ERR[0, 1], rtol=1e-4
    )
    linear = PhotometryFeatures(("g", "r", "i"), unit="flux", drop_fraction=0.0)
    fluxes = jnp.abs(columns)
    shifted = linear.fit(np.asarray(fluxes).T[:5]).perturb(fluxes, key=jax.random.key(0), noise=1.0)
    np.testing.assert_array_equal(shifted[3:], fluxes[3:])
    gaps = PhotometryFeatures(("g", "r", "i"), drop_fraction=0.2, jitter=0.0).fit(X)
    lost = np.asarray(gaps.perturb(columns, key=jax.random.key(1), noise=1.0))[:3] == -99
    assert lost.mean() == pytest.approx(0.2 * 0.5, abs=0.01)


def test_features_round_trip_and_must_be_fitted():
    again = PhotometryFeatures.from_dict(FITTED.to_dict())
    np.testing.assert_array_equal(again(jnp.asarray(X.T)), FITTED(jnp.asarray(X.T)))
    with pytest.raises(ValueError, match="must be fitted first"):
        PhotometryFeatures(("g", "r", "i"))(jnp.asarray(X.T))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*as no training row was")
def test_a_model_predicts_for_galaxies_with_missing_bands():
    table = mock.train_table(1500, seed=0)
    names = [f"mag_{b}_lsst" for b in BANDS] + [f"mag_err_{b}_lsst" for b in BANDS]
    x = np.stack([table[name].to_numpy() for name in names], axis=1)
    z = table["redshift"].to_numpy()
    model = presets.mdn(BANDS, n_members=2, hidden_sizes=(32, 32), max_epochs=25, random_state=0)
    model.fit(x, z)
    gaps = x.copy()
    gaps[:, [0, 3]] = -99.0
    gaps[:, [6, 9]] = np.nan
    whole, partial = model.predict_pdfs(x), model.predict_pdfs(gaps)
    # every code of a missing band says the same
    gaps[:, [0, 3]] = -np.inf
    gaps[:, [6, 9]] = -99.0
    np.testing.assert_array_equal(model.predict_pdfs(gaps).mean(), partial.mean())
    assert partial.entropy().mean() > whole.entropy().mean()
    assert partial.log_prob(z).mean() > np.log(1 / 3.5)  # better than knowing nothing


# -- templates and prior ---------------------------------------------------------------------------


def test_igm_absorbs_blueward_of_lyman_alpha_only():
    wavelength = np.linspace(3000, 9000, 601)
    none = igm_transmission(wavelength, 1.0)
    np.testing.assert_array_equal(none[wavelength > 1216 * 2], 1.0)
    high = igm_transmission(wavelength, 3.5)
    # Madau (1995): between Lyman beta and alpha, exp(-0.0036 (lambda / 1216)^3.46)
    at = 1150 * 4.5
    expected = np.exp(-0.0036 * (at / 1216) ** 3.46)
    assert np.interp(at, wavelength, high) == pytest.approx(expected, rel=1e-3)
    # Lyman beta adds its own below 1026: exp(-0.0017 (lambda / 1026)^3.46)
    at = 1000 * 4.5
    expected = np.exp(-0.0036 * (at / 1216) ** 3.46 - 0.0017 * (at / 1026) ** 3.46)
    assert np.interp(at, wavelength, high) == pytest.approx(expected, rel=1e-3)
    # and below the limit the continuum, footnote 3
    c, e = 880 * 4.5 / 912, 4.5
    lines = ((1216, 0.0036), (1026, 0.0017), (973, 0.0012), (950, 0.00093))
    depth = sum(a * (880 * 4.5 / line) ** 3.46 for line, a in lines)
    depth += 0.25 * c**3 * (e**0.46 - c**0.46) + 9.4 * c**1.5 * (e**0.18 - c**0.18)
    depth -= 0.7 * c**3 * (c**-1.32 - e**-1.32) + 0.023 * (e**1.68 - c**1.68)
    assert igm_transmission(np.array([880 * 4.5]), 3.5)[0] == pytest.approx(np.exp(-depth))


def test_template_fluxes_against_galsim():
    galsim = pytest.importorskip("galsim")
    table = flux_table()
    for band in ("g", "i"):
        bandpass = galsim.Bandpass(f"LSST_{band}.dat", wave_type="nm")
        for kind, name in ((0, "E"), (3, "Im")):
            sed = galsim.SED(f"CWW_{name}_ext.sed", wave_type="Ang", flux_type="flambda")
            fluxes = [sed.atRedshift(z).calculateFlux(bandpass) for z in (0.1, 0.7)]
            mine = table.at(np.array([0.1, 0.7]), np.array([kind, kind], float))
            column = mine[:, BANDS.index(band)]
            # both fluxes are photons; ours come every 10 Angstrom, from a table in redshift
            ratio = (column[1] / column[0]) / (fluxes[1] / fluxes[0])
            assert ratio == pytest.approx(1, rel=3e-3)


def test_redshift_prior_is_normalised_and_drawn_from():
    rng = np.random.default_rng(0)
    grid = flux_table().redshift
    for number in range(3):
        density = mock.redshift_density(grid, np.array([23.0]), number)[0]
        assert np.trapezoid(density, grid) == pytest.approx(1)
        draws = mock._draw_redshifts(np.full(4000, 23.0), np.full(4000, number), rng=rng)
        cdf = np.concatenate([[0], np.cumsum(0.5 * (density[1:] + density[:-1]) * np.diff(grid))])
        assert stats.kstest(draws, lambda z, c=cdf: np.interp(z, grid, c)).pvalue > 1e-3


@given(st.floats(17, 26))
def test_class_shares_are_those_of_benitez(magnitude):
    # Benitez (2000), equation 24 and table 1: 35 % E and 50 % spirals at 20, falling
    faint = max(magnitude - 20, 0)
    first, second = 0.35 * np.exp(-0.450 * faint), 0.50 * np.exp(-0.147 * faint)
    expected = [[first, second, 1 - first - second]]
    np.testing.assert_allclose(mock.class_shares(np.array([magnitude])), expected, rtol=1e-12)


def test_noise_equals_photerr():
    depth = mock.Depth(4.0)
    true = np.full((40_000, 6), 24.0)
    mag, err = mock.observe(true, depth, rng=np.random.default_rng(0))
    ratio = depth.noise_to_signal(true[:1])[0]
    seen = np.where(mag < 90, 10 ** (-0.4 * (mag - 24.0)), np.nan)
    assert ratio.max() < 0.2  # almost never undetected, so the scatter is the noise
    for b in range(6):
        assert np.nanstd(seen[:, b]) == pytest.approx(ratio[b], rel=0.03)
        assert np.nanmedian(err[:, b]) == pytest.approx(2.5 * np.log10(1 + ratio[b]), rel=0.03)


@pytest.mark.slow
def test_exact_posterior_is_calibrated_at_every_depth():
    galaxies = mock.draw_galaxies(40, rng=np.random.default_rng(8))
    for years in (0.1, 10.0):
        depth = mock.Depth(years)
        mag, _ = mock.observe(galaxies.mag, depth, rng=np.random.default_rng(9))
        exact = mock.exact_posterior(mag, depth, n_types=31, n_mags=15)
        assert stats.kstest(exact.pit(galaxies.redshift), "uniform").pvalue > 1e-3
        shifted = exact.pit(np.clip(galaxies.redshift + 0.25, 0, 3.5))
        assert stats.kstest(shifted, "uniform").pvalue < 1e-3


def test_the_same_seed_gives_the_same_survey():
    first, second = (mock.train_table(200, seed=4) for _ in range(2))
    assert first.equals(second)
    assert not first.equals(mock.train_table(200, seed=5))
    assert np.bincount(first["depth"].to_numpy())[1:].tolist() == [40] * 5


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ((10, 0), "--galaxies must be at least 50"),
        ((100, 0, 51), "--posteriors must be 0 to 50"),
        ((100, 0, 5, 6), "--posterior-depth must be 1 to 5"),
    ],
)
def test_impossible_surveys_are_refused(plan, message):
    with pytest.raises(ValueError, match=message):
        SurveyPlan(*plan)


# -- real catalogues -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.shared
def test_dc2_beats_knowing_nothing_by_far():
    from sfumato.io.tables import matrix, open_table, read_table

    names = [f"mag_{b}_lsst" for b in BANDS] + [f"mag_err_{b}_lsst" for b in BANDS]
    folder = DATA / "photoz_lsst_dc2"
    train = open_table(folder / "test_dc2_training_9816.hdf5")
    values = matrix(read_table(train, [*names, "redshift"]), [*names, "redshift"])
    values = np.random.default_rng(0).permutation(values)  # the file is sorted by redshift
    x, z = values[:, :-1], values[:, -1]
    model = presets.mdn(BANDS, n_members=2, max_epochs=15, bounds=(0, 3.1), random_state=0)
    model.fit(x[:8000], z[:8000])
    # trainZ, the same n(z) for all, has -0.57; 15 short epochs of two networks some 1.5
    assert model.predict_pdfs(x[8000:]).log_prob(z[8000:]).mean() > 1.3


def test_stacks_say_what_is_in_no_bin_and_count_the_last_edge(tmp_path):
    grid = np.linspace(0, 2, 201)
    means = np.array([0.2, 0.3, 1.0, 1.9])
    density = np.exp(-0.5 * ((grid - means[:, None]) / 0.02) ** 2)
    columns = {"point": np.array([0.2, 0.3, 1.0, 1.9])}
    write_pdfs(GridPDFs(grid, density), tmp_path / "p.parquet", columns=columns)
    with pytest.warns(UserWarning, match="1 of 4 objects have their point outside the edges"):
        stacks, _ = stack_file(tmp_path / "p.parquet", [0, 0.5, 1.0], by="point")
    np.testing.assert_array_equal(stacks.counts, np.histogram(columns["point"], [0, 0.5, 1.0])[0])
    with pytest.warns(UserWarning, match="No object falls into the bins 0.5 to 0.9."):
        stack_file(tmp_path / "p.parquet", [0, 0.5, 0.9, 2.0], by="point", overwrite=True)


def test_codes_that_are_read_are_no_measurements():
    x = X[:6].copy()
    x[0, 0], x[1, 0], x[2, 0], x[3, 3] = 99.0, -99.0, -9.99, -1.0
    x[0, 3] = 99.0  # its error
    got = FITTED.measured(x)
    gaps = {tuple(place) for place in np.argwhere(np.isnan(got))}
    assert gaps == {(0, 0), (1, 0), (0, 3), (1, 3), (3, 3)}
    fluxes = PhotometryFeatures(("g", "r", "i"), unit="flux")
    assert fluxes.measured(x) is x


@pytest.mark.slow
@pytest.mark.parametrize("code", [-9.99, 0.0, 50.0])
def test_other_codes_among_magnitudes_are_named(code):
    x = X.copy()
    x[::10, 1] = code
    features = PhotometryFeatures(("g", "r", "i"))
    model = MDNRegressor(features=features, **SMALL)
    with pytest.warns(UserWarning, match=f"column 1 is {code:g} in 50 rows .10 %.: taken as"):
        model.fit(x, np.linspace(0.1, 1, 500))
    clean = MDNRegressor(features=features, **SMALL).fit(X, np.linspace(0.1, 1, 500))
    with pytest.warns(UserWarning, match=f"b is {code:g} in 50 rows .*has not seen it"):
        assert clean.warn_of_new_codes(x, {1: "b"}) == {1}


@pytest.mark.parametrize("zero_point", [31.4, 23.9, -48.6])
def test_fluxes_that_are_taken_for_magnitudes_are_said(zero_point):
    fluxes = X.copy()
    fluxes[:, :3] = 10 ** (-0.4 * (MAG - zero_point))
    assert "values of g are no magnitudes" in FITTED.doubt(fluxes)
    assert "--flux" in FITTED.doubt(fluxes)
    measured = np.hstack([fluxes[:, :3], fluxes[:, :3] * ERR / POGSON])
    assert PhotometryFeatures(("g", "r", "i"), unit="flux").doubt(measured) is None
    coded = X.copy()
    coded[::3, :3] = [99.0, -99.0, 50.0]
    assert FITTED.doubt(X) is FITTED.doubt(coded) is FITTED.doubt(X - 30) is None
    assert "None of 500 rows has a value" in FITTED.doubt(np.full_like(X, np.nan))


@pytest.mark.parametrize("error", [0.0, -1.0, np.nan])
def test_an_error_that_no_measurement_has_is_unknown(error):
    row = X[:1].copy()
    row[0, 4] = error
    assert np.isnan(feature(row, "log_err_r")[0])
    assert feature(row, "asinh_mag_r")[0] == feature(X[:1], "asinh_mag_r")[0]


def test_non_detections_that_training_had_not_are_said():
    table = X.copy()
    table[:7, 0], table[3:5, 1], table[4:6, 2] = 99.0, np.nan, -99.0
    assert FITTED.undetected == (False, False, False)
    undetected, unobserved = np.zeros((2, *table.shape), bool)
    undetected[:7, 0], undetected[3:5, 1], unobserved[4:6, 2] = True, True, True
    found = FITTED.new_gaps(table)
    np.testing.assert_array_equal([gaps.where for gaps in found], [undetected, unobserved])
    learnt = PhotometryFeatures(("g", "r", "i")).fit(table)
    assert learnt.undetected == (True, True, False)
    assert learnt.unobserved == (False, False, True)
    assert not any(gaps.where.any() for gaps in learnt.new_gaps(table))
    again = PhotometryFeatures.from_dict(learnt.to_dict())
    assert (again.undetected, again.unobserved) == (learnt.undetected, learnt.unobserved)
    stored = learnt.to_dict()
    del stored["undetected"], stored["unobserved"]  # as in files of earlier versions
    assert not PhotometryFeatures.from_dict(stored).new_gaps(table)


@pytest.mark.slow
def test_a_model_says_which_rows_lack_what_training_had():
    table = X.copy()
    table[:7, 0] = 99.0
    options = {"hidden_sizes": (8,), "n_members": 1, "max_epochs": 2, "random_state": 0}
    model = presets.mdn("gri", **options).fit(X, RNG.uniform(0, 2, 500))
    with pytest.warns(UserWarning, match="7 rows are not detected in .*, as no training row was"):
        model.predict(np.hstack([table[:, :1], X[:, 1:]]))
    lost = X.copy()
    lost[:5, [1, 4]] = np.nan
    with pytest.warns(UserWarning, match="5 rows are not observed in .*, as no training row was"):
        model.predict(lost)


def test_a_magnitude_that_single_precision_cannot_hold_is_a_code():
    table = X.copy()
    table[3, 0] = np.finfo(float).max
    undetected, _ = FITTED.new_gaps(table)
    assert np.argwhere(undetected.where).tolist() == [[3, 0]]


def test_a_band_of_one_value_is_named():
    table = X.copy()
    table[:, 2] = 22.0
    assert "i is 22 in all of 500 rows: nothing can be learnt" in FITTED.doubt(table)
    table[::2, 2] = 99.0  # a code beside it
    assert "i is 22 in all of 250 rows" in FITTED.doubt(table)


@pytest.mark.parametrize("unit", ["magnitude", "flux"])
def test_errors_that_fall_where_they_should_grow_are_named(unit):
    rng = np.random.default_rng(3)
    flux = 10 ** rng.uniform(0, 3, (400, 2))
    variance = 0.01 * (1 + flux)  # of photons and sky
    if unit == "flux":
        values, errors = flux, np.sqrt(variance)
    else:
        values, errors = 25 - 2.5 * np.log10(flux), 1.0857 * np.sqrt(variance) / flux
    features = PhotometryFeatures(("g", "r"), unit=unit)
    assert features.doubt(np.hstack([values, errors])) is None
    for scale in (1e-6, 1.0):
        wrong = np.hstack([values, scale * errors**-2])
        message = features.doubt(wrong)
        assert "Errors of g" in message
        assert "inverse variances" in message
    constant = np.hstack([values, np.full_like(errors, 0.1)])
    assert features.doubt(constant) is None


def test_inverse_variances_are_no_errors():
    fluxes = PhotometryFeatures(("g", "r", "i"), unit="flux")
    flux = 10 ** (-0.4 * (MAG - 22.5))
    error = flux * ERR / POGSON
    assert fluxes.doubt(np.hstack([flux, error])) is None
    assert "Are they inverse variances?" in fluxes.doubt(np.hstack([flux, error**-2]))
    assert doubts.of_names(["FLUX_IVAR_G"]) is not None
    assert doubts.of_names(["flux_err_g", "sigma_g"]) is None


def test_units_that_do_not_suit():
    fluxes = PhotometryFeatures(("g", "r", "i"), unit="flux")
    stated = ["nJy", "mag", "erg / (Hz s cm2)", None, "mag(AB)", "nmgy"]
    assert FITTED.unsuited(stated) == [0, 2, 5]
    assert fluxes.unsuited(stated) == [1, 4]
    assert fluxes.unsuited(["maggy", "nanomaggies", "ABmag"]) == [2]


def test_magnitudes_that_are_taken_for_fluxes_and_errors_of_0_are_said():
    fluxes = PhotometryFeatures(("g", "r", "i"), unit="flux")
    assert "Are they magnitudes? Train without --flux, or convert them" in fluxes.doubt(X)
    real = X.copy()
    real[:, :3] = 10 ** (-0.4 * (MAG - 31.4))
    assert "fall where fluxes grow" in fluxes.doubt(real)  # these are errors of magnitudes
    real[:, 3:] *= real[:, :3] / POGSON
    real[::50, :3] *= -1
    assert fluxes.doubt(real) is None
    exact = X.copy()
    exact[::4, 4] = 0.0
    assert "Errors of r are 0 in 125 of 500 rows: taken as unknown" in FITTED.doubt(exact)
    exact[::4, 1] = -99.0  # as of a band that was not observed
    assert FITTED.doubt(exact) is None
