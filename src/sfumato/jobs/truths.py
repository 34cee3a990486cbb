"""True values beside PDFs: which rows have one."""

from warnings import warn

import numpy as np

from sfumato.errors import DataError
from sfumato.estimators.targets import extremes
from sfumato.io.tables import TableFile
from sfumato.preprocessing.missing import codes_in

_MOST_SEEN = 500_000
"""Values among which codes are looked for: every few-th of more."""


class Truths:
    """Looks at true values chunk by chunk, and says at the end what was wrong with them.

    Parameters
    ----------
    column : their name.
    table : where they stand, for messages.
    least : the least that a true value can be; what is below stands for a missing one.
    drop : leave out rows without a true value, instead of refusing them.
    """

    def __init__(self, column: str, table: TableFile, *, least: float | None, drop: bool) -> None:
        self.n_left_out = 0
        self._column, self._table, self._least, self._drop = column, table, least, drop
        self._first, self._n = 0, 0
        self._seen: list[np.ndarray] = []
        self._step = -(-max(table.n_rows, 1) // _MOST_SEEN)

    def kept(self, values: np.ndarray) -> np.ndarray:
        """Which of the next rows (n,) have a true value."""
        known = np.isfinite(values)
        if self._least is not None:
            known &= values >= self._least
        if not known.all() and not self.n_left_out:
            _, self._first = self._table.origin(self._n).of(int(np.argmin(known)))
        self.n_left_out += int(np.sum(~known))
        self._n += len(values)
        self._seen.append(values[known][:: self._step].copy())  # a view would keep them all
        return known

    def check(self) -> None:
        """Say how many rows were left out.

        Raises
        ------
        DataError
            Some were, and that was not asked for; or none is left.
        """
        what = "missing" if self._least is None else f"missing or below {self._least:g}"
        where = f"{self._table.path}: {self._column!r} is {what}"
        if self.n_left_out == self._n:
            raise DataError(f"{where} in every row. Is it the column of true values?")
        if self.n_left_out and not self._drop:
            message = f"{where} in {self.n_left_out:,} of {self._n:,} rows, first in row"
            raise DataError(f"{message} {self._first}. Leave them out by --drop-missing.")
        if self.n_left_out:
            warn(f"Left out {self.n_left_out:,} rows: {where.partition(': ')[2]}.", stacklevel=3)
        seen = np.concatenate(self._seen)
        codes = codes_in(seen, nines=9.0)
        for code in codes:
            rows = f"{'about ' * (self._step > 1)}{code.n_rows * self._step:,} rows"
            warn(
                f"{self._column} is {code.value:g} in {rows}: taken as true values. "
                "If it is a code, leave those rows out.",
                stacklevel=3,
            )
        seen = seen[~np.isin(seen, [code.value for code in codes])]
        far = extremes(seen) if seen.size else np.zeros(0, int)
        if far.size:
            farthest = seen[far[np.argmax(np.abs(seen[far] - np.median(seen)))]]
            n_far = far.size * self._step
            message = f"True values of {self._column} far from all others: {n_far:,}"
            warn(
                f"{message}, {farthest:g} farthest. They rule every mean: are they codes, or in "
                "another unit? Leave them out with --where.",
                stacklevel=3,
            )
