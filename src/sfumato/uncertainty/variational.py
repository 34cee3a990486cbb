r"""Mean-field variational inference: every weight is a Normal variable of its own.

The loss is the expected negative log-likelihood plus the divergence from the prior, per row
(Blundell et al. 2015, Weight uncertainty in neural networks). In training the randomness of the
weights is moved to the pre-activations, drawn for every row (the local reparametrisation; Kingma,
Salimans & Welling 2015, equation 6), whose gradients are far less noisy.
"""

from dataclasses import dataclass
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from sfumato.networks.density import ConditionalDensity
from sfumato.networks.layers import Linear, column
from sfumato.networks.members import first_of
from sfumato.uncertainty._base import Finished, Strategy, StrategyTask, draws_of, prior_std


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
class Variational(Strategy):
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
    decays: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"`{name}` must be positive; got {value!r}.")

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

        return member.with_dense_layers([random(layer) for layer in member.dense_layers()])

    def penalty(self, member: ConditionalDensity, *, n_rows: int) -> Array:
        """Divergence from the prior, per row."""
        layers = member.dense_layers()
        return sum((layer.divergence() for layer in layers), jnp.zeros(())) / n_rows

    def finish(self, members: ConditionalDensity, task: StrategyTask) -> Finished:
        """Draws of the weights."""
        member = first_of(members)

        def draw(key: Array) -> ConditionalDensity:
            layers = member.dense_layers()
            keys = jax.random.split(key, len(layers))
            return member.with_dense_layers(
                [layer.draw(key=k) for layer, k in zip(layers, keys, strict=True)]
            )

        return Finished(draws_of(draw, task))
