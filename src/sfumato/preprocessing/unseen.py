"""Words that are no level of a category: told with their number, over however many pieces."""

import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class UnseenLevels(UserWarning):
    """Rows whose words in a column no training row had: they count as missing ones."""

    def __init__(self, column: str, n_rows: int, words: Sequence[str]) -> None:
        self.column, self.n_rows, self.words = column, n_rows, tuple(words)
        some = ", ".join(repr(word) for word in self.words[:3])
        message = f"{n_rows:,} rows have levels of {column} that training never saw ({some})"
        super().__init__(f"{message}: they count as missing ones.")


def warn_of_unseen(words: Sequence[str], column: str, *, stacklevel: int = 2) -> None:
    """Warn of words, one for each row, that are no level of a column."""
    if words:
        told = UnseenLevels(column, len(words), sorted(set(words)))
        warnings.warn(told, stacklevel=stacklevel + 1)


@contextmanager
def unseen_together() -> Iterator[None]:
    """Add up the unseen levels of each column, and tell them at the end; others as they come."""
    rows: dict[str, int] = defaultdict(int)
    words: dict[str, set[str]] = defaultdict(set)
    with warnings.catch_warnings():
        show = warnings.showwarning

        def gather(message: Warning | str, *where: object, **options: object) -> None:
            if isinstance(message, UnseenLevels):
                rows[message.column] += message.n_rows
                words[message.column] |= set(message.words)
            else:
                show(message, *where, **options)  # type: ignore[arg-type]

        warnings.simplefilter("always", UnseenLevels)
        warnings.showwarning = gather  # until the block ends
        yield
    for column, n_rows in rows.items():
        warnings.warn(UnseenLevels(column, n_rows, sorted(words[column])), stacklevel=3)
