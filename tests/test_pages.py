"""Every block of code in README and the documentation runs, in the order of its page.

What a page assumes (files, arrays, a model) is made first; sizes are made smaller.
"""

import re
import shlex
import shutil
import tomllib
import zlib
from pathlib import Path

import h5py
import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import Table

from cases import SMALL
from sfumato import MDNRegressor
from sfumato.cli.main import run
from sfumato.io.images import open_stamps
from sfumato.photoz import mock
from sfumato.welllogs.mock import make_wells, write_wells

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    if BLOCK.search(path.read_text())
)
SMALLER = {
    r"--galaxies \d+": "--galaxies 600",
    r"--epochs \d+": "--epochs 2",
    r"(?<=--preset photoz)(?!.*--epochs)": " --epochs 2",
    r"--steps \d+": "--steps 10",
    r"(?<=--preset welllog)(?!.*--(steps|epochs))": " --steps 10",
    r"--number \d+": "--number 12",
    r"slice\(0, 300\)": "slice(0, 12)",
    r"--floor --set v\d( --number \d+)?": "--floor --set v1 --number 12",
    r"KFold\(\d": "KFold(2",
    r"--n-trials \d+": "--n-trials 2 --epochs 2",
    r":20(?=[ :]|$)": ":3",  # nodes of a map
    r"max_epochs=\d+": "max_epochs=2",
    r"(?<=MDNRegressor\()(?![^\n]*max_epochs)": "max_epochs=2, ",
}


def toy_arrays():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    y = x[:, 0] + 0.3 * rng.normal(size=200)
    return {"X": x, "y": y, "X_new": x[:50], "z_true": y[:50], "z": np.linspace(-4, 4, 201)}


def toy_model():
    arrays = toy_arrays()
    x, y = arrays["X"], arrays["y"]
    model = MDNRegressor(random_state=0, **SMALL).fit(x, y)
    names = {"X_train": x, "y_train": y, "X_target": x[:100] + 0.2, "new": np.ones_like}
    return arrays | names | {"model": model, "np": np}


def survey():
    """The tables of README: one to train on, one to predict."""
    sfumato("simulate photoz --galaxies 600 --output survey")
    for name in ("train.parquet", "survey.parquet"):
        shutil.copy("survey/train.parquet", name)
    Path("wells").mkdir()
    *_, last = write_wells(make_wells(4, n_samples=300), "wells")
    last.rename("new.las")
    return toy_arrays()


def photometry():
    table = mock.train_table(120, seed=0)
    names = [name.format(b) for name in ("mag_{}_lsst", "mag_err_{}_lsst") for b in "ugrizy"]
    columns = np.stack([table[name].to_numpy() for name in names], axis=1)
    return {"X": columns, "z": table["redshift"].to_numpy()}


def joint_targets():
    arrays = toy_arrays()
    y = np.stack([arrays["y"], -arrays["y"]], axis=1)
    joint = MDNRegressor(family="multivariate-normal", random_state=0, **SMALL)
    joint = joint.fit(arrays["X"], y).predict_pdfs(arrays["X"])
    return toy_model() | {"joint": joint, "numbers": np.zeros(200), "y1": -0.2}


def table():
    arrays = toy_arrays()
    rows = np.column_stack([arrays["X"], arrays["X"][:, 0] ** 2, arrays["y"]])
    np.savetxt("table.csv", rows, delimiter=",", header="a,b,c,y", comments="")
    return {}


def catalogue():
    """A FITS file whose second table is a survey with its own names, and a table in text."""
    table()
    train = mock.train_table(600, seed=0)
    columns = {f"mag_{b}": train[f"mag_{b}_lsst"].to_numpy() for b in "ugrizy"}
    columns |= {f"mag_err_{b}": train[f"mag_err_{b}_lsst"].to_numpy() for b in "ugrizy"}
    columns |= {"zspec": train["redshift"].to_numpy(), "flags": np.arange(600) % 5}
    hdus = [fits.BinTableHDU(Table({"a": [1]})), fits.BinTableHDU(Table(columns))]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto("survey.fits")
    return {}


