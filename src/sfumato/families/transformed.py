r"""A Normal distribution of a transformed target, as a density of the target itself.

With t a rising function of the target u and :math:`z = (t(u) - \mu) / \sigma`,

.. math:: p(u) = \frac{t'(u)}{\sigma Q(\alpha)} \varphi(z), \qquad
          F(u) = 1 - \frac{Q(z)}{Q(\alpha)}, \qquad \alpha = \frac{t_0 - \mu}{\sigma}

where :math:`t_0` is the least value that t takes and Q the upper tail of the standard Normal
distribution. Quantiles are those of t; mean and variance are integrals. The transforms are the
log-odds and the power of Box & Cox (1964, equation 1), :math:`(u^\lambda - 1) / \lambda`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy import special as jax_special
from jaxtyping import Array
from scipy import special, stats

from sfumato.families._special import HALF_LOG_2PI

_REACH = 9.0
"""Scales from the location within which the mass lies, to 1e-18."""

_STEPS = np.arange(-3.0, 3.005, 0.01)
_NODES = np.tanh(np.pi / 2 * np.sinh(_STEPS))
_WEIGHTS = np.cosh(_STEPS) / np.cosh(np.pi / 2 * np.sinh(_STEPS)) ** 2
"""The double-exponential rule on [-1, 1], which minds no singularity at an end (Takahasi & Mori
1974)."""

EXPONENTS = (0.0, 2.0)
"""Range of the exponent of Box and Cox: below 0 the mean of the target would be infinite."""


# -- training: JAX ---------------------------------------------------------------------------------


def logit_normal_log_prob(u: Array, loc: Array, scale: Array) -> Array:
    """Log-density of a variable on (0, 1) whose log-odds are Normal."""
    log_u, log_rest = jnp.log(u), jnp.log1p(-u)
    z = (log_u - log_rest - loc) / scale
    return -0.5 * z * z - jnp.log(scale) - HALF_LOG_2PI - log_u - log_rest


def box_cox_normal_log_prob(u: Array, loc: Array, scale: Array, *, exponent: float) -> Array:
    """Log-density of a positive variable whose power, of Box and Cox, is a cut Normal."""
    log_u = jnp.log(u)
    z = ((jnp.expm1(exponent * log_u) / exponent if exponent else log_u) - loc) / scale
    mass = jax_special.log_ndtr((loc + 1.0 / exponent) / scale) if exponent else 0.0
    return -0.5 * z * z - jnp.log(scale) - HALF_LOG_2PI - mass + (exponent - 1.0) * log_u


def inside_box_cox(loc: Array, scale: Array, *, exponent: float) -> tuple[Array, Array]:
    """A location among the values that the power takes: half of the mass is left, or more."""
    low = -1.0 / exponent if exponent else -jnp.inf
    return (low + jax.nn.softplus(loc - low) if exponent else loc), scale


# -- results: NumPy --------------------------------------------------------------------------------


class Transform(NamedTuple):
    """A rising function of the target, its inverse, the log of its slope, and its least value."""

    forward: Callable[[np.ndarray], np.ndarray]
    inverse: Callable[[np.ndarray], np.ndarray]
    log_slope: Callable[[np.ndarray], np.ndarray]
    low: float = -np.inf


LOGIT = Transform(special.logit, special.expit, lambda u: -np.log(u) - np.log1p(-u))


def box_cox(exponent: float) -> Transform:
    """The power of Box and Cox; the logarithm at 0."""
    if exponent == 0:
        return Transform(np.log, np.exp, lambda u: -np.log(u))
    low = -1.0 / exponent
    return Transform(
        lambda u: special.boxcox(u, exponent),
        lambda t: special.inv_boxcox(np.maximum(t, low), exponent),
        lambda u: (exponent - 1.0) * np.log(u),
        low,
    )


def box_cox_exponent(y: np.ndarray) -> float:
    """The exponent that makes targets y (n,) most nearly Normal, to two decimals in `EXPONENTS`.

    That of the largest likelihood (Box & Cox 1964, equation 8); 1, which changes nothing, for
    targets that are no positive numbers.
    """
    if not (np.all(y > 0) and np.ptp(y) > 0):
        return 1.0
    best = stats.boxcox_normmax(y / y.mean(), brack=EXPONENTS, method="mle")
    return float(np.round(np.clip(best, *EXPONENTS), 2))


@dataclass(frozen=True)
class TransformedNormal:
    """The distribution in double precision, with the methods of a frozen SciPy one."""

    loc: np.ndarray
    scale: np.ndarray
    transform: Transform

    @property
    def _alpha(self) -> np.ndarray:
        return (self.transform.low - self.loc) / self.scale

    def logpdf(self, u: np.ndarray) -> np.ndarray:
        """Log-density; -inf where the transform is not defined."""
        with np.errstate(divide="ignore", invalid="ignore"):
            z = (self.transform.forward(u) - self.loc) / self.scale
            values = -0.5 * z * z + self.transform.log_slope(u)
        values = values - np.log(self.scale) - HALF_LOG_2PI - special.log_ndtr(-self._alpha)
        return np.where(np.isfinite(values), values, -np.inf)

    def cdf(self, u: np.ndarray) -> np.ndarray:
        """Cumulative distribution."""
        bottom, top = self.transform.inverse(np.array([-np.inf, np.inf]))
        with np.errstate(divide="ignore"):
            z = (self.transform.forward(np.clip(u, bottom, top)) - self.loc) / self.scale
        share = special.ndtr(np.maximum(z, self._alpha)) - special.ndtr(self._alpha)
        return share / special.ndtr(-self._alpha)

    def ppf(self, level: float | np.ndarray) -> np.ndarray:
        """Quantiles."""
        below = special.ndtr(self._alpha)
        return self._at(special.ndtri(below + np.asarray(level) * special.ndtr(-self._alpha)))

    def isf(self, level: float | np.ndarray) -> np.ndarray:
        """Quantiles from above."""
        return self._at(-special.ndtri(np.asarray(level) * special.ndtr(-self._alpha)))

    def _at(self, z: np.ndarray) -> np.ndarray:
        return self.transform.inverse(self.loc + self.scale * z)

    def mean(self) -> np.ndarray:
        """Mean, by quadrature."""
        return self._moments()[0]

    def var(self) -> np.ndarray:
        """Variance, by quadrature."""
        return self._moments()[1]

    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        low = np.maximum(self._alpha, -_REACH)[..., None]
        # a target that is an exponential of t has its second moment two scales farther up
        high = _REACH + 2 * np.asarray(self.scale)[..., None]
        z = 0.5 * (low + high) + 0.5 * (high - low) * _NODES
        weights = _WEIGHTS * np.exp(-0.5 * z * z)
        weights /= weights.sum(axis=-1, keepdims=True)
        u = np.moveaxis(self._at(np.moveaxis(z, -1, 0)), 0, -1)
        mean = (weights * u).sum(axis=-1)
        return mean, (weights * (u - mean[..., None]) ** 2).sum(axis=-1)

    def rvs(self, size: tuple[int, ...], random_state: np.random.Generator) -> np.ndarray:
        """Draws, by the quantile of a uniform one."""
        return self.ppf(random_state.random(size))
