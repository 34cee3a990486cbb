"""Posteriors of batches of stamps by importance sampling in exact pixels."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from sfumato.engine.compiled import CPU_OPTIONS, over_rows
from sfumato.galaxies.fit.maximum_likelihood import Fits
from sfumato.galaxies.fit.scene import Scene, background_of
from sfumato.galaxies.fit.stamps import Stamps, device_arrays, over_stamps, weigher
from sfumato.galaxies.posterior.importance import (
    Whitened,
    flattened_moments,
    laplace,
    sample_posterior,
)
from sfumato.galaxies.posterior.prior import Prior

N_DRAWS = (400, 800, 1200)


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
    arrays = device_arrays(stamps)
    fitted = np.asarray(np.isfinite(fits.theta).all(axis=1))
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
    # draws of equal weight may be copies: what each set is worth counts, not how many it has
    n_first = first.log_weights.shape[1]
    shares = np.exp(np.logaddexp.reduce(log_weights[:, :n_first], axis=1))
    with np.errstate(divide="ignore", invalid="ignore"):
        size = 1 / (shares**2 / first.effective_size + (1 - shares) ** 2 / second.effective_size)
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


@lru_cache(maxsize=32)
def _approximator(scene: Scene, prior: Prior, gain: float, own_psf: bool) -> Callable:  # noqa: FBT001
    one = partial(_approximate_one, scene=scene, prior=prior, gain=gain)
    return jax.jit(partial(over_stamps, one, scene, own_psf), compiler_options=CPU_OPTIONS)


@lru_cache(maxsize=32)
def _sampler(
    scene: Scene,
    prior: Prior,
    gain: float,
    own_psf: bool,  # noqa: FBT001
    n_draws: tuple[int, ...],
) -> Callable:
    one = partial(_sample_one, scene=scene, prior=prior, gain=gain, n_draws=n_draws)
    return jax.jit(partial(over_stamps, one, scene, own_psf), compiler_options=CPU_OPTIONS)


@lru_cache(maxsize=32)
def _moments_of(prior: Prior) -> Callable:
    """Mean and covariance of weighted draws, in the coordinates of the prior."""

    def one(theta: Array, log_weights: Array) -> tuple[Array, Array]:
        return flattened_moments(prior.to_coordinates(theta), log_weights)

    return jax.jit(jax.vmap(one), compiler_options=CPU_OPTIONS)


def whitened(
    image: Array, weight: Array, instruments: Array, start: Array, *, scene: Scene, gain: float
) -> Whitened:
    """The likelihood of pixels; the variance of the Poisson noise is that of the fit."""
    model, flat = scene.model(instruments), weight.reshape(-1)
    root = jnp.sqrt(weigher(flat, gain)(model(start)))
    data = image.reshape(-1) * root

    def one(theta: Array) -> tuple[Array, Array]:
        pixels = model(theta)
        light = pixels - background_of(scene, theta)
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
    likelihood = whitened(image, weight, instruments, start, scene=scene, gain=gain)
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
    likelihood = whitened(image, weight, instruments, start, scene=scene, gain=gain)
    draws = sample_posterior(
        key, likelihood, prior, centre=centre, covariance=covariance, n_draws=n_draws
    )
    theta = prior.to_theta(draws.z)
    return theta, draws.log_weights, draws.log_evidence, draws.effective_size
