"""The Bayesian floor: the smallest error that any estimator can reach on a population."""

from collections.abc import Callable
from functools import lru_cache, partial
from operator import itemgetter
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from sfumato.engine.compiled import CPU_OPTIONS, over_rows
from sfumato.errors import IncompatibleError
from sfumato.galaxies.basis.emulator import basis_scene, make_bank, nearest_start, posterior_in
from sfumato.galaxies.basis.stamp_basis import Ranges, StampBasis, build_basis
from sfumato.galaxies.population.labelled import draw_batch
from sfumato.galaxies.population.population import Population
from sfumato.galaxies.posterior.prior import Prior
from sfumato.galaxies.render.psf import Moffat

_CHUNK = 100
_ROUNDS = ((1000, 2000, 3000), (4000, 8000, 12000), (20000, 40000, 40000))


class Floor(NamedTuple):
    """Exact posteriors of a population's galaxies, in numbers.

    Parameters
    ----------
    names : the p parameters.
    truths, means, variances : (n, p) of the galaxies and of their posteriors.
    pit : (n, p) posterior probability below the truth.
    effective_sizes : (n,) independent draws that each posterior is worth.
    """

    names: tuple[str, ...]
    truths: np.ndarray
    means: np.ndarray
    variances: np.ndarray
    pit: np.ndarray
    effective_sizes: np.ndarray

    @property
    def rmse(self) -> np.ndarray:
        r"""Smallest root mean square error (p,): the root of the mean posterior variance.

        No estimator has a smaller mean squared error than the posterior mean, whose error is
        :math:`E[\mathrm{Var}(\theta | x)]` (Lehmann & Casella 1998, corollary 4.1.2).
        """
        return np.sqrt(self.variances.mean(axis=0))

    @property
    def rmse_error(self) -> np.ndarray:
        """Monte Carlo error (p,) of `rmse`: galaxies are finite, and so are their draws."""
        n = len(self.variances)
        return self.variances.std(axis=0, ddof=1) / np.sqrt(n) / (2 * self.rmse)

    @property
    def achieved(self) -> np.ndarray:
        """Root mean square error (p,) of the posterior means on these very galaxies."""
        return np.sqrt(np.mean((self.means - self.truths) ** 2, axis=0))

    def coverage(self, level: float) -> np.ndarray:
        """Share (p,) of truths inside the equal-tailed interval of a level."""
        return np.mean(np.abs(self.pit - 0.5) < level / 2, axis=0)


def population_basis(population: Population) -> StampBasis:
    """The basis that serves a population.

    Raises
    ------
    IncompatibleError
        All galaxies are the same: there is nothing to tell apart.
    """
    if population.is_fixed:
        message = f"The population {population.name!r} is a single galaxy"
        raise IncompatibleError(f"{message}: its floor is 0. Use the Cramér–Rao bound.")
    index, radius = population.sersic_index, population.half_light_radius
    fixed = population.psf_fwhm.is_fixed
    ranges = Ranges(
        (index.low, index.high),
        (radius.low, radius.high),
        population.shear.high,
        None if fixed else (population.psf_fwhm.low, population.psf_fwhm.high),
        population.psf_beta,
    )
    psf = Moffat(population.psf_fwhm.low, population.psf_beta) if fixed else None
    return build_basis(population.grid, psf=psf, ranges=ranges)


