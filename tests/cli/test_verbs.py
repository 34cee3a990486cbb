"""The command line: the main job, restarts after kill -9, and every kind of bad input."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy import stats

from sfumato import read_pdfs, write_pdfs
from sfumato.cli.main import run
from sfumato.errors import DataError
from sfumato.io.archive import read_archive, write_archive
from sfumato.io.output import Column, write_columns
from sfumato.io.tables import open_table
from sfumato.jobs import prediction
from sfumato.jobs.columns import Columns
from sfumato.jobs.model_files import TabularModel
from sfumato.jobs.prediction import Job, predict_tables
from sfumato.metrics.evaluation import evaluate, in_bins, quantile_edges, score_objects
from sfumato.pdfs import summarise
from sfumato.photoz.metrics import REDSHIFT_METRICS, TOMOGRAPHIC_EDGES
from sfumato.photoz.plots import plot_points
from sfumato.plots.calibration import plot_coverage, plot_pit, plot_reliability
from sfumato.plots.page import save
from sfumato.plots.pdfs import plot_pdfs, plot_stacks

BANDS = "u,g,r,i,z,y"
PHOTOMETRY = ["--preset", "photoz", "--bands", BANDS]
TRAIN = ["--magnitude", "mag_{band}_lsst", "--error", "mag_err_{band}_lsst"]
DEEP = ["--magnitude", "mag_{band}_depth5", "--error", "mag_err_{band}_depth5"]
QUICK = ["--epochs", "4", "--members", "2", "--hidden", "16,16", "--components", "3"]


def sfumato(*arguments, capfd=None):
    """Run the program in this process; its exit code, or with `capfd` also what it printed."""
    with pytest.raises(SystemExit) as stopped:
        run([str(argument) for argument in arguments])
    if capfd is None:
        return stopped.value.code
    out, err = capfd.readouterr()
    return stopped.value.code, out, err


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A small survey, a model of it, and its PDFs."""
    folder = tmp_path_factory.mktemp("home")
    survey, model, pdfs = folder / "survey", folder / "model", folder / "pdfs.parquet"
    simulate = ["--galaxies", 1200, "--seed", 1, "--posteriors", 3]
    assert sfumato("simulate", "photoz", *simulate, "--output", survey) == 0
    fit = [*PHOTOMETRY, *TRAIN, "--target", "redshift", *QUICK]
    assert sfumato("fit", survey / "train.parquet", *fit, "--output", model) == 0
    keep = ["--keep", "id,redshift,mag_i_depth5"]
    statistics = ["--statistics", "mean,std,mode,median,q16,q84"]
    predict = [model, survey / "test.parquet", *DEEP, *keep, *statistics]
    assert sfumato("predict", *predict, "--output", pdfs) == 0
    return folder


def test_the_main_job_leaves_what_it_says(home):
    test = pq.read_table(home / "survey" / "test.parquet")
    table = pq.read_table(home / "pdfs.parquet")
    np.testing.assert_array_equal(table["id"], test["id"])
    pdfs = read_pdfs(home / "pdfs.parquet")
    np.testing.assert_allclose(table["mean"], pdfs.mean(), atol=2e-3)
    np.testing.assert_allclose(table["q84"], pdfs.quantiles([0.84])[:, 0], atol=5e-3)
    header = json.loads((home / "model" / "model.json").read_text())
    assert header["columns"]["targets"] == ["redshift"]
    assert header["about"]["rows"] == 1200
    assert "jax" in header["about"]["versions"]
    assert header["parameters"]["random_state"] == 0
    assert not list(home.glob("*.partial*"))


def _truth(home):
    return pq.read_table(home / "pdfs.parquet")["redshift"].to_numpy()


def _check_table(path, metrics):
    """Whether the CSV holds the numbers of the JSON, in order and to the last digit."""
    with path.open(newline="") as stream:
        found = list(csv.reader(stream))
    expected = [["bins", "low", "high", "metric", "value", "error"]]
    parts = [("overall", "", "", metrics["overall"])]
    for name in ("by_truth", "by_magnitude"):
        parts += [(name, row["low"], row["high"], row["metrics"]) for row in metrics[name]]
    for *where, part in parts:
        for name, entry in part.items():
            expected.append([str(v) for v in (*where, name, entry["value"], entry["error"])])
    assert found == expected


def test_evaluate_writes_the_librarys_metrics(home, tmp_path):
    pdfs, out = home / "pdfs.parquet", tmp_path / "evaluation"
    options = ["--truth", "redshift", "--magnitude", "mag_i_depth5", "--bootstrap", 5]
    assert sfumato("evaluate", pdfs, *options, "--output", out) == 0
    names = {path.name for path in out.iterdir()}
    assert {"metrics.json", "metrics.csv", "report.html", "pit.png", "by_magnitude.png"} <= names
    metrics = json.loads((out / "metrics.json").read_text())
    predicted, truth = read_pdfs(pdfs), _truth(home)
    scores = score_objects(predicted, truth)
    magnitude = pq.read_table(pdfs)["mag_i_depth5"].to_numpy()
    options = {"metrics": REDSHIFT_METRICS, "n_bootstrap": 5}
    # the same program on the same numbers, and JSON keeps every digit of a double
    assert metrics == {
        "overall": evaluate(scores, **options),
        "by_truth": in_bins(scores, truth, TOMOGRAPHIC_EDGES, **options),
        "by_magnitude": in_bins(scores, magnitude, quantile_edges(magnitude), **options),
    }
    _check_table(out / "metrics.csv", metrics)
    # and by hand, where a metric is one line of NumPy
    overall = {name: entry["value"] for name, entry in metrics["overall"].items()}
    pit = predicted.pit(truth)
    assert overall["n"] == 600
    assert overall["log_score"] == pytest.approx(predicted.log_prob(truth).mean(), rel=1e-12)
    expected = np.sqrt(np.mean((predicted.mean() - truth) ** 2))
    assert overall["rmse"] == pytest.approx(expected, rel=1e-12)
    assert overall["coverage_68"] == np.mean((pit >= 0.16) & (pit <= 0.84))
    assert sum(row["metrics"]["n"]["value"] for row in metrics["by_magnitude"]) == np.sum(
        np.abs(magnitude) < 90
    )


