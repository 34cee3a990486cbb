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

_STEPS = 18
"""Of safeguarded Newton; every other one halves a bracket in which Newton would stall."""

_ROOT_2PI = float(np.sqrt(2 * np.pi))


def _solve(
    weights: Float[Array, "k n"],
    loc: Float[Array, "k n"],
    scale: Float[Array, "k n"],
    level: Float[Array, ""],
) -> Float[Array, " n"]:
    """Where the mixtures' cdf is `level`: between the same quantiles of the components."""
    # from the nearer end: single precision knows 1e-7, and 1 - 1e-7 not well
    side = jnp.where(level > 0.5, -1.0, 1.0)
    tail = jnp.minimum(level, 1.0 - level)
    own = loc + scale * ndtri(level)
    known = weights > 0
    low = jnp.min(jnp.where(known, own, jnp.inf), axis=0)
    high = jnp.max(jnp.where(known, own, -jnp.inf), axis=0)

    def step(i: int, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        low, high, y = state
        z = (y - loc) / scale
        excess = side * (jnp.sum(weights * ndtr(side * z), axis=0) - tail)
        density = jnp.sum(weights * jnp.exp(-0.5 * z * z) / (_ROOT_2PI * scale), axis=0)
        low, high = jnp.where(excess < 0, y, low), jnp.where(excess < 0, high, y)
        newton = y - excess / jnp.maximum(density, 1e-30)
        # Newton last, or the answer is as coarse as the bracket
        inside = (newton >= low) & (newton <= high) & ((i % 2 == 0) | (i > _STEPS - 5))
        return low, high, jnp.where(inside, newton, 0.5 * (low + high))

    mean = jnp.sum(weights * loc, axis=0)
    spread = jnp.sqrt(jnp.sum(weights * (scale**2 + (loc - mean) ** 2), axis=0))
    start = jnp.clip(mean + spread * ndtri(level), low, high)
    return jax.lax.fori_loop(0, _STEPS, step, (low, high, start))[2]


@partial(jax.jit, compiler_options=CPU_OPTIONS)
def normal_quantiles(
    log_weights: Float[Array, "n k"],
    loc: Float[Array, "n k"],
    scale: Float[Array, "n k"],
    levels: Float[Array, " q"],
) -> Float[Array, "n q"]:
    """Quantiles of n Normal mixtures, n a multiple of `OBJECTS` or less."""
    size = min(OBJECTS, loc.shape[0])

    def some(rows: tuple) -> Array:
        w, m, s = (values.T for values in rows)
        return jax.vmap(lambda level: _solve(jnp.exp(w), m, s, level), out_axes=1)(levels)

    parts = [values.reshape(-1, size, values.shape[1]) for values in (log_weights, loc, scale)]
    return jax.lax.map(some, tuple(parts)).reshape(-1, levels.shape[0])


def summarise_normal(
    log_weights: np.ndarray, loc: np.ndarray, scale: np.ndarray, levels: np.ndarray
) -> tuple[None, np.ndarray]:
    """No mode, and quantiles (n, q) of mixtures (n, k), in chunks of one shape."""
    quantiles = np.empty((len(loc), levels.size), np.float32)
    for rows, parts in padded_chunks(log_weights, loc, scale, objects=OBJECTS):
        found = normal_quantiles(*parts, levels.astype(np.float32))
        quantiles[rows] = np.asarray(found)[: rows.stop - rows.start]
    return None, quantiles
