"""Maximum-likelihood fits of batches of stamps: estimates, errors, bias, flags."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from sfumato.engine.compiled import CPU_OPTIONS, over_rows
from sfumato.galaxies.fit.coordinates import LARGEST_SHEAR, Coordinates
from sfumato.galaxies.fit.fisher import inverse
from sfumato.galaxies.fit.levenberg_marquardt import maximise
from sfumato.galaxies.fit.model import Model
from sfumato.galaxies.fit.scene import Scene, background_of
from sfumato.galaxies.fit.stamps import Stamps, device_arrays, over_stamps, weigher
from sfumato.galaxies.fit.start import start_from_moments

_LEAST_DETECTED = 3.0  # signal-to-noise
_LARGEST_BIAS = 0.5  # standard deviations: beyond, the expansion says nothing

FLAGS = {
    1: "not converged",
    2: "Sérsic index at a bound",
    4: "half-light radius at a bound",
    8: "another parameter at a bound",
    16: "parameters degenerate: no covariance",
    32: "not fitted: no usable pixel, or no finite result",
    64: "not detected: no positive flux, or signal-to-noise below 3",
}
"""Bits of the column ``flags``; 0 is a clean fit."""


class Fits(NamedTuple):
    """Maximum-likelihood fits of n galaxies with p free parameters.

    Parameters
    ----------
    names : of the parameters.
    theta : (n, p) estimates, as maximised.
    bias : (n, p) their bias to second order in the noise; ``theta - bias`` is the better estimate.
        0 where the expansion says nothing: flagged fits, and a bias above half a deviation.
    covariance : (n, p, p) inverse of the Fisher information.
    chi2 : (n,) sum of squared residuals in units of the noise.
    n_pixels : (n,) pixels fitted; less p are the degrees of freedom.
    signal_to_noise : (n,) of the fitted galaxy.
    n_iterations : (n,) steps.
    flags : (n,) bits of `FLAGS`.
    """

    names: tuple[str, ...]
    theta: np.ndarray
    bias: np.ndarray
    covariance: np.ndarray
    chi2: np.ndarray
    n_pixels: np.ndarray
    signal_to_noise: np.ndarray
    n_iterations: np.ndarray
    flags: np.ndarray

    @property
    def errors(self) -> np.ndarray:
        """Standard deviations (n, p)."""
        return np.sqrt(np.diagonal(self.covariance, axis1=1, axis2=2))

    @property
    def chi2_per_degree(self) -> np.ndarray:
        """Chi-square over degrees of freedom (n,); 1 for a model that fits."""
        return self.chi2 / np.maximum(self.n_pixels - len(self.names), 1)


def fit_stamps(stamps: Stamps, scene: Scene, *, correct_bias: bool = True) -> Fits:
    """Maximum likelihood of every galaxy, each from its own moments and for as long as it needs.

    Parameters
    ----------
    stamps : what is fitted.
    scene : which parameters are free.
    correct_bias : whether the bias is computed; otherwise it is 0.

    Returns
    -------
    Fits, in which a galaxy that could not be fitted has NaN and a flag.
    """
    run = _fitter(scene, stamps.gain, stamps.own_psf, correct_bias)
    found = jax.tree.map(np.asarray, run(*device_arrays(stamps)))
    theta, information = found.theta.astype(float), found.information.astype(float)
    covariance, singular = inverse(information)
    n_pixels = np.sum(stamps.inverse_variance > 0, axis=(1, 2, 3))
    failed = ~np.isfinite(theta).all(axis=1) | (n_pixels <= len(scene.names))
    flags = _flags(scene, found, singular, failed)
    blank = np.where(failed, np.nan, 1.0)
    bias = _usable_bias(scene, found, covariance, flags)
    return Fits(
        names=scene.names,
        theta=theta * blank[:, None],
        bias=bias * blank[:, None],
        covariance=covariance * blank[:, None, None],
        chi2=found.chi2.astype(float) * blank,
        n_pixels=n_pixels,
        signal_to_noise=found.signal_to_noise.astype(float) * blank,
        n_iterations=found.n_iterations,
        flags=flags,
    )


def _usable_bias(
    scene: Scene, found: "_Found", covariance: np.ndarray, flags: np.ndarray
) -> np.ndarray:
    """The bias where the expansion holds: clean fits, bias below half a deviation; else 0."""
    deviation = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    with np.errstate(invalid="ignore"):
        small = np.all(np.abs(found.bias) < _LARGEST_BIAS * deviation, axis=1) & (flags == 0)
    low, high = Coordinates(scene).theta_bounds()
    theta, bias = np.asarray(found.theta, float), np.asarray(found.bias, float)
    return np.where(small[:, None], theta - np.clip(theta - bias, low, high), 0.0)


class _Found(NamedTuple):
    theta: Array
    bias: Array
    information: Array
    chi2: Array
    signal_to_noise: Array
    n_iterations: Array
    converged: Array
    at_bound: Array


@lru_cache(maxsize=32)
def _fitter(scene: Scene, gain: float, own_psf: bool, correct_bias: bool) -> Callable:  # noqa: FBT001
    one = partial(_fit_one, scene=scene, gain=gain, correct_bias=correct_bias)
    return jax.jit(partial(over_stamps, one, scene, own_psf), compiler_options=CPU_OPTIONS)


def _fit_one(
    image: Array,
    weight: Array,
    instruments: Array,
    *,
    scene: Scene,
    gain: float,
    correct_bias: bool,
) -> _Found:
    model, map_ = scene.model(instruments), Coordinates(scene)
    low, high = (jnp.asarray(bound) for bound in map_.bounds())
    data, flat = image.reshape(-1), weight.reshape(-1)
    weigh = weigher(flat, gain)
    start = jnp.clip(
        map_.from_theta(start_from_moments(image, weight, instruments, scene, model)), low, high
    )
    top = maximise(
        lambda u: model(map_.to_theta(u)), data, weight=weigh, start=start, bounds=(low, high)
    )
    theta = map_.to_theta(top.u)
    # the chain rule, from coordinates to parameters
    turned = jnp.linalg.inv(jax.jacfwd(map_.to_theta)(top.u)).T
    weighted = turned @ (top.jacobian * weigh(top.pixels))
    information = weighted @ (turned @ top.jacobian).T
    bias = _bias(model, theta, weighted, information) if correct_bias else 0 * theta
    light = top.pixels - background_of(scene, theta)
    return _Found(
        theta=theta,
        bias=bias,
        information=information,
        chi2=top.chi2,
        signal_to_noise=jnp.sqrt(jnp.sum(flat * light**2)),
        n_iterations=top.n_iterations,
        converged=top.converged,
        at_bound=top.at_bound,
    )


def _bias(model: Model, theta: Array, weighted: Array, information: Array) -> Array:
    """Bias of maximum likelihood to second order in the noise (Box 1971, J. R. Stat. Soc. B 33).

    ``-1/2 F^-1 J^T W tr(F^-1 H)``: the trace is a sum of second derivatives along the columns of
    a root of the covariance.
    """
    scale = jnp.sqrt(jnp.maximum(jnp.diagonal(information), 1e-30))
    unit = jnp.linalg.inv(information / scale[:, None] / scale + 1e-7 * jnp.eye(theta.size))
    root = jnp.linalg.cholesky(unit) / scale[:, None]

    def curvature(direction: Array) -> Array:
        def slope(at: Array) -> Array:
            return jax.jvp(model, (at,), (direction,))[1]

        return weighted @ jax.jvp(slope, (theta,), (direction,))[1]

    total = jnp.sum(over_rows(curvature, root.T), axis=0)
    return -0.5 * (unit / scale[:, None] / scale) @ total


def _flags(scene: Scene, found: _Found, singular: np.ndarray, failed: np.ndarray) -> np.ndarray:
    """Bits of `FLAGS` for every galaxy."""
    flags = np.where(found.converged, 0, 1)
    bits = {"sersic_index": 2, "half_light_radius": 4}
    for i, name in enumerate(scene.names):
        flags |= np.where(found.at_bound[:, i], bits.get(name, 8), 0)
    shears = [i for i, name in enumerate(scene.names) if name in ("g1", "g2")]
    size = np.sqrt(np.sum(found.theta[:, shears] ** 2, axis=1))
    flags |= np.where(size > LARGEST_SHEAR - 1e-3, 8, 0)
    flags |= np.where(singular, 16, 0)
    fluxes = [i for i, name in enumerate(scene.names) if name.startswith("flux")]
    dark = np.any(found.theta[:, fluxes] <= 0, axis=1)
    flags |= np.where(dark | ~(found.signal_to_noise > _LEAST_DETECTED), 64, 0)
    return np.where(failed, 32, flags)
