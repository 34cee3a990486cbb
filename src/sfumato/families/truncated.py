r"""A Normal distribution cut to [0, 1], exact however far outside its location lies.

SciPy's ``truncnorm`` takes differences of numbers that are nearly equal: 400 scales outside, its
variance is negative. Here everything is told from the bound where the density is largest, with
Q the upper tail of the standard Normal distribution and d a distance in scales:

.. math:: D(d) = \ln\frac{Q(\alpha)}{Q(\alpha + d)}, \qquad
          F(d) = \frac{1 - e^{-D(d)}}{1 - e^{-D(1/\sigma)}}, \qquad
          \alpha = -\frac{\mu}{\sigma}, \quad \mu \le \tfrac12

(a location beyond 1/2 is mirrored). For :math:`\alpha > 0` the square in the exponent of Q is
taken out by hand, :math:`D = d (\alpha + d / 2) + \ldots`, so that no digit is lost.
"""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax.scipy import special as jax_special
from jaxtyping import Array
from scipy import special

from sfumato.families._special import HALF_LOG_2PI

_REACH = 9.0
"""Scales from the location within which the mass lies, to 1e-18."""

_STEPS = 5
"""Newton steps of a quantile; each doubles its digits."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)


def truncated_normal_log_prob(u: Array, loc: Array, scale: Array) -> Array:
    """Log-density in JAX, from the tails of the cdf."""
    low, high = -loc / scale, (1.0 - loc) / scale
    # both bounds are taken in the lower tail, where the logarithm of the cdf keeps its digits
    flip = low + high > 0
    near, far = jnp.where(flip, -low, high), jnp.where(flip, -high, low)
    log_near, log_far = jax_special.log_ndtr(near), jax_special.log_ndtr(far)
    gap = jnp.minimum(log_far - log_near, -1e-6)
    log_mass = log_near + jnp.log(-jnp.expm1(gap))
    return -0.5 * ((u - loc) / scale) ** 2 - jnp.log(scale) - HALF_LOG_2PI - log_mass


@dataclass(frozen=True)
class TruncatedNormal:
    """The same distribution in double precision, with the methods of a frozen SciPy one."""

    loc: np.ndarray
    scale: np.ndarray

    @property
    def _mirrored(self) -> np.ndarray:
        return np.asarray(self.loc) > 0.5

    @property
    def _alpha(self) -> np.ndarray:
        return -np.where(self._mirrored, 1 - self.loc, self.loc) / self.scale

    def _turned(self, u: np.ndarray) -> np.ndarray:
        return np.where(self._mirrored, 1 - u, u)

    def _log_mass(self) -> np.ndarray:
        """Log of 1 - exp(-D) across the whole of [0, 1]."""
        return np.log(-np.expm1(-_fall(self._alpha, 1 / self.scale)))

    def logpdf(self, u: np.ndarray) -> np.ndarray:
        """Log-density; -inf outside [0, 1]."""
        alpha, d = self._alpha, self._turned(u) / self.scale
        square = np.where(alpha > 0, d * (alpha + 0.5 * d), 0.5 * (alpha + d) ** 2)
        values = -square - np.log(self.scale) - HALF_LOG_2PI - _log_tail(alpha) - self._log_mass()
        return np.where((u >= 0) & (u <= 1), values, -np.inf)

    def cdf(self, u: np.ndarray) -> np.ndarray:
        """Cumulative distribution."""
        d = self._turned(np.clip(u, 0, 1)) / self.scale
        share = np.exp(np.log(-np.expm1(-_fall(self._alpha, d))) - self._log_mass())
        return np.where(self._mirrored, 1 - share, share)

    def ppf(self, level: float | np.ndarray) -> np.ndarray:
        """Quantiles."""
        return self._inverse(np.where(self._mirrored, 1 - np.asarray(level), level))

    def isf(self, level: float | np.ndarray) -> np.ndarray:
        """Quantiles from above."""
        return self._inverse(np.where(self._mirrored, level, 1 - np.asarray(level)))

    def _inverse(self, share: np.ndarray) -> np.ndarray:
        fall = -np.log1p(share * np.expm1(-_fall(self._alpha, 1 / self.scale)))
        u = self.scale * _distance(self._alpha, fall)
        return self._turned(np.clip(u, 0, 1))

    def mean(self) -> np.ndarray:
        """Mean, by quadrature: its closed form is a difference of nearly equal numbers."""
        return self._turned(self._moments()[0])

    def var(self) -> np.ndarray:
        """Variance, by quadrature."""
        return self._moments()[1]

    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        alpha, width = self._alpha, 1 / np.asarray(self.scale)
        low = np.maximum(0, -_REACH - alpha)
        high = np.minimum(width, _start(alpha, np.asarray(0.5 * _REACH**2)))
        d = low[..., None] + 0.5 * (high - low)[..., None] * (1 + _NODES)
        exponent = -d * (alpha[..., None] + 0.5 * d)
        weights = _WEIGHTS * np.exp(exponent - exponent.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        mean = (weights * d).sum(axis=-1)
        variance = (weights * (d - mean[..., None]) ** 2).sum(axis=-1)
        return mean * self.scale, variance * np.square(self.scale)

    def rvs(self, size: tuple[int, ...], random_state: np.random.Generator) -> np.ndarray:
        """Draws, by the quantile of a uniform one."""
        return self.ppf(random_state.random(size))


def _log_tail(x: np.ndarray) -> np.ndarray:
    """Log Q, without the square x^2 / 2 for x > 0."""
    positive = np.maximum(x, 0)
    scaled = np.log(0.5 * special.erfcx(positive / np.sqrt(2)))
    return np.where(x > 0, scaled, special.log_ndtr(-np.minimum(x, 0)))


def _fall(alpha: np.ndarray, d: np.ndarray) -> np.ndarray:
    """D, the logarithm by which the upper tail falls between alpha and alpha + d."""
    square = np.where(alpha > 0, d * (alpha + 0.5 * d), 0.5 * np.maximum(alpha + d, 0) ** 2)
    return np.maximum(square + _log_tail(alpha) - _log_tail(alpha + d), 0)


def _start(alpha: np.ndarray, fall: np.ndarray) -> np.ndarray:
    """A distance across which the tail falls at least so far: that of the square alone."""
    a = np.maximum(alpha, 0)
    return a - alpha + 2 * fall / (a + np.sqrt(a * a + 2 * fall) + np.finfo(float).tiny)


def _distance(alpha: np.ndarray, fall: np.ndarray) -> np.ndarray:
    """The inverse of D: in closed form within the bulk, by Newton's method in the tail."""
    inside = -special.ndtri_exp(np.minimum(special.log_ndtr(-np.minimum(alpha, 0)) - fall, 0))
    d = np.where(alpha > 0, _start(alpha, fall), inside - np.minimum(alpha, 0))
    tail = np.maximum(alpha, 0)
    beyond = d
    for _ in range(_STEPS):
        hazard = np.exp(-HALF_LOG_2PI - _log_tail(tail + beyond))
        beyond = np.maximum(beyond - (_fall(tail, beyond) - fall) / hazard, 0)
    return np.where(alpha > 0, beyond, d)
