"""Galaxies through a point-spread function onto pixels: exact, fast and differentiable."""

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array

from sfumato.galaxies.render.pixels import PixelGrid
from sfumato.galaxies.render.profiles import Light
from sfumato.galaxies.render.psf import PSF


def render(galaxy: Light | Sequence[Light], psf: PSF, grid: PixelGrid) -> Array:
    """Noiseless image of a galaxy: counts per pixel.

    Pure; `jit`, `vmap` and `grad` pass through it, in the galaxy's parameters and the PSF's.
    Parameters are not checked here, where they may be traced: outside of the ranges of
    `check_galaxy` the image means nothing.

    Parameters
    ----------
    galaxy : one profile, or several that add up (a bulge and a disc).
    psf : `Moffat`, `Gaussian` or `ImagePSF`.
    grid : the stamp.

    Returns
    -------
    (height, width) counts. The sum over an infinite stamp is the flux.
    """
    instrument = optics(psf, grid)
    # a profile is a named tuple, itself a sequence: of its parameters
    parts: list[Light] = list(galaxy) if type(galaxy) in (list, tuple) else [galaxy]  # type: ignore[arg-type]
    return sum(
        (through(part, instrument, grid) for part in parts[1:]), through(parts[0], instrument, grid)
    )


def optics(psf: PSF, grid: PixelGrid) -> Array:
    """Transform (2, Ky, Kx) of PSF and pixel together: what every galaxy is multiplied by."""
    return psf.transform(grid) * jnp.where(psf.includes_pixel, 1.0, grid.pixel_response())


def through(galaxy: Light, instrument: Array, grid: PixelGrid) -> Array:
    """Image (height, width) of one profile through `optics` computed before."""
    x, y = (None if v is None else jnp.asarray(v) for v in (galaxy.x, galaxy.y))
    return jnp.multiply(galaxy.flux, grid.image(galaxy.transform(grid) * instrument, x, y))


def point_source(psf: PSF, grid: PixelGrid) -> Array:
    """Image (height, width) of a star of unit flux: the PSF with the pixel's response."""
    return grid.image(optics(psf, grid))
