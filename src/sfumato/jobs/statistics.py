"""Columns that `predict` adds by name: statistics of PDFs, and of the rows they are made for."""

import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sfumato.estimators.regressor import MDNRegressor
from sfumato.pdfs import JointPDFs, ParametricPDFs, summarise
from sfumato.pdfs.statistics import parse_statistic

NOVELTY, OUT_OF_RANGE = "novelty", "out_of_range"
"""How unlike the training rows a row is, and what in it no training row had."""

NOVEL = 0.99
"""The novelty beyond which a row counts as novel."""


def names_of(statistics: Sequence[str]) -> list[str]:
    """The columns that statistics add: one each, and what comes with the novelty."""
    return [*statistics, *([OUT_OF_RANGE] if NOVELTY in statistics else [])]


def check_statistics(names: Sequence[str]) -> None:
    """Refuse a name that is no statistic.

    Raises
    ------
    ValueError
        The message says what there is.
    """
    for name in names:
        if name == NOVELTY:
            continue
        try:
            parse_statistic(name)
        except ValueError as error:
            raise ValueError(f"{str(error).rstrip('.')}, or {NOVELTY}.") from None


def columns_of(
    names: Sequence[str],
    pdfs: ParametricPDFs | JointPDFs,
    model: MDNRegressor,
    X: np.ndarray,
    columns: Sequence[str],
) -> dict[str, np.ndarray | pa.Array]:
    """The columns (n,) of predictions `pdfs` for rows X (n, c) of these columns."""
    found: dict[str, np.ndarray | pa.Array] = {}
    found |= summarise(pdfs, [name for name in names if name != NOVELTY])
    if NOVELTY in names:
        novelty, low, high = model.beside_prediction(X)
        found |= {NOVELTY: novelty, OUT_OF_RANGE: _told(low, high, columns)}
    return found


def _told(low: np.ndarray, high: np.ndarray, columns: Sequence[str]) -> pa.Array:
    """For each row the columns that leave their range, as in ``u high, g high``; or nothing."""
    told = np.full(len(low), "", object)
    for index, name in enumerate(columns):
        for side, where in (("low", low[:, index]), ("high", high[:, index])):
            told[where] += np.where(told[where] == "", "", ", ") + f"{name} {side}"
    return pa.array(told, pa.string())


def warn_of_novel(path: Path) -> None:
    """Say how many rows of a finished file are novel, where more are than of rows like training's.

    Parameters
    ----------
    path : Parquet file with the column `NOVELTY`.
    """
    n_rows = n_novel = 0
    outside: Counter[str] = Counter()
    for batch in pq.ParquetFile(path).iter_batches(columns=[NOVELTY, OUT_OF_RANGE]):
        novel = batch.filter(pa.array(batch[NOVELTY].to_numpy() > NOVEL))
        n_rows, n_novel = n_rows + batch.num_rows, n_novel + novel.num_rows
        for told in novel[OUT_OF_RANGE].value_counts().to_pylist():
            for name in filter(None, told["values"].split(", ")):
                outside[name] += told["counts"]
    if n_novel <= max(1, 2 * (1 - NOVEL) * n_rows):
        return
    most = [f"{name} in {count:,}" for name, count in outside.most_common(2)]
    where = f" Out of the training range: {', '.join(most)}." if most else ""
    warnings.warn(
        f"{n_novel:,} of {n_rows:,} rows lie beyond {100 * NOVEL:g} % of the training rows (column "
        f"{NOVELTY}): what is predicted for them may be a guess.{where}",
        stacklevel=2,
    )
