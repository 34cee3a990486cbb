"""Rows for a compiled program that takes a number of its own."""

from collections.abc import Iterator

import numpy as np

_CHUNK = 1 << 15
"""Objects handed to one call of a compiled program."""


def padded_chunks(*arrays: np.ndarray, objects: int) -> Iterator[tuple[slice, list[np.ndarray]]]:
    """Which rows of arrays (n, k) come next, and these, filled to one shape."""
    n = len(arrays[0])
    size = _chunk_size(n, objects)
    for start in range(0, n, size):
        rows = slice(start, min(start + size, n))
        yield rows, [_padded(values[rows], size) for values in arrays]


def _chunk_size(n: int, objects: int) -> int:
    """Rows of one call for `n` in all: `objects` times a power of two, so that shapes are few."""
    return min(_CHUNK, objects << max(0, (-(-n // objects) - 1).bit_length()))


def _padded(values: np.ndarray, size: int) -> np.ndarray:
    """Single-precision rows, filled to `size` by repeating the last."""
    rows = np.asarray(values, np.float32)
    return np.concatenate([rows, np.repeat(rows[-1:], size - len(rows), axis=0)])
