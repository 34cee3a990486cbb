"""Fits of whole batches of stamps: start, maximum likelihood, errors, bias, flags, posteriors."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from sfumato._compilation import CPU_OPTIONS, over_rows
from sfumato.errors import ShapeError
from sfumato.galaxies.coordinates import LARGEST_SHEAR, Coordinates
from sfumato.galaxies.crb import inverse
from sfumato.galaxies.likelihood import Model, Scene, linearise
from sfumato.galaxies.mle import maximise
from sfumato.galaxies.moments import Moments, adaptive_moments, shape_of
from sfumato.galaxies.noise import poisson_variance
from sfumato.galaxies.posterior import (
    Whitened,
    flattened_moments,
    laplace,
    sample_posterior,
)
from sfumato.galaxies.priors import Prior
from sfumato.galaxies.psf import PSF

N_DRAWS = (400, 800, 1200)
_STARTS = ((1.0, 1.1), (2.5, 1.4), (4.5, 1.8))  # index, and radius over that of a Gaussian
_LARGEST_BIAS = 0.5  # standard deviations: beyond, the expansion says nothing

FLAGS = {
    1: "not converged",
    2: "Sérsic index at a bound",
    4: "half-light radius at a bound",
    8: "another parameter at a bound",
    16: "parameters degenerate: no covariance",
    32: "not fitted: no usable pixel, or no finite result",
}
"""Bits of the column ``flags``; 0 is a clean fit."""


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


class Posteriors(NamedTuple):
    """Weighted draws from the posteriors of n galaxies.

    Parameters
    ----------
    names : of the p parameters.
    theta : (n, p, s) draws.
    log_weights : (n, s) normalised.
    log_evidence : (n,) logarithm of the integral of prior times likelihood.
    effective_size : (n,) independent draws that they are worth.
    """

    names: tuple[str, ...]
    theta: np.ndarray
    log_weights: np.ndarray
    log_evidence: np.ndarray
    effective_size: np.ndarray


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
    found = jax.tree.map(np.asarray, run(*_arrays(stamps)))
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


def sample_stamps(
    stamps: Stamps,
    scene: Scene,
    prior: Prior,
    fits: Fits,
    *,
    random_state: int = 0,
    before: Posteriors | None = None,
    n_draws: tuple[int, ...] = N_DRAWS,
) -> Posteriors:
    """Posterior of every galaxy by importance sampling around its fit, in exact pixels.

    A galaxy that was not fitted has NaN draws and an effective size of 0.

    Parameters
    ----------
    before : draws made already, from whose moments the proposals start instead of from Laplace's
        approximation, and with which the new draws are merged.
    n_draws : draws of each round of adaptation.
    """
    key = (scene, prior, stamps.gain, stamps.own_psf)
    arrays = _arrays(stamps)
    fitted = np.isfinite(fits.theta).all(axis=1)
    start = jnp.asarray(np.where(fitted[:, None], fits.theta, 1.0), jnp.float32)
    if before is None:
        centre, covariance = _approximator(*key)(*arrays, start)
    else:
        theta = np.where(fitted[:, None, None], before.theta, 1.0)
        centre, covariance = _moments_of(prior)(
            jnp.asarray(theta, jnp.float32), jnp.asarray(before.log_weights, jnp.float32)
        )
    keys = jax.random.split(jax.random.key(random_state), len(stamps))
    found = _sampler(*key, n_draws)(*arrays, keys, start, centre, covariance)
    theta, log_weights, log_evidence, size = (np.asarray(v, float) for v in found)
    # a draw of no weight may lie so far out that it is no number
    theta = np.where(np.isfinite(theta), theta, np.asarray(start, float)[:, :, None])
    theta[~fitted], size = np.nan, np.where(fitted, size, 0.0)
    out = Posteriors(scene.names, theta, log_weights, log_evidence, size)
    return out if before is None else merge(before, out, random_state=random_state)


def merge(first: Posteriors, second: Posteriors, *, random_state: int = 0) -> Posteriors:
    """Two sets of draws from the same posteriors as one of the first's number of draws.

    Draws keep the weights that their evidences give them; where both together are worth more than
    the first alone, as many draws of equal weight are taken from them (systematic resampling).
    """
    log_weights = np.concatenate(
        [
            part.log_weights + part.log_evidence[:, None] + np.log(part.log_weights.shape[1])
            for part in (first, second)
        ],
        axis=1,
    )
    total = np.logaddexp.reduce(log_weights, axis=1, keepdims=True)
    log_weights = log_weights - total
    size = np.exp(-np.logaddexp.reduce(2 * log_weights, axis=1))
    theta = np.concatenate([first.theta, second.theta], axis=2)
    out = Posteriors(first.names, *(values.copy() for values in first[1:]))
    n = first.log_weights.shape[1]
    rng = np.random.default_rng(random_state)
    for row in np.flatnonzero(size > first.effective_size):
        edges = np.cumsum(np.exp(log_weights[row]))
        places = (np.arange(n) + rng.random()) / n * edges[-1]
        chosen = np.minimum(np.searchsorted(edges, places), edges.size - 1)
        out.theta[row], out.log_weights[row] = theta[row][:, chosen], -np.log(n)
        out.log_evidence[row] = total[row, 0] - np.log(log_weights.shape[1])
        out.effective_size[row] = size[row]
    return out


def _usable_bias(
    scene: Scene, found: "_Found", covariance: np.ndarray, flags: np.ndarray
) -> np.ndarray:
    """The bias where the expansion holds: clean fits, bias below half a deviation; else 0."""
    deviation = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    with np.errstate(invalid="ignore"):
        small = np.all(np.abs(found.bias) < _LARGEST_BIAS * deviation, axis=1) & (flags == 0)
    low, high = Coordinates(scene).theta_bounds()
    bias = np.where(small[:, None], found.bias, 0.0).astype(float)
    return found.theta - np.clip(found.theta - bias, low, high)


# Programs -------------------------------------------------------------------------------------


class _Found(NamedTuple):
    theta: Array
    bias: Array
    information: Array
    chi2: Array
    signal_to_noise: Array
    n_iterations: Array
    converged: Array
    at_bound: Array


def _arrays(stamps: Stamps) -> tuple:
    weight = jnp.asarray(stamps.inverse_variance, jnp.float32)
    images = jnp.asarray(np.where(stamps.inverse_variance > 0, stamps.images, 0.0), jnp.float32)
    psfs = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), stamps.psfs)
    return images, weight, psfs


def _over_stamps(
    function: Callable,
    scene: Scene,
    own_psf: bool,
    images: Array,
    weight: Array,
    psfs: tuple,  # noqa: FBT001
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


@lru_cache(maxsize=32)
def _fitter(scene: Scene, gain: float, own_psf: bool, correct_bias: bool) -> Callable:  # noqa: FBT001
    one = partial(_fit_one, scene=scene, gain=gain, correct_bias=correct_bias)
    return jax.jit(partial(_over_stamps, one, scene, own_psf), compiler_options=CPU_OPTIONS)


@lru_cache(maxsize=32)
def _approximator(scene: Scene, prior: Prior, gain: float, own_psf: bool) -> Callable:  # noqa: FBT001
    one = partial(_approximate_one, scene=scene, prior=prior, gain=gain)
    return jax.jit(partial(_over_stamps, one, scene, own_psf), compiler_options=CPU_OPTIONS)


@lru_cache(maxsize=32)
def _sampler(
    scene: Scene,
    prior: Prior,
    gain: float,
    own_psf: bool,  # noqa: FBT001
    n_draws: tuple[int, ...],
) -> Callable:
    one = partial(_sample_one, scene=scene, prior=prior, gain=gain, n_draws=n_draws)
    return jax.jit(partial(_over_stamps, one, scene, own_psf), compiler_options=CPU_OPTIONS)


@lru_cache(maxsize=32)
def _moments_of(prior: Prior) -> Callable:
    """Mean and covariance of weighted draws, in the coordinates of the prior."""

    def one(theta: Array, log_weights: Array) -> tuple[Array, Array]:
        return flattened_moments(prior.to_coordinates(theta), log_weights)

    return jax.jit(jax.vmap(one))


def _weigher(weight: Array, gain: float) -> Callable[[Array], Array]:
    """Inverse variance of pixels, from what the model says of their light."""
    if gain == 0:
        return lambda pixels: weight
    return lambda pixels: weight / (1 + weight * poisson_variance(pixels, gain))


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
    weigh = _weigher(flat, gain)
    start = jnp.clip(map_.from_theta(_start(image, weight, instruments, scene, model)), low, high)
    top = maximise(
        lambda u: model(map_.to_theta(u)), data, weight=weigh, start=start, bounds=(low, high)
    )
    theta = map_.to_theta(top.u)
    pixels, jacobian = linearise(model, theta)
    w = weigh(pixels)
    information = (jacobian * w) @ jacobian.T
    bias = _bias(model, theta, jacobian * w, information) if correct_bias else 0 * theta
    light = pixels - model(_dark(scene, theta))
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


def _dark(scene: Scene, theta: Array) -> Array:
    """The same parameters without the galaxy's light: what is left is background."""
    lit = jnp.array([name.startswith("flux") for name in scene.names])
    return jnp.where(lit, 0.0, theta)


