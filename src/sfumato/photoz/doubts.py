"""What makes photometry look as if it were something else than was said: fluxes, variances."""

import re
from collections.abc import Sequence

import numpy as np
from scipy import stats

LIKELY = (4.0, 45.0)
"""Beyond these a magnitude that many galaxies share may be a code."""

_MANY = 0.02
"""Share of different values beyond, from which on a band may hold fluxes."""

_BEYOND = 30.0
"""Median error above the median flux, from which on it is none."""

_MAGNITUDES = re.compile(r"mag(?!g)", re.IGNORECASE)
_FLUXES = re.compile(r"Jy|magg|mgy|erg|\bW\b|photon|electron|count|\bct\b|\bDN\b|\badu\b")
_INVERSE = re.compile(r"ivar|inv_?var|inverse", re.IGNORECASE)


def of_values(values: np.ndarray, bands: Sequence[str], *, is_flux: bool) -> str | None:
    """Whether values (n, b) are fluxes for magnitudes, or the other way, or none at all."""
    if not np.isfinite(values).any():
        return f"None of {len(values):,} rows has a value in any of {', '.join(bands)}."
    if is_flux:
        low, high = np.nanquantile(values, [0.01, 0.99])
        # fluxes of a survey span decades
        if 10 < low < high < min(40, 2.5 * low):
            message = f"Nearly all fluxes lie within {low:.4g} to {high:.4g}"
            return f"{message}. Are they magnitudes? Train without --flux, or convert them."
        return None
    for band, column in zip(bands, values.T, strict=True):
        beyond = column[np.isfinite(column) & (column > LIKELY[1])]
        tiny = column[(column > 0) & (column < LIKELY[0])]
        # codes and limits are a few values; fluxes are all different
        for odd, least in ((beyond, _MANY), (tiny, 0.5)):
            if len(np.unique(odd)) > max(20, least * np.isfinite(column).sum()):
                message = f"{len(odd):,} values of {band} are no magnitudes, as {odd[0]:.4g}"
                cure = "Train with --flux (unit='flux'), or convert them"
                return f"{message}. Are they fluxes? {cure}."
    return None


def of_constants(values: np.ndarray, bands: Sequence[str]) -> str | None:
    """Whether a band has one value in all rows (n, b) in which it was measured."""
    for band, column in zip(bands, values.T, strict=True):
        known = column[np.isfinite(column)]
        if len(known) >= _FEW and np.ptp(known) == 0:
            message = f"{band} is {known[0]:g} in all of {len(known):,} rows"
            return f"{message}: nothing can be learnt from it. Leave the band out, or is it a code?"
    return None


def of_errors(
    values: np.ndarray, errors: np.ndarray, bands: Sequence[str], *, is_flux: bool
) -> str | None:
    """Whether many measurements (n, b) claim to have no error, or all to have far too large ones.

    What of `values` is no measurement is NaN.
    """
    exact = (np.isfinite(values) & (errors == 0)).sum(axis=0)
    band = int(np.argmax(exact))
    if exact[band] > _MANY * len(values):
        message = f"Errors of {bands[band]} are 0 in {exact[band]:,} of {len(values):,} rows"
        return f"{message}: taken as unknown, for no measurement has none."
    for name, flux, error in zip(bands, np.abs(values).T, errors.T, strict=True):
        both = np.isfinite(flux) & np.isfinite(error) & (error > 0)
        if not both.any():
            continue
        middle, typical = float(np.median(flux[both])), float(np.median(error[both]))
        what = "fluxes" if is_flux else "magnitudes"
        message = f"Errors of {name} are {typical:.3g} where {what} are {middle:.3g}"
        too_large = typical > (_BEYOND * middle if is_flux else _LARGEST_ERROR)
        if too_large and middle > 0:
            return f"{message}. {_ARE_INVERSE}"
        # errors of magnitudes grow with these, those of fluxes do so by photon noise, if at all
        if _falls(flux[both], error[both]):
            other = "Or errors of magnitudes? " if is_flux else ""
            message = f"Errors of {name} fall where {what} grow, as no errors do"
            return f"{message}. {other}{_ARE_INVERSE}"
    return None


_ARE_INVERSE = "Are they inverse variances? Give 1/sqrt of them."
_LARGEST_ERROR = 5.0
_FEW = 30


def _falls(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether y falls with x nearly everywhere, by ranks."""
    if len(x) < _FEW or np.ptp(x) == 0 or np.ptp(y) == 0:
        return False
    return float(np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1]) < -0.5


def of_names(errors: Sequence[str]) -> str | None:
    """Whether columns of errors are called what errors are not."""
    named = [name for name in errors if _INVERSE.search(name)]
    if not named:
        return None
    cure = "Errors are standard deviations, 1/sqrt of them, and NaN where these are 0"
    return f"--error names {named[0]!r}: are they inverse variances? {cure}."


def of_units(units: Sequence[str | None], *, is_flux: bool) -> list[int]:
    """Places of units of fluxes where magnitudes are meant, or the other way."""
    wrong = _MAGNITUDES if is_flux else _FLUXES
    return [i for i, unit in enumerate(units) if unit and wrong.search(unit)]
