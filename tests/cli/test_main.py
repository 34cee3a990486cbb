"""The list of verbs: quick, and true."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from threading import Event

import pytest

from cases import make_pdfs
from sfumato import write_pdfs
from sfumato.cli import _console
from sfumato.cli.main import VERBS, run

HEAVY = ("numpy", "jax", "sklearn", "pandas", "pyarrow", "matplotlib", "numpyro")


def test_the_list_of_verbs_says_what_their_own_help_says():
    for verb, line in VERBS.items():
        module = import_module(f"sfumato.cli.{verb}")
        if "app" in vars(module):
            assert module.app.info.help == line
        else:
            said = " ".join(vars(module)[verb].__doc__.split("\n\n")[0].split())
            assert said == line


def test_help_and_version_import_nothing_heavy():
    for word in ("--help", "--version"):
        code = f"from sfumato.cli.main import run; run(['{word}'])"
        ends = "import atexit, sys; atexit.register(lambda: print(sorted(sys.modules)))"
        done = subprocess.run(
            [sys.executable, "-c", f"{ends}; {code}"], capture_output=True, text=True, check=True
        )
        shown, _, modules = done.stdout.rpartition("[")
        assert "sfumato" in shown
        assert not [name for name in HEAVY if f"'{name}'" in modules]
        assert "'typer'" in modules


def test_the_package_itself_imports_nothing_heavy():
    code = "import sys, sfumato; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not [name for name in HEAVY if f"'{name}'" in done.stdout]
    assert "'sfumato'" in done.stdout


def program(*words, before="", **environment):
    """What the program did, started as by its name."""
    code = "from sfumato.cli import start; start()"
    return subprocess.run(
        ["bash", "-c", f'{before}"$0" "$@"', sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
    )


def test_too_little_address_space_is_said_before_libraries_hang():
    done = program("info", "x", before="ulimit -v 1000000; ")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: This shell allows 1.0 GB of address space (ulimit -v), ")


def test_a_device_that_is_not_there_is_no_damage():
    done = program("info", "x", JAX_PLATFORMS="abacus")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: JAX finds no device for JAX_PLATFORMS='abacus' (")
    assert done.stderr.endswith("Unset it, or set it to cpu.\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a system without full devices")
def test_an_output_without_room_is_said():
    done = program("--version", before="exec > /dev/full; ")
    assert done.returncode == 2
    said = "Error: Standard output or a file cannot be written (No space left on device).\n"
    assert done.stderr == said


def test_a_terminal_of_ascii_gets_help_without_a_traceback():
    ascii_only = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}
    for words in (["--help"], ["measure", "--help"]):
        done = subprocess.run(
            [sys.executable, "-c", f"from sfumato.cli.main import run; run({words})"],
            capture_output=True,
            env=os.environ | ascii_only,
            check=True,
        )
        assert b"sfumato" in done.stdout
        assert not done.stderr


def test_quiet_prints_nothing_but_what_is_wrong(tmp_path, capfd):
    write_pdfs(make_pdfs(n=3), tmp_path / "p.parquet")
    for words in (["--quiet", "info"], ["info", "--quiet"]):
        with pytest.raises(SystemExit) as stopped:
            run([*words, str(tmp_path / "p.parquet")])
        assert stopped.value.code == 0
        assert capfd.readouterr() == ("", "")
    with pytest.raises(SystemExit):
        run(["--quiet", "info", str(tmp_path / "none")])
    assert "does not exist" in capfd.readouterr().err
    with pytest.raises(SystemExit):
        run(["info", str(tmp_path / "p.parquet")])
    assert "3 objects" in capfd.readouterr().out


def test_progress_without_a_terminal_is_lines(monkeypatch, capfd):
    monkeypatch.setattr(_console, "SECONDS_BETWEEN_LINES", 0.01)
    said = Event()
    lines = []

    def note(line, **_options):
        lines.append(line)
        said.set()

    monkeypatch.setattr(_console.errors, "print", note)
    with _console.progress() as bar:
        task = bar.add_task("Predicting", total=2000)
        bar.advance(task, 500)
        said.clear()
        assert said.wait(20)
    assert lines[-1].startswith("Predicting: 500 of 2,000 (25 %) after 0.0 minutes")
