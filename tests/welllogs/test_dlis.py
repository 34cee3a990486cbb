"""DLIS files as another library writes them: values, units, depths, frames and damage."""

import sys

import numpy as np
import pytest
from dliswriter import DLISFile

from sfumato.errors import DataError, MissingDependencyError
from sfumato.io.tables import matrix, open_table, read_table

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
N = 40
DEPTH = 1000 + 0.5 * np.arange(N)
GR = np.linspace(20, 120, N).astype(np.float32)


def write(path, *frames, well="A-1", unit="m", index_type="BOREHOLE-DEPTH", times=1):
    """A file with frames ``(name, {channel: (values, unit)})``, each with an index of its own."""
    file = DLISFile()
    inside = file.add_logical_file(fh_id="RUN 1")
    inside.add_origin("O", well_name=well, file_set_number=1)
    for name, channels in frames:
        index = inside.add_channel(
            f"{name}_TDEP", data=times * DEPTH, units=unit, dataset_name=f"{name}/t"
        )
        rest = [
            inside.add_channel(key, data=values, units=units, dataset_name=f"{name}/{key}")
            for key, (values, units) in channels.items()
        ]
        inside.add_frame(name, channels=[index, *rest], index_type=index_type)
    file.write(path, output_chunk_size=2**16)  # or it takes 4 GB
    return path


def test_channels_are_columns_with_units_and_a_depth(tmp_path):
    rhob = np.linspace(2, 2.6, N)
    path = write(tmp_path / "a.dlis", ("F", {"GR": (GR, "gAPI"), "RHOB": (rhob, "g/cm3")}))
    table = open_table(path)
    assert set(table.columns) == {"F_TDEP", "GR", "RHOB", "WELL", "DEPTH_M"}
    assert table.units["RHOB"] == "g/cm3"
    rows = read_table(table, list(table.columns))
    np.testing.assert_allclose(matrix(rows, ["GR", "RHOB"]), np.stack([GR, rhob], axis=1))
    np.testing.assert_allclose(matrix(rows, ["DEPTH_M"])[:, 0], DEPTH)
    assert set(rows["WELL"].to_pylist()) == {"A-1"}


@pytest.mark.parametrize(("unit", "metres"), [("ft", 0.3048), ("0.1 in", 0.00254), ("m", 1.0)])
def test_depths_in_any_unit(tmp_path, unit, metres):
    path = write(tmp_path / "a.dlis", ("F", {"GR": (GR, "gAPI")}), unit=unit)
    table = open_table(path)
    found = matrix(read_table(table, ["DEPTH_M"]), ["DEPTH_M"])[:, 0]
    np.testing.assert_allclose(found, metres * DEPTH)


def test_what_is_no_column_or_no_number_is_said(tmp_path):
    gaps = GR.copy()
    gaps[3:5] = -999.25
    image = np.zeros((N, 16), np.float32)
    path = write(tmp_path / "a.dlis", ("F", {"GR": (gaps, "gAPI"), "FMI": (image, "")}))
    with pytest.warns(UserWarning, match=r"1 channels of several numbers.*\(FMI\); 2 values are c"):
        table = open_table(path)
    assert "FMI" not in table.columns
    found = matrix(read_table(table, ["GR"]), ["GR"])[:, 0]
    assert np.flatnonzero(np.isnan(found)).tolist() == [3, 4]


def test_one_of_several_frames_is_chosen(tmp_path):
    path = write(tmp_path / "a.dlis", ("F", {"GR": (GR, "gAPI")}), ("G", {"DT": (GR, "us/ft")}))
    with pytest.raises(DataError, match=r"several frames: 0/F \(2 channels\), 0/G .*--group"):
        open_table(path)
    with pytest.raises(DataError, match="holds no frame 'H'"):
        open_table(path, group="H")
    for group in ("G", "0/G", "RUN 1/G"):
        assert "DT" in open_table(path, group=group).columns


def test_a_time_is_no_depth(tmp_path):
    path = write(tmp_path / "a.dlis", ("F", {"GR": (GR, "gAPI")}), unit="s", index_type="TIME")
    with pytest.warns(UserWarning, match="the index F_TDEP is in s, and is no depth"):
        table = open_table(path)
    assert "DEPTH_M" not in table.columns


def test_damage_is_one_line(tmp_path):
    whole = write(tmp_path / "a.dlis", ("F", {"GR": (GR, "gAPI")})).read_bytes()
    for size in (0, 10, 100, len(whole) // 2, len(whole) - 40):
        (tmp_path / "cut.dlis").write_bytes(whole[:size])
        with pytest.raises(DataError, match=r"cut\.dlis"):
            open_table(tmp_path / "cut.dlis")


def test_without_dlisio_it_says_what_to_install(tmp_path, monkeypatch):
    path = write(tmp_path / "a.dlis", ("F", {"GR": (GR, "gAPI")}))
    monkeypatch.setitem(sys.modules, "dlisio", None)
    monkeypatch.setitem(sys.modules, "dlisio.dlis", None)
    with pytest.raises(MissingDependencyError, match=r"sfumato\[dlis\]"):
        open_table(path)


def test_frames_of_one_name_are_numbered(tmp_path):
    path = tmp_path / "a.dlis"
    file = DLISFile()
    inside = file.add_logical_file()
    inside.add_origin("O", file_set_number=1)
    for copy, key in enumerate(("GR", "DT")):
        index = inside.add_channel(f"T{copy}", data=DEPTH, units="m")
        channels = [index, inside.add_channel(key, data=GR)]
        inside.add_frame("F", channels=channels, index_type="BOREHOLE-DEPTH")
    file.write(path, output_chunk_size=2**16)  # or it takes 4 GB
    with pytest.raises(DataError, match=r"0/F \(2 channels\), 0/F#2"):
        open_table(path)
    assert "DT" in open_table(path, group="F#2").columns


def test_a_depth_that_no_well_has_is_none(tmp_path):
    path = write(tmp_path / "a.dlis", ("F", {"GR": (GR, "gAPI")}), unit="km")
    with pytest.warns(UserWarning, match="F_TDEP is in km, and is no depth"):
        assert "DEPTH_M" not in open_table(path).columns
    tenths = write(tmp_path / "b.dlis", ("F", {"GR": (GR, "gAPI")}), unit=None, times=400)
    with pytest.warns(UserWarning, match="no unit: m is taken; in m the index .* reach 407800 m"):
        assert "DEPTH_M" not in open_table(tenths).columns
