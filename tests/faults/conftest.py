"""A small project on disk, and commands on it in processes of their own."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from faults_cases import FIT, SONIC
from sfumato.welllogs.mock import make_wells, write_wells

ZYGOTE = Path(__file__).with_name("zygote.py")


@pytest.fixture(scope="session")
def command(tmp_path_factory):
    """Runs commands at once, each in a process of its own; see `zygote`."""
    folder = tmp_path_factory.mktemp("said")
    process = subprocess.Popen(
        [sys.executable, ZYGOTE, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline().strip() == "ready"

    def start(*commands):
        process.stdin.write(json.dumps(commands) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    yield start
    process.stdin.close()
    process.wait(60)
    process.stdout.close()


@pytest.fixture(scope="session")
def project(command, tmp_path_factory):
    """A folder with tables, a model and PDFs."""
    folder = tmp_path_factory.mktemp("project")
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 300))
    rows = np.column_stack([np.arange(300), a, b, a + 0.1 * rng.normal(size=300)])
    np.savetxt(folder / "t.csv", rows, "%.8g", ",", header="id,a,b,y", comments="")
    n = 200_000  # several chunks
    many = rng.normal(size=(2, n))
    pq.write_table(
        pa.table({"id": np.arange(n), "a": many[0], "b": many[1]}), folder / "big.parquet"
    )
    write_wells(make_wells(3, n_samples=600, seed=1), folder)
    tables = "predict model t.csv --output p.parquet --keep id,y"
    for words in (f"{FIT} --output model", tables, f"{SONIC} --output sonic"):
        (done,) = command({"words": words.split(), "folder": str(folder)})
        assert done["code"] == 0, done
    return folder


@pytest.fixture
def copy(project, tmp_path):
    """A fresh copy of the project."""
    shutil.copytree(project, tmp_path / "p")
    return tmp_path / "p"