def stamps():
    """Files of the names that the page on real stamps uses, with weights and PSFs."""
    sfumato("simulate galaxies --set v1 --number 6 --images image,psf --output one.hdf5")
    file = open_stamps("one.hdf5")
    images = file.read(slice(0, 6))
    weight, psf = np.full(images.shape, 1 / 200**2, "f4"), file.read(slice(0, 6), "psf")
    arrays = {"image": images, "weight": weight, "psf": psf}
    hdus = [fits.ImageHDU(array, name=name) for name, array in arrays.items()]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto("stamps.fits")
    for name in ("g", "r1", "r2"):
        with h5py.File(f"{name}.hdf5", "w") as band:
            band["image"], band["weight"] = images, weight
            band.attrs["pixel_scale"] = 0.23
    return {}


def logs():
    """A table of the name that the page on well logs uses."""
    wells = make_wells(3, n_samples=300)
    columns = {
        name: np.concatenate([vars(well)[name.lower()] for well in wells])
        for name in ("DEPTH_M", "GR", "RHOB", "NPHI", "RDEP", "DTC")
    }
    columns["DEPTH_MD"] = columns.pop("DEPTH_M")
    columns["WELL"] = np.repeat([well.name for well in wells], 300)
    pq.write_table(pa.table(columns), "logs.parquet")
    return {}


def wells():
    """A table of the name that the page on groups uses."""
    rng = np.random.default_rng(0)
    columns = {name: rng.normal(size=240) for name in ("GR", "RHOB", "NPHI")}
    columns |= {"DTC": columns["GR"] + rng.normal(size=240), "WELL": np.arange(240) // 20}
    pq.write_table(pa.table(columns), "wells.parquet")
    return {}


BEFORE = {
    "README.md": survey,
    "docs/howto/another-sample.md": joint_targets,
    "docs/howto/choosing-a-family.md": joint_targets,
    "docs/howto/choosing-k.md": photometry,
    "docs/howto/groups.md": wells,
    "docs/howto/real-stamps.md": stamps,
    "docs/howto/tables.md": catalogue,
    "docs/howto/tuning.md": table,
    "docs/howto/well-logs.md": logs,
}


def sfumato(line):
    words = [sorted(map(str, Path().glob(w))) if "*" in w else [w] for w in shlex.split(line)]
    with pytest.raises(SystemExit) as stopped:
        run([word for found in words for word in found])
    assert stopped.value.code == 0, line


def is_first(command, shared):
    """Whether no page has run a command yet, in this process or in another of the same run."""
    try:
        (shared / f"floor-{zlib.crc32(command.encode())}").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def run_console(code, shared):
    for line in code.replace("\\\n", " ").splitlines():
        program, *words = shlex.split(line, comments=True) or [""]
        if program == "sfumato":
            command = shlex.join(words)
            if "--floor" not in words or is_first(command, shared):  # minutes, and always the same
                sfumato(command)
        elif program == "pip":
            extras = set(re.search(r"\[(.*)\]", words[-1])[1].split(","))
            assert extras <= set(PROJECT["optional-dependencies"])
        elif program == "make":
            assert re.search(rf"^{words[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        else:
            assert not program, f"no way to run: {line}"


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.filterwarnings("ignore::UserWarning")  # so few rows and epochs have not converged
def test_the_code_of_a_page_runs(page, tmp_path, tmp_path_factory, monkeypatch, worker_id):
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    monkeypatch.chdir(tmp_path)
    names = BEFORE[page]() if page in BEFORE else {}
    written = Path("table.parquet")  # more than once on a page
    for language, code in BLOCK.findall((ROOT / page).read_text()):
        for pattern, smaller in SMALLER.items():
            code = re.sub(pattern, smaller, code)
        if language == "console":
            written.unlink(missing_ok=True)
            run_console(code, shared)
        elif language == "python":
            exec(compile(code, page, "exec"), names)
        elif language == "toml":
            Path(re.match(r"# (\S+\.toml)\n", code)[1]).write_text(code)
        else:
            assert language == "text", f"{page} has a block of {language or 'nothing'}"
    plt.close("all")
