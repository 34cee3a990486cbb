"""Rows for a compiled program that takes a number of its own."""

import numpy as np


def chunk_size(n: int, *, objects: int, most: int) -> int:
    """Rows of one call for `n` in all: `objects` times a power of two, so that shapes are few."""
    return min(most, objects << max(0, (-(-n // objects) - 1).bit_length()))


def padded(values: np.ndarray, size: int) -> np.ndarray:
    """Single-precision rows, filled to `size` by repeating the last."""
    rows = np.asarray(values, np.float32)
    return np.concatenate([rows, np.repeat(rows[-1:], size - len(rows), axis=0)])
