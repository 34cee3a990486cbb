"""Sets of PDFs put together along the object axis."""

from collections.abc import Sequence
from typing import TypeVar

from sfumato.errors import IncompatibleError
from sfumato.pdfs._objects import Objects

Joinable = TypeVar("Joinable", bound=Objects)


def concatenate(parts: Sequence[Joinable]) -> Joinable:
    """One set holding the objects of all `parts` in order.

    Raises
    ------
    ValueError
        `parts` is empty.
    IncompatibleError
        The parts differ in kind, family, grid, number of members, or number or bounds of draws.
    """
    if not parts:
        raise ValueError("`parts` must hold at least one set of PDFs; got none.")
    kind = type(parts[0])
    if any(type(part) is not kind for part in parts):
        message = "All parts must be of one kind"
        raise IncompatibleError(f"{message}. Use to_grid(grid) on mixtures and draws.")
    return kind._joined(parts)
