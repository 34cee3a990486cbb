"""What training minimises, one value per row."""

import jax
from jaxtyping import Array, Float, PRNGKeyArray

from sfumato.models import ConditionalDensity, Inputs


def negative_log_likelihood(
    member: ConditionalDensity,
    inputs: Inputs,
    x: Float[Array, "c n"],
    u: Float[Array, " n"],
    key: PRNGKeyArray | None,
    noise: Array | float,
) -> Float[Array, " n"]:
    """Minus the log-density of the scaled targets at columns x, in nats; a key means training."""
    if key is None:
        return -member.log_prob(inputs(x), u)
    input_key, member_key = jax.random.split(key)
    return -member.log_prob(inputs(x, key=input_key, noise=noise), u, key=member_key)
