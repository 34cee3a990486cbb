"""Noise of the pixels: Gaussian background noise and the Poisson noise of the light itself."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array

# above this mean a Poisson number is drawn as a Normal one, whose third moment is then off by 3 %
_NORMAL_ABOVE = 1000.0


class Noise(NamedTuple):
    """What is added to the noiseless pixels.

    Parameters
    ----------
    sigma : standard deviation of the Gaussian part, counts; one number or (height, width).
    gain : electrons per count, whose Poisson noise the light has; 0 leaves it out.
    """

    sigma: ArrayLike
    gain: ArrayLike = 0.0

    def variance(self, image: Array) -> Array:
        """Variance (height, width) of every pixel, counts squared, around a noiseless image."""
        return jnp.square(self.sigma) + poisson_variance(image, self.gain)

    def add(self, key: Array, image: Array) -> Array:
        """The image with noise drawn for every pixel.

        Poisson numbers of mean above 1,000 electrons are drawn as Normal ones of the same mean and
        variance, so that no draw is slow.
        """
        of_light, of_sky = jax.random.split(key)
        gain = jnp.where(jnp.asarray(self.gain) > 0, self.gain, 1.0)
        electrons = jnp.maximum(image, 0.0) * gain
        drawn = _poisson(of_light, electrons) / gain
        light = jnp.where(jnp.asarray(self.gain) > 0, drawn + jnp.minimum(image, 0.0), image)
        return light + self.sigma * jax.random.normal(of_sky, image.shape)


def poisson_variance(image: Array, gain: ArrayLike) -> Array:
    """Variance of the light in counts squared; where the image is negative, none."""
    positive = jnp.asarray(gain) > 0
    return jnp.where(positive, jnp.maximum(image, 0.0) / jnp.where(positive, gain, 1.0), 0.0)


def signal_to_noise(image: Array, sigma: ArrayLike) -> Array:
    r"""Signal-to-noise ``sqrt(sum(image^2)) / sigma`` of noiseless images (..., height, width).

    That of the flux of a galaxy whose shape is known, measured with the matched filter, with the
    Gaussian noise alone.
    """
    return jnp.sqrt(jnp.sum(jnp.square(image), axis=(-2, -1))) / sigma