@pytest.mark.filterwarnings("ignore:No object falls into the bins:UserWarning")
def test_stack_writes_the_average_of_the_pdfs_of_each_bin(home, tmp_path):
    path, edges = tmp_path / "stack.parquet", np.array([0, 0.5, 0.8, 1.5, 9, 10])
    options = ["--edges", "0,0.5,0.8,1.5,9,10", "--truth", "redshift", "--output", path]
    assert sfumato("stack", home / "pdfs.parquet", *options) == 0
    pdfs, truth = read_pdfs(home / "pdfs.parquet"), _truth(home)
    table, stacks = pq.read_table(path), read_pdfs(path)
    mode = pq.read_table(home / "pdfs.parquet")["mode"].to_numpy()
    which = np.digitize(mode, edges) - 1
    grid = pdfs.default_grid(301)
    np.testing.assert_array_equal(stacks.grid, grid)
    counts = np.bincount(which, minlength=5)
    filled = np.flatnonzero(counts)  # bins without objects are left out
    assert filled.size > 1
    np.testing.assert_array_equal(table["low"], edges[filled])
    np.testing.assert_array_equal(table["high"], edges[filled + 1])
    np.testing.assert_array_equal(table["n"], counts[filled])
    for row, number in enumerate(filled):
        part = pdfs[which == number]
        average = part.pdf(grid).mean(axis=0)
        average /= np.trapezoid(average, grid)
        # kernels of single precision, whose constants are good to 1e-4 (see _beta_statistics)
        np.testing.assert_allclose(stacks.density[row], average, atol=1e-3 * average.max())
        # sums of doubles in another order
        assert table["mean"][row].as_py() == pytest.approx(part.mean().mean(), rel=1e-12)
        error = np.sqrt(part.variance().sum()) / len(part)
        assert table["error"][row].as_py() == pytest.approx(error, rel=1e-12)
        true_mean = truth[which == number].mean()
        assert table["true_mean"][row].as_py() == pytest.approx(true_mean, rel=1e-12)
    labels = [f"{a:g} to {b:g}" for a, b in zip(edges[filled], edges[filled + 1], strict=True)]
    panel = ("", stacks.density, [truth[which == number] for number in filled])
    save(plot_stacks([panel], grid, labels=labels), tmp_path / "expected.png")
    # a density that was rounded to single precision moves no more than the edge of a line
    moved = _pixels(path.with_suffix(".png")) - _pixels(tmp_path / "expected.png")
    assert np.abs(moved).max() < 0.05


def _pixels(path):
    return matplotlib.image.imread(path)


def _objects(pdfs, rows, **options):
    """The picture of some objects with their labels."""
    chosen = pdfs[list(rows)]
    points = zip(rows, *summarise(chosen, ["median", "std"]).values(), strict=True)
    labels = [f"row {row}: median {median:.3f}, std {std:.3f}" for row, median, std in points]
    return plot_pdfs(chosen, labels=labels, **options)


@pytest.mark.parametrize("kind", ["pdfs", "pit", "reliability", "points", "coverage"])
def test_plot_draws_the_figure_of_the_library(home, tmp_path, kind):
    path, expected = tmp_path / "picture.png", tmp_path / "expected.png"
    options = ["--kind", kind, "--truth", "redshift", "--output", path]
    assert sfumato("plot", home / "pdfs.parquet", *options) == 0
    pdfs, truth = read_pdfs(home / "pdfs.parquet"), _truth(home)
    if kind == "pdfs":
        figure = _objects(pdfs, range(6), truth=truth[:6], target="redshift")
    elif kind == "points":
        figure = plot_points([("", score_objects(pdfs, truth).mode, truth)])
    else:
        draw = {"pit": plot_pit, "reliability": plot_reliability, "coverage": plot_coverage}[kind]
        figure = draw({"": pdfs.pit(truth)})
    save(figure, expected)
    np.testing.assert_array_equal(_pixels(path), _pixels(expected))


def test_plot_chooses_rows_and_a_name(home, tmp_path):
    assert sfumato("plot", home / "pdfs.parquet", "--rows", "5,2") == 0
    figure = _objects(read_pdfs(home / "pdfs.parquet"), (5, 2), truth=None, target="redshift")
    save(figure, tmp_path / "expected.png")
    expected = _pixels(tmp_path / "expected.png")
    np.testing.assert_array_equal(_pixels(home / "pdfs-pdfs.png"), expected)


