"""What every set of predicted distributions is: a number of objects along axis 0."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self, TypeAlias

import numpy as np

from sfumato.errors import IncompatibleError

Rows: TypeAlias = slice | np.ndarray | list[int]


class Objects(ABC):
    """n objects, of which some can be chosen, and which can be put behind others."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def _take(self, rows: Rows) -> Self:
        """The same objects in another order or number."""

    def __getitem__(self, rows: int | Rows) -> Self:
        """Objects chosen by slice, mask or indices; an integer gives a set of one."""
        if isinstance(rows, int | np.integer):
            rows = [range(len(self))[int(rows)]]
        return self._take(rows)

    @classmethod
    def _joined(cls, parts: Sequence[Self]) -> Self:
        """The objects of all parts, at least one, in order.

        Raises
        ------
        IncompatibleError
            The parts differ in what they share, or cannot be joined.
        """
        message = f"{cls.__name__} cannot be joined; mixtures, gridded PDFs and draws can"
        raise IncompatibleError(f"{message}. Use to_grid(grid).")
