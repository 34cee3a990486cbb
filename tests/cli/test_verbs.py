"""The command line: the main job, restarts after kill -9, and every kind of bad input."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from sfumato import read_pdfs, write_pdfs
from sfumato.cli.main import run
from sfumato.errors import DataError
from sfumato.io.tables import open_table
from sfumato.jobs import prediction
from sfumato.jobs.columns import Columns
from sfumato.jobs.model_files import TabularModel
from sfumato.jobs.prediction import Job, predict_tables

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
    assert not list(home.glob("*.partial"))


def test_evaluate_stack_plot_export_info_and_study(home, capfd):
    pdfs = home / "pdfs.parquet"
    out = home / "evaluation"
    options = ["--truth", "redshift", "--magnitude", "mag_i_depth5", "--bootstrap", 5]
    assert sfumato("evaluate", pdfs, *options, "--output", out) == 0
    names = {path.name for path in out.iterdir()}
    assert {"metrics.json", "metrics.csv", "report.html", "pit.png", "by_magnitude.png"} <= names
    metrics = json.loads((out / "metrics.json").read_text())
    truth = pq.read_table(pdfs)["redshift"].to_numpy()
    expected = read_pdfs(pdfs).log_prob(truth).mean()
    assert metrics["overall"]["log_score"]["value"] == pytest.approx(expected, rel=1e-6)
    edges = ["--edges", "0,0.5,1,3", "--truth", "redshift"]
    assert sfumato("stack", pdfs, *edges, "--output", home / "stack.parquet") == 0
    stacks = read_pdfs(home / "stack.parquet")
    table = pq.read_table(pdfs)
    inside = np.digitize(table["mode"].to_numpy(), [0, 0.5, 1, 3]) == 2
    expected = read_pdfs(pdfs)[inside].mean().mean()
    assert stacks.mean()[1] == pytest.approx(expected, abs=3e-3)
    assert (home / "stack.png").stat().st_size > 5000
    for kind in ("pdfs", "pit", "points", "coverage"):
        assert sfumato("plot", pdfs, "--kind", kind, "--truth", "redshift") == 0
        assert (home / f"pdfs-{kind}.png").stat().st_size > 5000
    assert sfumato("export", pdfs, "--kind", "mixmod", "--output", home / "q.hdf5") == 0
    capfd.readouterr()
    code, text, _ = sfumato("info", pdfs, capfd=capfd)
    assert code == 0
    assert "600 objects" in text
    code, text, _ = sfumato("info", home / "model", capfd=capfd)
    assert "'n_members': 2" in text
    page = home / "report.html"
    assert sfumato("study", home / "model", home / "survey", "--output", page) == 0
    text = page.read_text()
    assert text.count("data:image/png;base64") >= 9
    assert "http" not in text.replace("https://www.w3.org", "")


def test_every_format_gives_the_same_predictions(home, tmp_path):
    table = pq.read_table(home / "survey" / "test.parquet").slice(0, 40)
    pa.csv.write_csv(table, tmp_path / "t.csv")
    pq.write_table(table, tmp_path / "t.parquet")
    found = []
    for name in ("t.csv", "t.parquet"):
        out = tmp_path / f"{name}.pdfs.parquet"
        assert sfumato("predict", home / "model", tmp_path / name, *DEEP, "--output", out) == 0
        found.append(read_pdfs(out).mean())
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4)


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


def _big(home, path, copies):
    table = pq.read_table(home / "survey" / "test.parquet")
    pq.write_table(pa.concat_tables([table] * copies), path, row_group_size=5000)
    return path


def test_a_killed_prediction_goes_on(home, tmp_path, capfd):
    table = _big(home, tmp_path / "big.parquet", 900)  # 540,000 rows, five chunks
    output = tmp_path / "pdfs.parquet"
    arguments = ["predict", home / "model", table, *DEEP, "--keep", "id", "--output", output]
    command = [sys.executable, "-c", "from sfumato.cli.main import run; run()"]
    command += [str(argument) for argument in arguments]
    parts = tmp_path / "pdfs.parquet.partial"
    process = subprocess.Popen(command, env=os.environ | {"SFUMATO_CACHE": "off"})
    deadline = time.monotonic() + 120
    while not (parts / "000000.parquet").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not output.exists()
    finished = list(parts.glob("0*.parquet"))
    assert finished
    code, out, _ = sfumato(*arguments, capfd=capfd)
    assert code == 0
    assert f"{len(finished) * prediction.CHUNK_ROWS:,} rows were finished by an earlier run" in out
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
    parts = tmp_path / "p.parquet.partial"
    parts.mkdir()
    (parts / "job.json").write_text('{"fingerprint": "of another job"}')
    shutil.copy(output, parts / "000000.parquet")
    assert predict_tables(model.regressor, tables, output, job=job) == 0
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
        "--preset must be one of 'photoz'; got 'photos'",
    ),
    "bands and features": (_rows(), [*GRI, "--features", "mag_g"], "--preset photoz names the columns itself"),
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
    _fails(capfd, "no column 'mag_u_lsst'", *start, "--output", out)
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
    for arguments in (
        ["predict", home / "model", survey / "test.parquet", *DEEP],
        train,
        ["evaluate", home / "pdfs.parquet", "--truth", "redshift"],
        ["stack", home / "pdfs.parquet", "--edges", "0,1"],
        ["simulate", "photoz"],
        ["study", home / "model", survey],
    ):
        _fails(capfd, "exists already. Pass --overwrite", *arguments, "--output", taken)
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
    _fails(capfd, "needs --truth", "plot", pdfs, "--kind", "pit", *figure)
    _fails(capfd, "must end in .png", "plot", pdfs, "--output", tmp_path / "f.docx")
    test = home / "survey" / "test.parquet"
    _fails(capfd, "holds no PDFs of sfumato", "info", test)
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
    shutil.copytree(home / "model", tmp_path / "m")
    header = json.loads((tmp_path / "m" / "model.json").read_text())
    change(header)
    (tmp_path / "m" / "model.json").write_text(json.dumps(header))
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