@pytest.mark.parametrize("kind", ["interp", "mixmod"])
def test_export_writes_the_pdfs_for_qp(home, tmp_path, kind):
    qp = pytest.importorskip("qp")
    path = tmp_path / "q.hdf5"
    options = ["--kind", kind, "--keep", "id,redshift", "--output", path]
    options += ["--points", 501] if kind == "interp" else []
    assert sfumato("export", home / "pdfs.parquet", *options) == 0
    table, pdfs = pq.read_table(home / "pdfs.parquet"), read_pdfs(home / "pdfs.parquet")
    ensemble = qp.read(str(path))
    np.testing.assert_array_equal(ensemble.ancil["id"], table["id"])
    np.testing.assert_array_equal(ensemble.ancil["redshift"], table["redshift"])
    grid = pdfs.default_grid(501)
    if kind == "interp":
        density = pdfs.pdf(grid)
        density /= np.trapezoid(density, grid, axis=1)[:, None]
        # doubles in the file; qp normalises once more
        np.testing.assert_allclose(ensemble.pdf(grid), density, rtol=1e-9, atol=1e-12)
        return
    mean, variance = pdfs.component_moments()
    weights = np.exp(pdfs.log_weights)
    at = grid[::25]
    parts = stats.norm.pdf(at, mean[:, :, None], np.sqrt(variance)[:, :, None])
    np.testing.assert_allclose(
        ensemble.pdf(at), np.einsum("nk,nkg->ng", weights, parts), rtol=1e-9, atol=1e-12
    )


def _said(text):
    """What was printed, without the spaces and line breaks of its layout."""
    return "".join(text.split())


def test_info_says_what_pdfs_are_and_all_of_their_header(home, capfd):
    pdfs = home / "pdfs.parquet"
    code, text, _ = sfumato("info", pdfs, "--all", capfd=capfd)
    assert code == 0
    table = pq.read_table(pdfs)
    header = json.loads(table.schema.metadata[b"sfumato"])
    del header["sha256"], header["written"]  # what only readers look at
    size = pdfs.stat().st_size / table.num_rows
    assert table.num_rows == 600
    title = f"PDFs {pdfs}: 600 objects, {size:.1f} bytes each on disk"
    assert _said(text) == _said(f"{title} {header!r}")
    _, text, _ = sfumato("info", pdfs, capfd=capfd)
    names = [name for name in table.column_names if name != "pdf"]
    assert _said(f"columns {', '.join(names)} kind mixture family 3 components beta") in _said(text)
    assert len(text.splitlines()) < 24


def test_info_says_what_a_model_is_and_all_of_its_header(home, capfd):
    code, text, _ = sfumato("info", home / "model", "--all", capfd=capfd)
    assert code == 0
    header = json.loads((home / "model" / "model.json").read_text())
    del header["sha256"], header["arrays"]  # what only readers look at
    assert header["n_members"] == 2
    assert _said(text) == _said(f"Model {home / 'model'} {header!r}")
    code, text, _ = sfumato("info", home / "model", capfd=capfd)
    said = text.replace("\n", " ")
    assert "predicts redshift" in " ".join(said.split())
    assert "mag_err_y_lsst" in said
    assert "max_epochs=4" in said
    assert "rank" not in said  # a default
    assert len(text.splitlines()) < 40


def test_info_lists_the_columns_of_a_table(home, capfd):
    code, text, _ = sfumato("info", home / "survey" / "test.parquet", capfd=capfd)
    assert code == 0
    assert "600 rows" in text
    schema = pq.read_schema(home / "survey" / "test.parquet")
    assert ["redshift", str(schema.field("redshift").type)] in [
        line.split() for line in text.splitlines()
    ]


def _cells(page, first):
    """Numbers of the table row of a page that begins with a cell."""
    row = re.search(rf"<tr><td>{re.escape(first)}</td>(.*?)</tr>", page).group(1)
    return [float(cell) for cell in re.findall(r"<td>(.*?)</td>", row)]


@pytest.mark.slow
def test_study_reports_the_numbers_of_the_library(home, tmp_path):
    path = tmp_path / "report.html"
    assert sfumato("study", home / "model", home / "survey", "--output", path) == 0
    page = path.read_text()
    assert page.count("data:image/png;base64") == 10
    assert "http" not in page.replace("https://www.w3.org", "")
    model = TabularModel.read(home / "model").regressor
    test = pq.read_table(home / "survey" / "test.parquet")
    names = [f"{kind}_{b}_depth5" for kind in ("mag", "mag_err") for b in BANDS.split(",")]
    truth = test["redshift"].to_numpy()
    pdfs = model.predict_pdfs(np.stack([test[name].to_numpy() for name in names], axis=1))
    found = _cells(page, "depth 5: 10 yr")
    scores = score_objects(pdfs, truth)
    shown = ("log_score", "crps", "pit_ks", "coverage_68", "bias", "sigma_mad", "outlier_fraction")
    # four decimals were printed
    expected = [REDSHIFT_METRICS[name](scores) for name in shown]
    np.testing.assert_allclose(found, expected, rtol=0, atol=6e-5)
    delta = (scores.mode - truth) / (1 + truth)
    assert found[0] == pytest.approx(pdfs.log_prob(truth).mean(), abs=6e-5)
    assert found[4] == pytest.approx(np.median(delta), abs=6e-5)
    assert found[6] == pytest.approx(np.mean(np.abs(delta) > 0.15), abs=6e-5)
    exact = read_pdfs(home / "survey" / "posteriors.parquet")
    rows = pq.read_table(home / "survey" / "posteriors.parquet")["id"].to_numpy()
    assert len(exact) == len(rows) == 3
    # three decimals
    expected = exact.log_prob(truth[rows]).mean()
    assert _cells(page, "exact posterior")[0] == pytest.approx(expected, abs=6e-4)


