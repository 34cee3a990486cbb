"""Columns of an ordinary table: numbers, gaps in them, and categories.

Words become codes on the host, once (`encode`); everything after is arithmetic on numbers. Code 0
stands for a missing level or one that training never saw.
"""

from collections.abc import Sequence
from typing import ClassVar, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sfumato._typing import Given
from sfumato.errors import DataError
from sfumato.preprocessing.features import FeatureTransform
from sfumato.preprocessing.units import Units, fit_units

Levels = dict[int, list[str]]
"""Sorted levels of each categorical column, by the index of the column."""


class TableFeatures(FeatureTransform):
    """Numbers first, then a flag for each column with gaps, then one-hot levels.

    Parameters
    ----------
    n_columns : columns of the encoded table.
    categories : pairs (column, number of levels besides "missing or never seen").
    flags : numeric columns that had gaps in training.
    """

    n_columns: int = eqx.field(static=True)
    categories: tuple[tuple[int, int], ...] = eqx.field(static=True, default=())
    flags: tuple[int, ...] = eqx.field(static=True, default=())
    kind: ClassVar[str] = "table"

    @property
    def numeric(self) -> tuple[int, ...]:
        """Columns that are numbers."""
        named = {column for column, _ in self.categories}
        return tuple(index for index in range(self.n_columns) if index not in named)

    def n_numeric(self, n_features: int) -> int:
        """How many of the features are numbers; the rest is not scaled."""
        return len(self.numeric)

    @property
    def category_sizes(self) -> tuple[int, ...]:
        """Levels of each categorical column, code 0 included."""
        return tuple(count + 1 for _, count in self.categories)

    def units(self, x: np.ndarray) -> Units:
        """Median and spread of the numeric columns."""
        return fit_units(x, self.numeric)

    def fit(self, x: np.ndarray) -> Self:
        """Flags for the numeric columns of x (n, n_columns) that have gaps."""
        gaps = np.any(~np.isfinite(x), axis=0)
        flags = tuple(i for i in self.numeric if gaps[i])
        return type(self)(self.n_columns, self.categories, flags)

    def __call__(self, x: Float[Array, "c *n"]) -> Float[Array, "f *n"]:
        """Features of one example or a batch."""
        parts = [x[jnp.asarray(self.numeric, int)]]
        if self.flags:
            parts.append(1.0 - jnp.isfinite(x[jnp.asarray(self.flags)]).astype(x.dtype))
        for column, count in self.categories:
            code = jnp.nan_to_num(x[column]).astype(int)
            parts.append(jnp.moveaxis(jax.nn.one_hot(code, count + 1, dtype=x.dtype), -1, 0))
        return jnp.concatenate(parts)

    def to_dict(self) -> dict[str, Given]:
        """The fields, without the kind."""
        return {"n_columns": self.n_columns, "categories": self.categories, "flags": self.flags}

    @classmethod
    def from_dict(cls, values: dict[str, Given]) -> Self:
        """The inverse of `to_dict`."""
        pairs = tuple((int(a), int(b)) for a, b in values["categories"])
        return cls(values["n_columns"], pairs, tuple(values["flags"]))


def find_levels(X: Given, categorical: str | Sequence[int | str] | None) -> Levels:
    """Levels of the categorical columns of a table or array X (n, c).

    Parameters
    ----------
    categorical : names or indices of columns; ``"auto"`` for the columns of a data frame that
        hold words, categories or truth values; None for no column.

    Raises
    ------
    DataError
        A named column does not exist.
    """
    names = [str(name) for name in getattr(X, "columns", [])]
    if categorical is None or (isinstance(categorical, str) and not names):
        return {}
    if isinstance(categorical, str):
        kinds = [str(kind) for kind in X.dtypes]
        words = ("object", "category", "bool", "str", "string")
        chosen = [i for i, kind in enumerate(kinds) if kind.startswith(words)]
    else:
        chosen = [_position(entry, names, np.shape(X)[1]) for entry in categorical]
    columns = {index: _words(X, index) for index in chosen}
    return {i: sorted({word for word in words if word}) for i, words in columns.items()}


def _position(entry: int | str, names: list[str], n_columns: int) -> int:
    if isinstance(entry, str) and entry in names:
        return names.index(entry)
    if isinstance(entry, int | np.integer) and 0 <= entry < n_columns:
        return int(entry)
    where = f"there are: {', '.join(names)}" if names else f"indices run to {n_columns - 1}"
    raise DataError(f"`categorical` names the column {entry!r}, which does not exist; {where}.")


def _words(X: Given, index: int) -> list[str]:
    """A column as text; what is missing is empty."""
    values = X.iloc[:, index] if hasattr(X, "iloc") else np.asarray(X, dtype=object)[:, index]
    return [_word(value) for value in values]


def _word(value: Given) -> str:
    """One spelling of a level, whatever the type of its column; what is missing is empty."""
    if value is None or value != value:
        return ""
    whole = isinstance(value, float | np.floating) and float(value).is_integer()
    return str(int(value)) if whole else str(value)


def encode(X: Given, levels: Levels) -> np.ndarray:
    """X (n, c) as numbers: codes in the categorical columns, NaN for missing numbers elsewhere.

    Raises
    ------
    DataError
        A column that is not categorical holds a word.
    """
    table = np.asarray(X, dtype=object)
    out = np.empty(table.shape, float)
    names = list(getattr(X, "columns", range(table.shape[1])))
    for column in range(table.shape[1]):
        if column in levels:
            codes = {word: code for code, word in enumerate(levels[column], start=1)}
            out[:, column] = [codes.get(word, 0) for word in _words(X, column)]
            continue
        try:
            out[:, column] = [np.nan if v is None else v for v in table[:, column]]
        except (TypeError, ValueError) as error:
            message = f"Column {names[column]!r} holds words ({error})"
            raise DataError(f"{message}. Name it in `categorical`, or convert it.") from error
    return out
