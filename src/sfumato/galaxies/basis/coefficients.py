"""Endless labelled draws of galaxies as coefficients of a basis."""

from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from sfumato.engine.compiled import CPU_OPTIONS
from sfumato.galaxies.basis.stamp_basis import StampBasis
from sfumato.galaxies.population.labelled import Catalogue, _endless
from sfumato.galaxies.population.population import Population


class Coefficients(NamedTuple):
    """Noisy coefficients (n, d) in a basis, their labels and signal-to-noise (n,).

    Parameters
    ----------
    inside : (n,) whether a galaxy passes the population's cut; give the others no weight.
    """

    labels: Catalogue
    noisy: Array
    signal_to_noise: Array
    inside: Array


def draw_coefficients(
    key: Array, population: Population, basis: StampBasis, n: int
) -> Coefficients:
    """Labelled noisy coefficients of n galaxies, without an image; for use under `jit`.

    The noise is white: the Poisson noise of the light, below a tenth of the variance in the
    brightest pixel of most galaxies, enters as its mean over the stamp, weighted by the light.
    """
    of_labels, of_noise = jax.random.split(key)
    galaxy, fwhm, sigma = jax.vmap(population.draw)(jax.random.split(of_labels, n))
    clean = basis.coefficients(galaxy, fwhm if basis.ranges.fwhm is not None else None)
    ratio = jnp.linalg.norm(clean, axis=1) / sigma
    noise = sigma[:, None] * jax.random.normal(of_noise, clean.shape)
    low, high = population.signal_to_noise
    inside = (ratio > low) & (ratio < high)
    return Coefficients(Catalogue(galaxy, fwhm, sigma), clean + noise, ratio, inside)


def draw_coefficient_batches(
    population: Population, basis: StampBasis, *, batch_size: int, random_state: int = 0
) -> Iterator[Coefficients]:
    """Endless batches of labelled noisy coefficients on the device, for training."""
    run = jax.jit(draw_coefficients, static_argnums=(1, 3), compiler_options=CPU_OPTIONS)
    return _endless(lambda key: run(key, population, basis, batch_size), random_state)
