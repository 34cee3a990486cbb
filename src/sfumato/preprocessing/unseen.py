"""Levels and gaps that no training row had: told with their number, over however many pieces."""

import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

GAP = "have no {}, which every training row had: their distributions are a guess"
"""What is said of rows without a value in a column, where nothing better is."""


class Unseen(UserWarning):
    """Rows with words in a column that no training row had, or, without words, with gaps in it."""

    def __init__(
        self, column: str, n_rows: int, words: Sequence[str] = (), *, gap: str = GAP
    ) -> None:
        self.column, self.n_rows, self.words, self.gap = column, n_rows, tuple(words), gap
        some = ", ".join(repr(word) for word in self.words[:3])
        what = f"have levels of {column} that training never saw ({some})"
        told = f"{what}: they count as missing ones" if words else gap.format(column)
        super().__init__(f"{n_rows:,} rows {told}.")


def warn_of_unseen(words: Sequence[str], column: str, *, stacklevel: int = 2) -> None:
    """Warn of words, one for each row, that are no level of a column."""
    if words:
        told = Unseen(column, len(words), sorted(set(words)))
        warnings.warn(told, stacklevel=stacklevel + 1)


@contextmanager
def unseen_together() -> Iterator[None]:
    """Add up what is unseen in each column, and tell it at the end; others once, as they come."""
    rows: dict[tuple[str, str, bool], int] = defaultdict(int)
    words: dict[tuple[str, str, bool], set[str]] = defaultdict(set)
    said: set[str] = set()
    with warnings.catch_warnings():
        show = warnings.showwarning

        def gather(message: Warning | str, *where: object, **options: object) -> None:
            if isinstance(message, Unseen):
                key = message.column, message.gap, bool(message.words)
                rows[key] += message.n_rows
                words[key] |= set(message.words)
            elif str(message) not in said:
                said.add(str(message))
                show(message, *where, **options)  # type: ignore[arg-type]

        warnings.simplefilter("always", Unseen)
        warnings.showwarning = gather  # until the block ends
        yield
    for key, n_rows in rows.items():
        warnings.warn(Unseen(key[0], n_rows, sorted(words[key]), gap=key[1]), stacklevel=3)
