r"""Mean-field variational inference: every weight is a Normal variable of its own.

The loss is the expected negative log-likelihood plus the divergence from the prior, per row
(Blundell et al. 2015, Weight uncertainty in neural networks). In training the randomness of the
weights is moved to the pre-activations, drawn for every row (the local reparametrisation; Kingma,
Salimans & Welling 2015, equation 6), whose gradients are far less noisy.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from sfumato.backbones.layers import Linear, column
from sfumato.models import ConditionalDensity
from sfumato.uncertainty._base import (
    Finished,
    Task,
    dense_layers,
    draws_of,
    first_of,
    prior_std,
    replace_dense,
)


class BayesianLinear(eqx.Module):
    """A dense layer with Normal weights; without a key, at their means."""

    weight: Float[Array, "out f"]
    bias: Float[Array, " out"]
    log_std: Float[Array, "out f"]
    bias_log_std: Float[Array, " out"]
    prior: float = eqx.field(static=True)

    def __call__(self, x: Array, *, key: PRNGKeyArray | None = None) -> Array:
        """Pre-activations of one example or a batch; a key draws them."""
        mean = self.weight @ x + column(self.bias, x)
        if key is None:
            return mean
        variance = jnp.exp(2 * self.log_std) @ (x * x) + column(jnp.exp(2 * self.bias_log_std), x)
        return mean + jnp.sqrt(variance) * jax.random.normal(key, mean.shape)

    def divergence(self) -> Array:
        """KL divergence of the weights' distribution from Normal(0, prior^2), in nats."""
        log_ratio = self.log_std - jnp.log(self.prior)
        squares = jnp.exp(2 * log_ratio) + (self.weight / self.prior) ** 2
        return jnp.sum(0.5 * (squares - 1.0) - log_ratio)

    def draw(self, *, key: PRNGKeyArray) -> Linear:
        """A plain layer with one draw of the weights."""
        first, second = jax.random.split(key)
        weight = self.weight + jnp.exp(self.log_std) * jax.random.normal(first, self.weight.shape)
        bias = self.bias + jnp.exp(self.bias_log_std) * jax.random.normal(second, self.bias.shape)
        blank = Linear(self.weight.shape[1], self.weight.shape[0], key=key)
        return eqx.tree_at(lambda layer: (layer.weight, layer.bias), blank, (weight, bias))


@dataclass(frozen=True)
class Variational:
    """Mean-field variational inference over all dense layers.

    Parameters
    ----------
    prior_scale : deviation of the prior in those of the initialisation.
    initial_scale : the same of the first posterior.
    """

    prior_scale: float = 1.0
    initial_scale: float = 0.05
    name: ClassVar[str] = "variational"
    default_members: ClassVar[int] = 30
    trains_all: ClassVar[bool] = False
    decays: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for name in ("prior_scale", "initial_scale"):
            if not getattr(self, name) > 0:
                raise ValueError(f"`{name}` must be positive; got {getattr(self, name)!r}.")

    def prepare(
        self, member: ConditionalDensity, *, key: Array, n_members: int
    ) -> ConditionalDensity:
        """The network with random dense layers."""

        def random(layer: Linear) -> BayesianLinear:
            prior = prior_std(layer, self.prior_scale)
            start = jnp.log(prior_std(layer, self.initial_scale))
            return BayesianLinear(
                layer.weight,
                layer.bias,
                jnp.full(layer.weight.shape, start),
                jnp.full(layer.bias.shape, start),
                prior,
            )

        return replace_dense(member, [random(layer) for layer in dense_layers(member)])

    def penalty(self, member: Any, *, n_rows: int) -> Array:
        """Divergence from the prior, per row."""
        return sum((layer.divergence() for layer in dense_layers(member)), jnp.zeros(())) / n_rows

    def finish(self, members: Any, task: Task) -> Finished:
        """Draws of the weights."""
        member = first_of(members)

        def draw(key: Array) -> ConditionalDensity:
            layers = dense_layers(member)
            keys = jax.random.split(key, len(layers))
            return replace_dense(
                member, [layer.draw(key=k) for layer, k in zip(layers, keys, strict=True)]
            )

        return Finished(draws_of(draw, task))
