"""Stamps of galaxies as what is fitted, and programs that run over them one by one."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from sfumato.engine.compiled import over_rows
from sfumato.errors import ShapeError
from sfumato.galaxies.fit.scene import Scene
from sfumato.galaxies.render.noise import poisson_variance
from sfumato.galaxies.render.psf import PSF


@dataclass(frozen=True)
class Stamps:
    """n galaxies on e exposures each.

    Parameters
    ----------
    images : (n, e, height, width) counts.
    inverse_variance : of the Gaussian noise, same shape; 0 leaves a pixel out.
    psfs : one per exposure, its fields numbers or arrays; with `own_psf` every field has a leading
        axis of n.
    gain : electrons per count, for Poisson noise of the light; 0 for none.
    own_psf : whether every galaxy has PSFs of its own.

    Raises
    ------
    ShapeError
        Images and weights differ in shape, or are not four-dimensional.
    ValueError
        A pixel that is not left out is not finite, a weight is negative, or all are 0.
    """

    images: np.ndarray
    inverse_variance: np.ndarray
    psfs: tuple[PSF, ...]
    gain: float = 0.0
    own_psf: bool = False

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.shape != self.inverse_variance.shape:
            message = "`images` and `inverse_variance` must share one shape (n, e, height, width)"
            raise ShapeError(
                f"{message}; got {self.images.shape} and {self.inverse_variance.shape}."
            )
        if len(self.psfs) != self.images.shape[1]:
            message = f"{self.images.shape[1]} exposures need as many PSFs"
            raise ShapeError(f"{message}; got {len(self.psfs)}.")
        weight = self.inverse_variance
        if not np.all(np.isfinite(weight) & (weight >= 0)):
            raise ValueError("`inverse_variance` must be finite and at least 0 in every pixel.")
        bad = int(np.sum(~np.isfinite(self.images) & (weight > 0)))
        if bad:
            message = f"{bad} pixels are NaN or infinite and not masked"
            raise ValueError(f"{message}. Mask them: inverse variance 0, or --mask-bad.")
        if weight.size and not np.any(weight > 0):
            raise ValueError("All pixels of all galaxies are masked. Check mask and weights.")

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: slice | np.ndarray) -> "Stamps":
        """Some of the galaxies."""
        psfs = self.psfs
        if self.own_psf:
            psfs = jax.tree.map(lambda leaf: np.asarray(leaf)[rows], psfs)
        return Stamps(self.images[rows], self.inverse_variance[rows], psfs, self.gain, self.own_psf)


def device_arrays(stamps: Stamps) -> tuple:
    """Images, inverse variances and PSFs on the device; pixels left out are 0."""
    weight = jnp.asarray(stamps.inverse_variance, jnp.float32)
    images = jnp.asarray(np.where(stamps.inverse_variance > 0, stamps.images, 0.0), jnp.float32)
    psfs = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), stamps.psfs)
    return images, weight, psfs


def over_stamps(
    function: Callable,
    scene: Scene,
    own_psf: bool,  # noqa: FBT001
    images: Array,
    weight: Array,
    psfs: tuple,
    *rest: Array,
) -> tuple:
    """`function` of images, weights and optics of every galaxy; shared optics are made once."""
    if own_psf:
        return over_rows(
            lambda image, w, psf, *more: function(image, w, scene.optics(psf), *more),
            images,
            weight,
            psfs,
            *rest,
        )
    instruments = scene.optics(psfs)
    return over_rows(
        lambda image, w, *more: function(image, w, instruments, *more), images, weight, *rest
    )


def weigher(weight: Array, gain: float) -> Callable[[Array], Array]:
    """Inverse variance of pixels, from what the model says of their light."""
    if gain == 0:
        return lambda pixels: weight
    return lambda pixels: weight / (1 + weight * poisson_variance(pixels, gain))
