"""Compiled kernel over very many Normal mixtures: their quantiles."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtr, ndtri
from jaxtyping import Array, Float

from sfumato.engine.compiled import CPU_OPTIONS
from sfumato.pdfs._padding import padded_chunks

OBJECTS = 256
"""Objects solved at once: their components fit the first-level cache."""

_STEPS = 60
"""Of Newton's method, at most; where a step is not half as long as the last, the bracket is halved
(Press et al. 2007, Numerical Recipes, section 9.4)."""

_CLOSE, _NEAR = 1e-6, 1e-5
"""A last step in deviations of the mixture, and what was left before it in shares of the tail:
where both are less, Newton's next step is below rounding."""

_ROOT_2PI = float(np.sqrt(2 * np.pi))


def _solve(
    weights: Float[Array, "k n"],
    loc: Float[Array, "k n"],
    scale: Float[Array, "k n"],
    tail: Float[Array, ""],
    side: Float[Array, ""],
) -> Float[Array, " n"]:
    """Where the mixtures leave `tail` below (side 1) or above (-1): between their components' own.

    Counted from the nearer end, as single precision knows 1e-7, and 1 - 1e-7 not well.
    """
    own = loc + scale * side * ndtri(tail)
    known = weights > 0
    low = jnp.min(jnp.where(known, own, jnp.inf), axis=0)
    high = jnp.max(jnp.where(known, own, -jnp.inf), axis=0)

    def step(state: tuple[Array, ...]) -> tuple[Array, ...]:
        i, low, high, y, last, _ = state
        z = (y - loc) / scale
        excess = side * (jnp.sum(weights * ndtr(side * z), axis=0) - tail)
        density = jnp.sum(weights * jnp.exp(-0.5 * z * z) / (_ROOT_2PI * scale), axis=0)
        low, high = jnp.where(excess < 0, y, low), jnp.where(excess < 0, high, y)
        newton = y - excess / jnp.maximum(density, 1e-30)
        good = (newton >= low) & (newton <= high) & (jnp.abs(newton - y) <= 0.5 * last)
        new = jnp.where(good, newton, 0.5 * (low + high))
        moved = jnp.abs(new - y)
        is_done = (moved <= _CLOSE * spread) & (jnp.abs(excess) <= _NEAR * tail)
        return i + 1, low, high, new, moved, jnp.all(is_done)

    mean = jnp.sum(weights * loc, axis=0)
    spread = jnp.sqrt(jnp.sum(weights * (scale**2 + (loc - mean) ** 2), axis=0))
    start = jnp.clip(mean + spread * side * ndtri(tail), low, high)
    state = (jnp.int32(0), low, high, start, high - low, jnp.zeros((), bool))
    return jax.lax.while_loop(lambda s: (s[0] < _STEPS) & ~s[-1], step, state)[3]


@partial(jax.jit, compiler_options=CPU_OPTIONS)
def normal_quantiles(
    log_weights: Float[Array, "n k"],
    loc: Float[Array, "n k"],
    scale: Float[Array, "n k"],
    tails: Float[Array, " q"],
    sides: Float[Array, " q"],
) -> Float[Array, "n q"]:
    """Quantiles of n Normal mixtures, n a multiple of `OBJECTS` or less."""
    size = min(OBJECTS, loc.shape[0])

    def some(rows: tuple) -> Array:
        w, m, s = (values.T for values in rows)
        return jax.lax.map(lambda end: _solve(jnp.exp(w), m, s, *end), (tails, sides)).T

    parts = [values.reshape(-1, size, values.shape[1]) for values in (log_weights, loc, scale)]
    return jax.lax.map(some, tuple(parts)).reshape(-1, tails.shape[0])


def summarise_normal(
    log_weights: np.ndarray, loc: np.ndarray, scale: np.ndarray, levels: np.ndarray
) -> tuple[None, np.ndarray]:
    """No mode, and quantiles (n, q) of mixtures (n, k), in chunks of one shape."""
    quantiles = np.empty((len(loc), levels.size), np.float32)
    tails = np.minimum(levels, 1 - levels).astype(np.float32)
    sides = np.where(levels > 0.5, -1, 1).astype(np.float32)
    for rows, parts in padded_chunks(log_weights, loc, scale, objects=OBJECTS):
        found = normal_quantiles(*parts, tails, sides)
        quantiles[rows] = np.asarray(found)[: rows.stop - rows.start]
    return None, quantiles
