"""The one door for data of any library: pandas, polars, pyarrow, astropy, arrays by name or masked.

What is missing becomes NaN in numbers and None among words: masked, null, NA, NaN. Units of
astropy are told, not applied.
"""

import sys
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
from narwhals.exceptions import DuplicateError
from numpy.typing import ArrayLike
from scipy import sparse

from sfumato._numerics import doubles, unveiled
from sfumato.errors import DataError

_EXACT = 2.0**53

_CELLS = (str, bytes, bool, int, float, Decimal, np.bool_, np.integer, np.floating)
"""What a cell may be among others of several types."""

_NUMBERS = (int, float, Decimal, np.integer, np.floating)


class Frame(NamedTuple):
    """A table of named columns, (n,) each: numbers, or objects where there are words.

    `exact` holds whole numbers that double precision cannot, by the place of their column.
    """

    names: tuple[str, ...]
    columns: tuple[np.ndarray, ...]
    exact: Mapping[int, np.ndarray] = {}
    units: Mapping[str, str] = {}

    @property
    def words(self) -> tuple[int, ...]:
        """Places of the columns that hold words, categories or truth values."""
        return tuple(i for i, column in enumerate(self.columns) if column.dtype == object)

    def header(self) -> Any:  # of pyarrow
        """A table of a library that scikit-learn takes the names of columns from."""
        columns = {name: np.zeros(self.shape[0], bool) for name in self.names}
        return nw.from_dict(columns, backend="pyarrow").to_native()

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return (len(self.columns[0]) if self.columns else 0), len(self.columns)


def read_frame(X: Any) -> Frame | None:  # a table of any library
    """A table of another library as a frame; None of what is no table.

    Raises
    ------
    DataError
        A column holds dates, lists or other things that are neither numbers nor words.
    """
    astropy = sys.modules.get("astropy.table")
    if astropy is not None and isinstance(X, astropy.Table):
        names = tuple(X.colnames)
        units = {name: str(unit) for name in names if (unit := X[name].info.unit) is not None}
        return _of_arrays({name: X[name] for name in names}, units)
    records = X.dtype.names if isinstance(X, np.ndarray) else None
    if records or (isinstance(X, Mapping) and not sparse.issparse(X)):  # one of them is a mapping
        return _of_mapping({name: X[name] for name in records or X})
    try:
        frame: Any = nw.from_native(X, pass_through=True)  # or what came
        frame = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
        names = tuple(frame.columns) if isinstance(frame, nw.DataFrame) else ()
    except DuplicateError as error:
        raise DataError(f"Two columns have one name ({error}). Rename them.") from error
    if not names:
        return None
    columns = tuple(_of_series(frame[:, i], name) for i, name in enumerate(names))
    large = [i for i, column in enumerate(columns) if _is_beyond_doubles(column)]
    exact = {i: _objects(frame[:, i].to_list()) for i in large if frame[:, i].dtype.is_integer()}
    return Frame(tuple(map(str, names)), columns, exact)


def _of_mapping(values: Mapping[str, ArrayLike]) -> Frame:
    """Arrays by name, or the fields of an array of records."""
    columns = {}
    for name, given in values.items():
        column = columns[str(name)] = np.ma.asarray(given)
        if column.ndim != 1:
            message = f"Column {name!r} has shape {column.shape}"
            raise DataError(f"{message}. Give each element a column.")
    if len({len(column) for column in columns.values()}) > 1:
        sizes = ", ".join(f"{name} {len(column)}" for name, column in columns.items())
        raise DataError(f"The columns have different lengths: {sizes}.")
    return _of_arrays(columns, {})


def _of_arrays(arrays: Mapping[str, ArrayLike], units: Mapping[str, str]) -> Frame:
    """A frame of arrays (n,), masked or with units."""
    columns = tuple(_of_array(array, name) for name, array in arrays.items())
    given = list(arrays.values())
    large = [i for i, column in enumerate(columns) if _is_beyond_doubles(column)]
    exact = {i: _objects(np.ma.asarray(given[i]).tolist()) for i in large}
    return Frame(tuple(arrays), columns, exact, units)


def _is_beyond_doubles(column: np.ndarray) -> bool:
    """Whether a column of numbers has some above which not every whole number is a double."""
    return column.dtype != object and bool(np.any(np.abs(column) >= _EXACT))


