"""Where a fit of pixels starts: moments, and the best of three Sérsic indices."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from sfumato.engine.compiled import over_rows
from sfumato.galaxies.fit.model import Model
from sfumato.galaxies.fit.moments import Moments, adaptive_moments, shape_of
from sfumato.galaxies.fit.scene import Scene, background_of

_STARTS = ((1.0, 1.1), (2.5, 1.4), (4.5, 1.8))  # index, and radius over that of a Gaussian


def start_from_moments(
    image: Array, weight: Array, instruments: Array, scene: Scene, model: Model
) -> Array:
    """Parameters from the moments of the mean exposure; the best of three indices."""
    grid, names = scene.grid, scene.names
    good = weight > 0
    sky = _border_mean(image, good) if "background" in scene.free else jnp.zeros(image.shape[0])
    clean = jnp.where(good, image - sky[:, None, None], 0.0)
    star = grid.image(instruments.mean(axis=0))
    psf = adaptive_moments(star, grid=grid, size=1.5 * grid.pixel_scale)
    size = 1.2 * jnp.sqrt(0.5 * (psf.xx + psf.yy))
    found: Moments = adaptive_moments(clean.mean(axis=0), grid=grid, size=size)
    radius, g1, g2 = shape_of(found, psf)
    values = {"g1": g1, "g2": g2, "x": found.x, "y": found.y}

    def attempt(index: Array, factor: Array) -> tuple[Array, Array]:
        """Parameters with this index, their best fluxes, and the chi-square explained."""
        now = values | {"sersic_index": index, "half_light_radius": radius * factor}
        theta = jnp.stack([jnp.asarray(now.get(name, 0.0), jnp.float32) for name in names])
        lit = jnp.where(jnp.array([name.startswith("flux") for name in names]), 1.0, theta)
        unit = (model(lit) - background_of(scene, lit)).reshape(image.shape)
        fluxes, gained = _fluxes(unit, clean, weight, scene)
        for i, name in enumerate(names):
            if name.startswith("flux"):
                theta = theta.at[i].set(fluxes[int(name[5:] or 0)])
            elif name.startswith("background"):
                theta = theta.at[i].set(sky[int(name[11:] or 0)])
        return theta, gained

    starts, gains = over_rows(
        attempt, *(jnp.array(column) for column in zip(*_STARTS, strict=True))
    )
    return starts[jnp.argmax(gains)]


def _fluxes(unit: Array, image: Array, weight: Array, scene: Scene) -> tuple[Array, Array]:
    """Best flux of every band for stamps of unit flux, and the chi-square that they explain."""
    across = jnp.sum(weight * unit * image, axis=(1, 2))
    square = jnp.sum(weight * unit**2, axis=(1, 2))
    bands = np.eye(scene.n_bands, dtype=np.float32)[list(scene.bands)].T
    across, square = bands @ across, bands @ square
    flux = jnp.maximum(across / jnp.maximum(square, 1e-30), 1e-6)
    return flux, jnp.sum(jnp.sign(across) * across**2 / jnp.maximum(square, 1e-30))


def _border_mean(image: Array, good: Array) -> Array:
    """Mean (e,) of the outermost three pixels on every side."""
    height, width = image.shape[1:]
    rows, columns = np.arange(height)[:, None], np.arange(width)
    edge = np.minimum(np.minimum(rows, height - 1 - rows), np.minimum(columns, width - 1 - columns))
    chosen = good & (edge < 3)
    return jnp.sum(jnp.where(chosen, image, 0.0), axis=(1, 2)) / jnp.maximum(
        jnp.sum(chosen, axis=(1, 2)), 1
    )
