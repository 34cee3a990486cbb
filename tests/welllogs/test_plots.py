"""Tracks: what is drawn against the arrays it is drawn from."""

import numpy as np
import pytest
from pyarrow import parquet

from sfumato import read_pdfs
from sfumato.errors import DataError
from sfumato.io.pdfs import open_pdfs
from sfumato.io.tables import Reading
from sfumato.jobs.pictures import draw_file
from sfumato.jobs.prediction import predict_files
from sfumato.welllogs.completion import complete_files
from sfumato.welllogs.plots import LEVELS, plot_tracks
from sfumato.welllogs.profile import read_tracks
from tracks_cases import DENSITY, DEPTH, GRID, LOGS, QUANTILES, tracks

pytestmark = pytest.mark.filterwarnings("ignore:.*no vertical depth")


def lines(axes):
    return [line.get_xydata() for line in axes.lines]


def test_logs_stand_on_the_scales_of_the_trade():
    gr, resistivity, porosity, target, density, neutron = plot_tracks(tracks()).axes
    for axes, name in ((gr, "GR"), (resistivity, "RDEP"), (porosity, "RHOB"), (neutron, "NPHI")):
        np.testing.assert_array_equal(lines(axes)[0], np.stack([LOGS[name], DEPTH], axis=1))
    assert gr.get_xlim() == (0, 150)
    assert resistivity.get_xscale() == "log"
    assert porosity.get_xlim() == (1.95, 2.95)
    assert neutron.get_xlim() == (0.45, -0.15)
    assert target.get_xlim() == density.get_xlim() == (240, 40)
    for axes in (gr, target, density):
        assert axes.get_ylim() == (DEPTH[-1], DEPTH[0])
    assert target.get_xlabel() == "DTC [us/ft]"
    assert [text.get_text() for text in density.texts] == ["Draupne"]
    for axes in (gr, resistivity, porosity, target, density):
        assert any(np.all(line[:, 1] == 1012.0) for line in lines(axes))


def test_soft_rock_has_scales_on_which_it_is_seen():
    soft = tracks(logs={"RHOB": LOGS["RHOB"] - 0.4, "NPHI": LOGS["NPHI"]})
    porosity, *_, neutron = plot_tracks(soft).axes
    assert porosity.get_xlim() == (1.45, 2.95)
    assert neutron.get_xlim() == (0.75, -0.15)


def test_what_is_predicted():
    *_, target, density, _ = plot_tracks(tracks()).axes
    median, _, measured, _ = lines(target)
    np.testing.assert_array_equal(median[:, 0], QUANTILES[:, 2])
    np.testing.assert_array_equal(measured[:, 0], QUANTILES[:, 1])
    for band, (low, high) in zip(target.collections, ((0, 4), (1, 3)), strict=True):
        corners = band.get_paths()[0].vertices
        for column in (low, high):
            points = np.stack([QUANTILES[:, column], DEPTH], axis=1)
            assert all((np.abs(corners - point).max(axis=1) < 1e-9).any() for point in points)
    mesh = density.collections[0].get_array().reshape(DENSITY.shape)
    np.testing.assert_allclose(mesh, DENSITY / DENSITY.max(axis=1, keepdims=True))


def test_tracks_of_what_is_there():
    only = plot_tracks(tracks(logs={"NPHI": LOGS["NPHI"]}, measured=None, tops={}))
    porosity, target, _ = only.axes
    assert porosity.get_xlim() == (0.45, -0.15)
    assert len(lines(target)) == 2
    other = plot_tracks(tracks(target="TOC", unit=""))
    assert other.axes[3].get_xlim() == (GRID[0], GRID[-1])
    assert other.axes[3].get_xlabel() == "TOC"


def test_a_completed_file_is_drawn(model, files, wells, tmp_path):
    complete_files(model, [files[4]], tmp_path / "out.las")
    found = read_tracks(open_pdfs(tmp_path / "out.parquet"))
    pdfs, well = read_pdfs(tmp_path / "out.parquet"), wells[4]
    assert (found.well, found.target, found.unit) == ("M-5", "DTC", "us/ft")
    assert set(found.logs) == {"GR", "RDEP", "RHOB", "NPHI"}
    np.testing.assert_allclose(found.depth_m, well.depth_m, atol=1e-4)
    np.testing.assert_allclose(found.logs["RHOB"], well.rhob, atol=1e-4)
    np.testing.assert_allclose(found.measured, well.dtc, atol=1e-4)
    np.testing.assert_allclose(found.quantiles, pdfs.quantiles(LEVELS), atol=0.02)
    rows = np.searchsorted(found.depth_m, found.image_m)
    np.testing.assert_allclose(found.density, pdfs[rows].pdf(found.grid))
    path = draw_file(tmp_path / "out.parquet", "tracks", tmp_path / "tracks.png")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_one_well_of_several_is_chosen(model, files, tmp_path):
    path = tmp_path / "pdfs.parquet"
    predict_files(model, files[:2], path, keep=["WELL", "DEPTH_M", "GR"])
    with pytest.raises(DataError, match=r"holds 2 wells \(M-1, M-2\).*--where 'WELL == \"M-1\"'"):
        draw_file(path, "tracks", tmp_path / "t.png")
    reading = Reading(where='WELL == "M-2"')
    found = read_tracks(open_pdfs(path, reading=reading))
    assert found.well == "M-2"
    assert found.measured is None
    with pytest.raises(DataError, match=r"NOPE is neither a table nor .*, which has .*GR.* Check"):
        read_tracks(open_pdfs(path, reading=reading), tops="NOPE")
    table = parquet.read_table(path).drop_columns(["DEPTH_M"])
    parquet.write_table(table, tmp_path / "without.parquet")
    with (
        pytest.warns(UserWarning, match="was it edited"),
        pytest.raises(DataError, match="no column of depths"),
    ):
        draw_file(tmp_path / "without.parquet", "tracks", tmp_path / "t.png")
