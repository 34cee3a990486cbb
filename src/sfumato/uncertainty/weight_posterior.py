"""The posterior of all weights by NumPyro: Hamiltonian Monte Carlo, or a fitted Normal.

Both start from the trained network and use all rows. Priors are Normal, as wide as the
initialisation (He 2015) times `prior_scale`; biases are around where they started. Priors on layers
multiply these.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array

from sfumato.networks.density import ConditionalDensity
from sfumato.networks.members import first_of
from sfumato.training.priors import prior_loss
from sfumato.uncertainty._base import Finished, Strategy, StrategyTask, n_weights


class _Sampled(Strategy):
    """What learns from all rows at once, with fixed features."""

    holds_out: ClassVar[bool] = False
    takes_noise: ClassVar[bool] = False
    needs_rows: ClassVar[bool] = True


@dataclass(frozen=True)
class NUTS(_Sampled):
    """The no-U-turn sampler (Hoffman & Gelman 2014), for small networks.

    Parameters
    ----------
    n_warmup, n_samples, n_chains : as in NumPyro; members are thinned from all chains.
    prior_scale : deviation of the prior in those of the initialisation.
    max_weights : more weights than this are refused.
    """

    n_warmup: int = 300
    n_samples: int = 300
    n_chains: int = 2
    prior_scale: float = 1.0
    max_weights: int = 1000
    name: ClassVar[str] = "nuts"
    default_members: ClassVar[int] = 50

    def check(self, member: ConditionalDensity) -> None:
        """Refuse a network that sampling would not finish.

        Raises
        ------
        ValueError
            There are more than `max_weights`.
        """
        if (count := n_weights(member)) > self.max_weights:
            raise ValueError(
                f"NUTS would sample {count} weights; at most {self.max_weights} are practical. "
                "Take a smaller network (hidden_sizes=(10,), embedding='none'), "
                "uncertainty='svi' or 'laplace', or raise NUTS(max_weights=...)."
            )

    def finish(self, members: ConditionalDensity, task: StrategyTask) -> Finished:
        """Draws from all chains, evenly thinned; warns where the chains disagree."""
        from numpyro import infer
        from numpyro.diagnostics import gelman_rubin
        from numpyro.infer import MCMC, init_to_value

        model, start, unravel = _model(first_of(members), task, prior_scale=self.prior_scale)
        kernel = infer.NUTS(model, init_strategy=init_to_value(values={"w": start}))
        mcmc = MCMC(
            kernel,
            num_warmup=self.n_warmup,
            num_samples=self.n_samples,
            num_chains=self.n_chains,
            chain_method="sequential",
            progress_bar=False,
        )
        mcmc.run(jax.random.key(task.seed), extra_fields=("potential_energy", "diverging"))
        fields = mcmc.get_extra_fields(group_by_chain=True)
        energy = np.asarray(fields["potential_energy"])
        r_hat = float(gelman_rubin(energy)) if self.n_chains > 1 else 1.0
        divergent = int(np.sum(fields["diverging"]))
        notes = []
        if not r_hat < _LARGEST_R_HAT:
            cure = "raise n_warmup and n_samples, or take a smaller network"
            notes.append(f"The NUTS chains disagree (R-hat {r_hat:.2f} of the energy): {cure}.")
        if divergent > 0.05 * self.n_samples * self.n_chains:
            notes.append(f"{divergent} NUTS steps diverged: lower prior_scale or add rows.")
        draws = mcmc.get_samples()["w"]
        chosen = np.linspace(0, len(draws) - 1, task.n_members).round().astype(int)
        return Finished(jax.vmap(unravel)(draws[chosen]), tuple(notes))


_LARGEST_R_HAT = 1.1


@dataclass(frozen=True)
class SVI(_Sampled):
    """A Normal of low rank fitted to the posterior of all weights by NumPyro.

    Parameters
    ----------
    n_steps, learning_rate : of Adam.
    rank : of the covariance besides its diagonal.
    prior_scale : deviation of the prior in those of the initialisation.
    """

    n_steps: int = 6000
    learning_rate: float = 5e-3
    rank: int = 10
    prior_scale: float = 1.0
    name: ClassVar[str] = "svi"
    default_members: ClassVar[int] = 50

    def finish(self, members: ConditionalDensity, task: StrategyTask) -> Finished:
        """Draws from the fitted Normal; warns where the fit is still moving."""
        from numpyro import infer, optim
        from numpyro.infer import Trace_ELBO, init_to_value
        from numpyro.infer.autoguide import AutoLowRankMultivariateNormal

        model, start, unravel = _model(first_of(members), task, prior_scale=self.prior_scale)
        guide = AutoLowRankMultivariateNormal(
            model,
            rank=self.rank,
            init_loc_fn=init_to_value(values={"w": start}),
            init_scale=0.01,
        )
        inference = infer.SVI(model, guide, optim.Adam(self.learning_rate), Trace_ELBO())
        key = jax.random.key(task.seed)
        result = inference.run(key, self.n_steps, progress_bar=False)
        losses = np.asarray(result.losses)
        tenth = max(self.n_steps // 10, 1)
        late, before = losses[-tenth:], losses[-2 * tenth : -tenth]
        gain = float(np.median(before) - np.median(late)) / len(task.x)
        notes = []
        if not np.isfinite(gain) or gain > 0.02:
            notes.append(
                f"SVI was still gaining {gain:.3f} nats per row at its end: raise n_steps."
            )
        draws = guide.sample_posterior(key, result.params, sample_shape=(task.n_members,))["w"]
        return Finished(jax.vmap(unravel)(draws), tuple(notes))


def _model(
    member: ConditionalDensity, task: StrategyTask, *, prior_scale: float
) -> tuple[Callable[[], None], Array, Callable[[Array], ConditionalDensity]]:
    """NumPyro's model of the flat weights, where to start, and back to a network."""
    import numpyro
    from numpyro import distributions

    arrays, static = eqx.partition(member, eqx.is_array)
    start, unravel = ravel_pytree(arrays)
    centre, _ = ravel_pytree(jax.tree.map(lambda a: a if a.ndim < 2 else jnp.zeros_like(a), arrays))
    scale, _ = ravel_pytree(jax.tree.map(lambda a: _prior_scales(a, prior_scale), arrays))
    features = task.inputs(jnp.moveaxis(jnp.asarray(task.x), 0, -1))
    targets = jnp.moveaxis(jnp.asarray(task.u, jnp.float32), 0, -1)
    weight = jnp.asarray(task.weight / task.weight.mean(), jnp.float32)

    def model() -> None:
        w = jnp.asarray(numpyro.sample("w", distributions.Normal(centre, scale).to_event(1)))
        network = eqx.combine(unravel(w), static)
        numpyro.factor("rows", jnp.sum(weight * network.log_prob(features, targets)))
        if task.priors:
            n_rows = len(task.x)
            numpyro.factor("priors", -n_rows * prior_loss(task.priors, network, n_rows=n_rows))

    return model, start, lambda w: eqx.combine(unravel(w), static)


def _prior_scales(values: Array, prior_scale: float) -> Array:
    """Prior deviations of an array: by fan-in for matrices, `prior_scale` for biases."""
    std = np.sqrt(2.0 / values.shape[-1]) if values.ndim >= 2 else 1.0
    return jnp.full(values.shape, prior_scale * std)
