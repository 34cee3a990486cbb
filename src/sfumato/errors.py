"""Exception types of sfumato, and when each is raised.

``ValueError`` and ``TypeError`` are for a bad argument of one function. The types below say more:
`ShapeError` for arrays that disagree, `DataError` for a file or table that is not what it claims,
`DiskError` for an output that could not be written, `IncompatibleError` for arguments that are fine
alone and not together, `MissingDependencyError` for an absent optional package. Every message says
what is required, what was given, what to do.
"""

import difflib
import importlib
from collections.abc import Sequence
from types import ModuleType


class ShapeError(ValueError):
    """Array shapes disagree; the message prints them by name."""


class DataError(ValueError):
    """A file or table is not what it claims; the message names file, column or row."""


class DiskError(DataError):
    """The disk is full or its folder cannot be written: an output is not there."""

    def __init__(self, path: object, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{path} could not be written ({reason}). Nothing was left.")


class IncompatibleError(ValueError):
    """Two arguments are each valid and cannot be used together."""


class MissingDependencyError(ImportError):
    """An optional package is absent; the message holds the install command."""


def optional_module(name: str, *, extra: str) -> ModuleType:
    """Import the optional module `name`, or say which extra of sfumato brings it.

    Raises
    ------
    MissingDependencyError
        The module is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        message = f"This needs the package {name!r}. Install it: pip install 'sfumato[{extra}]'."
        raise MissingDependencyError(message) from error


def suggest(
    name: str, allowed: Sequence[str], *, n: int = 3, all_of: Sequence[str] | None = None
) -> str:
    """Sentence naming the entries of `allowed` nearest to `name`, or all that there are."""
    lowered = {entry.lower(): entry for entry in allowed}
    near = difflib.get_close_matches(name.lower(), list(lowered), n=n, cutoff=0.5)
    if near:
        return "Nearest: " + ", ".join(repr(lowered[entry]) for entry in near) + "."
    there = list(allowed if all_of is None else all_of)
    shown = ", ".join(repr(entry) for entry in there[:12])
    return f"There are: {shown}{', ...' if len(there) > 12 else ''}."


def choose(name: str, table: dict, *, what: str):  # noqa: ANN201 - the type of the table's values
    """Entry `name` of `table`, or a ``ValueError`` that lists the allowed names."""
    if name not in table:
        allowed = ", ".join(repr(entry) for entry in table)
        raise ValueError(f"{what} must be one of {allowed}; got {name!r}.")
    return table[name]


def check_one_of(value: object, allowed: Sequence[str], *, what: str) -> None:
    """Refuse what is not among the allowed names.

    Raises
    ------
    ValueError
        The message lists them.
    """
    choose(value, dict.fromkeys(allowed), what=what)  # type: ignore[arg-type]