def test_every_format_gives_the_same_predictions(home, tmp_path):
    table = pq.read_table(home / "survey" / "test.parquet").slice(0, 40)
    columns = {name: Column(table[name].to_numpy()) for name in table.column_names}
    found = []
    for suffix in (".parquet", ".csv", ".hdf5", ".fits"):
        write_columns(tmp_path / f"t{suffix}", columns)
        out = tmp_path / f"t{suffix}.pdfs.parquet"
        options = [*DEEP, "--keep", "id", "--output", out]
        assert sfumato("predict", home / "model", tmp_path / f"t{suffix}", *options) == 0
        found.append(pq.read_table(out))
    # singles written as text are the same singles again, so the codes are the same
    for other in found:
        np.testing.assert_array_equal(other["id"], table["id"])
        assert other["pdf"].equals(found[0]["pdf"])
    # two bytes a parameter (see sfumato.io.encoding); the rows of one batch or of another
    first = read_pdfs(home / "pdfs.parquet")[:40].mean()
    np.testing.assert_allclose(read_pdfs(tmp_path / "t.csv.pdfs.parquet").mean(), first, rtol=1e-4)


@pytest.mark.slow
def test_generic_features_and_config(home, tmp_path):
    config = tmp_path / "c.toml"
    config.write_text('members = 1\nhidden = [8, 8]\nepochs = 3\nfamily = "normal"\n')
    columns = "mag_i_lsst,mag_r_lsst"
    table = pq.read_table(home / "survey" / "train.parquet")
    seen = table.filter(
        (table["mag_i_lsst"].to_numpy() < 90) & (table["mag_r_lsst"].to_numpy() < 90)
    )
    pq.write_table(seen, tmp_path / "t.parquet")
    arguments = [tmp_path / "t.parquet", "--features", columns, "--target", "redshift"]
    options = ["--config", config, "--epochs", 2, "--output", tmp_path / "m"]
    assert sfumato("fit", *arguments, *options) == 0
    parameters = json.loads((tmp_path / "m" / "model.json").read_text())["parameters"]
    assert parameters["n_members"] == 1
    assert parameters["hidden_sizes"] == [8, 8]
    assert parameters["max_epochs"] == 2  # the command line wins
    assert parameters["family"] == "normal"


def test_help_teaches_by_an_example(capfd):
    for verb in ("fit", "predict", "evaluate", "stack", "plot", "export", "info", "study"):
        code, out, _ = sfumato(verb, "--help", capfd=capfd)
        assert code == 0
        assert f"sfumato {verb} " in out
    code, out, _ = sfumato("--version", capfd=capfd)
    assert out.startswith("sfumato 0")


# -- restarts --------------------------------------------------------------------------------------


KILLED = """
import os, signal
from sfumato.cli import predict
from sfumato.cli.main import run
from sfumato.jobs import prediction

def end_behind_the_first_chunk(rows):
    if rows:
        os.kill(os.getpid(), signal.SIGKILL)

files = predict.predict_files
predict.predict_files = lambda *a, **k: files(*a, **k | {"on_rows": end_behind_the_first_chunk})
prediction.CHUNK_ROWS = 100
run()
"""


