"""Fits and posteriors in a linear basis: a hundred numbers and an emulator instead of pixels."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array

from sfumato.galaxies.basis.stamp_basis import StampBasis
from sfumato.galaxies.fit.coordinates import Coordinates
from sfumato.galaxies.fit.levenberg_marquardt import Maximum, maximise
from sfumato.galaxies.fit.scene import DEFAULT_FREE, Scene
from sfumato.galaxies.posterior.importance import Draws, Whitened, laplace, sample_posterior
from sfumato.galaxies.posterior.prior import Prior
from sfumato.galaxies.render.profiles import Sersic

_BANK = 1024  # galaxies from which a search may start


class Emulated(NamedTuple):
    """A posterior in the basis.

    Parameters
    ----------
    draws : weighted draws of the prior's coordinates.
    theta : (p, s) the same draws as parameters.
    converged : whether the search for the start of the sampling converged.
    """

    draws: Draws
    theta: Array
    converged: Array


def whiten(
    basis: StampBasis, data: Array, *, sigma: Array, gain: float, light: Array, fwhm: Array | None
) -> Whitened:
    """The likelihood of a galaxy's coefficients (d,) under Gaussian and Poisson noise.

    Pixels of variance ``sigma^2 + light / gain`` make coefficients whose covariance is not the
    identity; its Cholesky factor is divided out of data and basis.

    Parameters
    ----------
    light : (d,) coefficients of the noiseless galaxy that the Poisson noise is taken from.
    fwhm : of the PSF, where the basis serves several.
    """
    image = jnp.maximum(light @ basis.modes, 0.0) / gain if gain > 0 else None
    if image is None:
        mixing, coefficients = basis.mixing / sigma, data / sigma
    else:
        covariance = (basis.modes * image) @ basis.modes.T + sigma**2 * jnp.eye(basis.n_modes)
        factor = jnp.linalg.cholesky(covariance)
        mixing = solve_triangular(factor, basis.mixing, lower=True)
        coefficients = solve_triangular(factor, data, lower=True)

    def polar(theta: Array) -> Array:
        widths = None if fwhm is None else jnp.full(theta.shape[1], fwhm)
        return basis.polar(Sersic(*theta), widths)

    def chi2(theta: Array) -> tuple[Array, Array]:
        parts = polar(theta)
        distance = jnp.sum((coefficients[:, None] - mixing @ parts) ** 2, axis=0)
        return distance, jnp.sqrt(jnp.sum((basis.mixing @ parts) ** 2, axis=0)) / sigma

    def predict(theta: Array) -> Array:
        return mixing @ polar(jnp.stack(list(theta))[:, None])[:, 0]

    return Whitened(coefficients, predict, chi2)


def maximise_in(
    basis: StampBasis, data: Array, *, sigma: Array, fwhm: Array | None, start: Array
) -> tuple[Maximum, Array]:
    """Maximum likelihood of coefficients (d,) in white noise; bounds are the basis's ranges.

    Returns
    -------
    The maximum in the coordinates of `Coordinates`, and the parameters (5,) there.
    """
    scene = Scene(basis.grid)
    map_ = Coordinates(scene)
    low, high = (jnp.asarray(bound) for bound in map_.bounds())
    ranges = basis.ranges
    low = low.at[1:3].set(jnp.log(jnp.array([ranges.sersic_index[0], ranges.half_light_radius[0]])))
    high = high.at[1:3].set(
        jnp.log(jnp.array([ranges.sersic_index[1], ranges.half_light_radius[1]]))
    )
    white = whiten(basis, data, sigma=sigma, gain=0.0, light=data, fwhm=fwhm)
    top = maximise(
        lambda u: white.predict(map_.to_theta(jnp.stack(list(u)))),
        white.data,
        weight=jnp.ones_like,
        start=jnp.clip(map_.from_theta(start), low, high),
        bounds=(low, high),
    )
    return top, map_.to_theta(top.u)


def nearest_start(bank: tuple[Array, Array], data: Array) -> Array:
    """The galaxy (5,) of a bank that fits coefficients (d,) best with its flux free."""
    theta, unit = bank
    flux = unit @ data
    best = jnp.argmax(jnp.where(flux > 0, flux, -1.0))
    return theta[:, best].at[0].mul(flux[best])


def make_bank(basis: StampBasis, *, random_state: int = 0) -> tuple[Array, Array]:
    """Galaxies (5, b) spread over the ranges, fluxes such that coefficients (b, d) have norm 1."""
    rng = np.random.default_rng(random_state)
    ranges = basis.ranges
    size, angle = ranges.shear * rng.random(_BANK), np.pi * rng.random(_BANK)
    theta = np.stack(
        [
            np.ones(_BANK),
            _log_uniform(rng, ranges.sersic_index),
            _log_uniform(rng, ranges.half_light_radius),
            size * np.cos(2 * angle),
            size * np.sin(2 * angle),
        ]
    )
    galaxies = jnp.asarray(theta, jnp.float32)
    width = None if ranges.fwhm is None else jnp.full(_BANK, np.mean(ranges.fwhm), jnp.float32)
    coefficients = basis.coefficients(Sersic(*galaxies), width)
    norm = jnp.linalg.norm(coefficients, axis=1)
    return galaxies.at[0].divide(norm), coefficients / norm[:, None]


def _log_uniform(rng: np.random.Generator, bounds: tuple[float, float]) -> np.ndarray:
    low, high = np.log(bounds)
    return np.exp(low + (high - low) * rng.random(_BANK))


def posterior_in(
    key: Array,
    basis: StampBasis,
    prior: Prior,
    data: Array,
    *,
    sigma: Array,
    fwhm: Array | None,
    start: Array,
    n_draws: tuple[int, ...],
) -> Emulated:
    """Posterior of one galaxy from its coefficients (d,), by importance sampling.

    The variance of the Poisson noise is that of the best-fitting galaxy, held fixed.
    """
    white = whiten(basis, data, sigma=sigma, gain=0.0, light=data, fwhm=fwhm)
    top, covariance = laplace(white, prior, start=prior.to_coordinates(start))
    light = white.predict(prior.to_theta(top.u)) * sigma
    exact = whiten(basis, data, sigma=sigma, gain=prior.population.gain, light=light, fwhm=fwhm)
    draws = sample_posterior(
        key, exact, prior, centre=top.u, covariance=covariance, n_draws=n_draws
    )
    return Emulated(draws, prior.to_theta(draws.z), top.converged)


def basis_scene(basis: StampBasis) -> Scene:
    """The scene that a basis can serve: one exposure, a centred galaxy."""
    return Scene(basis.grid, free=DEFAULT_FREE)