def bayesian_floor(
    population: Population,
    n: int,
    *,
    basis: StampBasis | None = None,
    random_state: int = 0,
    least_effective_size: float = 500.0,
    on_done: Callable[[int], None] = lambda n: None,
) -> Floor:
    """Exact posteriors of n simulated galaxies: pixels drawn, projected, sampled.

    PSF and noise level are known to the posterior; that every galaxy passed the population's cut
    is known as well. Galaxies whose draws are worth less than wanted are sampled again with more.

    Parameters
    ----------
    n : galaxies.
    basis : by default `population_basis`.
    least_effective_size : draws that a posterior should be worth; after three rounds it is left.
    on_done : called with the number of galaxies finished since the last call.
    """
    if n < 1:
        raise ValueError(f"`n` must be at least 1 galaxy; got {n}.")
    basis = population_basis(population) if basis is None else basis
    prior = Prior(basis_scene(basis), population)
    bank = make_bank(basis, random_state=random_state)
    draw = jax.jit(partial(_simulate, population=population), compiler_options=CPU_OPTIONS)
    key = jax.random.key(random_state)
    truths, summaries = [], []
    for start in range(0, n, _CHUNK):
        galaxies = draw(jax.random.fold_in(key, start), basis=basis)
        found = _all(prior, _ROUNDS[0])(galaxies, basis, bank)
        summary = jax.tree.map(np.array, found)
        for n_draws in _ROUNDS[1:]:
            for row in np.flatnonzero(summary.effective_size < least_effective_size):
                galaxy = jax.tree.map(itemgetter(row), galaxies)
                again = _one(prior, n_draws)(galaxy, basis, bank)
                if again.effective_size > summary.effective_size[row]:
                    for kept, value in zip(summary, again, strict=True):
                        kept[row] = value
        truths.append(np.asarray(galaxies.truth, float))
        summaries.append(summary)
        on_done(min(_CHUNK, n - start))
    mean, variance, pit, size = (
        np.concatenate(parts)[:n] for parts in zip(*summaries, strict=True)
    )
    return Floor(prior.scene.names, np.concatenate(truths)[:n], mean, variance, pit, size)


class _Galaxies(NamedTuple):
    key: Array
    truth: Array
    data: Array
    sigma: Array
    fwhm: Array


class _Summary(NamedTuple):
    mean: Array
    variance: Array
    pit: Array
    effective_size: Array


def _simulate(key: Array, *, population: Population, basis: StampBasis) -> _Galaxies:
    """One chunk of galaxies, drawn in pixels and projected."""
    of_galaxies, of_draws = jax.random.split(key)
    batch = draw_batch(of_galaxies, population, _CHUNK)
    return _Galaxies(
        key=jax.random.split(of_draws, _CHUNK),
        truth=jnp.stack(batch.labels.galaxy[:5], axis=1),
        data=basis.project(batch.noisy),
        sigma=jnp.broadcast_to(batch.labels.noise_sigma, (_CHUNK,)),
        fwhm=jnp.broadcast_to(batch.labels.psf_fwhm, (_CHUNK,)),
    )


_Bank = tuple[Array, Array]


def _summarise(
    galaxy: _Galaxies, basis: StampBasis, bank: _Bank, *, prior: Prior, n_draws: tuple[int, ...]
) -> _Summary:
    """Moments of one galaxy's posterior."""
    found = posterior_in(
        galaxy.key,
        basis,
        prior,
        galaxy.data,
        sigma=galaxy.sigma,
        fwhm=None if basis.ranges.fwhm is None else galaxy.fwhm,
        start=nearest_start(bank, galaxy.data),
        n_draws=n_draws,
    )
    weights = jnp.exp(found.draws.log_weights)
    mean = found.theta @ weights
    return _Summary(
        mean=mean,
        variance=((found.theta - mean[:, None]) ** 2) @ weights,
        pit=(found.theta < galaxy.truth[:, None]) @ weights,
        effective_size=found.draws.effective_size,
    )


@lru_cache(maxsize=16)
def _one(prior: Prior, n_draws: tuple[int, ...]) -> Callable[..., _Summary]:
    return jax.jit(partial(_summarise, prior=prior, n_draws=n_draws), compiler_options=CPU_OPTIONS)


@lru_cache(maxsize=16)
def _all(prior: Prior, n_draws: tuple[int, ...]) -> Callable[..., _Summary]:
    def run(galaxies: _Galaxies, basis: StampBasis, bank: _Bank) -> _Summary:
        def one(*row: Array) -> _Summary:
            return _summarise(_Galaxies(*row), basis, bank, prior=prior, n_draws=n_draws)

        return over_rows(one, *galaxies)

    return jax.jit(run, compiler_options=CPU_OPTIONS)
