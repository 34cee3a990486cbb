"""Log-densities for training where NumPyro's lose their digits, or their gradient, in float32."""

import jax.numpy as jnp
from jaxtyping import Array

from sfumato.families._special import HALF_LOG_2PI, log1p_minus, stirling_remainder

_LARGEST_EXPONENT = 60.0


def gamma_log_prob(u: Array, concentration: Array, rate: Array) -> Array:
    r"""Log-density of the Gamma distribution in deviance form, for u > 0.

    .. math:: \ln p = a (\ln t - t + 1) + \tfrac12 \ln\frac{a}{2\pi} - R(a) - \ln u,
              \qquad t = u r / a

    with R the remainder of Stirling's series, as in `sfumato.families.beta`: the textbook form
    takes the difference of numbers of size ``a log a``.
    """
    log_ratio = jnp.log(u) + jnp.log(rate) - jnp.log(concentration)
    log_ratio = jnp.clip(log_ratio, -_LARGEST_EXPONENT, _LARGEST_EXPONENT)
    excess = jnp.expm1(log_ratio)
    close = jnp.abs(excess) < 0.05
    series = log1p_minus(jnp.where(close, excess, 0.0))
    deviance = concentration * jnp.where(close, series, log_ratio - excess)
    remainder, _ = stirling_remainder(concentration)
    return deviance + 0.5 * jnp.log(concentration) - HALF_LOG_2PI - remainder - jnp.log(u)


def inverse_gamma_log_prob(u: Array, concentration: Array, rate: Array) -> Array:
    """Log-density of 1 / G for G of the Gamma distribution."""
    return gamma_log_prob(1.0 / u, concentration, rate) - 2.0 * jnp.log(u)


def chi_squared_log_prob(u: Array, df: Array) -> Array:
    """Log-density of the chi-squared distribution, a Gamma distribution of rate 1/2."""
    return gamma_log_prob(u, 0.5 * df, jnp.full_like(df, 0.5))


def weibull_log_prob(u: Array, scale: Array, concentration: Array) -> Array:
    """Log-density of the Weibull distribution, its double exponential limited."""
    log_ratio = jnp.log(u) - jnp.log(scale)
    power = jnp.minimum(concentration * log_ratio, _LARGEST_EXPONENT)
    return jnp.log(concentration) - jnp.log(u) + power - jnp.exp(power)


def gumbel_log_prob(u: Array, loc: Array, scale: Array) -> Array:
    """Log-density of the Gumbel distribution (maxima), its double exponential limited."""
    z = jnp.maximum((u - loc) / scale, -_LARGEST_EXPONENT)
    return -z - jnp.exp(-z) - jnp.log(scale)
