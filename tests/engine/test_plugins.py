"""Plug-ins that can be loaded are; the others are named."""

from importlib.metadata import EntryPoint

import pytest

from sfumato.engine import plugins


def test_a_broken_plug_in_is_named_and_left_out(monkeypatch):
    points = [
        EntryPoint("good", "math:pi", "sfumato.presets"),
        EntryPoint("bad", "no_such_module:thing", "sfumato.presets"),
        EntryPoint("worse", "math:no_such_name", "sfumato.presets"),
    ]
    monkeypatch.setattr(plugins, "entry_points", lambda group: points)
    with pytest.warns(UserWarning, match="of a package, announced as '(bad|worse)'"):
        found = plugins.announced("sfumato.presets")
    assert list(found) == ["good"]


def test_ours_are_there():
    assert {"photoz", "welllog"} <= plugins.announced("sfumato.presets").keys()
