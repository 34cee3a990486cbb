"""Point-spread functions: their transforms at the wave numbers of a pixel grid."""

from typing import NamedTuple, TypeAlias

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy.special import gammaln
from jax.typing import ArrayLike
from jaxtyping import Array

from sfumato.errors import ShapeError
from sfumato.galaxies.render.pixels import PixelGrid, squared_wave_number

# nodes of the Gaussian mixture that a Moffat is, in the logarithm of its rate
_RATES = np.linspace(-28.0, 4.2, 130, dtype=np.float32)
# wave number times Moffat radius: the transform's table, in logarithm
_LOG_K = (-9.0, 4.0)
_N_INTERVALS = 260
_STEP = (_LOG_K[1] - _LOG_K[0]) / _N_INTERVALS


class Moffat(NamedTuple):
    r"""The Moffat profile, ``(1 + (r / r_d)^2)^-beta``, sheared as galaxies are.

    Parameters
    ----------
    fwhm : full width at half maximum before shear, arcsec.
    beta : slope of the wings, at least 1.5 (its transform is then good to 1e-5); 2.5 to 4.8 in real
        seeing, 2 in the data sets here.
    g1, g2 : reduced shear.

    References
    ----------
    Moffat (1969), A&A 3, 455, equation 1.
    """

    fwhm: ArrayLike
    beta: ArrayLike = 2.0
    g1: ArrayLike = 0.0
    g2: ArrayLike = 0.0
    includes_pixel = False

    def transform(self, grid: PixelGrid) -> Array:
        """Transform (2, Ky, Kx) at the wave numbers of the grid; 1 at 0."""
        radius = 0.5 * self.fwhm / jnp.sqrt(2.0 ** (1.0 / self.beta) - 1.0)
        k = jnp.sqrt(jnp.maximum(squared_wave_number(grid, self.g1, self.g2), 1e-12)) * radius
        return moffat_transform(k, self.beta)


class Gaussian(NamedTuple):
    """The Gaussian profile, sheared as galaxies are.

    Parameters
    ----------
    fwhm : full width at half maximum before shear, arcsec: 2.3548 sigma.
    g1, g2 : reduced shear.
    """

    fwhm: ArrayLike
    g1: ArrayLike = 0.0
    g2: ArrayLike = 0.0
    includes_pixel = False

    def transform(self, grid: PixelGrid) -> Array:
        """Transform (2, Ky, Kx) at the wave numbers of the grid; 1 at 0."""
        sigma = self.fwhm / np.sqrt(8 * np.log(2))
        return jnp.exp(-0.5 * sigma**2 * squared_wave_number(grid, self.g1, self.g2))


class ImagePSF(NamedTuple):
    """A PSF known as an image: the band-limited surface through its pixels.

    Its centre is the centre of the image; an offset there moves the galaxy.

    Parameters
    ----------
    image : (h, w) values that sum to 1.
    pixel_scale : arcsec per pixel of this image, at most the stamp's for a faithful result.
    includes_pixel : whether the image holds the response of the stamp's pixel already, as PSFs
        measured on stars do (then give it at the stamp's scale).
    """

    image: ArrayLike
    pixel_scale: ArrayLike
    includes_pixel: bool | ArrayLike = True

    def transform(self, grid: PixelGrid) -> Array:
        """Transform (2, Ky, Kx) at the wave numbers of the grid, complex."""
        image = jnp.asarray(self.image, jnp.float32)
        if image.ndim != 2:
            raise ShapeError(f"A PSF image must have two axes; got shape {image.shape}.")
        kx, ky = (jnp.ravel(k) * self.pixel_scale for k in grid.wave_numbers())
        y, x = (np.arange(n, dtype=np.float32) - (n - 1) / 2 for n in image.shape)
        rows = jnp.exp(-1j * ky[:, None] * y) * (jnp.abs(ky) <= np.pi)[:, None]
        columns = jnp.exp(-1j * kx[:, None] * x) * (jnp.abs(kx) <= np.pi)[:, None]
        flat = rows @ image.astype(rows.dtype) @ columns.T  # (Ky, 2 Kx)
        return jnp.moveaxis(flat.reshape(ky.size, 2, -1), 1, 0)


PSF: TypeAlias = Moffat | Gaussian | ImagePSF
"""Point-spread functions: profiles that say whether they hold the pixel's response already."""


def moffat_transform(k: Array, beta: ArrayLike) -> Array:
    r"""Fourier transform of the round Moffat profile of unit flux, ``k`` in units of 1 / r_d.

    .. math:: \hat M(k) = \frac{1}{\Gamma(\beta - 1)} \int_0^\infty t^{\beta - 2}
              e^{-t - k^2 / 4t}\, dt

    which is a Bessel function of the second kind (GalSim's form): the Moffat is a mixture of
    Gaussians with a Gamma distribution of inverse variances. The trapezoid rule in ``log t`` fills
    a table on which cubics pass through values and slopes; differentiable in `k` and `beta`.
    """
    x = jnp.asarray(np.linspace(*_LOG_K, _N_INTERVALS + 1), jnp.float32)[:, None]
    t = jnp.exp(_RATES)
    step = float(_RATES[1] - _RATES[0])
    quarter = jnp.exp(2 * x) / (4 * t)
    terms = jnp.exp((beta - 1) * _RATES - t - quarter - gammaln(beta - 1)) * step
    value, slope = terms.sum(axis=1), -2 * _STEP * (terms * quarter).sum(axis=1)
    rise = value[1:] - value[:-1]
    s0, s1 = slope[:-1], slope[1:]
    cubics = jnp.stack([value[:-1], s0, 3 * rise - 2 * s0 - s1, s0 + s1 - 2 * rise], axis=1)
    place = jnp.clip((jnp.log(k) - _LOG_K[0]) / _STEP, 0.0, _N_INTERVALS - 1e-4)
    index = lax.stop_gradient(place).astype(jnp.int32)
    c, t = cubics[index], place - index
    return c[..., 0] + t * (c[..., 1] + t * (c[..., 2] + t * c[..., 3]))
