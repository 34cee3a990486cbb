"""The same galaxy drawn by GalSim: the judge of the renderer, and another engine for data sets."""

import numpy as np

from sfumato.errors import optional_module
from sfumato.galaxies.render.pixels import PixelGrid

ACCURATE = {
    "folding_threshold": 1e-4,
    "maxk_threshold": 1e-5,
    "kvalue_accuracy": 1e-7,
    "stepk_minimum_hlr": 40.0,
    "maximum_fft_size": 32768,
}
"""Settings with which GalSim's images are good to about 1e-6 of their peak."""


def galsim_image(
    parameters: tuple[float, ...],
    fwhm: float,
    beta: float,
    grid: PixelGrid,
    *,
    accurate: bool = False,
) -> np.ndarray:
    """Noiseless image (height, width) of a Sérsic galaxy through a Moffat PSF, by GalSim.

    Parameters
    ----------
    parameters : flux, index, half-light radius (arcsec), g1 and g2.
    accurate : with the settings `ACCURATE` instead of GalSim's defaults; ten times slower.

    Raises
    ------
    MissingDependencyError
        GalSim is not installed.
    """
    galsim = optional_module("galsim", extra="galaxies")
    settings = galsim.GSParams(**(ACCURATE if accurate else {}))
    flux, index, radius, g1, g2 = parameters
    galaxy = galsim.Sersic(index, half_light_radius=radius, flux=flux, gsparams=settings)
    psf = galsim.Moffat(beta=beta, fwhm=fwhm, gsparams=settings)
    seen = galsim.Convolve(galaxy.shear(g1=g1, g2=g2), psf, gsparams=settings)
    height, width = grid.shape
    drawn = seen.drawImage(nx=width, ny=height, scale=grid.pixel_scale, dtype=np.float64)
    return drawn.array
