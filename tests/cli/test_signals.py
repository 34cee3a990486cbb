"""Interrupted commands: one line of their own, the exit code of the signal, nothing left."""

import os
import signal
import subprocess
import sys

import pytest

STOPPED = """
import os, signal, sys
from sfumato.cli import {module}
from sfumato.cli.main import run

def stopped(*_, **__):
    os.kill(os.getpid(), signal.{name})

{module}.{job} = stopped
run()
"""


@pytest.mark.parametrize(
    ("verb", "job", "said"),
    [
        ("predict", "predict_files", "Rows that are finished are kept: the same command goes on"),
        ("tune", "tune_tables", "Trials that are finished are kept: the same command goes on"),
        ("fit", "fit_tables", "Nothing was written."),
    ],
)
@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("SIGTERM", "Terminated"),
        pytest.param("SIGINT", "Interrupted", marks=pytest.mark.slow),
    ],
)
def test_every_verb_says_how_it_goes_on(verb, job, said, name, what, tmp_path):
    words = {"predict": ["m", "t.csv"], "tune": ["t.csv"], "fit": ["t.csv"]}[verb]
    target = [] if verb == "predict" else ["--target", "y"]
    code = STOPPED.format(module=verb, job=job, name=name)
    command = [sys.executable, "-c", code, verb, *words, *target, "--output", "o.parquet"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"SFUMATO_CACHE": "off", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 128 + getattr(signal, name)
    assert " ".join(done.stderr.split()).startswith(f"Error: {what}. {said}")
    assert not list(tmp_path.iterdir())
