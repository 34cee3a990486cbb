r"""Compiled kernels over very many Beta mixtures: mode and quantiles, and the stack on a grid.

Both evaluate a component as ``exp(a log y + b log(1 - y) + c)`` on fixed nodes, where only c needs
special functions. Mode and quantiles use nodes uniform in the angle :math:`\theta` of
:math:`y = \sin^2(\theta/2)`, on which every Beta distribution has nearly the standard deviation
:math:`1/\sqrt{a + b}` wherever its mean lies (the variance-stabilising transform of a proportion).
The nodes are the same constants for every object, so no answer depends on another row.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sfumato.engine.compiled import CPU_OPTIONS
from sfumato.families.beta import beta_log_prob
from sfumato.pdfs._padding import padded_chunks

N_NODES = 1024
"""Cells of theta: a precision of 1e5, the largest, has its standard deviation in one cell."""

_STEP = np.pi / N_NODES
_THETA = (np.arange(N_NODES) + 0.5) * _STEP
_Y = np.sin(0.5 * _THETA) ** 2
_REST = np.cos(0.5 * _THETA) ** 2
_JACOBIAN = 0.5 * np.sin(_THETA)

OBJECTS = 128
"""Objects evaluated at once: their densities on the nodes fit the second-level cache."""


def _constant(alpha: Array, beta: Array) -> Array:
    """C of ``ln p(y) = (alpha - 1) ln y + (beta - 1) ln(1 - y) + c``, from p at the mean."""
    total = alpha + beta
    mean, rest = alpha / total, beta / total
    return (
        beta_log_prob(mean, alpha, beta) - (alpha - 1) * jnp.log(mean) - (beta - 1) * jnp.log(rest)
    )


def _angular_density(log_weights: Array, alpha: Array, beta: Array) -> tuple[Array, Array, Array]:
    """Density per unit of theta at the nodes (G, n), and the probability below and above them.

    Each component is normalised by its own quadrature: at a precision of 1e4 the constant c, a
    small difference of large numbers, is wrong by some 1e-4 in single precision.
    """
    log_y, log_rest = (jnp.asarray(np.log(v), alpha.dtype)[:, None] for v in (_Y, _REST))
    constant = _constant(alpha, beta)
    edge = float(np.sqrt(_Y[0]))

    # the Jacobian sqrt(y (1 - y)) of theta is half a power of each factor
    def add(carry: tuple, component: tuple) -> tuple[tuple, None]:
        density, below, above = carry
        a, b, c, weight = component
        term = jnp.exp((a - 0.5) * log_y + ((b - 0.5) * log_rest + c))
        # near a bound a component is a power law: its integral there is y p(y) / alpha
        first, last = term[0] * (edge / a), term[-1] * (edge / b)
        # where it is singular at a bound the trapezoid rule is not good enough, but c is
        regular = (a > 1.0) & (b > 1.0)
        mass = jnp.where(regular, first + last + _STEP * jnp.sum(term, axis=0), 1.0)
        share = weight / mass
        return (density + share * term, below + share * first, above + share * last), None

    zeros = jnp.zeros_like(alpha[0])
    start = (jnp.zeros((N_NODES, alpha.shape[1]), alpha.dtype), zeros, zeros)
    return jax.lax.scan(add, start, (alpha, beta, constant, jnp.exp(log_weights)))[0]


def _statistics_of(
    log_weights: Float[Array, "k n"],
    alpha: Float[Array, "k n"],
    beta: Float[Array, "k n"],
    levels: Float[Array, " q"],
) -> tuple[Float[Array, " n"], Float[Array, "q n"]]:
    """Mode and quantiles of a few mixtures, components first."""
    density, below, above = _angular_density(log_weights, alpha, beta)
    cells = _cell_integrals(density)
    cdf = below + _running_sum(jnp.concatenate([jnp.zeros_like(cells[:1]), cells]))
    total = cdf[-1] + above
    quantiles = jnp.stack(
        [_quantile(levels[i] * total, cdf, density) for i in range(levels.shape[0])]
    )
    return _mode(density), quantiles


_EDGE_CELLS = 16


def _cell_integrals(density: Array) -> Array:
    """Integrals (G - 1, n) between neighbouring nodes.

    Inside, of the cubic through four nodes; in the outermost cells, where a component with alpha
    below 1/2 is singular at the bound, of the power law through two.
    """
    inner = (13.0 * (density[1:-2] + density[2:-1]) - density[:-3] - density[3:]) / 24.0
    first, last = (0.5 * (density[i] + density[i + 1]) for i in (0, -2))
    cells = jnp.concatenate([first[None], jnp.maximum(inner, 0.0), last[None]])
    low = _power_cells(density[: _EDGE_CELLS + 1], cells[:_EDGE_CELLS])
    high = _power_cells(density[: -_EDGE_CELLS - 2 : -1], cells[: -_EDGE_CELLS - 1 : -1])[::-1]
    return _STEP * jnp.concatenate([low, cells[_EDGE_CELLS:-_EDGE_CELLS], high])


def _power_cells(density: Array, otherwise: Array) -> Array:
    """Cells of the first nodes in steps, as power laws of theta where those are slow or falling."""
    nodes = np.arange(density.shape[0]) + 0.5
    log_ratio = jnp.asarray(np.log(nodes[1:] / nodes[:-1]), density.dtype)[:, None]
    x = jnp.asarray(nodes, density.dtype)[:, None]
    logs = jnp.log(jnp.maximum(density, 1e-30))
    power = (logs[1:] - logs[:-1]) / log_ratio
    slow = (power > -0.97) & (power < 1.0)
    rise = x[1:] * density[1:] - x[:-1] * density[:-1]
    return jnp.where(slow, rise / jnp.where(slow, power + 1.0, 1.0), otherwise)


def _running_sum(rows: Array) -> Array:
    """Cumulative sums along axis 0, by eights of eights: the compiler's own scan is far slower."""
    if rows.shape[0] <= 8:
        return jnp.stack(_serial_sums(list(rows)))
    blocks = rows.reshape(-1, 8, rows.shape[1])
    within = _serial_sums([blocks[:, index] for index in range(8)])
    before = jnp.pad(_running_sum(within[-1])[:-1], ((1, 0), (0, 0)))
    return jnp.stack([part + before for part in within], axis=1).reshape(rows.shape)


