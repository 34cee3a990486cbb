"""What documents show: examples of docstrings run, and pages made of the code hold it."""

import doctest
import importlib
import importlib.util
import pkgutil
import re
import warnings
from pathlib import Path

import pytest

import sfumato
from sfumato.estimators.options import OPTIONS

ROOT = Path(__file__).parents[1]


def modules_with_examples():
    found = pkgutil.walk_packages(sfumato.__path__, "sfumato.")
    paths = {m.name: ROOT / "src" / Path(*m.name.split(".")).with_suffix(".py") for m in found}
    return [name for name, path in paths.items() if path.is_file() and ">>>" in path.read_text()]


TRAINING = ("sfumato.estimators.classifier", "sfumato.estimators.regressor")


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] * (n in TRAINING)) for n in modules_with_examples()],
)
def test_examples_in_docstrings(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # short trainings have not converged
        result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0


@pytest.fixture(scope="module")
def pages():
    spec = importlib.util.spec_from_file_location("pages", ROOT / "docs" / "_pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_options_holds_every_row(pages):
    rows = pages.on_page_markdown("<!-- options -->").split("\n")
    assert len(rows) == len(OPTIONS) + 2
    for option, row in zip(OPTIONS, rows[2:], strict=True):
        assert f"| `{option.name}` |" in row
        assert option.help in row
    assert "| `learning_rate` | `0.004` | `--learning-rate` |" in pages.options()


def test_the_picture_of_the_floors_is_the_contract(pages):
    rows = pages.layers("floors")
    assert rows[0] == ["cli"]
    assert ["families", "preprocessing"] in rows
    drawn = pages.on_page_markdown("<!-- floors -->")
    source = (ROOT / "src" / "sfumato").iterdir()
    rooms = {p.stem for p in source if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert {room for floor in rows for room in floor} == rooms - {"__init__"}
    for room in rooms - {"__init__"}:
        assert f">{room}</text>" in drawn
    assert ">basis</text>" in drawn


def test_files_of_code_that_pages_name_exist():
    named = [
        (page.name, path)
        for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
        for path in re.findall(r"`([\w./-]+/[\w-]+\.py)`", page.read_text())
    ]
    assert len(named) > 10
    for page, path in named:
        places = (ROOT / path, ROOT / "src" / "sfumato" / path)
        assert any(place.exists() for place in places), f"{page} names {path}"
