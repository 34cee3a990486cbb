"""What training minimises, one value per example."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from sfumato.networks.density import ConditionalDensity, Inputs
from sfumato.training.schedules import Strengths
from sfumato.training.sources import Batch


def negative_log_likelihood(
    member: ConditionalDensity,
    inputs: Inputs,
    batch: Batch,
    key: PRNGKeyArray | None,
    strengths: Strengths,
) -> Float[Array, " n"]:
    """Minus the log-density of the scaled targets, in nats; a key means training."""
    if key is None:
        return -member.log_prob(inputs(batch.x), batch.y)
    input_key, member_key = jax.random.split(key)
    features = inputs(batch.x, key=input_key, noise=strengths.noise)
    return -member.log_prob(features, batch.y, key=member_key, strength=strengths.dropout)


def effective_components(
    member: ConditionalDensity, inputs: Inputs, batch: Batch
) -> Float[Array, ""]:
    r"""Effective number of components, :math:`\exp(-\sum_k \bar\pi_k \ln \bar\pi_k)`.

    of the mean weights over a batch: K if all are used alike, 1 if one has taken everything.
    """
    weights = jnp.mean(jnp.exp(member(inputs(batch.x))["log_weights"]), axis=1)
    return jnp.exp(-jnp.sum(jax.scipy.special.xlogy(weights, weights)))
