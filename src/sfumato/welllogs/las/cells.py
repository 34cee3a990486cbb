"""From the words of a column to numbers or text, with every code for a gap a gap."""

import re
from collections import Counter
from contextlib import suppress

import numpy as np

from sfumato.errors import DataError
from sfumato.welllogs.las.layout import Layout

USUAL_NULL = -999.25
CODES = (-999.25, -999.0, -9999.0, -9999.25, -99999.0, -999999.0)
"""What programs write where nothing was measured, whatever the header declares."""

_HUGE = 1e30
_GAP = re.compile(r"\*+|-+|\.+|nan|null|none|n/?a|#n/?a|[-+]?1?\.?#[a-z]+0*|[-+]?inf\w*|", re.I)
_COMMA = re.compile(r"[-+]?\d*,\d+")


def declared_null(layout: Layout) -> float:
    """What the header says of gaps, or the usual one, with a note."""
    item = layout.items("well").get("NULL")
    if item is None:
        layout.notes.append(f"no NULL is declared: {USUAL_NULL:g} is taken")
        return USUAL_NULL
    try:
        return float(item.value.replace(",", "."))
    except ValueError:
        message = f"line {item.line}: NULL is {item.value!r}, no number"
        layout.notes.append(f"{message}: {USUAL_NULL:g} is taken")
        return USUAL_NULL


class Column:
    """A column that grows by blocks of words; what it is, is decided by its first real words.

    Parameters
    ----------
    layout : of the file.
    name : of the curve.
    null : its code for gaps; None for the index, whose every number is one.
    """

    def __init__(self, layout: Layout, name: str, null: float | None) -> None:
        self._layout, self._name, self._null = layout, name, null
        self._blocks: list[np.ndarray] = []
        self._is_text: bool | None = None
        self._codes: Counter[float] = Counter()
        self._commas = 0

    @property
    def is_text(self) -> bool:
        """Whether what was added is words, as far as it is known."""
        return bool(self._is_text)

    def add(self, words: list[str], lines: list[int]) -> None:
        """Append a block of words (n,) that end in these lines.

        Raises
        ------
        DataError
            A word stands among numbers.
        """
        if not self._is_text:
            with suppress(ValueError):
                self.add_numbers(np.array(words, float))
                return
        if self._is_text is None:
            self._is_text = self._looks_like_text(words)
        if self._is_text:
            self._blocks.append(np.array([self._text(word) for word in words], object))
            return
        pairs = zip(words, lines, strict=True)
        self.add_numbers(np.array([self._number(word, line) for word, line in pairs]))

    def add_numbers(self, numbers: np.ndarray) -> None:
        """Append a block of numbers (n,) to a column that is no text."""
        found = self._without_codes(numbers)
        if self._is_text is None and np.isfinite(found).any():
            self._is_text = False
        self._blocks.append(found)

    def values(self) -> np.ndarray:
        """All of it (n,): numbers with NaN, or words with None for gaps."""
        if self._codes and self._null is not None:
            told = ", ".join(f"{code:g} ({n:,} times)" for code, n in self._codes.items())
            self._layout.notes.append(f"{self._name}: {told} taken for gaps, beside the NULL")
        if self._commas:
            said = f"{self._name}: {self._commas:,} numbers with decimal commas"
            self._layout.notes.append(said)
        if not self._is_text:
            return np.concatenate(self._blocks)
        # what came before the first word was gaps
        blocks = [b if b.dtype == object else np.full(b.size, None) for b in self._blocks]
        return np.concatenate(blocks)

    def _looks_like_text(self, words: list[str]) -> bool | None:
        """Whether most words that are no gaps are no numbers; None if all are gaps."""
        is_number = [_as_number(word) is not None for word in words if not self._is_gap(word)]
        return sum(is_number) < 0.5 * len(is_number) if is_number else None

    def _is_gap(self, word: str) -> bool:
        if _GAP.fullmatch(word):
            return True
        number = _as_number(word)
        return number is not None and self._null is not None and self._is_code(number)

    def _is_code(self, number: float) -> bool:
        codes = (*CODES, self._null or 0.0)
        return abs(number) >= _HUGE or any(abs(number - c) <= 1e-7 * abs(c) for c in codes)

    def _text(self, word: str) -> str | None:
        return None if self._is_gap(word) else word

    def _number(self, word: str, line: int) -> float:
        if _GAP.fullmatch(word):
            return np.nan
        number = _as_number(word)
        if number is None:
            where = f"{self._layout.path}, line {line}"
            message = f"{where}: {word!r} is no number, and {self._name} holds numbers"
            raise DataError(f"{message}. Correct it, or write the NULL.")
        self._commas += "," in word
        return number

    def _without_codes(self, numbers: np.ndarray) -> np.ndarray:
        if self._null is None:
            return numbers
        endless = np.isinf(numbers)
        if endless.any():
            self._codes[np.inf] += int(endless.sum())
        gaps = np.isclose(numbers, self._null, rtol=1e-7) | ~np.isfinite(numbers)
        for code in CODES:
            found = ~gaps & (numbers == code)
            if found.any():
                self._codes[code] += int(found.sum())
                gaps |= found
        huge = ~gaps & (np.abs(numbers) >= _HUGE)
        for code in np.unique(numbers[huge]):
            self._codes[float(code)] += int(np.sum(numbers == code))
        return np.where(gaps | huge, np.nan, numbers)


def _as_number(word: str) -> float | None:
    """The number that a word is, or None."""
    try:
        return float(word.replace(",", ".") if _COMMA.fullmatch(word) else word)
    except ValueError:
        return None
