"""Posteriors of single galaxies by Markov chains: the check of importance sampling."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from numpyro.diagnostics import effective_sample_size, split_gelman_rubin
from numpyro.infer import MCMC, NUTS

from sfumato.errors import ShapeError
from sfumato.galaxies.fit.maximum_likelihood import Fits
from sfumato.galaxies.fit.scene import Scene
from sfumato.galaxies.fit.stamps import Stamps, device_arrays
from sfumato.galaxies.posterior.pixels import Posteriors, whitened
from sfumato.galaxies.posterior.prior import Prior

N_WARMUP, N_CHAINS = 400, 2
LARGEST_R_HAT = 1.02  # above, chains have not mixed (Vehtari et al. 2021)


def run_chains(
    stamps: Stamps,
    scene: Scene,
    prior: Prior,
    fits: Fits,
    *,
    n_draws: int = 2400,
    random_state: int = 0,
) -> tuple[Posteriors, float]:
    """The posterior of one galaxy by the No-U-Turn sampler, in exact pixels.

    Parameters
    ----------
    stamps, fits : of one galaxy that was fitted.
    n_draws : kept, over all chains.

    Returns
    -------
    Posteriors of one galaxy, all draws of equal weight and no evidence (NaN); and the largest
    split R-hat of any coordinate, which should be below 1.02.

    Raises
    ------
    ShapeError
        There is not exactly one galaxy.

    References
    ----------
    Hoffman & Gelman (2014), JMLR 15, 1593; Phan, Pradhan & Jankowiak (2019), arXiv:1912.11554.
    """
    if len(stamps) != 1:
        raise ShapeError(f"Chains are run for one galaxy at a time; got {len(stamps)}.")
    start = jnp.asarray(fits.theta[0], jnp.float32)
    potential = _potential(stamps, scene, prior, start)
    # seven parameters at most: forward derivatives are cheaper than the tape of a render
    kernel = NUTS(potential_fn=potential, forward_mode_differentiation=True, dense_mass=True)
    sampler = MCMC(
        kernel,
        num_warmup=N_WARMUP,
        num_samples=-(-n_draws // N_CHAINS),
        num_chains=N_CHAINS,
        chain_method="sequential",
        progress_bar=False,
    )
    centre = jnp.tile(prior.to_coordinates(start), (N_CHAINS, 1))
    sampler.run(jax.random.key(random_state), init_params=centre)
    z = np.asarray(sampler.get_samples(group_by_chain=True))  # (chains, draws, p)
    flat = jnp.asarray(z.reshape(-1, z.shape[2]).T)
    theta = np.asarray(prior.to_theta(flat), float)[:, :n_draws]
    size = float(np.min(effective_sample_size(z)))
    found = Posteriors(
        names=scene.names,
        theta=theta[None],
        log_weights=np.full((1, n_draws), -np.log(n_draws)),
        log_evidence=np.full(1, np.nan),
        effective_size=np.array([size]),
    )
    return found, float(np.max(split_gelman_rubin(z)))


def _potential(
    stamps: Stamps, scene: Scene, prior: Prior, start: jax.Array
) -> Callable[[jax.Array], jax.Array]:
    """Minus the log-posterior of the one galaxy, of the prior's coordinates."""
    images, weight, psfs = device_arrays(stamps)
    if stamps.own_psf:
        psfs = jax.tree.map(lambda leaf: leaf[0], psfs)
    instruments = scene.optics(psfs)
    likelihood = whitened(images[0], weight[0], instruments, start, scene=scene, gain=stamps.gain)
    low, high = prior.population.signal_to_noise

    def potential(z: jax.Array) -> jax.Array:
        chi2, ratio = likelihood.chi2(prior.to_theta(z)[:, None])
        inside = (ratio[0] > low) & (ratio[0] < high)
        return jnp.where(inside, 0.5 * chi2[0] - prior.log_density(z), 1e10)

    return potential
