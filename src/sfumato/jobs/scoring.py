"""Scores of the objects of a file against their true values, read chunk by chunk."""

import math
import warnings
from collections.abc import Callable
from dataclasses import fields
from typing import NamedTuple

import numpy as np

from sfumato.io.pdfs import PDFsFile
from sfumato.io.tables import matrix
from sfumato.jobs.truths import Truths
from sfumato.metrics.evaluation import ObjectScores, score_objects
from sfumato.preprocessing.table import words_of

MOST_SCORED = 500_000
"""Objects whose scores are kept at a time, 100 bytes each."""


class Scored(NamedTuple):
    """Scores of objects, and what was asked for beside them: numbers (n,), words (n,)."""

    objects: ObjectScores
    by: np.ndarray | None
    groups: np.ndarray | None


class Words:
    """Words as numbers, given as they come."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def codes(self, cells: list) -> np.ndarray:
        """Numbers of words (n,); missing ones are a word of their own."""
        found = words_of(np.array(cells, object))
        return np.array([self._numbers.setdefault(w, len(self._numbers)) for w in found], float)

    def of(self, codes: np.ndarray) -> np.ndarray:
        """The words (n,) of numbers."""
        return np.array(list(self._numbers), object)[codes.astype(int)]


def read_scores(
    file: PDFsFile,
    truth: str,
    *,
    by: str | None = None,
    group: str | None = None,
    least: float | None = None,
    drop_missing: bool = False,
    on_rows: Callable[[int], None] | None = None,
) -> Scored:
    """Scores of all objects of a file, chunk by chunk.

    Parameters
    ----------
    by : a column of numbers that is kept beside them.
    group : a column of words that is.
    least : the least that a true value can be.
    drop_missing : leave out objects without a true value.

    Raises
    ------
    DataError
        A column is missing, or a true value is.
    """
    columns = [truth] if by is None else [truth, by]
    words = Words()
    first = 0
    support = (-np.inf, np.inf)
    drawn = Drawn(file.n_rows, most=MOST_SCORED)
    held = _Held(drawn.most)
    truths = Truths(truth, file.table, least=least, drop=drop_missing)
    wanted = [*columns, *([] if group is None else [group])]
    for pdfs, table in file.scalars(wanted, batch_rows=20_000):
        numbers = matrix(table, columns, origin=file.table.origin(first))
        support = pdfs.support
        kept = truths.kept(numbers[:, 0]) & drawn(len(pdfs))
        if kept.any():
            known = pdfs if kept.all() else pdfs[np.flatnonzero(kept)]
            codes = np.zeros(len(pdfs)) if group is None else words.codes(table[group].to_pylist())
            beside = np.stack([numbers[kept, -1], codes[kept]])
            held.add(score_objects(known, numbers[kept, 0]), beside)
        first += len(pdfs)
        if on_rows is not None:
            on_rows(len(pdfs))
    truths.check()
    objects, (values, codes) = held.all()
    drawn.warn(len(objects))
    _warn_of_outside(objects, support)
    _warn_of_poles(objects)
    return Scored(
        objects,
        None if by is None else values,
        None if group is None else words.of(codes),
    )


class _Held:
    """Scores of objects and two values of each, in room that is taken once: no part lies about."""

    def __init__(self, most: int) -> None:
        self._names = [field.name for field in fields(ObjectScores)]
        self._room = np.empty((len(self._names) + 2, most))
        self._n = 0

    def add(self, objects: ObjectScores, values: np.ndarray) -> None:
        """Put some behind those that are there, as far as there is room."""
        stop = min(self._n + len(objects), self._room.shape[1])
        rows = slice(0, stop - self._n)
        for place, name in enumerate(self._names):
            self._room[place, self._n : stop] = getattr(objects, name)[rows]
        self._room[-2:, self._n : stop] = values[:, rows]
        self._n = stop

    def all(self) -> tuple[ObjectScores, np.ndarray]:
        """All of them."""
        room = self._room[:, : self._n]
        return ObjectScores(*room[:-2]), room[-2:]


class Drawn:
    """Which objects of a file are scored: all, or about as many at random as memory allows."""

    def __init__(self, n_rows: int, *, most: int) -> None:
        self._n_rows, self._share = n_rows, min(1.0, most / max(n_rows, 1))
        # their number scatters
        self.most = min(n_rows, most + 6 * math.isqrt(most))
        self._rng = np.random.default_rng(0)

    def __call__(self, n: int) -> np.ndarray:
        """Whether each of the next `n` objects is."""
        return self._rng.random(n) < self._share

    def warn(self, n_scored: int) -> None:
        """Say how many were, if not all."""
        if self._share < 1:
            message = f"The metrics are of {n_scored:,} objects, drawn at random from"
            warnings.warn(f"{message} {self._n_rows:,}; their errors say so.", stacklevel=4)


def _warn_of_poles(objects: ObjectScores) -> None:
    """Say whose densities have no finite CDE loss."""
    poles = np.flatnonzero(~np.isfinite(objects.cde_loss))
    if poles.size:
        first = f"true value {objects.truth[poles[0]]:g}"
        message = f"The densities of {poles.size:,} objects have a pole, first at {first}"
        warnings.warn(f"{message}: the mean CDE loss leaves them out.", stacklevel=3)


def _warn_of_outside(objects: ObjectScores, support: tuple[float, float]) -> None:
    """Say how many true values lie where their PDF is 0."""
    n_outside = int(np.sum(np.isneginf(objects.log_score)))
    if n_outside:
        share = 100 * n_outside / len(objects)
        message = f"{n_outside:,} true values ({share:.3g} %) lie where their PDF is 0, mostly"
        warnings.warn(
            f"{message} beyond the range of the training targets, {support[0]:.4g} to "
            f"{support[1]:.4g}: the mean log score leaves them out, the median counts them. "
            "Fit again with --bounds if such values can be.",
            stacklevel=3,
        )
