"""Populations of galaxies: the distributions of their parameters, PSFs and noise, and the cuts."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from math import isfinite
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from sfumato._typing import Json
from sfumato.errors import DataError, suggest
from sfumato.galaxies.render.pixels import PixelGrid
from sfumato.galaxies.render.profiles import SERSIC_INDEX_RANGE, Sersic, check_galaxy


class Uniform(NamedTuple):
    """A value spread evenly between two bounds, or evenly in its logarithm; one bound is a value.

    Parameters
    ----------
    low, high : bounds.
    log : whether the logarithm is spread evenly.
    whole : whether only whole numbers are drawn, both bounds included.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    @property
    def is_fixed(self) -> bool:
        """Whether there is one value only."""
        return self.low == self.high

    def at(self, share: Array) -> Array:
        """Value below which a share of the probability lies (the quantile function)."""
        if self.whole:
            return jnp.floor(self.low + share * (self.high - self.low + 1) * (1 - 1e-7))
        if self.log:
            low, high = np.log(self.low), np.log(self.high)
            return jnp.exp(low + share * (high - low))
        return self.low + share * (self.high - self.low)

    def share(self, value: Array) -> Array:
        """Probability below a value: the inverse of `at`, kept inside (0, 1)."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = np.log(low), np.log(high), jnp.log(jnp.maximum(value, 1e-12))
        return jnp.clip((value - low) / (high - low), 1e-4, 1 - 1e-4)


# the first set of the galaxy networks
_FLUX, _SHEAR = Uniform(3e4, 4e5), Uniform(0.0, 0.67)
_SERSIC_INDEX, _HALF_LIGHT_RADIUS = Uniform(*SERSIC_INDEX_RANGE), Uniform(0.1, 0.6)
_PSF_FWHM, _NOISE_SIGMA = Uniform(0.5, 0.5), Uniform(200.0, 200.0)


@dataclass(frozen=True)
class Population:
    """What galaxies are drawn from, and how they are seen.

    Orientations are uniform, so the shears g1 and g2 follow from the distribution of their size.

    Parameters
    ----------
    flux : counts.
    sersic_index : 0.5 to 6.
    half_light_radius : arcsec.
    shear : size |g| of the reduced shear.
    shear_fixed : g1 and g2 of every galaxy, instead of `shear`.
    psf_fwhm : width of the Moffat PSF, arcsec.
    psf_beta : its slope.
    noise_sigma : Gaussian noise, counts per pixel.
    gain : electrons per count, for the Poisson noise; 0 leaves it out.
    signal_to_noise : galaxies outside of these bounds are drawn again.
    pixels, pixel_scale : side of the stamp, and arcsec per pixel.
    """

    flux: Uniform = _FLUX
    sersic_index: Uniform = _SERSIC_INDEX
    half_light_radius: Uniform = _HALF_LIGHT_RADIUS
    shear: Uniform = _SHEAR
    shear_fixed: tuple[float, float] | None = None
    psf_fwhm: Uniform = _PSF_FWHM
    psf_beta: float = 2.0
    noise_sigma: Uniform = _NOISE_SIGMA
    gain: float = 1.0
    signal_to_noise: tuple[float, float] = (10.0, 100.0)
    pixels: int = 64
    pixel_scale: float = 0.23
    name: str = field(default="own", compare=False)

    def __post_init__(self) -> None:
        for name in _DISTRIBUTED:
            _check_bounds(name, getattr(self, name))
        low, high = SERSIC_INDEX_RANGE
        index = self.sersic_index
        if not low <= index.low <= index.high <= high:
            message = f"`sersic_index` must lie within {low} to {high}, the renderer's range"
            raise ValueError(f"{message}; got {index.low} to {index.high}.")
        size = float(np.hypot(*self.shear_fixed)) if self.shear_fixed else self.shear.high
        if not size < 1:
            raise ValueError(f"`shear` must be sizes |g| below 1; got {size:.3g}.")
        if self.pixels < 1 or not 0 < self.pixel_scale < np.inf:
            message = "`pixels` and `pixel_scale` must be positive"
            raise ValueError(f"{message}; got {self.pixels} and {self.pixel_scale}.")
        side = self.pixels * self.pixel_scale
        check_galaxy(Sersic(1.0, index.high, self.half_light_radius.high), side=side)
        if not 0 <= self.signal_to_noise[0] < self.signal_to_noise[1]:
            raise ValueError(f"`signal_to_noise` must increase; got {self.signal_to_noise}.")
        if not (self.gain >= 0 and isfinite(self.gain)):
            raise ValueError(f"`gain` must be at least 0 electrons per count; got {self.gain}.")
        if not 1.5 <= self.psf_beta < np.inf:
            raise ValueError(f"`psf_beta` must be at least 1.5 and finite; got {self.psf_beta}.")

    @property
    def grid(self) -> PixelGrid:
        """The stamp."""
        side, fwhm = self.pixels, self.psf_fwhm.low
        return PixelGrid.seeing(side, side, self.pixel_scale, fwhm=fwhm)

    @property
    def is_fixed(self) -> bool:
        """Whether every galaxy is the same."""
        return self.shear_fixed is not None and all(
            getattr(self, name).is_fixed for name in ("flux", "sersic_index", "half_light_radius")
        )

    def draw(self, key: Array) -> tuple[Sersic, Array, Array]:
        """One galaxy before the cut, the width of its PSF (arcsec) and its noise (counts)."""
        share = jax.random.uniform(key, (7,))
        if self.shear_fixed is None:
            size, angle = self.shear.at(share[3]), jnp.pi * share[4]
            g1, g2 = size * jnp.cos(2 * angle), size * jnp.sin(2 * angle)
        else:
            g1, g2 = (jnp.float32(g) for g in self.shear_fixed)
        galaxy = Sersic(
            jnp.asarray(self.flux.at(share[0])),
            jnp.asarray(self.sersic_index.at(share[1])),
            jnp.asarray(self.half_light_radius.at(share[2])),
            g1,
            g2,
        )
        return galaxy, self.psf_fwhm.at(share[5]), self.noise_sigma.at(share[6])


_DISTRIBUTED = ("flux", "sersic_index", "half_light_radius", "shear", "psf_fwhm", "noise_sigma")


def _check_bounds(name: str, bounds: Uniform) -> None:
    """Refuse bounds that are not positive and increasing; a linear |g| may begin at 0."""
    above = bounds.low > 0 or (name == "shear" and bounds.low == 0 and not bounds.log)
    if not (above and bounds.low <= bounds.high < np.inf):
        message = f"`{name}` must be positive, the lower bound first"
        raise ValueError(f"{message}; got {bounds.low} to {bounds.high}.")
    if bounds.whole and (name != "noise_sigma" or bounds.low % 1 or bounds.high % 1):
        raise ValueError(f"`{name}`: only noise_sigma may be whole, between whole bounds.")


# Named sets, and those of a file ----------------------------------------------------------------

_FIXED = Population(
    flux=Uniform(1e5, 1e5),
    sersic_index=Uniform(3.0, 3.0),
    half_light_radius=Uniform(0.3, 0.3),
    shear_fixed=(-0.069, 0.15),
)
_BOTH = Uniform(200.0, 400.0, whole=True)

POPULATIONS: Mapping[str, Population] = {
    "v1": Population(name="v1"),
    "v2": Population(noise_sigma=_BOTH, name="v2"),
    "v3": Population(noise_sigma=_BOTH, psf_fwhm=Uniform(0.5, 1.0), name="v3"),
    "snr60": replace(_FIXED, name="snr60"),
    "snr30": replace(_FIXED, noise_sigma=Uniform(400.0, 400.0), name="snr30"),
}
"""The data sets of the galaxy networks: one PSF and noise; noise varied; both varied; and two of a
single galaxy under many draws of the noise."""


def population_from(values: Mapping[str, Json], *, where: str = "the population") -> Population:
    """A population from plain values, as a TOML file has them.

    A distribution is a number (fixed), a pair ``[low, high]``, or a table with `low`, `high` and
    optionally ``scale = "log"`` or ``whole = true``.

    Raises
    ------
    DataError
        An entry is unknown or has the wrong form.
    """
    known = {f.name: f for f in fields(Population) if f.name != "name"}
    out: dict[str, Json] = {}
    for name, value in values.items():
        if name not in known:
            raise DataError(f"{where}: unknown entry {name!r}. {suggest(name, list(known))}")
        try:
            out[name] = _value(name, known[name].default, value)
        except (TypeError, ValueError, KeyError) as error:
            form = _FORMS.get(name, "a number, [low, high] or {low, high, scale, whole}")
            raise DataError(f"{where}: {name} must be {form}; got {value!r}.") from error
    try:
        return Population(**out)
    except ValueError as error:
        raise DataError(f"{where}: {error}") from error


_PAIR = "a pair [low, high]"
_FORMS = {
    "signal_to_noise": _PAIR,
    "shear_fixed": "a pair [g1, g2]",
    "pixels": "a whole number",
    "pixel_scale": "a number",
    "psf_beta": "a number",
    "gain": "a number",
}


def _value(name: str, default: Json, value: Json) -> Json:
    """The value of one entry, of the type that the population has."""
    if isinstance(value, bool):
        raise TypeError
    if isinstance(default, Uniform):
        return _uniform(value)
    if name in ("signal_to_noise", "shear_fixed"):
        low, high = value
        return float(low), float(high)
    if isinstance(value, str) or (name == "pixels" and value != int(value)):
        raise TypeError
    return type(default)(value)


def _uniform(value: Json) -> Uniform:
    if isinstance(value, int | float):
        return Uniform(float(value), float(value))
    if isinstance(value, Mapping):
        rest = dict(value)
        low, high = float(rest.pop("low")), float(rest.pop("high"))
        scale, whole = rest.pop("scale", "linear"), bool(rest.pop("whole", False))
        if rest or scale not in ("linear", "log"):
            raise ValueError
        return Uniform(low, high, log=scale == "log", whole=whole)
    low, high = value
    return Uniform(float(low), float(high))
