"""Special functions in single precision, with the large parts cancelled on paper."""

import jax.numpy as jnp
from jaxtyping import Array

HALF_LOG_2PI = 0.9189385332046727


def stirling_remainder(x: Array) -> tuple[Array, Array]:
    """What Stirling's series leaves of log-gamma, and its derivative, for x > 0.

    ``R(x) = lnGamma(x) - (x - 1/2) ln x + x - ln(2 pi)/2``: one step of the recurrence brings the
    argument to y = x + 1, where Stieltjes' continued fraction (Abramowitz & Stegun 6.1.48) of
    four terms is good to 2e-6.
    """
    y = x + 1.0
    inner = y + (195.0 / 371.0) / y
    middle = y + (53.0 / 210.0) / inner
    outer = y + (1.0 / 30.0) / middle
    tail = (1.0 / 12.0) / outer
    d_inner = 1.0 - (195.0 / 371.0) / (y * y)
    d_middle = 1.0 - (53.0 / 210.0) * d_inner / (inner * inner)
    d_outer = 1.0 - (1.0 / 30.0) * d_middle / (middle * middle)
    step = jnp.log1p(1.0 / x)
    value = tail + (x + 0.5) * step - 1.0
    slope = step - (x + 0.5) / (x * y) - tail * d_outer / outer
    return value, slope


def log1p_minus(x: Array) -> Array:
    """log(1 + x) - x, by its series near 0 where the difference would lose all digits."""
    series = x * x * (-1 / 2 + x * (1 / 3 + x * (-1 / 4 + x * (1 / 5 + x * (-1 / 6 + x / 7)))))
    return jnp.where(jnp.abs(x) < 0.06, series, jnp.log1p(x) - x)
