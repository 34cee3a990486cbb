"""Adaptively weighted moments of stamps: where a search for the best galaxy starts."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array

from sfumato.galaxies.render.pixels import PixelGrid

_ITERATIONS = 12


class Moments(NamedTuple):
    """The elliptical Gaussian that fits an image best, arcsec.

    Parameters
    ----------
    x, y : centroid.
    xx, xy, yy : second central moments, square arcsec.
    """

    x: Array
    y: Array
    xx: Array
    xy: Array
    yy: Array


def adaptive_moments(image: Array, *, grid: PixelGrid, size: Array | float) -> Moments:
    """Moments of an image (height, width), weighted by the Gaussian of the same moments.

    Where the iteration leaves the stamp, or the moments are not those of an ellipse, the round
    Gaussian of the size given is returned.

    Parameters
    ----------
    image : counts, background subtracted; 0 where masked.
    size : sigma of the Gaussian to start from, arcsec.

    References
    ----------
    Bernstein & Jarvis (2002), AJ 123, 583, section 3.1.
    """
    x, y = grid.positions()
    x, y = x[None, :], y[:, None]
    start = Moments(*jnp.asarray([0.0, 0.0, 1.0, 0.0, 1.0]) * jnp.square(size))
    largest = (grid.pixel_scale * max(grid.shape) / 3) ** 2
    smallest = (0.3 * grid.pixel_scale) ** 2

    def step(_: int, m: Moments) -> Moments:
        determinant = jnp.maximum(m.xx * m.yy - m.xy**2, 1e-12)
        dx, dy = x - m.x, y - m.y
        form = (m.yy * dx**2 - 2 * m.xy * dx * dy + m.xx * dy**2) / determinant
        weighted = image * jnp.exp(-0.5 * form)
        total = weighted.sum()
        total = jnp.where(total > 0, total, jnp.inf)
        mean_x, mean_y = (weighted * dx).sum() / total, (weighted * dy).sum() / total
        # a Gaussian of the weight's own size halves the moments of one
        xx, yy, xy = (2 * (weighted * q).sum() / total for q in (dx * dx, dy * dy, dx * dy))
        xx, yy = jnp.clip(xx, smallest, largest), jnp.clip(yy, smallest, largest)
        xy = jnp.clip(xy, -0.9 * jnp.sqrt(xx * yy), 0.9 * jnp.sqrt(xx * yy))
        # the centroid under a centred weight moves half of the way
        return Moments(m.x + 2 * mean_x, m.y + 2 * mean_y, xx, xy, yy)

    found = lax.fori_loop(0, _ITERATIONS, step, start)
    values = jnp.stack(found)
    inside = jnp.hypot(found.x, found.y) < grid.pixel_scale * min(grid.shape) / 4
    good = jnp.isfinite(values).all() & inside
    return Moments(*jnp.where(good, values, jnp.stack(start)))


def shape_of(moments: Moments, psf: Moments) -> tuple[Array, Array, Array]:
    """Half-light radius (arcsec) and reduced shear of the Gaussian that the PSF has blurred."""
    floor = 0.05 * (psf.xx + psf.yy)
    xx, yy = jnp.maximum(moments.xx - psf.xx, floor), jnp.maximum(moments.yy - psf.yy, floor)
    largest = 0.8 * jnp.sqrt(xx * yy)
    xy = jnp.clip(moments.xy - psf.xy, -largest, largest)
    root = jnp.sqrt(xx * yy - xy**2)
    denominator = xx + yy + 2 * root
    return np.sqrt(2 * np.log(2)) * jnp.sqrt(root), (xx - yy) / denominator, 2 * xy / denominator
