"""Coordinates in which a search moves freely: logarithms of sizes, the conformal shear.

A reduced shear lives in the unit disc. The conformal shear eta of the same direction and of length
``2 artanh |g|`` lives in the plane (Bernstein & Jarvis 2002, AJ 123, 583, section 2.2).
"""

from dataclasses import dataclass
from math import inf

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from sfumato.galaxies.fit.scene import Scene
from sfumato.galaxies.render.profiles import SERSIC_INDEX_RANGE

LOGARITHMIC = ("sersic_index", "half_light_radius")
LARGEST_SHEAR = 0.98  # an axis ratio of 1 : 99


@dataclass(frozen=True)
class Coordinates:
    """The map between a scene's free parameters and coordinates, with bounds for both.

    Parameters
    ----------
    scene : whose free parameters these are.
    """

    scene: Scene

    @property
    def _shears(self) -> tuple[int, ...]:
        return tuple(i for i, name in enumerate(self.scene.names) if name in ("g1", "g2"))

    def to_theta(self, u: Array) -> Array:
        """Parameters (p,) at coordinates (p,)."""
        entries = [
            jnp.exp(u[i]) if name in LOGARITHMIC else u[i]
            for i, name in enumerate(self.scene.names)
        ]
        squared = sum((u[i] ** 2 for i in self._shears), jnp.float32(0.0))
        for i in self._shears:
            entries[i] = u[i] * _half_tanh(squared)
        return jnp.stack(entries)

    def from_theta(self, theta: Array) -> Array:
        """Coordinates (p,) of parameters (p,); shears are cut at |g| = 0.98."""
        entries = [
            jnp.log(theta[i]) if name in LOGARITHMIC else theta[i]
            for i, name in enumerate(self.scene.names)
        ]
        size = jnp.sqrt(sum((theta[i] ** 2 for i in self._shears), jnp.float32(1e-12)))
        eta = 2 * jnp.arctanh(jnp.minimum(size, LARGEST_SHEAR))
        for i in self._shears:
            entries[i] = theta[i] / size * eta
        return jnp.stack(entries)

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest coordinates (p,)."""
        low, high = self.theta_bounds()
        out = []
        for bound in (low, high):
            values = bound.copy()
            for i, name in enumerate(self.scene.names):
                if name in LOGARITHMIC:
                    values[i] = np.log(bound[i])
                elif i in self._shears:
                    values[i] = 2 * np.arctanh(bound[i])
            out.append(values.astype(np.float32))
        return out[0], out[1]

    def theta_bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest parameters (p,): what the renderer can draw and a stamp can hold."""
        grid = self.scene.grid
        side = grid.pixel_scale * max(grid.shape)
        by_name = {
            "sersic_index": SERSIC_INDEX_RANGE,
            "half_light_radius": (0.1 * grid.pixel_scale, side),
            "g1": (-LARGEST_SHEAR, LARGEST_SHEAR),
            "g2": (-LARGEST_SHEAR, LARGEST_SHEAR),
            "x": (-side / 4, side / 4),
            "y": (-side / 4, side / 4),
        }
        pairs = [by_name.get(name, (-inf, inf)) for name in self.scene.names]
        low, high = np.array(pairs).T
        return low, high


def _half_tanh(squared: Array) -> Array:
    """``tanh(s / 2) / s`` as a smooth function of ``s^2``."""
    size = jnp.sqrt(jnp.maximum(squared, 1e-6))
    return jnp.where(squared > 1e-6, jnp.tanh(size / 2) / size, 0.5 - squared / 24)
