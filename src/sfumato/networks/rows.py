"""Many rows through many networks, a cache-sized set of rows at a time."""

from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Array, Float

from sfumato._typing import HostParams
from sfumato.engine import threads
from sfumato.engine.compiled import Out, program

SUB_ROWS = 1024
"""Rows evaluated at once inside the program, so that activations stay in the cache."""


@program
def map_rows(function: Callable[..., Out], x: Float[Array, "n *shape"], *operands: object) -> Out:
    """``function(rows, *operands)`` over cache-sized sets of rows, joined; n a multiple of them."""
    size = min(SUB_ROWS, x.shape[0])
    parts = x.reshape(-1, size, *x.shape[1:])
    out = jax.lax.map(lambda rows: function(rows, *operands), parts)
    return jax.tree.map(lambda value: value.reshape(-1, *value.shape[2:]), out)


def padded_size(n_rows: int, *, most: int) -> int:
    """The next power of two from 256, or `most`: few sizes, so few compilations."""
    return min(most, max(256, 1 << int(np.ceil(np.log2(max(n_rows, 1))))))


CHUNK_ROWS = 65_536
"""Rows handed to one call of the compiled prediction."""


def in_chunks(program: Callable[[np.ndarray], dict], X: np.ndarray) -> HostParams:
    """`program` over chunks of rows of few sizes, one thread per core, joined in order."""

    def run(start: int) -> HostParams:
        rows = X[start : start + CHUNK_ROWS]
        size = padded_size(len(rows), most=CHUNK_ROWS)
        padded = np.concatenate([rows, np.repeat(rows[-1:], size - len(rows), axis=0)])
        return {name: np.asarray(v)[: len(rows)] for name, v in program(padded).items()}

    parts = [*threads.map(run, range(0, len(X), CHUNK_ROWS))]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