def unmasked(values: ArrayLike | None) -> ArrayLike | None:
    """Numbers of any library as an array, NaN where a mask or a null says nothing is known.

    What holds no numbers, and arrays without a mask, come back as they are.
    """
    given: object = values
    if isinstance(given, np.ndarray) and given.dtype.kind in "biuf":
        return doubles(given)
    if isinstance(given, np.ndarray) and given.dtype.kind in "mMc":
        if given.dtype.kind == "c":  # scikit-learn's own words, which its checks look for
            raise DataError("Complex data not supported: the values have to be real numbers.")
        raise DataError(f"The values are {given.dtype}, no real numbers. Convert them.")
    series = nw.from_native(given, pass_through=True, allow_series=True)
    if isinstance(series, nw.Series):
        is_word = series.dtype in (nw.String, nw.Categorical, nw.Enum, nw.Boolean)
        return values if is_word else _of_series(series, series.name or "values")
    frame = read_frame(given)
    if frame is not None and not frame.words:
        return np.column_stack(frame.columns)
    return values


def in_order(values: ArrayLike, names: Sequence[str]) -> ArrayLike | None:
    """The columns of a table that has these names in another order, in theirs; `unmasked`."""
    frame = read_frame(values)
    if frame is None or frame.words or set(frame.names) != set(names):
        return unmasked(values)
    return np.column_stack([frame.columns[frame.names.index(name)] for name in names])


def _of_series(series: nw.Series, name: str) -> np.ndarray:
    kind = series.dtype
    if kind.is_numeric():
        return _numbers(series)
    if kind in (nw.Object, nw.Unknown):
        return _of_unknown(series, name)
    if kind in (nw.String, nw.Categorical, nw.Enum, nw.Boolean):
        return _objects(series.to_list())
    raise DataError(f"Column {name!r} holds {kind}, neither numbers nor words. Convert it.")


def _of_unknown(series: nw.Series, name: str) -> np.ndarray:
    """A column of a type without a name: of another byte order, sparse, long, or mixed cells."""
    values = np.asarray(series.to_numpy())
    if values.dtype.kind in "iuf":
        return values.astype(float)
    cells = _objects(series.to_list())
    for cell in cells:
        if cell is not None and not isinstance(cell, _CELLS):
            kind = type(cell).__name__
            raise DataError(f"Column {name!r} holds {kind}, neither numbers nor words. Convert it.")
    return _as_numbers(cells)


def _as_numbers(cells: np.ndarray) -> np.ndarray:
    """Cells that are numbers or missing as numbers; others, and ids beyond doubles, as they are."""
    known = [cell for cell in cells if cell is not None]
    if not known or not all(
        isinstance(cell, _NUMBERS) and not isinstance(cell, bool) for cell in known
    ):
        return cells
    numbers = np.array([np.nan if cell is None else float(cell) for cell in cells])
    return cells if _is_beyond_doubles(numbers) else numbers


def _numbers(series: nw.Series) -> np.ndarray:
    """A column of numbers, whole or not, with or without nulls, in double precision."""
    if series.dtype.is_integer():  # some libraries refuse to round large ones
        cells = [np.nan if is_missing(cell) else cell for cell in series.to_list()]
        return np.asarray(cells if series.null_count() else series.to_numpy(), float)
    return np.asarray(series.cast(nw.Float64).to_numpy(), float)


def _of_array(column: ArrayLike, name: str) -> np.ndarray:
    """A column, masked or with a unit."""
    if np.ndim(column) != 1:
        raise DataError(f"Column {name!r} holds vectors. Give each element a column.")
    values, hidden = unveiled(column)
    mask = np.zeros(len(values), bool) if hidden is None else hidden
    if values.dtype.kind in "iuf":
        return np.where(mask, np.nan, values.astype(float))
    cells = [None if gap else v for v, gap in zip(values.tolist(), mask, strict=True)]
    return _as_numbers(_objects(cells))


def _objects(values: list) -> np.ndarray:
    """Words, with None for every kind of null."""
    out = np.empty(len(values), object)
    out[:] = [None if is_missing(value) else value for value in values]
    return out


def is_missing(value: object) -> bool:
    """Whether a cell is None, NaN, NA or NaT."""
    if value is None:
        return True
    try:
        return not bool(value == value)
    except TypeError:  # pandas' NA is neither true nor false
        return True
