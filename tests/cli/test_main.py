"""The list of verbs: quick, and true."""

import subprocess
import sys
from importlib import import_module

from sfumato.cli.main import VERBS

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
