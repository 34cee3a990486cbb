"""The tracks as a page: what it draws against the arrays, and that it is whole."""

import sys

import numpy as np
import pytest

from sfumato.errors import MissingDependencyError
from sfumato.jobs.pictures import draw_file
from sfumato.welllogs.completion import complete_files
from sfumato.welllogs.interactive import tracks_figure, tracks_page
from tracks_cases import DENSITY, DEPTH, LOGS, QUANTILES, tracks


def line(figure, name):
    (found,) = (trace for trace in figure.data if trace.name == name and trace.type == "scatter")
    return found


def test_every_log_stands_on_its_scale():
    figure = tracks_figure(tracks())
    for name in ("GR", "RDEP", "RHOB", "NPHI"):
        drawn = line(figure, name)
        np.testing.assert_allclose(drawn.x, LOGS[name], rtol=1e-6)
        np.testing.assert_allclose(drawn.y, DEPTH, rtol=1e-6)
    scales = {n: figure.layout[line(figure, n).xaxis.replace("x", "xaxis")] for n in LOGS}
    assert scales["GR"].range == (0, 150)
    assert scales["RDEP"].type == "log"
    np.testing.assert_allclose(scales["RDEP"].range, np.log10([0.2, 200]))
    assert scales["RHOB"].range == (1.95, 2.95)
    assert scales["NPHI"].range == (0.45, -0.15)
    assert scales["NPHI"].overlaying == line(figure, "RHOB").xaxis
    assert figure.layout.yaxis.range == (DEPTH[-1], DEPTH[0])
    assert [note.text for note in figure.layout.annotations] == ["Draupne"]
    assert figure.layout.shapes[0].y0 == 1012.0


def test_what_is_predicted():
    figure = tracks_figure(tracks())
    names = ("90 %, from", "50 %, from", "median", "50 %", "90 %")
    for name, column in zip(names, (0, 1, 2, 3, 4), strict=True):
        np.testing.assert_allclose(line(figure, name).x, QUANTILES[:, column], rtol=1e-6)
    (image,) = (trace for trace in figure.data if trace.type == "heatmap")
    shares = DENSITY / DENSITY.max(axis=1, keepdims=True)
    np.testing.assert_allclose(np.asarray(image.z, float) / 255, shares, atol=1 / 255)
    assert figure.layout[line(figure, "median").xaxis.replace("x", "xaxis")].range == (240, 40)


def test_fills_are_of_what_is_there():
    gr = np.where(np.arange(len(DEPTH)) % 7 == 0, np.nan, LOGS["GR"])
    figure = tracks_figure(tracks(logs={"GR": gr}, measured=None))
    middle, low = (np.asarray(trace.x) for trace in figure.data[:2])
    there = np.isfinite(gr)
    np.testing.assert_allclose(low[there], np.minimum(gr, np.nanmedian(gr))[there], rtol=1e-6)
    np.testing.assert_array_equal(low[~there], middle[~there])
    assert not any(trace.name == "measured" for trace in figure.data)


@pytest.mark.filterwarnings("ignore:.*no vertical depth")
def test_a_page_needs_nothing_else(model, files, tmp_path):
    complete_files(model, [files[4]], tmp_path / "out.las")
    path = draw_file(tmp_path / "out.parquet", "tracks", tmp_path / "tracks.html")
    page = path.read_text()
    assert "<title>M-5: DTC</title>" in page
    assert "Plotly.newPlot" in page
    assert 'src="http' not in page
    with pytest.raises(ValueError, match=r"must end in .png, .pdf or .svg"):
        draw_file(tmp_path / "out.parquet", "pdfs", tmp_path / "pdfs.html")


def test_names_are_no_markup():
    page = tracks_page(tracks(well="<script>alert(1)</script>", tops={"<b>x": 1010.0}))
    assert "<script>alert" not in page


def test_without_plotly_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(MissingDependencyError, match=r"sfumato\[interactive\]"):
        tracks_figure(tracks())
