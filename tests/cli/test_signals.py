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


def ended(code, *words, folder):
    """What a program did until it ended."""
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=folder,
        env=os.environ | {"SFUMATO_CACHE": "off", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


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
    done = ended(*command[2:], folder=tmp_path)
    assert done.returncode == 128 + getattr(signal, name)
    assert " ".join(done.stderr.split()).startswith(f"Error: {what}. {said}")
    assert not list(tmp_path.iterdir())


EARLY = """
import os, signal, sys
from importlib.abc import MetaPathFinder

signal.signal(signal.{name}, signal.SIG_DFL)  # whoever runs the tests may ignore it

class Stopped(MetaPathFinder):
    def find_spec(self, name, *_):
        if name == {library!r}:
            os.kill(os.getpid(), signal.{name})
            sum(range(100))  # it is delivered before the next line
            print("imported")

sys.meta_path.insert(0, Stopped())
from sfumato.cli import start
start()
"""


@pytest.mark.parametrize("library", ["typer", "jax", "pyarrow.parquet"])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_while_libraries_load_ends_the_run_at_once(library, name, tmp_path):
    done = ended(EARLY.format(library=library, name=name), "info", "t.csv", folder=tmp_path)
    what = {"SIGINT": "Interrupted", "SIGTERM": "Terminated", "SIGHUP": "The terminal was closed"}
    assert done.returncode == 128 + getattr(signal, name)
    assert (done.stdout, done.stderr) == ("", f"Error: {what[name]}. Nothing was written.\n")


LATE = """
import signal
from sfumato.cli import info
from sfumato.cli.main import run

def describe(*_, **__):
    import slow
    signal.pause()

info.describe = describe
run()
"""


def test_a_library_that_a_job_loads_is_loaded_whole_before_a_signal_ends_it(tmp_path):
    stops = "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\nsum(range(100))\n"
    (tmp_path / "slow.py").write_text(f"{stops}print('whole', flush=True)\n")
    done = ended(LATE, "info", "t.csv", folder=tmp_path)
    assert done.returncode == 128 + signal.SIGTERM
    assert (done.stdout, done.stderr) == ("whole\n", "Error: Terminated. Nothing was written.\n")


NOHUP = """
import os, signal
signal.signal(signal.SIGHUP, signal.SIG_IGN)
from sfumato.cli import main, start

def hung_up(*given):
    os.kill(os.getpid(), signal.SIGHUP)
    return run(*given)

run, main._run = main._run, hung_up
start()
"""


def test_nohup_is_heeded(tmp_path):
    done = ended(NOHUP, "--version", folder=tmp_path)
    assert (done.returncode, done.stdout[:9]) == (0, "sfumato 0")


AT_THE_END = """
import atexit, os, signal
atexit.register(lambda: (os.kill(os.getpid(), signal.{name}), sum(range(100))))
from sfumato.cli import start
start()
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_behind_the_work_changes_nothing(name, tmp_path):
    done = ended(AT_THE_END.format(name=name), "--version", folder=tmp_path)
    assert (done.returncode, done.stdout[:9], done.stderr) == (0, "sfumato 0", "")


LOST = """
import os, signal, sys
from sfumato.cli import info
from sfumato.cli._console import progress
from sfumato.cli.main import run

class Finalised:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        sum(range(100))  # it is delivered before the next line

def swallowed():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        sum(range(100))
    except BaseException:
        pass

def until_the_next_tick(*_, **__):
    swallowed()
    with progress() as bar:
        bar.advance(bar.add_task("Working"))
    raise AssertionError

def until_later(*_, **__):
    Finalised()
    signal.pause()
    raise AssertionError

def as_another_error(*_, **__):
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        sum(range(100))
    except KeyboardInterrupt:
        raise ImportError("while initializing the extension") from None

def too_late(*_, **__):
    swallowed()
    sys.exit(0)

info.describe = {how}
run()
"""


@pytest.mark.parametrize("how", ["until_the_next_tick", "until_later", "as_another_error"])
def test_a_signal_that_somebody_swallowed_ends_the_run_all_the_same(how, tmp_path):
    done = ended(LOST.replace("{how}", how), "info", "t.csv", folder=tmp_path)
    assert done.returncode == 128 + signal.SIGTERM
    assert done.stderr.strip() == "Error: Terminated. Nothing was written."


def test_a_run_that_ended_before_it_heard_of_a_signal_says_so(tmp_path):
    code = LOST.replace("info.describe = {how}", "from sfumato.cli import main\nmain._run = late")
    code = code.replace("class Finalised", "def late(*_):\n    swallowed()\n\nclass Finalised")
    done = ended(code, "info", "t.csv", folder=tmp_path)
    assert done.returncode == 128 + signal.SIGTERM
    assert "Terminated when the work was done: what was asked for is written." in done.stderr
