"""What a network sees of a sample, and of what is missing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sfumato.errors import IncompatibleError
from sfumato.jobs.presets import Roles, prepare
from sfumato.welllogs import presets
from sfumato.welllogs.curves import known_logs
from sfumato.welllogs.features import LogFeatures, check_inputs

LOGS = known_logs()
N = 300
RNG = np.random.default_rng(1)
DEPTH = 1000 + 0.5 * np.arange(N)
WELLS = np.repeat([0, 1, 2], N // 3)
VALUES = {
    "GR": RNG.normal(70, 20, N),
    "RHOB": RNG.normal(2.3, 0.1, N),
    "NPHI": RNG.normal(0.3, 0.1, N),
    "RDEP": 10 ** RNG.normal(0, 1, N),
    "TVD": DEPTH - 30,
}
FEATURES = LogFeatures(("GR", "RHOB", "NPHI", "RDEP", "TVD"), (5.0, 20.0), mask_rate=0.5)


def column(x, name):
    return x[:, FEATURES.names.index(name)]


def test_columns_are_what_their_names_say():
    x = FEATURES.columns(VALUES, DEPTH, WELLS, LOGS)
    assert x.shape == (N, FEATURES.n_columns)
    np.testing.assert_array_equal(column(x, "gr here"), VALUES["GR"])
    np.testing.assert_allclose(
        column(x, "rdep here"), np.log10(np.clip(VALUES["RDEP"], 0.05, 2000))
    )
    np.testing.assert_allclose(
        column(x, "neutron-density separation here"),
        VALUES["NPHI"] - (2.65 - VALUES["RHOB"]) / 1.65,
    )
    near = slice(45, 56)  # 2.5 m to either side of sample 50
    np.testing.assert_allclose(column(x, "rhob mean 5 m")[50], VALUES["RHOB"][near].mean())
    np.testing.assert_allclose(column(x, "rhob deviation 5 m")[50], VALUES["RHOB"][near].std())
    np.testing.assert_allclose(column(x, "gr mean 20 m")[100], VALUES["GR"][100:121].mean())
    low, high = np.quantile(VALUES["GR"][100:200], [0.05, 0.95])
    np.testing.assert_allclose(
        column(x, "gr within its well")[100:200], (VALUES["GR"][100:200] - low) / (high - low)
    )
    np.testing.assert_array_equal(column(x, "vertical depth here"), DEPTH - 30)


def test_an_input_that_is_not_there_is_a_gap_in_all_that_needs_it():
    x = FEATURES.columns({k: v for k, v in VALUES.items() if k != "NPHI"}, DEPTH, WELLS, LOGS)
    lost = np.isnan(x).all(axis=0)
    for (name, needs), gone in zip(FEATURES.layout, lost, strict=True):
        assert gone == ("NPHI" in needs), name
    assert FEATURES.lacking(x).all(axis=0).tolist() == [False, False, True, False, False]


def test_masking_loses_whole_inputs_in_its_share_of_the_rows():
    x = jnp.asarray(FEATURES.columns(VALUES, DEPTH, WELLS, LOGS).T, jnp.float32)
    x = jnp.tile(x, (1, 20))
    masked = np.asarray(FEATURES.perturb(x, key=jax.random.key(0), noise=1.0))
    lost = np.isnan(masked)
    own = [FEATURES.names.index(f"{name} here") for name in ("gr", "rhob", "nphi", "rdep")]
    own.append(FEATURES.names.index("vertical depth here"))
    inputs = dict(zip(FEATURES.inputs, lost[own], strict=True))
    for row, (_, needs) in enumerate(FEATURES.layout):
        np.testing.assert_array_equal(lost[row], np.any([inputs[name] for name in needs], axis=0))
    n = x.shape[1]
    for name in FEATURES.inputs:
        assert abs(inputs[name].mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / n)
    untouched = ~np.any(list(inputs.values()), axis=0)
    assert abs(untouched.mean() - (0.5 + 0.5 / 32)) < 4 * np.sqrt(0.25 / n)
    np.testing.assert_array_equal(masked[~lost], np.asarray(x)[~lost])
    plain = LogFeatures(FEATURES.inputs, FEATURES.windows)
    assert plain.perturb(x, key=jax.random.key(0), noise=1.0) is x


def test_flags_say_what_was_not_measured_here_nor_near():
    values = VALUES | {"GR": VALUES["GR"].copy()}
    values["GR"][40:45] = np.nan  # a gap shorter than the widest window
    values["GR"][100:200] = np.nan  # a well without
    x = FEATURES.columns(values, DEPTH, WELLS, LOGS)
    out = np.asarray(FEATURES(jnp.asarray(x.T, jnp.float32)))
    flags = out[FEATURES.n_columns :]
    assert flags.shape == (5 + 4, N)
    assert FEATURES.n_numeric(out.shape[0]) == FEATURES.n_columns
    here, near = flags[0], flags[5]
    assert here[40:45].all()
    assert not near[40:45].any()
    assert here[100:200].all()
    assert near[100:200].all()
    assert flags[1:5].sum() == 0


def test_ranges_and_gaps_of_training():
    x = FEATURES.columns(VALUES, DEPTH, WELLS, LOGS)
    units = FEATURES.units(x)
    fitted = LogFeatures(FEATURES.inputs, FEATURES.windows).fit(units(x))
    other = {k: v[:4].copy() for k, v in VALUES.items()}
    other["RHOB"][1], other["TVD"][2], other["GR"][3] = 2.95, 5000, np.nan
    y = fitted.columns(other, DEPTH[:4], WELLS[:4], LOGS)
    beyond = fitted.beyond(units(y))
    assert beyond[:, :4].tolist() == [[False] * 4, [False, True, False, False], *[[False] * 4] * 2]
    assert beyond[:, 4].tolist() == [False, False, True, False]
    (gaps,) = fitted.new_gaps(y)
    assert np.argwhere(gaps.where).tolist() == [[3, 0]]
    assert not FEATURES.fit(units(x)).new_gaps(y)  # masked in training
    again = LogFeatures.from_dict(fitted.to_dict())
    assert again == fitted
    with pytest.raises(ValueError, match="must be fitted first"):
        FEATURES.beyond(units(y))


def test_inputs_are_checked():
    assert check_inputs([" GR", "RHOB ", ""]) == ("GR", "RHOB")
    with pytest.raises(ValueError, match="names 'GR' more than once"):
        check_inputs(["GR", "GR"])
    with pytest.raises(ValueError, match="names no log"):
        check_inputs([" "])


def test_the_preset_is_a_configured_estimator():
    model = presets.mdn(["GR", "TVD"], windows=[10.0], mask_rate=0.1, n_members=2)
    assert model.features == LogFeatures(("GR", "TVD"), (10.0,), 0.1)
    assert model.n_members == 2


def test_an_input_that_training_never_had_is_passed_over():
    x = FEATURES.columns({k: v for k, v in VALUES.items() if k != "RHOB"}, DEPTH, WELLS, LOGS)
    units = FEATURES.units(x)
    fitted = FEATURES.fit(units(x))
    full = FEATURES.columns(VALUES, DEPTH, WELLS, LOGS)
    seen, unseen = (np.asarray(fitted(jnp.asarray(units(v).T))) for v in (x, full))
    np.testing.assert_array_equal(seen, unseen)
    assert not fitted.beyond(units(full))[:, 1].any()


def test_the_target_is_no_input_that_nobody_asked_for():
    roles, answers = Roles(("RHOB",)), {q.name: q.default for q in presets.PRESET.questions}
    _, model = presets.PRESET.prepare(roles, answers, {})
    assert "RHOB" not in model.features.inputs
    with pytest.raises(ValueError, match="--inputs names 'RHOB', the target"):
        presets.PRESET.prepare(roles, answers | {"inputs": "GR,RHOB"}, {})
    for name, value, message in (
        ("windows", "5,x", "--windows must be widths in metres"),
        ("mask_rate", "2", "--mask-rate must be a share between 0 and 1"),
        ("blocks", "-3", "--blocks must be a length in metres"),
        ("curves", "nowhere.toml", "--curves nowhere.toml cannot be read"),
    ):
        with pytest.raises(ValueError, match=message):
            presets.PRESET.prepare(Roles(("DTC",)), answers | {name: value}, {})
    with pytest.raises(IncompatibleError, match="predicts one log: give one --target"):
        presets.PRESET.prepare(Roles(("DTC", "DTS")), answers, {})
    with pytest.raises(IncompatibleError, match="holds out whole wells: leave out --groups"):
        presets.PRESET.prepare(Roles(("DTC",), groups="WELL"), answers, {})


def test_few_wells_get_a_simpler_model_unless_one_is_said():
    roles = Roles(("DTS",))
    few = {"few_wells": True}
    columns, model = prepare(roles, preset="welllog", answers=few, settings={})
    assert model.features.inputs == presets.FEW_INPUTS
    assert (model.features.windows, model.features.mask_rate) == ((5.0,), 0.25)
    assert (model.embedding, model.n_components, model.max_steps) == ("none", 1, 800)
    assert columns.features == model.features.names
    _, sonic = prepare(Roles(("DTC",)), preset="welllog", answers=few, settings={})
    assert "DTC" not in sonic.features.inputs
    said = {**few, "windows": "3,30", "mask_rate": "0", "inputs": "GR,RHOB"}
    _, own = prepare(roles, preset="welllog", answers=said, settings={"n_components": 2})
    assert own.features.windows == (3.0, 30.0)
    assert (own.features.mask_rate, own.n_components) == (0.0, 2)
    assert own.features.inputs == ("GR", "RHOB")
    _, many = prepare(roles, preset="welllog", answers={}, settings={})
    assert (many.features.windows, many.features.mask_rate) == (presets.WINDOWS_M, 0.3)
