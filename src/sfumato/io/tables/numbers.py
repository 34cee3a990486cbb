"""Columns as numbers."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from sfumato.errors import DataError
from sfumato.io.tables.cells import is_number, to_numbers
from sfumato.io.tables.contract import NOWHERE, TEXTS, Origin


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
        message = f"{where} holds {column[row].as_py()!r}, not a number."
        raise DataError(f"{message} Correct or remove it.") from None
