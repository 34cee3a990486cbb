"""Arithmetic that two rooms share and that names nothing of ours: inversion, integration, rows."""

from collections.abc import Callable, Iterator
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

Points = np.ndarray


@runtime_checkable
class _Veiled(Protocol):
    """What astropy's masked arrays have beside NumPy's."""

    @property
    def unmasked(self) -> ArrayLike: ...
    @property
    def mask(self) -> np.ndarray: ...


def unveiled(values: ArrayLike) -> tuple[np.ndarray, np.ndarray | None]:
    """What is behind a mask, and the mask, of the array's shape; None where there is none.

    NumPy's and astropy's masks are of two kinds: the latter keeps what is behind in ``unmasked``.
    """
    given: object = values
    if isinstance(given, np.ma.MaskedArray):
        return np.asarray(np.ma.getdata(given)), np.ma.getmaskarray(given)
    if not isinstance(given, _Veiled):
        return np.asarray(values), None
    behind = np.asarray(given.unmasked)
    return behind, np.broadcast_to(given.mask, behind.shape)


def doubles(values: ArrayLike) -> np.ndarray:
    """An array; in double precision, and NaN behind the mask, where it has one."""
    behind, mask = unveiled(values)
    return behind if mask is None else np.where(mask, np.nan, behind.astype(float))


def row_chunks(n_rows: int, *, width: int, budget: int = 1 << 19) -> Iterator[slice]:
    """Slices over `n_rows` such that rows times `width` stays near `budget` numbers."""
    step = max(1, budget // max(width, 1))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def trapezoid_weights(points: np.ndarray) -> np.ndarray:
    """What values at points (g,) are multiplied by in the trapezoid rule."""
    steps = np.diff(points)
    return 0.5 * (np.append(steps, 0.0) + np.insert(steps, 0, 0.0))


def cumulative_trapezoid(values: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Running integral of `values` over `nodes` along the last axis, starting at 0, same shape."""
    steps = 0.5 * (values[..., 1:] + values[..., :-1]) * np.diff(nodes, axis=-1)
    out = np.zeros(np.broadcast_shapes(values.shape, nodes.shape))
    np.cumsum(steps, axis=-1, out=out[..., 1:])
    return out


_NEAR = 1e-10
_WIDE, _LEAST = 1e-3, 1e-300
"""A bracket is halved in the logarithm if its ends differ by more than 1 / _WIDE."""


def invert_increasing(
    function: Callable[[Points], Points],
    derivative: Callable[[Points], Points],
    targets: np.ndarray,
    *,
    lower: np.ndarray,
    upper: np.ndarray,
    start: np.ndarray,
    width: np.ndarray | None = None,
    n_steps: int = 120,
    tolerance: float = 1e-12,
) -> np.ndarray:
    """Solve ``function(y) = targets`` elementwise for increasing functions by safeguarded Newton.

    A Newton step that leaves the current bracket is replaced by bisection, so every element
    converges whatever its start, and no element's answer depends on another's.

    Parameters
    ----------
    function, derivative : elementwise over arrays of the shape of `targets`.
    targets, lower, upper, start : arrays of one shape; the solutions lie in [lower, upper].
    width : scale of each element that accuracy is relative to; by default its first bracket.
    n_steps : most iterations; 60 bisections alone exhaust double precision.
    tolerance : stop when no element moves by more than this times its width, or is off by more
        than 1e-10 in the value of the function.
    """
    low, high, y = lower.copy(), upper.copy(), np.clip(start, lower, upper)
    scale = upper - lower if width is None else width
    done = np.zeros(y.shape, bool)
    for _ in range(n_steps):
        residual = function(y) - targets
        below = residual < 0
        low, high = np.where(below, y, low), np.where(below, high, y)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            newton = y - residual / derivative(y)
        inside = (newton > low) & (newton < high)
        proposal = np.where(inside, newton, _between(low, high))
        moved = np.abs(proposal - y)
        near = (moved <= tolerance * scale) & (np.abs(residual) <= _NEAR)
        done |= near | (residual == 0) | (moved <= 4 * np.spacing(np.abs(y)))
        if done.all():
            break
        y = np.where(done, y, proposal)  # on a plateau another step may lead anywhere
    return y


def _between(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """The middle of brackets, in the logarithm where one spans many powers of ten on one side of 0.

    Halving alone would never come down to the quantiles of a density that has a pole.
    """
    middle = 0.5 * (low + high)
    near, far = np.minimum(np.abs(low), np.abs(high)), np.maximum(np.abs(low), np.abs(high))
    wide = (low * high >= 0) & (near < _WIDE * far)
    geometric = np.sign(middle) * np.sqrt(np.maximum(near, _LEAST)) * np.sqrt(far)
    return np.where(wide & (geometric > low) & (geometric < high), geometric, middle)


def maximise(
    function: Callable[[Points], Points], *, lower: np.ndarray, upper: np.ndarray, n_steps: int = 45
) -> np.ndarray:
    """Place of the maximum of unimodal functions in [lower, upper], elementwise, golden section."""
    ratio = (np.sqrt(5.0) - 1.0) / 2.0
    a, b = lower.astype(float), upper.astype(float)
    c, d = b - ratio * (b - a), a + ratio * (b - a)
    f_c, f_d = function(c), function(d)
    for _ in range(n_steps):
        left = f_c >= f_d
        a, b = np.where(left, a, c), np.where(left, d, b)
        c, d = b - ratio * (b - a), a + ratio * (b - a)
        f_new = function(np.where(left, c, d))
        f_c, f_d = np.where(left, f_new, f_d), np.where(left, f_c, f_new)
    return 0.5 * (a + b)


def count_peaks(density: np.ndarray, *, threshold: float) -> np.ndarray:
    """Local maxima (n,) along rows (n, g), at least `threshold` times as high as the highest."""
    # rounding noise between equal components is no peak
    relative = np.round(density / density.max(axis=1, keepdims=True), 9)
    steps = np.sign(np.diff(np.pad(relative, ((0, 0), (1, 1))), axis=1))
    # a plateau, or the same node twice, takes the direction it was reached from
    places = np.where(steps != 0, np.arange(steps.shape[1]), 0)
    came = np.take_along_axis(steps, np.maximum.accumulate(places, axis=1), axis=1)
    peak = (came[:, :-1] > 0) & (steps[:, 1:] < 0)
    return np.sum(peak & (relative >= threshold), axis=1)