def _serial_sums(parts: list[Array]) -> list[Array]:
    sums = parts[:1]
    for part in parts[1:]:
        sums.append(sums[-1] + part)
    return sums


def _quantile(target: Array, cdf: Array, density: Array) -> Array:
    """Invert the cubic Hermite interpolant of the cdf in its cell; a power law outside."""
    index = jnp.sum(cdf < target, axis=0)
    cell = jnp.clip(index - 1, 0, N_NODES - 2)

    def at(table: Array, where: Array) -> Array:
        return jnp.take_along_axis(table, where[None], axis=0)[0]

    low, rise = at(cdf, cell), jnp.maximum(at(cdf, cell + 1) - at(cdf, cell), 1e-20)
    slope_a, slope_b = _STEP * at(density, cell) / rise, _STEP * at(density, cell + 1) / rise
    wanted = jnp.clip((target - low) / rise, 0.0, 1.0)
    t = wanted
    for _ in range(3):
        s = 1.0 - t
        value = t * t * (3.0 - 2.0 * t) + slope_a * t * s * s - slope_b * t * t * s
        slope = 6.0 * t * s + slope_a * s * (1.0 - 3.0 * t) + slope_b * t * (3.0 * t - 2.0)
        t = jnp.clip(t - (value - wanted) / jnp.maximum(slope, 0.1), 0.0, 1.0)
    y = jnp.sin(0.5 * _STEP * (cell.astype(t.dtype) + 0.5 + t)) ** 2
    # below the first node the local exponent d ln F / d ln y gives the inverse
    power = jnp.maximum(density[0] * float(np.sqrt(_Y[0])) / jnp.maximum(cdf[0], 1e-30), 1e-2)
    tail = float(_Y[0]) * (target / jnp.maximum(cdf[0], 1e-30)) ** (1.0 / power)
    return jnp.where(index == 0, tail, y)


