"""Columns and settings of the small model that tests of the jobs share."""

from sfumato.jobs.presets import Roles

ROLES = Roles(("y",), features=("a", "b"))
SETTINGS = {"hidden_sizes": (8,), "n_members": 2, "n_components": 2, "max_epochs": 6}
