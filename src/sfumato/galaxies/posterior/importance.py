"""Exact posteriors by importance sampling: draws with weights, and how much they are worth.

A likelihood is what it needs to be here: data and a model, both in units of the noise, so that
chi-square is a squared distance. Pixels (`sfumato.galaxies.posterior.pixels`) and the coefficients
of a basis (`sfumato.galaxies.basis.emulator`) both are.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.linalg import solve_triangular
from jax.scipy.special import gammaln, logsumexp
from jaxtyping import Array

from sfumato.galaxies.fit.levenberg_marquardt import Maximum, maximise
from sfumato.galaxies.posterior.prior import LOGISTIC_DEVIATION, Prior

LogDensity = Callable[[Array], Array]
"""From coordinates (p, s) of s draws to log-densities (s,), up to a constant."""

_FARTHEST = 12.0  # of any coordinate from 0: probabilities of 6e-6
_FREEDOM = 5  # of the Student-t proposals: tails heavier than any posterior's here


class Whitened(NamedTuple):
    """The likelihood of one galaxy, in units of its noise.

    Parameters
    ----------
    data : (m,) observed.
    predict : from parameters (p,) to the expectation (m,).
    chi2 : from parameters (p, s) of many draws to chi-squares (s,) and to the signal-to-noise (s,)
        of the noiseless galaxies, on which a population's cut acts.
    """

    data: Array
    predict: Callable[[Array], Array]
    chi2: Callable[[Array], tuple[Array, Array]]


class Draws(NamedTuple):
    """Weighted draws from one posterior.

    Parameters
    ----------
    z : (p, s) coordinates.
    log_weights : (s,) normalised.
    log_evidence : logarithm of the integral of the density that was sampled.
    effective_size : number of independent draws they are worth (Kong 1992).
    """

    z: Array
    log_weights: Array
    log_evidence: Array
    effective_size: Array


def laplace(likelihood: Whitened, prior: Prior, *, start: Array) -> tuple[Maximum, Array]:
    """The highest posterior near `start`, and the covariance (p, p) of the coordinates there.

    The prior enters as further data: coordinates whose distribution is logistic are taken as
    Normal of the same deviation, which is close enough to start sampling from.
    """
    p = start.shape[0]

    def predict(z: Array) -> Array:
        coordinates = jnp.stack(list(z))
        return jnp.concatenate(
            [likelihood.predict(prior.to_theta(coordinates)), coordinates / LOGISTIC_DEVIATION]
        )

    top = maximise(
        predict,
        jnp.concatenate([likelihood.data, jnp.zeros(p)]),
        weight=jnp.ones_like,
        start=start,
        bounds=(jnp.full(p, -_FARTHEST), jnp.full(p, _FARTHEST)),
    )
    scale = jnp.sqrt(jnp.sum(top.jacobian**2, axis=1))
    unit = top.jacobian / scale[:, None]
    covariance = jnp.linalg.inv(unit @ unit.T + 1e-6 * jnp.eye(p)) / scale[:, None] / scale
    return top, covariance


def sample_posterior(
    key: Array,
    likelihood: Whitened,
    prior: Prior,
    *,
    centre: Array,
    covariance: Array,
    n_draws: tuple[int, ...],
) -> Draws:
    """Draws from the exact posterior of one galaxy, the population's cut included."""
    low, high = prior.population.signal_to_noise

    def log_density(z: Array) -> Array:
        chi2, signal_to_noise = likelihood.chi2(prior.to_theta(z))
        inside = (signal_to_noise > low) & (signal_to_noise < high)
        return jnp.where(inside, prior.log_density(z) - 0.5 * chi2, -jnp.inf)

    return importance_sample(
        key, log_density, centre=centre, covariance=covariance, n_draws=n_draws
    )


def importance_sample(
    key: Array,
    log_density: LogDensity,
    *,
    centre: Array,
    covariance: Array,
    n_draws: tuple[int, ...] = (1000, 2000, 3000),
) -> Draws:
    """Self-normalised draws from a density, with proposals that adapt.

    Every round draws from a Student-t; its place and width are those of the weighted draws of all
    rounds before. All draws are then weighted by the mixture of all proposals.

    Parameters
    ----------
    log_density : of the coordinates, up to a constant; -inf where impossible.
    centre, covariance : (p,) and (p, p) of the first proposal, such as Laplace's approximation.
    n_draws : draws of each round.

    References
    ----------
    Cornuet, Marin, Mira & Robert (2012), Scand. J. Stat. 39, 798 (adaptive multiple importance
    sampling); Veach & Guibas (1995), SIGGRAPH (the balance heuristic).
    """
    proposals: list[tuple[Array, Array]] = []
    draws: list[Array] = []
    targets: list[Array] = []
    factor = _cholesky(1.5 * covariance)
    z = log_weights = total = jnp.zeros(())
    for i, n in enumerate(n_draws):
        if i > 0:
            centre, spread = flattened_moments(z, log_weights)
            factor = _cholesky(1.1 * spread + 1e-3 * covariance)
        proposals.append((centre, factor))
        draws.append(_student(jax.random.fold_in(key, i), centre, factor, n))
        targets.append(log_density(draws[-1]))
        z, target = jnp.concatenate(draws, axis=1), jnp.concatenate(targets)
        share = jnp.log(jnp.array(n_draws[: i + 1]) / sum(n_draws[: i + 1]))
        density = [_log_student(z, *proposal) for proposal in proposals]
        log_weights = target - logsumexp(jnp.stack(density) + share[:, None], axis=0)
        log_weights = jnp.where(jnp.isfinite(log_weights), log_weights, -jnp.inf)
        total = logsumexp(log_weights)
        log_weights = log_weights - total
    log_evidence = total - jnp.log(float(sum(n_draws)))
    return Draws(z, log_weights, log_evidence, jnp.exp(-logsumexp(2 * log_weights)))


def flattened_moments(z: Array, log_weights: Array) -> tuple[Array, Array]:
    """Mean and covariance of weighted draws, the weights flattened while few draws carry them."""
    effective = jnp.exp(-logsumexp(2 * log_weights))
    # a power below 1 keeps an early round from collapsing on its few best draws
    power = jnp.clip(effective / (8.0 * z.shape[0]), 0.2, 1.0)
    weights = jax.nn.softmax(power * log_weights)
    mean = z @ weights
    offset = z - mean[:, None]
    return mean, (offset * weights) @ offset.T


def _cholesky(covariance: Array) -> Array:
    scale = jnp.sqrt(jnp.maximum(jnp.diagonal(covariance), 1e-12))
    unit = covariance / scale[:, None] / scale
    return scale[:, None] * jnp.linalg.cholesky(unit + 1e-5 * jnp.eye(scale.size))


def _student(key: Array, centre: Array, factor: Array, n: int) -> Array:
    normal = jax.random.normal(key, (centre.size + _FREEDOM, n))
    chi2 = jnp.sum(normal[centre.size :] ** 2, axis=0)
    return centre[:, None] + factor @ (normal[: centre.size] * jnp.sqrt(_FREEDOM / chi2))


def _log_student(z: Array, centre: Array, factor: Array) -> Array:
    p = centre.size
    offset = solve_triangular(factor, z - centre[:, None], lower=True)
    form = jnp.log1p(jnp.sum(offset**2, axis=0) / _FREEDOM)
    constant = gammaln((_FREEDOM + p) / 2) - gammaln(_FREEDOM / 2)
    constant -= p / 2 * jnp.log(_FREEDOM * jnp.pi) + jnp.sum(jnp.log(jnp.diagonal(factor)))
    return constant - (_FREEDOM + p) / 2 * form