@pytest.mark.slow
def test_a_killed_prediction_goes_on(home, tmp_path, capfd, monkeypatch):
    table = home / "survey" / "test.parquet"  # 600 rows, six chunks
    output = tmp_path / "pdfs.parquet"
    arguments = ["predict", home / "model", table, *DEEP, "--keep", "id", "--output", output]
    command = [sys.executable, "-c", KILLED, *(str(argument) for argument in arguments)]
    killed = subprocess.run(command, env=os.environ | {"SFUMATO_CACHE": "off"}, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not output.exists()
    (parts,) = tmp_path.glob("pdfs.parquet.partial-*")
    assert [path.name for path in parts.glob("0*.parquet")] == ["000000.parquet"]
    monkeypatch.setattr(prediction, "CHUNK_ROWS", 100)
    code, out, _ = sfumato(*arguments, capfd=capfd)
    assert code == 0
    assert "100 rows were finished by an earlier run" in out
    assert not parts.exists()
    result = pq.read_table(output)
    np.testing.assert_array_equal(result["id"], pq.read_table(table)["id"])
    again = tmp_path / "again.parquet"
    assert sfumato(*arguments[:-1], again) == 0
    assert pq.read_table(again)["pdf"].equals(result["pdf"])


def _job_of(arguments, model):
    columns = [f"mag_{b}_depth5" for b in "ugrizy"] + [f"mag_err_{b}_depth5" for b in "ugrizy"]
    about = {
        "model": str(arguments[1]),
        "model_about": model.about,
        "tables": [str(arguments[2])],
    }
    return Job(columns=Columns(tuple(columns), ("redshift",)), keep=("id",), about=about)


def test_chunks_of_another_job_are_not_mixed_in(home, tmp_path, monkeypatch):
    monkeypatch.setattr(prediction, "CHUNK_ROWS", 100)
    model = TabularModel.read(home / "model")
    tables = [open_table(home / "survey" / "test.parquet")]
    output = tmp_path / "p.parquet"
    job = _job_of(["predict", "a", "b"], model)
    predict_tables(model.regressor, tables, output, job=job)
    first = pq.read_table(output)["pdf"]
    other = tmp_path / "p.parquet.partial-0123456789ab"
    other.mkdir()
    shutil.copy(output, other / "000000.parquet")
    with pytest.warns(UserWarning, match="Removed .*partial-0123456789ab, unfinished work of anot"):
        assert predict_tables(model.regressor, tables, output, job=job) == 0
    assert not other.exists()
    assert pq.read_table(output)["pdf"].equals(first)


# -- bad input -------------------------------------------------------------------------------------


def _rows(n=60, **changes):
    rng = np.random.default_rng(0)
    columns = {f"mag_{b}": rng.uniform(20, 25, n) for b in "gri"}
    columns |= {f"mag_err_{b}": rng.uniform(0.01, 0.2, n) for b in "gri"}
    columns |= {"z": rng.random(n), "w": np.ones(n)}
    columns |= {name: change(columns[name].copy()) for name, change in changes.items()}
    return pa.table(columns)


def _set(index, value):
    def change(column):
        column[index] = value
        return column

    return change


GRI = ["--preset", "photoz", "--bands", "g,r,i", "--target", "z"]
BAD_FITS = {
    "misspelt column": (_rows(), [*GRI, "--target", "zz"], "no column 'zz'. Nearest: 'z'"),
    "missing band": (_rows(), ["--preset", "photoz", "--bands", "g,q", "--target", "z"], "'mag_q'"),
    "text": (
        _rows(mag_r=lambda c: [*map(str, c[:7]), "faint", *map(str, c[8:])]),
        GRI,
        "column 'mag_r', row 8 holds 'faint', not a number",
    ),
    "empty": (_rows(0), GRI, "the table has no rows"),
    "all missing": (
        _rows(mag_g=lambda c: c * np.nan),
        GRI,
        "column 'mag_g' has no value in any row",
    ),
    "constant target": (_rows(z=lambda c: c * 0 + 0.5), GRI, "the target 'z' is constant (0.5)"),
    "missing targets": (_rows(z=_set([3, 5], np.nan)), GRI, "missing in 2 rows, first in row 4"),
    "no targets": (_rows(z=lambda c: c * np.nan), [*GRI, "--drop-missing"], "missing in every row"),
    "few rows": (_rows(19), GRI, "19 rows; at least 20 are needed"),
    "negative error": (
        _rows(mag_err_r=_set(11, -0.3)),
        GRI,
        "error 'mag_err_r' is negative (-0.3) in row 12",
    ),
    "negative weight": (
        _rows(w=_set(2, -1.0)),
        [*GRI, "--weight", "w"],
        "weight 'w' is negative or missing in row 3",
    ),
    "one group": (
        _rows(),
        [*GRI, "--groups", "w"],
        "All rows are of one group (1), and none would be left to train on",
    ),
    "missing category": (
        _rows(w=lambda c: [None if i == 8 else "ab"[i % 2] for i in range(len(c))]),
        ["--features", "mag_g,w", "--categorical", "w", "--target", "z"],
        "column 'w' is missing in row 9. Fill it, pass --missing flag",
    ),
    "missing feature": (
        _rows(mag_g=_set(4, np.nan)),
        ["--features", "mag_g,mag_r", "--target", "z"],
        "column 'mag_g' is missing in row 5",
    ),
    "no components": (
        _rows(),
        [*GRI, "--components", "0"],
        "`n_components` must be an integer of at least 1; got 0",
    ),
    "unknown family": (
        _rows(),
        [*GRI, "--family", "gama"],
        "got 'gama'",
    ),
    "unknown preset": (
        _rows(),
        ["--preset", "photos", "--features", "mag_g", "--target", "z"],
        "--preset must be one of 'photoz', 'welllog'; got 'photos'",
    ),
    "bands and features": (
        _rows(),
        [*GRI, "--features", "mag_g"],
        "--preset photoz names the columns itself",
    ),
    "repeated band": (
        _rows(),
        ["--preset", "photoz", "--bands", "g,g", "--target", "z"],
        "'g' more than once",
    ),
    "no place for the band": (
        _rows(),
        [*GRI, "--magnitude", "mag"],
        "--magnitude must contain {band}",
    ),
    "target among features": (
        _rows(),
        ["--features", "mag_g,z", "--target", "z"],
        "Column 'z' is asked for twice",
    ),
    "fractional hidden": (_rows(), [*GRI, "--hidden", "12.5"], "--hidden must be whole numbers"),
    "infinite bounds": (_rows(), [*GRI, "--bounds", "0,inf"], "--bounds must be two numbers"),
    "bad hidden": (
        _rows(),
        [*GRI, "--hidden", "a,b"],
        "--hidden must be whole numbers",
    ),
    "bad bounds": (_rows(), [*GRI, "--bounds", "1"], "--bounds must be two numbers"),
}


@pytest.mark.parametrize("case", BAD_FITS)
def test_bad_training_input_is_one_line_and_writes_nothing(case, tmp_path, capfd):
    table, options, message = BAD_FITS[case]
    pq.write_table(table, tmp_path / "t.parquet")
    arguments = ["fit", tmp_path / "t.parquet", *options, "--output", tmp_path / "model"]
    code, _, err = sfumato(*arguments, capfd=capfd)
    assert code == 2
    lines = [line for line in err.splitlines() if line.startswith("Error:")]
    assert len(lines) == 1
    assert message in lines[0]
    assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_missing_targets_are_dropped_when_asked(tmp_path, capfd):
    pq.write_table(_rows(z=_set([3, 5], np.nan)), tmp_path / "t.parquet")
    options = [*GRI, "--drop-missing", *QUICK, "--output", tmp_path / "m"]
    code, _, err = sfumato("fit", tmp_path / "t.parquet", *options, capfd=capfd)
    assert code == 0
    assert "Left out 2 rows whose target 'z' is missing" in err


def _fails(capfd, message, *arguments):
    code, _, err = sfumato(*arguments, capfd=capfd)
    assert code == 2, err
    assert err.count("Error:") == 1
    assert message in " ".join(err.split()), err
    assert "Traceback" not in err


def test_bad_predictions(home, tmp_path, capfd):
    model, test = home / "model", home / "survey" / "test.parquet"
    out = tmp_path / "p.parquet"
    start = ["predict", model, test]
    cure = "use --rename OLD=NEW. If it was not measured, add it without values."
    _fails(capfd, cure, *start, "--output", out)
    _fails(capfd, "no column 'idd'. Nearest: 'id'", *start, *DEEP, "--keep", "idd", "--output", out)
    _fails(capfd, "Unknown statistic 'q0'", *start, *DEEP, "--statistics", "q0", "--output", out)
    _fails(capfd, "--precision must be 16 or 32", *start, *DEEP, "--precision", 8, "--output", out)
    _fails(capfd, "does not exist", "predict", tmp_path / "none", test, "--output", out)
    _fails(capfd, "holds no model.json", "predict", home / "survey", test, "--output", out)
    bad = tmp_path / "bad.parquet"
    columns = pq.read_table(test)
    text = pa.array(["faint"] * columns.num_rows)
    place = columns.column_names.index("mag_r_depth5")
    pq.write_table(columns.set_column(place, "mag_r_depth5", text), bad)
    message = "column 'mag_r_depth5', row 1 holds 'faint'"
    _fails(capfd, message, "predict", model, bad, *DEEP, "--output", out)
    bad.unlink()
    clash = ["--keep", "mode", "--statistics", "mode"]
    _fails(capfd, "'mode' cannot be kept", *start, *DEEP, *clash, "--output", out)
    assert not list(tmp_path.iterdir())


def test_damaged_and_newer_models(home, tmp_path, capfd):
    test = home / "survey" / "test.parquet"
    shutil.copytree(home / "model", tmp_path / "m")
    header = json.loads((tmp_path / "m" / "model.json").read_text())
    arguments = ["predict", tmp_path / "m", test, *DEEP, "--output", tmp_path / "p.parquet"]
    (tmp_path / "m" / "model.json").write_text(json.dumps(header | {"format": 7}))
    _fails(capfd, "has model format 7; this version reads up to 2", *arguments)
    (tmp_path / "m" / "model.json").write_text("{")
    _fails(capfd, "cannot be read as JSON", *arguments)
    (tmp_path / "m" / "model.json").write_text(json.dumps(header))
    data = (tmp_path / "m" / "arrays.npz").read_bytes()
    (tmp_path / "m" / "arrays.npz").write_bytes(data[: len(data) // 2])
    _fails(capfd, "Fit the model again", *arguments)


def test_outputs_are_not_overwritten_unasked(home, tmp_path, capfd):
    taken = tmp_path / "taken.parquet"
    taken.write_text("mine")
    survey = home / "survey"
    train = ["fit", survey / "train.parquet", *PHOTOMETRY, *TRAIN, "--target", "redshift"]
    to_file, to_folder = "exists already. Pass --overwrite", "is a file. Give the name of a folder"
    for said, *arguments in (
        [to_file, "predict", home / "model", survey / "test.parquet", *DEEP],
        [to_folder, *train],
        [to_folder, "evaluate", home / "pdfs.parquet", "--truth", "redshift"],
        [to_file, "stack", home / "pdfs.parquet", "--edges", "0,1"],
        [to_folder, "simulate", "photoz"],
        [to_file, "study", home / "model", survey],
    ):
        _fails(capfd, said, *arguments, "--output", taken)
    assert taken.read_text() == "mine"
    nowhere = tmp_path / "no" / "where"
    _fails(capfd, "does not exist. Create it first", *train, "--output", nowhere)


def test_a_read_only_folder_is_named(home, capfd):
    arguments = ["simulate", "photoz", "--galaxies", 60, "--output", "/proc/survey"]
    _fails(capfd, "Cannot write in /proc", *arguments)


def test_bad_questions_about_pdfs(home, tmp_path, capfd):
    pdfs = home / "pdfs.parquet"
    out = tmp_path / "out.parquet"
    _fails(capfd, "no column 'z'", "evaluate", pdfs, "--truth", "z", "--output", out)
    _fails(
        capfd, "at least two increasing numbers", "stack", pdfs, "--edges", "1,0", "--output", out
    )
    _fails(capfd, "numbers separated by commas", "stack", pdfs, "--edges", "a,b", "--output", out)
    _fails(capfd, "no object has its mode inside", "stack", pdfs, "--edges", "8,9", "--output", out)
    figure = ["--output", tmp_path / "f.png"]
    _fails(capfd, "--kind must be one of", "plot", pdfs, "--kind", "pie", *figure)
    _fails(capfd, "--rows must lie in 0 to 599; got 600", "plot", pdfs, "--rows", "600", *figure)
    _fails(capfd, "--rows must be whole numbers", "plot", pdfs, "--rows", "1.5", *figure)
    _fails(capfd, "needs --truth", "plot", pdfs, "--kind", "pit", *figure)
    _fails(capfd, "must end in .png", "plot", pdfs, "--output", tmp_path / "f.docx")
    test = home / "survey" / "test.parquet"
    _fails(capfd, "holds no PDFs of sfumato", "plot", test)
    assert not list(tmp_path.iterdir())


def test_bad_configs(home, tmp_path, capfd):
    train = [
        "fit",
        home / "survey" / "train.parquet",
        "--target",
        "redshift",
        "--output",
        tmp_path / "m",
    ]
    config = tmp_path / "c.toml"
    _fails(capfd, "does not exist. Check --config", *train, "--config", config)
    config.write_text("membrs = 2")
    _fails(capfd, "unknown option 'membrs'. Nearest: 'members'", *train, "--config", config)
    config.write_text("= 2")
    _fails(capfd, "is not valid TOML", *train, "--config", config)
    config.write_text("seed = true")  # which is 1 in Python
    _fails(capfd, "Invalid value for '--seed'", *train, "--config", config)


def test_a_full_disk_leaves_nothing(home, tmp_path, capfd, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    out = tmp_path / "survey"
    _fails(
        capfd, "No space left on device", "simulate", "photoz", "--galaxies", 60, "--output", out
    )
    assert not list(tmp_path.iterdir())


def test_folders_of_others_are_never_replaced(home, tmp_path, capfd):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "thesis.txt").write_text("mine")
    pdfs, survey = home / "pdfs.parquet", home / "survey"
    fit = ["fit", survey / "train.parquet", *PHOTOMETRY, *TRAIN, "--target", "redshift"]
    force = ["--output", precious, "--overwrite"]
    _fails(capfd, "is a folder without model.json, so it is not replaced", *fit, *force)
    _fails(capfd, "without metrics.json", "evaluate", pdfs, "--truth", "redshift", *force)
    _fails(capfd, "without survey.json", "simulate", "photoz", "--galaxies", 60, *force)
    _fails(capfd, "is a folder. Give the name of a file", "study", home / "model", survey, *force)
    with pytest.raises(DataError, match="is a folder"):
        write_pdfs(read_pdfs(pdfs), precious)
    assert [path.name for path in precious.iterdir()] == ["thesis.txt"]


def test_what_came_into_a_folder_later_is_not_lost(home, tmp_path, capfd):
    pdfs, model = tmp_path / "model" / "pdfs.parquet", tmp_path / "model"
    shutil.copytree(home / "model", model)
    shutil.copy(home / "pdfs.parquet", pdfs)
    train = home / "survey" / "train.parquet"
    fit = ["fit", train, *PHOTOMETRY, *TRAIN, "--target", "redshift", "--output", model]
    _fails(capfd, "exists already. Pass --overwrite", *fit)
    said = "holds pdfs.parquet too, which would be lost. Move that elsewhere"
    _fails(capfd, said, *fit, "--overwrite")
    assert (model / "model.json").read_bytes() == (home / "model" / "model.json").read_bytes()
    assert pdfs.read_bytes() == (home / "pdfs.parquet").read_bytes()
    _fails(capfd, "is a file. Give the name of a folder.", *fit[:-1], pdfs, "--overwrite")


@pytest.mark.skipif(sys.platform == "win32", reason="a system without pipes")
def test_devices_and_pipes_are_no_outputs(home, tmp_path, capfd):
    pipe, link, pdfs = tmp_path / "pipe.parquet", tmp_path / "link.parquet", home / "pdfs.parquet"
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    said = "is a device or a pipe, and no file. Choose another --output."
    test = home / "survey" / "test.parquet"
    for output in (pipe, link):
        to = ["--output", output, "--overwrite"]
        _fails(capfd, said, "predict", home / "model", test, *DEEP, *to)
        _fails(capfd, said, "stack", pdfs, "--by", "mode", "--edges", "0,1,2", *to)
        _fails(capfd, said, "evaluate", pdfs, "--truth", "redshift", *to)
        with pytest.raises(DataError, match="is a device or a pipe"):
            write_pdfs(read_pdfs(pdfs), output)
    assert pipe.is_fifo()
    assert link.is_symlink()


def test_an_input_is_never_the_output(home, tmp_path, capfd):
    table = tmp_path / "t.parquet"
    shutil.copy(home / "survey" / "test.parquet", table)
    before = table.read_bytes()
    arguments = ["predict", home / "model", table, *DEEP, "--output", table, "--overwrite"]
    _fails(capfd, "is one of the input tables", *arguments)
    assert table.read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h.pop("family"),
        lambda h: h.pop("about"),
        lambda h: h["parameters"].pop("activation"),
        lambda h: h.update(n_members=3),
        lambda h: h["architecture"].update(hidden_sizes=[4]),
        lambda h: h["parameters"].update(spin=1),
        lambda h: h["family"].update(n_components=5),
        lambda h: h["family"].update(scale="x"),
        lambda h: h.update(sharpening=None),
        lambda h: h["columns"].pop("targets"),
    ],
)
def test_edited_models_are_refused(home, tmp_path, capfd, change):
    header, arrays = read_archive(home / "model")
    change(header)
    write_archive(tmp_path / "m", header, arrays)  # sealed again
    test = home / "survey" / "test.parquet"
    arguments = ["predict", tmp_path / "m", test, *DEEP, "--output", tmp_path / "p.parquet"]
    _fails(capfd, "is damaged: model.json and arrays.npz do not fit", *arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "--foo"], "No such option"),
        (["fit"], "Missing argument"),
        (["fitt"], "No such command 'fitt'"),
        (["fit", "t.csv", "--target", "z", "--output", "m", "--members", "x"], "--members"),
    ],
)
def test_wrong_command_lines_are_one_line(capfd, arguments, message):
    _fails(capfd, message, *arguments)


