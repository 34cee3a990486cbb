"""Broadband fluxes of galaxy templates by redshift and spectral type.

The templates are the four of Coleman, Wu & Weedman (1980) as extended by Bolzonella et al. (2000),
and the filters LSST's total throughputs; both come with the package ``galsim``. Spectral type is a
continuous number, 0 for E, 1 for Sbc, 2 for Scd, 3 for Im, linear in flux between neighbours.
Light blueward of Lyman alpha is absorbed by the intergalactic medium (Madau 1995). There is no
dust beyond what the templates hold.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from sfumato.errors import optional_module

BANDS = ("u", "g", "r", "i", "z", "y")
TEMPLATES = ("E", "Sbc", "Scd", "Im")

_LYMAN = ((1216.0, 0.0036), (1026.0, 0.0017), (973.0, 0.0012), (950.0, 0.00093))
"""Wavelength [Angstrom] and coefficient of the first Lyman lines (Madau 1995, equation 12)."""

_LYMAN_LIMIT = 912.0


def igm_transmission(wavelength_angstrom: np.ndarray, redshift: float) -> np.ndarray:
    """Mean transmission of the intergalactic medium (Madau 1995), (w,), in [0, 1].

    Parameters
    ----------
    wavelength_angstrom : (w,) observed wavelengths.
    redshift : of the source.

    Notes
    -----
    Line blanketing is equation 15; photoelectric absorption the approximation of footnote 3.
    """
    optical_depth = np.zeros_like(wavelength_angstrom)
    for line, coefficient in _LYMAN:
        blanketed = wavelength_angstrom < line * (1 + redshift)
        optical_depth += np.where(blanketed, coefficient * (wavelength_angstrom / line) ** 3.46, 0)
    absorber, emitter = wavelength_angstrom / _LYMAN_LIMIT, 1 + redshift
    x = np.maximum(absorber, 1.0)
    continuum = (
        0.25 * x**3 * (emitter**0.46 - x**0.46)
        + 9.4 * x**1.5 * (emitter**0.18 - x**0.18)
        - 0.7 * x**3 * (x**-1.32 - emitter**-1.32)
        - 0.023 * (emitter**1.68 - x**1.68)
    )
    optical_depth += np.where(absorber < emitter, np.maximum(continuum, 0.0), 0.0)
    return np.exp(-optical_depth)


@dataclass(frozen=True)
class FluxTable:
    """Relative band fluxes by redshift and template, F_nu, on a common scale per template.

    Parameters
    ----------
    redshift : (z,) increasing.
    flux : (z, templates, bands).
    """

    redshift: np.ndarray
    flux: np.ndarray

    def at(self, redshift: np.ndarray, kind: np.ndarray) -> np.ndarray:
        """Band fluxes (n, bands), bilinear in redshift (n,) and spectral type (n,)."""
        step = self.redshift[1] - self.redshift[0]
        place = np.clip((redshift - self.redshift[0]) / step, 0, self.redshift.size - 1.001)
        row, template = place.astype(int), np.clip(kind.astype(int), 0, len(TEMPLATES) - 2)
        u, v = (place - row)[:, None], (kind - template)[:, None]
        corner = self.flux
        low = (1 - v) * corner[row, template] + v * corner[row, template + 1]
        high = (1 - v) * corner[row + 1, template] + v * corner[row + 1, template + 1]
        return (1 - u) * low + u * high


@lru_cache(maxsize=2)
def flux_table(*, max_redshift: float = 3.5, step: float = 0.005) -> FluxTable:
    """Integrate every template through every filter, redshift by redshift.

    Raises
    ------
    MissingDependencyError
        galsim, which carries templates and filters, is not installed.
    """
    redshift = np.arange(0.0, max_redshift + step, step)
    templates = [_template(name) for name in TEMPLATES]
    filters = [_throughput(band) for band in BANDS]
    flux = np.empty((redshift.size, len(TEMPLATES), len(BANDS)))
    for b, (wavelength, throughput) in enumerate(filters):
        # photon-weighted mean F_nu in a band: int F_lambda T lambda / int T c / lambda
        norm = np.trapezoid(throughput / wavelength, wavelength)
        for i, z in enumerate(redshift):
            weight = throughput * wavelength * igm_transmission(wavelength, z)
            for t, (rest, density) in enumerate(templates):
                shifted = np.interp(wavelength / (1 + z), rest, density, left=0.0) / (1 + z)
                flux[i, t, b] = np.trapezoid(shifted * weight, wavelength) / norm
    return FluxTable(redshift, flux)


def _share() -> Path:
    galsim = optional_module("galsim", extra="photoz")
    return Path(galsim.meta_data.share_dir)


def _template(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Rest wavelength [Angstrom] and F_lambda, scaled to 1 at 5500 Angstrom."""
    columns = np.loadtxt(_share() / "SEDs" / f"CWW_{name}_ext.sed")
    wavelength, density = columns[:, 0], columns[:, 1]
    return wavelength, density / np.interp(5500.0, wavelength, density)


def _throughput(band: str) -> tuple[np.ndarray, np.ndarray]:
    """Wavelength [Angstrom], every 10, and total throughput of an LSST band."""
    columns = np.loadtxt(_share() / "bandpasses" / f"LSST_{band}.dat")
    nanometre = np.arange(columns[0, 0], columns[-1, 0], 1.0)
    return 10 * nanometre, np.interp(nanometre, columns[:, 0], columns[:, 1])
