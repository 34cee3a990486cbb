"""What is fitted: images of one galaxy, and a model of their pixels as a function of parameters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array

from sfumato.galaxies.fit.model import Model
from sfumato.galaxies.render.pixels import PixelGrid
from sfumato.galaxies.render.profiles import PARAMETERS, Sersic, check_galaxy
from sfumato.galaxies.render.psf import PSF
from sfumato.galaxies.render.renderer import optics, through

SHAPE = PARAMETERS[1:]  # every exposure and band sees the same
DEFAULT_FREE = ("flux", "sersic_index", "half_light_radius", "g1", "g2")


@dataclass(frozen=True)
class Scene:
    """One Sérsic galaxy on one or more exposures, and which of its parameters are free.

    Parameters
    ----------
    grid : the stamp of every exposure.
    free : parameters that are fitted. ``"flux"`` stands for one flux per band and
        ``"background"`` for one constant per exposure, in counts per pixel.
    fixed : values of the others; g1, g2, x, y and background default to 0.
    bands : for every exposure, the index of its band.

    Raises
    ------
    ValueError
        A parameter is unknown, both free and fixed, or neither free nor known.
    """

    grid: PixelGrid
    free: tuple[str, ...] = DEFAULT_FREE
    fixed: Mapping[str, float] = field(default_factory=dict, hash=False)
    bands: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        known = (*PARAMETERS, "background")
        for name in (*self.free, *self.fixed):
            if name not in known:
                raise ValueError(f"Unknown parameter {name!r}; there are {', '.join(known)}.")
        if not self.free:
            raise ValueError("Nothing is free. Name at least one free parameter.")
        twice = sorted({name for name in self.free if self.free.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} is named twice among the free parameters.")
        both = sorted(set(self.free) & set(self.fixed))
        if both:
            raise ValueError(f"{', '.join(both)} cannot be both free and fixed.")
        missing = [name for name in PARAMETERS[:3] if name not in {*self.free, *self.fixed}]
        if missing:
            message = f"{', '.join(missing)} must be free or have a fixed value"
            raise ValueError(f"{message}. Add it to the free parameters or fix it.")
        self._check_fixed()

    def _check_fixed(self) -> None:
        """Refuse fixed values that cannot be rendered."""
        defaults = {"flux": 1.0, "sersic_index": 1.0, "half_light_radius": 1.0}
        fixed = {name: self.fixed.get(name, value) for name, value in defaults.items()}
        g1, g2 = (self.fixed.get(name, 0.0) for name in ("g1", "g2"))
        check_galaxy(Sersic(**fixed, g1=g1, g2=g2))
        for name, n in (("x", self.grid.width), ("y", self.grid.height)):
            value, most = self.fixed.get(name, 0.0), 0.5 * n * self.grid.pixel_scale
            if not abs(value) <= most:
                message = f"`{name}` must lie on the stamp, within {most:g} arcsec of its centre"
                raise ValueError(f"{message}; got {value:g}.")
        if not isfinite(self.fixed.get("background", 0.0)):
            raise ValueError("`background` must be finite.")

    @property
    def n_bands(self) -> int:
        """Bands among the exposures."""
        return max(self.bands) + 1

    @property
    def names(self) -> tuple[str, ...]:
        """Free parameters one by one, in the order of the vector."""
        out: list[str] = []
        for name in self.free:
            n = {"flux": self.n_bands, "background": len(self.bands)}.get(name, 1)
            out += [name] if n == 1 else [f"{name}_{i}" for i in range(n)]
        return tuple(out)

    def optics(self, psfs: Sequence[PSF]) -> Array:
        """Transforms (e, 2, Ky, Kx) of PSF and pixel of all exposures."""
        return jnp.stack([optics(psf, self.grid) for psf in psfs])

    def model(self, instruments: Array) -> Model:
        """Function from the free parameters to the pixels (e height width,) of all exposures."""

        def predict(theta: Array) -> Array:
            values = self.unpack(theta)
            shape = {name: values[name] for name in SHAPE}
            out = []
            for exposure, band in enumerate(self.bands):
                flux = values["flux"] if self.n_bands == 1 else values["flux"][band]
                image = through(Sersic(flux, **shape), instruments[exposure], self.grid)
                level = values["background"]
                several = len(self.bands) > 1 and "background" in self.free
                out.append(image + (level[exposure] if several else level))
            return jnp.stack(out).reshape(-1)

        return predict

    def unpack(self, theta: Array) -> dict[str, Any]:  # of arrays and of numbers
        """Parameters by name: free ones from the vector, the others at their fixed values."""
        values: dict = {"g1": 0.0, "g2": 0.0, "x": 0.0, "y": 0.0, "background": 0.0, **self.fixed}
        for name in ("x", "y"):
            if name not in self.free and values[name] == 0.0:
                values[name] = None  # exactly centred, which is cheaper
        start = 0
        for name in self.free:
            n = {"flux": self.n_bands, "background": len(self.bands)}.get(name, 1)
            values[name] = theta[start] if n == 1 else theta[start : start + n]
            start += n
        return values


def background_of(scene: Scene, theta: Array) -> Array | float:
    """Background of every pixel (e height width,), counts; a number if it is not free."""
    if "background" not in scene.free:
        return scene.fixed.get("background", 0.0)
    rows = [i for i, name in enumerate(scene.names) if name.startswith("background")]
    return jnp.repeat(theta[jnp.array(rows)], scene.grid.n_pixels)
