"""Which column is which log, and in which unit."""

import numpy as np
import pytest

from sfumato.errors import DataError
from sfumato.welllogs.curves import Found, convert, find, known_logs

LOGS = known_logs()
MM = 1 / 25.4
RNG = np.random.default_rng(0)
TRUE = {
    "GR": RNG.normal(70, 20, 500).clip(5, 150),
    "RHOB": RNG.normal(2.35, 0.1, 500),
    "NPHI": RNG.normal(0.25, 0.06, 500),
    "DTC": RNG.normal(95, 12, 500),
    "DTS": RNG.normal(180, 25, 500),
    "CALI": RNG.normal(9, 0.5, 500).clip(8, 12),
}


@pytest.mark.parametrize(
    ("wanted", "column"),
    [
        ("DTC", "DT"), ("DTC", "AC"), ("DTC", "DTCO"), ("dtc", "dt"), ("RHOB", "ZDEN"),
        ("RHOB", "DEN"), ("NPHI", "CNC"), ("NPHI", "TNPH"), ("RDEP", "ILD"), ("RDEP", "AT90"),
        ("GR", "ECGR"), ("DTS", "DTSM"), ("TVD", "z_loc"), ("WELL", "Well_Name"), ("GR", "GR:2"),
    ],
)  # fmt: skip
def test_logs_by_the_names_of_companies(wanted, column):
    found = find(wanted, ["DEPT", "X", column, "Q"], LOGS)
    assert (found.log.name, found.column) == (wanted.upper(), column)


def test_the_likeliest_of_several_and_columns_as_they_are():
    found = find("GR", ["SGR", "GR:2", "ECGR", "GR"], LOGS)
    assert (found.column, found.others) == ("GR", ("GR:2", "ECGR", "SGR"))
    assert find("NPHI", ["GR", "RHOB"], LOGS) is None
    assert find("DTC", ["DTS", "DTSM", "ADTC"], LOGS) is None
    assert find("MYLOG", ["MYLOG"], LOGS) == Found(find("MYLOG", ["MYLOG"], LOGS).log, "MYLOG")
    assert find("mylog", ["MYLOG"], LOGS) is None


@pytest.mark.parametrize(
    ("log", "unit", "factor"),
    [
        ("RHOB", "g/cm3", 1), ("RHOB", "G/CC", 1), ("RHOB", "kg/m3", 1e-3),
        ("RHOB", "K/M3", 1e-3),
        ("NPHI", "v/v", 1), ("NPHI", "%", 0.01), ("NPHI", "PU", 0.01), ("DTC", "us/ft", 1),
        ("DTC", "US/F", 1), ("DTC", "us/m", 0.3048), ("DTS", "US/M", 0.3048),
        ("CALI", "mm", 1 / 25.4),
        ("CALI", "IN", 1), ("GR", "API", 1),
    ],
)  # fmt: skip
def test_units_are_converted(log, unit, factor):
    got = convert(Found(LOGS[log], log), TRUE[log] / factor, unit)
    np.testing.assert_allclose(got.values, TRUE[log])
    assert got.doubt is None


@pytest.mark.parametrize("stated", ["", "_", "furlong", "wrong"])
@pytest.mark.parametrize(
    ("log", "unit", "factor"),
    [("RHOB", "kg/m3", 1e-3), ("NPHI", "pu", 1e-2), ("DTC", "us/m", 0.3048), ("CALI", "mm", MM)],
)  # fmt: skip
def test_a_unit_that_is_not_stated_or_cannot_be_is_found_and_said(log, unit, factor, stated):
    stated = LOGS[log].unit if stated == "wrong" else stated
    got = convert(Found(LOGS[log], log), TRUE[log] / factor, stated)
    np.testing.assert_allclose(got.values, TRUE[log])
    assert "taken for" in got.doubt
    assert log in got.doubt
    own = convert(Found(LOGS[log], log), TRUE[log], stated)
    np.testing.assert_allclose(own.values, TRUE[log])


def test_fractions_that_are_stated_as_percent_are_found():
    got = convert(Found(LOGS["NPHI"], "NPHI"), TRUE["NPHI"], "%")
    np.testing.assert_allclose(got.values, TRUE["NPHI"])
    assert "taken for m3/m3" in got.doubt


def test_conductivities_are_turned_over():
    ohm_m = 10 ** RNG.normal(0.5, 0.3, 50)
    got = convert(Found(LOGS["RDEP"], "ILD"), 1000 / ohm_m, "mS/m")
    np.testing.assert_allclose(got.values, ohm_m)
    assert "ILD is turned over into ohm.m" in got.doubt


def test_values_that_no_rock_has_are_gaps():
    values = np.array([2.3, 0.2, 2.4, 9.0, np.nan])
    got = convert(Found(LOGS["RHOB"], "RHOB"), values, "g/cm3")
    np.testing.assert_array_equal(got.values, [2.3, np.nan, 2.4, np.nan, np.nan])
    assert got.n_outside == 2


def test_a_file_of_further_names_comes_first():
    logs = known_logs(
        '[DTC]\nnames = ["XS.*"]\nunits = { "ms/ft" = 1000.0 }\n[TOC]\nnames = ["TOC"]'
    )
    assert find("DTC", ["DT", "XSONIC"], logs).column == "XSONIC"
    assert find("DTC", ["DT"], logs).column == "DT"
    assert logs["DTC"].factor("MS/FT") == 1000
    assert logs["DTC"].unit == "us/ft"
    assert find("TOC", ["toc"], logs).column == "toc"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[DTC", "Write a section for each log, as"),
        ("DTC = 1", "DTC is no section. Write"),
        ("[DTC]\nname = ['X']", "has an unknown key 'name'. Nearest: 'names'"),
        ("[DTC]\nnames = ['(']", "cannot be read"),
        ("[DTC]\nunits = 3", "cannot be read"),
        ("[DTC]\nunits = { a = 'x' }", "cannot be read"),
    ],
)
def test_files_of_names_that_cannot_be_read(text, message):
    with pytest.raises(DataError, match=message) as told:
        known_logs(text, where="names.toml")
    assert "names.toml" in str(told.value)


def test_every_pattern_is_met_by_the_name_of_its_log():
    for name, log in LOGS.items():
        assert find(name, [name], LOGS).log is log
