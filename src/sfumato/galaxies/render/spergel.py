"""The Spergel profile: light whose Fourier transform is a power of a Lorentzian."""

from functools import lru_cache
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array
from numpy.polynomial import chebyshev
from scipy import optimize, special

from sfumato.galaxies.render.pixels import PixelGrid, squared_wave_number

SPERGEL_INDEX_RANGE = (-0.85, 4.0)
"""Below -0.85 the centre is too sharp for any pixel; above 4 the profile is all but Gaussian."""

_LOG_RANGE = tuple(np.log1p(SPERGEL_INDEX_RANGE).tolist())
_DEGREE = 24  # of Chebyshev series for the half-light radius; its error is 2e-13


class Spergel(NamedTuple):
    r"""A Spergel galaxy, sheared and shifted as GalSim does it.

    .. math:: I(r) \propto (r / r_0)^\nu K_\nu(r / r_0), \qquad
              \hat I(k) = (1 + k^2 r_0^2)^{-1-\nu}

    It is close to a Sérsic profile, of index 1 at :math:`\nu = 1/2` exactly and near 4 at -0.6,
    and its transform is closed.

    Parameters
    ----------
    flux : total counts.
    spergel_index : nu, -0.85 to 4.
    half_light_radius : radius that holds half of the flux before shear, arcsec.
    g1, g2 : reduced shear.
    x, y : offset of the centre from that of the stamp, arcsec; None is exactly 0 and cheaper.

    References
    ----------
    Spergel (2010), ApJS 191, 58, equations 2, 3 and 8.
    """

    flux: ArrayLike
    spergel_index: ArrayLike
    half_light_radius: ArrayLike
    g1: ArrayLike = 0.0
    g2: ArrayLike = 0.0
    x: ArrayLike | None = None
    y: ArrayLike | None = None

    def transform(self, grid: PixelGrid) -> Array:
        """Transform (2, Ky, Kx) of unit flux at the wave numbers of the grid, centred; 1 at 0."""
        nu = jnp.asarray(self.spergel_index, jnp.float32)
        scale = self.half_light_radius / half_light_ratio(nu)
        squared = squared_wave_number(grid, self.g1, self.g2) * scale**2
        return jnp.exp(-(1.0 + nu) * jnp.log1p(squared))


def half_light_ratio(spergel_index: Array) -> Array:
    r"""Half-light radius in units of the scale radius :math:`r_0`; a series in ln(1 + nu).

    It solves :math:`(1 + \nu) f_{\nu+1}(c) = 1/4`, where
    :math:`f_\nu(u) = (u / 2)^\nu K_\nu(u) / \Gamma(\nu + 1)` (Spergel 2010, equation 8).
    """
    low, high = _LOG_RANGE
    x = 2.0 * (jnp.log1p(spergel_index) - low) / (high - low) - 1.0
    terms = [jnp.ones_like(x), x]
    for _ in range(_DEGREE - 1):
        terms.append(2.0 * x * terms[-1] - terms[-2])
    series = _series().astype(np.float32)
    return jnp.exp(sum(c * term for c, term in zip(series[1:], terms[1:], strict=True)) + series[0])


@lru_cache(maxsize=1)
def _series() -> np.ndarray:
    """Coefficients (degree + 1,) of the logarithm of the ratio."""
    low, high = _LOG_RANGE
    x = chebyshev.chebpts1(4 * _DEGREE)
    ratios = [_half_light_ratio(np.expm1(low + 0.5 * (v + 1) * (high - low))) for v in x]
    return chebyshev.chebfit(x, np.log(ratios), _DEGREE)


def _half_light_ratio(nu: float) -> float:
    def beyond(log_u: float) -> float:
        u = np.exp(log_u)
        f = (u / 2) ** (nu + 1) * special.kv(nu + 1, u) / special.gamma(nu + 2)
        return float((1 + nu) * f - 0.25)

    ends = np.log(1e-8), np.log(20.0)
    found = optimize.root_scalar(beyond, bracket=ends, method="brentq", xtol=1e-14)
    return float(np.exp(found.root))
