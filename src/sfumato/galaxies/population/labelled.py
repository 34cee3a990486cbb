"""Labelled images of a population: drawn on the device, batch after batch, or into a file."""

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from sfumato.engine.compiled import CPU_OPTIONS, over_rows
from sfumato.errors import IncompatibleError
from sfumato.galaxies.population.population import Population
from sfumato.galaxies.render.noise import Noise, signal_to_noise
from sfumato.galaxies.render.profiles import Sersic
from sfumato.galaxies.render.psf import Moffat
from sfumato.galaxies.render.renderer import optics, render, through

_MOST_TRIES = 300  # of a galaxy that passes the cut


class Catalogue(NamedTuple):
    """Labels of n galaxies, arrays (n,).

    Parameters
    ----------
    galaxy : parameters.
    psf_fwhm : arcsec.
    noise_sigma : counts per pixel.
    """

    galaxy: Sersic
    psf_fwhm: Array
    noise_sigma: Array


class LabelledStamps(NamedTuple):
    """Images (n, height, width) with and without noise, their labels and signal-to-noise (n,)."""

    labels: Catalogue
    noiseless: Array
    noisy: Array
    signal_to_noise: Array


def draw_batch(
    key: Array, population: Population, n: int, *, smooth: bool = False
) -> LabelledStamps:
    """Labelled noisy images of n galaxies that pass the population's cut; for use under `jit`.

    A galaxy outside the cut is drawn again, so that the batch is always full. Galaxy i depends on
    the key and i alone.

    Parameters
    ----------
    smooth : draw Poisson noise by its first three cumulants, as `Noise.add` says.
    """
    grid, shared = population.grid, _shared_optics(population)
    low, high = population.signal_to_noise

    def try_one(key: Array) -> tuple[Catalogue, Array, Array]:
        galaxy, fwhm, sigma = population.draw(key)
        if shared is None:
            image = render(galaxy, Moffat(fwhm, population.psf_beta), grid)
        else:
            image = through(galaxy, jnp.asarray(shared), grid)
        return Catalogue(galaxy, fwhm, sigma), image, signal_to_noise(image, sigma)

    def one(key: Array) -> LabelledStamps:
        of_noise, of_galaxy = jax.random.split(key)  # in this order: see `noise_of`

        def again(state: tuple) -> tuple:
            tries = state[0]
            return tries + 1, try_one(jax.random.fold_in(of_galaxy, tries))

        def outside(state: tuple) -> Array:
            ratio = state[1][2]
            return ((ratio <= low) | (ratio >= high)) & (state[0] < _MOST_TRIES)

        first = jnp.int32(1), try_one(jax.random.fold_in(of_galaxy, 0))
        _, (labels, image, ratio) = jax.lax.while_loop(outside, again, first)
        noise = Noise(labels.noise_sigma, population.gain)
        return LabelledStamps(labels, image, noise.add(of_noise, image, smooth=smooth), ratio)

    return over_rows(one, jax.random.split(key, n))


def check_cut(batch: LabelledStamps, population: Population) -> None:
    """Refuse a batch in which a galaxy never passed the cut.

    Raises
    ------
    IncompatibleError
        The population hardly has galaxies of such signal-to-noise.
    """
    low, high = population.signal_to_noise
    ratio = np.asarray(batch.signal_to_noise)
    outside = (ratio <= low) | (ratio >= high)
    if outside.any():
        message = f"No galaxy in {_MOST_TRIES} has a signal-to-noise of {low:g} to {high:g}"
        got = f"the last had {ratio[outside][0]:.3g}"
        raise IncompatibleError(f"{message}; {got}. Change flux, noise or signal_to_noise.")


def noise_of(key: Array, labels: Catalogue, images: np.ndarray, population: Population) -> Array:
    """The noise of `draw_batch` with the same key, around other images (n, height, width)."""
    sigmas = jnp.broadcast_to(labels.noise_sigma, len(images))

    def one(key: Array, image: Array, sigma: Array) -> Array:
        return Noise(sigma, population.gain).add(jax.random.split(key)[0], image)

    keys = jax.random.split(key, len(images))
    run = jax.jit(partial(over_rows, one), compiler_options=CPU_OPTIONS)
    return run(keys, jnp.asarray(images, jnp.float32), sigmas)


def draw_batches(
    population: Population, *, batch_size: int, random_state: int = 0
) -> Iterator[LabelledStamps]:
    """Endless batches of labelled noisy images on the device, for training."""
    draw = jax.jit(
        partial(draw_batch, population=population, n=batch_size, smooth=True),
        compiler_options=CPU_OPTIONS,
    )
    return _endless(draw, random_state)


def _endless(draw: Callable[[Array], NamedTuple], random_state: int) -> Iterator:
    key = jax.random.key(random_state)
    step = 0
    while True:
        yield draw(jax.random.fold_in(key, step))
        step += 1


@lru_cache(maxsize=8)
def _shared_optics(population: Population) -> np.ndarray | None:
    """Transform of the one PSF of a population, or None if widths differ."""
    if not population.psf_fwhm.is_fixed:
        return None
    psf = Moffat(population.psf_fwhm.low, population.psf_beta)
    with jax.ensure_compile_time_eval():
        return np.asarray(optics(psf, population.grid))
