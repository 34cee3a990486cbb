"""A small population of galaxies and noisy stamps of one, for the tests of all floors."""

import jax
import numpy as np

from sfumato.engine.compiled import over_rows
from sfumato.galaxies import (
    Moffat,
    Noise,
    PixelGrid,
    Population,
    Sersic,
    Stamps,
    Uniform,
    render,
)

GRID = PixelGrid.seeing(32, 32, 0.23, fwhm=0.5)
TRUTH = np.array([1e5, 3.0, 0.3, -0.069, 0.15])
PSF = Moffat(0.5, 2.0)
SMALL = Population(
    flux=Uniform(6e4, 2e5),
    sersic_index=Uniform(0.8, 4.0),
    half_light_radius=Uniform(0.2, 0.5),
    shear=Uniform(0.0, 0.4),
    signal_to_noise=(20.0, 100.0),
    pixels=32,
    name="small",
)
N = 500  # of every batch, so that one program serves all


@jax.jit
def models(theta):
    """Noiseless stamps (n, 32, 32) of parameters (n, 5)."""
    return over_rows(lambda row: render(Sersic(*row), PSF, GRID), theta)


def noisy(n, *, sigma=200.0, gain=1.0, theta=TRUTH, seed=0):
    """Stamps (n, 1, 32, 32) of one galaxy under draws of the noise."""
    clean = render(Sersic(*theta), PSF, GRID)
    add = jax.jit(lambda keys: over_rows(lambda key: Noise(sigma, gain).add(key, clean), keys))
    return np.asarray(add(jax.random.split(jax.random.key(seed), n)))[:, None]


def stamps_of(images, *, sigma=200.0, gain=1.0):
    return Stamps(images, np.full(images.shape, sigma**-2.0, np.float32), (PSF,), gain)