def _bias(model: Model, theta: Array, weighted: Array, information: Array) -> Array:
    """Bias of maximum likelihood to second order in the noise (Box 1971, J. R. Stat. Soc. B 33).

    ``-1/2 F^-1 J^T W tr(F^-1 H)``: the trace is a sum of second derivatives along the columns of
    a root of the covariance.
    """
    scale = jnp.sqrt(jnp.maximum(jnp.diagonal(information), 1e-30))
    unit = jnp.linalg.inv(information / scale[:, None] / scale + 1e-7 * jnp.eye(theta.size))
    root = jnp.linalg.cholesky(unit) / scale[:, None]
    curvature = jnp.zeros(weighted.shape[1])
    for direction in root.T:

        def slope(at: Array, direction: Array = direction) -> Array:
            return jax.jvp(model, (at,), (direction,))[1]

        curvature += jax.jvp(slope, (theta,), (direction,))[1]
    return -0.5 * (unit / scale[:, None] / scale) @ (weighted @ curvature)


def _start(image: Array, weight: Array, instruments: Array, scene: Scene, model: Model) -> Array:
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
    best, best_gain = None, None
    for index, factor in _STARTS:
        values |= {"sersic_index": index, "half_light_radius": radius * factor}
        entries = []
        for name in names:
            stem = name.split("_")[0]
            value = 1.0 if stem == "flux" else values.get(name, 0.0)
            entries.append(jnp.asarray(value, jnp.float32))
        theta = jnp.stack(entries)
        unit = model(theta).reshape(image.shape)
        fluxes, gained = _fluxes(unit, clean, weight, scene)
        for i, name in enumerate(names):
            if name.startswith("flux"):
                theta = theta.at[i].set(fluxes[int(name[5:] or 0)])
            elif name.startswith("background"):
                theta = theta.at[i].set(sky[int(name[11:] or 0)])
        best = theta if best is None else jnp.where(gained > best_gain, theta, best)
        best_gain = gained if best_gain is None else jnp.maximum(gained, best_gain)
    assert best is not None  # noqa: S101 - there are starts
    return best


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


