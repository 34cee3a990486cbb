"""Presets: which options are whose, and what is refused."""

import pytest

from sfumato.errors import IncompatibleError
from sfumato.jobs import presets
from sfumato.jobs.columns import Columns
from sfumato.jobs.presets import Preset, Question, Roles, prepare, questions

ROLES = Roles(("y",))


def preset(name, *asked):
    """A preset whose columns are its answers, and whose estimator its settings."""

    def made(roles, answers, settings):
        return Columns(tuple(f"{k}={v}" for k, v in answers.items()), roles.targets), settings

    return Preset(name, "of tests", asked, made)


@pytest.fixture
def two(monkeypatch):
    """Two presets that both ask for bands, and one of them for a depth."""
    bands = Question("bands", None, "Names.")
    table = {
        "one": preset("one", bands, Question("depth", "5", "Of the survey.")),
        "two": preset("two", bands),
    }
    monkeypatch.setattr(presets, "presets", lambda: table)
    return table


def test_presets_may_ask_alike(two):
    columns, settings = prepare(ROLES, preset="two", answers={"bands": "g,r"}, settings={"k": 1})
    assert columns.features == ("bands=g,r",)
    assert columns.groups is None
    assert settings == {"k": 1}
    wells = ROLES._replace(groups="well")
    columns, _ = prepare(wells, preset="one", answers={"bands": "g"}, settings={})
    assert columns.features == ("bands=g", "depth=5")
    assert columns.groups == "well"
    assert list(questions()) == ["bands", "depth"]


def test_options_of_another_preset_are_refused(two):
    with pytest.raises(IncompatibleError, match="--depth needs --preset one"):
        prepare(ROLES, preset="two", answers={"bands": "g", "depth": "1"}, settings={})
    with pytest.raises(IncompatibleError, match="--bands needs --preset one"):
        prepare(ROLES, preset=None, answers={"bands": "g"}, settings={})


def test_unlike_questions_of_one_name_are_refused(two):
    two["three"] = preset("three", Question("bands", "g", "Names."))
    with pytest.raises(ValueError, match="Two presets ask for --bands"):
        questions()


def test_columns_by_hand_and_by_a_preset_exclude_each_other(two):
    with pytest.raises(IncompatibleError, match="leave out --features"):
        prepare(Roles(("y",), features=("a",)), preset="two", answers={}, settings={})
    with pytest.raises(IncompatibleError, match=r"Give --features.*--preset one"):
        prepare(ROLES, preset=None, answers={}, settings={})
