"""Columns as numbers."""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from sfumato.errors import DataError
from sfumato.io.tables.cells import is_number, to_numbers
from sfumato.io.tables.contract import NOWHERE, TEXTS, Origin

_DECIMAL_COMMA = re.compile(r"[-+]?[0-9]*,[0-9]+$")
_SEEN = 1000
"""Rows that are looked at before a column is called one of words."""


def matrix(batch: pa.Table, columns: Sequence[str], *, origin: Origin = NOWHERE) -> np.ndarray:
    """Columns of a batch as numbers (n, c), double precision; nulls become NaN.

    Raises
    ------
    DataError
        A cell is not a number; the message names its column and row (from 1, below the header).
    """
    out = np.empty((batch.num_rows, len(columns)), order="F")
    for index, name in enumerate(columns):
        out[:, index] = _numbers(batch[name], name=name, origin=origin)
    return out


def _numbers(column: pa.ChunkedArray, *, name: str, origin: Origin) -> np.ndarray:
    kind, types = column.type, pa.types
    if types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if types.is_null(kind):
        return np.full(len(column), np.nan)
    if types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind):
        return column.cast(pa.float64(), safe=False).to_numpy()
    if types.is_decimal(kind):
        return column.cast(pa.float64()).to_numpy()
    if kind not in TEXTS:
        raise DataError(
            f"{origin.of(0)[0]}: column {name!r} holds {kind}, not numbers. Leave it out."
        )
    try:
        return to_numbers(column).to_numpy()
    except pa.ArrowInvalid:
        row = next(i for i, cell in enumerate(column.to_pylist()) if not is_number(cell))
        path, number = origin.of(row)
        where = f"{path}: column {name!r}, row {number}"
        message = f"{where} holds {column[row].as_py()!r}, not a number"
        raise DataError(f"{message}. {_cure(column, row, name)}") from None


def _cure(column: pa.ChunkedArray, row: int, name: str) -> str:
    """What to do about the cell of a row that is no number."""
    cells = [cell for cell in column[:_SEEN].to_pylist() if cell is not None]
    if _DECIMAL_COMMA.match(column[row].as_py().strip()):
        return "Is it a decimal comma? Write numbers with points."
    if not any(map(is_number, cells)):
        words = f"If it is a feature of words, name it: --categorical {name}"
        return f"{words}; a target has to be a number (for classes, MDNClassifier in Python)."
    return "Correct or remove it."