def _mode(density: Array) -> Array:
    """Highest density per unit of y, refined by a parabola in its logarithm."""
    log_p = jnp.log(jnp.maximum(density, 1e-30)) - jnp.asarray(
        np.log(_JACOBIAN), density.dtype
    ).reshape(-1, 1)
    left, centre, right = log_p[:-2], log_p[1:-1], log_p[2:]
    bend, tilt = left - 2 * centre + right, right - left
    # off-node height of every local peak: which is highest can hang on it
    is_peak = (centre >= left) & (centre >= right) & (bend < 0)
    safe_bend = jnp.where(is_peak, bend, -1.0)
    height = jnp.where(is_peak, centre - tilt * tilt / (8 * safe_bend), centre)
    top = jnp.max(height, axis=0)
    # the first place of the maximum by a second reduction: an argmax is several times slower
    places = jnp.arange(height.shape[0], dtype=jnp.int32)[:, None]
    best = jnp.min(jnp.where(height >= top, places, height.shape[0] - 1), axis=0)

    def at(table: Array) -> Array:
        return jnp.take_along_axis(table, best[None], axis=0)[0]

    shift = jnp.where(at(is_peak), -0.5 * at(tilt) / at(safe_bend), 0.0)
    y = jnp.sin(0.5 * _STEP * (best.astype(shift.dtype) + 1.5 + jnp.clip(shift, -1.0, 1.0))) ** 2
    y = jnp.where(log_p[0] > top, float(_Y[0]), y)
    return jnp.where(log_p[-1] > jnp.maximum(top, log_p[0]), float(_Y[-1]), y)


@partial(jax.jit, compiler_options=CPU_OPTIONS)
def beta_statistics(
    log_weights: Float[Array, "n k"],
    alpha: Float[Array, "n k"],
    beta: Float[Array, "n k"],
    levels: Float[Array, " q"],
) -> tuple[Float[Array, " n"], Float[Array, "n q"]]:
    """Mode and quantiles of n Beta mixtures on (0, 1), n a multiple of `OBJECTS` or less.

    For precisions alpha + beta up to 1e5 each is within 3e-4 of the exact value.
    """
    size = min(OBJECTS, alpha.shape[0])

    def some(rows: tuple) -> tuple[Array, Array]:
        w, a, b = (values.T for values in rows)
        mode, quantiles = _statistics_of(w, a, b, levels)
        return mode, quantiles.T

    parts = [values.reshape(-1, size, values.shape[1]) for values in (log_weights, alpha, beta)]
    mode, quantiles = jax.lax.map(some, tuple(parts))
    return mode.reshape(-1), quantiles.reshape(-1, levels.shape[0])


@partial(jax.jit, static_argnames="rows_at_once", compiler_options=CPU_OPTIONS)
def beta_stack(
    log_weights: Float[Array, "n k"],
    alpha: Float[Array, "n k"],
    beta: Float[Array, "n k"],
    grid: Float[Array, " g"],
    *,
    rows_at_once: int,
) -> Float[Array, " g"]:
    """Sum over all components of the weighted densities at a grid inside (0, 1)."""
    log_y, log_rest = jnp.log(grid)[:, None], jnp.log1p(-grid)[:, None]

    def add(total: Array, rows: tuple) -> tuple[Array, None]:
        weight, a, b = rows
        constant = weight + _constant(a, b)
        terms = jnp.exp((a - 1) * log_y + ((b - 1) * log_rest + constant))
        return total + jnp.sum(terms, axis=1), None

    parts = tuple(values.reshape(-1, rows_at_once) for values in (log_weights, alpha, beta))
    return jax.lax.scan(add, jnp.zeros(grid.size, alpha.dtype), parts)[0]


# -- from and to the host --------------------------------------------------------------------------


def summarise_beta(
    log_weights: np.ndarray, alpha: np.ndarray, beta: np.ndarray, levels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mode (n,) and quantiles (n, q) on (0, 1) of mixtures (n, k), in chunks of one shape."""
    n = len(alpha)
    modes, quantiles = np.empty(n, np.float32), np.empty((n, levels.size), np.float32)
    for rows, parts in padded_chunks(log_weights, alpha, beta, objects=OBJECTS):
        mode, quantile = beta_statistics(*parts, levels.astype(np.float32))
        modes[rows] = np.asarray(mode)[: rows.stop - rows.start]
        quantiles[rows] = np.asarray(quantile)[: rows.stop - rows.start]
    return modes, quantiles


def stack_beta(
    log_weights: np.ndarray, alpha: np.ndarray, beta: np.ndarray, grid: np.ndarray
) -> np.ndarray:
    """Sum (g,) of the weighted densities of all components, in chunks of one shape."""
    total = np.zeros(grid.size)
    for rows, (weights, a, b) in padded_chunks(log_weights, alpha, beta, objects=OBJECTS):
        weights[rows.stop - rows.start :] = -np.inf
        at_once = OBJECTS * alpha.shape[1]
        summed = beta_stack(weights, a, b, grid.astype(np.float32), rows_at_once=at_once)
        total += np.asarray(summed, float)
    return total