def _whitened(
    image: Array, weight: Array, instruments: Array, start: Array, *, scene: Scene, gain: float
) -> Whitened:
    """The likelihood of pixels; the variance of the Poisson noise is that of the fit."""
    model, flat = scene.model(instruments), weight.reshape(-1)
    root = jnp.sqrt(_weigher(flat, gain)(model(start)))
    data = image.reshape(-1) * root

    def one(theta: Array) -> tuple[Array, Array]:
        pixels = model(theta)
        light = pixels - model(_dark(scene, theta)) if "background" in scene.free else pixels
        return jnp.sum((data - root * pixels) ** 2), jnp.sqrt(jnp.sum(flat * light**2))

    return Whitened(data, lambda theta: root * model(theta), lambda theta: over_rows(one, theta.T))


def _approximate_one(
    image: Array,
    weight: Array,
    instruments: Array,
    start: Array,
    *,
    scene: Scene,
    prior: Prior,
    gain: float,
) -> tuple[Array, Array]:
    """Centre and covariance of Laplace's approximation, in the coordinates of the prior."""
    likelihood = _whitened(image, weight, instruments, start, scene=scene, gain=gain)
    top, covariance = laplace(likelihood, prior, start=prior.to_coordinates(start))
    return top.u, covariance


def _sample_one(
    image: Array,
    weight: Array,
    instruments: Array,
    key: Array,
    start: Array,
    centre: Array,
    covariance: Array,
    *,
    scene: Scene,
    prior: Prior,
    gain: float,
    n_draws: tuple[int, ...],
) -> tuple[Array, Array, Array, Array]:
    likelihood = _whitened(image, weight, instruments, start, scene=scene, gain=gain)
    draws = sample_posterior(
        key, likelihood, prior, centre=centre, covariance=covariance, n_draws=n_draws
    )
    theta = prior.to_theta(draws.z)
    return theta, draws.log_weights, draws.log_evidence, draws.effective_size


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
    return np.where(failed, 32, flags)
