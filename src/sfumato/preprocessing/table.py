"""Columns of an ordinary table: numbers, gaps in them, and categories.

Words become codes on the host, once (`encode`); everything after is arithmetic on numbers. Code 0
stands for a missing level or one that training never saw.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import ClassVar, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpy.typing import ArrayLike

from sfumato._typing import Json
from sfumato.errors import DataError
from sfumato.preprocessing.features import FeatureTransform, NewGaps
from sfumato.preprocessing.frames import Frame, is_missing, read_frame
from sfumato.preprocessing.units import Units, fit_units
from sfumato.preprocessing.unseen import warn_of_unseen

Levels = dict[int, list[str]]
"""Sorted levels of each categorical column, by the index of the column."""


class TableFeatures(FeatureTransform):
    """Numbers first, then a flag for each column with gaps, then one-hot levels.

    Parameters
    ----------
    n_columns : columns of the encoded table.
    categories : pairs (column, number of levels besides "missing or never seen").
    flags : numeric columns that had gaps in training.
    blanks : categorical columns that had.
    """

    n_columns: int = eqx.field(static=True)
    categories: tuple[tuple[int, int], ...] = eqx.field(static=True, default=())
    flags: tuple[int, ...] = eqx.field(static=True, default=())
    blanks: tuple[int, ...] = eqx.field(static=True, default=())
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
        blanks = tuple(i for i, _ in self.categories if gaps[i])
        return type(self)(self.n_columns, self.categories, flags, blanks)

    def new_gaps(self, x: np.ndarray) -> Sequence[NewGaps]:
        """Gaps in columns that had none in training."""
        had = np.isin(np.arange(self.n_columns), self.flags + self.blanks)
        return [NewGaps(~np.isfinite(x) & ~had)]

    def __call__(self, x: Float[Array, "c *n"]) -> Float[Array, "f *n"]:
        """Features of one example or a batch."""
        parts = [x[jnp.asarray(self.numeric, int)]]
        if self.flags:
            parts.append(1.0 - jnp.isfinite(x[jnp.asarray(self.flags)]).astype(x.dtype))
        for column, count in self.categories:
            code = jnp.nan_to_num(x[column]).astype(int)
            parts.append(jnp.moveaxis(jax.nn.one_hot(code, count + 1, dtype=x.dtype), -1, 0))
        return jnp.concatenate(parts)

    def to_dict(self) -> dict[str, object]:
        """The fields, without the kind."""
        return {
            "n_columns": self.n_columns,
            "categories": self.categories,
            "flags": self.flags,
            "blanks": self.blanks,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Json]) -> Self:
        """The inverse of `to_dict`."""
        pairs = tuple((int(a), int(b)) for a, b in values["categories"])
        # earlier versions took gaps of categories without a word, and did not say which they had
        blanks = values.get("blanks", [column for column, _ in pairs])
        return cls(values["n_columns"], pairs, tuple(values["flags"]), tuple(blanks))


def find_levels(X: ArrayLike, categorical: str | Sequence[int | str] | None) -> Levels:
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
    frame = read_frame(X)
    if categorical is None or (isinstance(categorical, str) and frame is None):
        return {}
    names = () if frame is None else frame.names
    n_columns = np.shape(X)[1] if frame is None else len(names)
    if isinstance(categorical, str):
        chosen = [] if frame is None else frame.words
    else:
        chosen = [_position(entry, names, n_columns) for entry in categorical]
    columns = {index: words_of(_column(X, frame, index)) for index in chosen}
    if isinstance(categorical, str):
        _warn_of_numbers([(names[index], words) for index, words in columns.items()])
    return {i: sorted({word for word in words if word}) for i, words in columns.items()}


def _warn_of_numbers(columns: Sequence[tuple[str, list[str]]]) -> None:
    """Name columns of words of which many are numbers, and most of these different."""
    for name, words in columns:
        numbers = {word for word in words if _number(word) is not None}
        if len(numbers) > max(_FEW_LEVELS, 0.1 * len(words)):
            message = f"Column {name!r} holds {len(numbers)} different numbers as text"
            cure = "convert the column, or name it in `categorical`"
            warnings.warn(f"{message}, and is taken for categories: {cure}.", stacklevel=5)


_FEW_LEVELS = 20


def _number(word: str) -> float | None:
    """The finite number that a word is, or None."""
    try:
        number = float(word)
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def _position(entry: int | str, names: Sequence[str], n_columns: int) -> int:
    if isinstance(entry, str) and entry in names:
        return names.index(entry)
    if isinstance(entry, int | np.integer) and 0 <= entry < n_columns:
        return int(entry)
    where = f"there are: {', '.join(names)}" if names else f"indices run to {n_columns - 1}"
    raise DataError(f"`categorical` names the column {entry!r}, which does not exist; {where}.")


def _column(X: ArrayLike, frame: Frame | None, index: int) -> np.ndarray:
    if frame is None:
        return np.asarray(X, dtype=object)[:, index]
    return frame.exact.get(index, frame.columns[index])


def words_of(column: np.ndarray) -> list[str]:
    """Cells as text, each in one spelling whatever its type; what is missing is empty."""
    return [_word(cell) for cell in column]


def _word(value: object) -> str:
    if is_missing(value):
        return ""
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def _plain(word: str) -> str:
    """What levels that mean the same have in common: ``001`` and ``1.0`` are 1, ``True`` true."""
    if word.lower() in ("true", "false"):
        return word.lower()
    number = _number(word)
    return word if number is None else _word(number)


def codes_of(levels: Sequence[str]) -> Callable[[str], int]:
    """From a word to the code of its level; 0 for one that training never saw.

    A word that is no level stands for the only level that means the same in another spelling.
    """
    exact = {word: code for code, word in enumerate(levels, start=1)}
    plain = Counter(map(_plain, levels))
    alike = {_plain(w): code for w, code in exact.items() if plain[_plain(w)] == 1}
    return lambda word: exact.get(word) or (alike.get(_plain(word), 0) if word else 0)


def encode(
    X: ArrayLike, levels: Levels, name_of: Callable[[int], str] = str, *, told: bool = True
) -> np.ndarray:
    """X (n, c) as numbers: codes in the categorical columns, and NaN for what is missing.

    Warns of words that are no level, unless that is `told` elsewhere.

    Raises
    ------
    DataError
        A column that is not categorical holds a word.
    """
    frame = read_frame(X)
    n, c = np.shape(X) if frame is None else frame.shape
    names = range(c) if frame is None else frame.names
    out = np.empty((n, c), float)
    for index in range(c):
        column = _column(X, frame, index)
        if index in levels:
            words = words_of(column)
            code_of = codes_of(levels[index])
            codes = {word: code_of(word) for word in set(words)}
            out[:, index] = [codes[word] if word else np.nan for word in words]
            if told:
                unseen = [word for word in words if word and not codes[word]]
                warn_of_unseen(unseen, name_of(index), stacklevel=4)
            continue
        if column.dtype != object:
            out[:, index] = column
            continue
        try:
            out[:, index] = [np.nan if is_missing(v) else v for v in column]
        except (TypeError, ValueError) as error:
            message = f"Column {names[index]!r} holds words ({error})"
            raise DataError(f"{message}. Name it in `categorical`, or convert it.") from error
    return out