def test_public_names_and_floors_are_decisions():
    import sfumato

    assert set(sfumato.__all__) == {
        "ConformalRecalibration",
        "CountPDFs",
        "GridPDFs",
        "JointPDFs",
        "MDNClassifier",
        "MDNRegressor",
        "ParametricPDFs",
        "SamplePDFs",
        "concatenate",
        "importance_weights",
        "read_model",
        "read_pdfs",
        "tune",
        "write_model",
        "write_pdfs",
    }
    assert all(hasattr(sfumato, name) for name in sfumato.__all__)
    root = Path(sfumato.__file__).parents[2]
    if (root / "pyproject.toml").exists():
        assert all((root / folder).is_dir() for folder in ("src", "tests", "benchmarks", "docs"))


@pytest.mark.slow
@pytest.mark.filterwarnings("default::UserWarning")  # they are printed
def test_rows_names_and_magnitudes_on_the_way(tmp_path, capfd):
    """A condition, new names, zero points and reddening: the library's numbers, and counts."""
    rng = np.random.default_rng(5)
    mag, ebv = rng.normal(22, 1, 400), rng.uniform(0, 0.1, 400)
    z = 0.1 * (mag - 19) + 0.02 * rng.normal(size=400)
    z[::10] = -1.0
    table = {"Z SPEC": z, "m": mag, "EBV": ebv, "flag": np.arange(400) % 4}
    pq.write_table(pa.table(table), tmp_path / "t.parquet")
    named = ["--rename", "z=Z SPEC", "--where", "`Z SPEC` >= 0 and flag in (0, 1, 2)"]
    options = [*named, "--zero-point", "m=0.5", "--extinction", "EBV:m=3"]
    fit = ["fit", tmp_path / "t.parquet", "--features", "m", "--target", "z", *QUICK]
    code, out, _ = sfumato(*fit, *options, "--output", tmp_path / "model", capfd=capfd)
    n = np.sum((z >= 0) & (np.arange(400) % 4 < 3))
    assert code == 0
    assert f"{n} of 400 rows taken" in " ".join(out.split())
    about = TabularModel.read(tmp_path / "model").about
    assert about["corrections"] == {"zero_points": {"m": 0.5}, "extinction": {"m": 3.0}}
    pdfs = tmp_path / "p.parquet"
    predict = ["predict", tmp_path / "model", tmp_path / "t.parquet", "--output", pdfs]
    code, _, err = sfumato(*predict, *named, capfd=capfd)
    assert code == 0
    for option in ("--zero-point", "--extinction"):
        assert f"{option} was given in training and not here" in " ".join(err.split())
    predict.append("--overwrite")
    code, _, err = sfumato(*predict, *options, "--keep", "m,z,flag", capfd=capfd)
    said = "m: kept as corrected by --zero-point and --extinction, not as in the table."
    assert (code, " ".join(err.split())) == (0, f"Warning: {said}")
    stored = pq.read_table(pdfs)
    kept = (z >= 0) & (np.arange(400) % 4 < 3)
    np.testing.assert_allclose(stored["m"].to_numpy(), (mag + 0.5 - 3 * ebv)[kept])
    model = TabularModel.read(tmp_path / "model").regressor
    np.testing.assert_allclose(
        read_pdfs(pdfs).mean(), model.predict((mag + 0.5 - 3 * ebv)[kept, None]), rtol=2e-3
    )
    few = ["--where", "flag == 1", "--truth", "z", "--bootstrap", 5]
    code, out, _ = sfumato("evaluate", pdfs, *few, "--output", tmp_path / "e", capfd=capfd)
    assert f"{np.sum(kept & (table['flag'] == 1))} objects" in " ".join(out.split())
    grid = ["--grid", "0,1,51", "--output", tmp_path / "q.hdf5", "--where", "flag == 1"]
    assert sfumato("export", pdfs, *grid) == 0
    qp = pytest.importorskip("qp")
    np.testing.assert_allclose(
        qp.read(str(tmp_path / "q.hdf5")).metadata["xvals"].ravel(), np.linspace(0, 1, 51)
    )


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--rename", "z"], "--rename must be as in a=b,c=d; got 'z'"),
        (["--zero-point", "m=x"], "--zero-point m must be numbers"),
        (["--extinction", "m=3"], "--extinction must be as in EBV:mag_u=4.81"),
        (["--where", "m >"], "cannot be read"),
        (["--where", "nothing > 1"], "no column 'nothing'"),
    ],
)
def test_wrong_ways_to_read_are_said(home, option, message, capfd):
    table = home / "survey" / "test.parquet"
    fit = ["fit", table, "--features", "redshift", "--target", "redshift"]
    code, _, err = sfumato(*fit, *option, "--output", home / "never", capfd=capfd)
    assert code == 2
    assert message in " ".join(err.split())
    assert not (home / "never").exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("default::UserWarning")  # a feature with codes
def test_the_worth_of_weighted_rows_is_printed(home, tmp_path, capfd):
    table = pq.read_table(home / "survey" / "train.parquet")
    weight = np.where(np.arange(table.num_rows) % 2 == 0, 1.0, 0.25)
    pq.write_table(table.append_column("w", [weight]), tmp_path / "t.parquet")
    fit = ["fit", tmp_path / "t.parquet", "--features", "mag_i_lsst", "--target", "redshift"]
    weighted = [*fit, *QUICK, "--weight", "w", "--output", tmp_path / "model"]
    code, out, _ = sfumato(*weighted, capfd=capfd)
    assert code == 0
    size = weight.sum() ** 2 / np.sum(weight**2)  # Kish
    expected = f"{len(weight):,} rows are worth {size:,.0f} of equal weight"
    assert expected in " ".join(out.split())
