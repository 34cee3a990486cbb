"""What training minimises, one value per row."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from sfumato.models import ConditionalDensity, Inputs
from sfumato.training.schedules import Strengths


def negative_log_likelihood(
    member: ConditionalDensity,
    inputs: Inputs,
    x: Float[Array, "c n"],
    u: Float[Array, "*n"],
    key: PRNGKeyArray | None,
    strengths: Strengths,
) -> Float[Array, " n"]:
    """Minus the log-density of the scaled targets at columns x, in nats; a key means training."""
    if key is None:
        return -member.log_prob(inputs(x), u)
    input_key, member_key = jax.random.split(key)
    features = inputs(x, key=input_key, noise=strengths.noise)
    return -member.log_prob(features, u, key=member_key, strength=strengths.dropout)


def effective_components(
    member: ConditionalDensity, inputs: Inputs, x: Float[Array, "c n"]
) -> Float[Array, ""]:
    r"""Effective number of components, :math:`\exp(-\sum_k \bar\pi_k \ln \bar\pi_k)`.

    of the mean weights over rows x: K if all are used alike, 1 if one has taken everything.
    """
    weights = jnp.mean(jnp.exp(member(inputs(x))["log_weights"]), axis=1)
    return jnp.exp(-jnp.sum(jax.scipy.special.xlogy(weights, weights)))
