"""A conditional density: front, backbone and head; and what stands before all of its members."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from sfumato._typing import Params
from sfumato.networks.backbone import Backbone, Front
from sfumato.networks.embeddings import BinEmbedding
from sfumato.networks.head import Head
from sfumato.networks.layers import fold
from sfumato.preprocessing import AffineScaler, FeatureTransform


class ConditionalDensity(eqx.Module):
    """p(y | x): features to the parameters of a distribution, one example or a batch behind."""

    front: Front
    backbone: Backbone
    head: Head

    def embed(
        self,
        x: Float[Array, "*shape"],
        *,
        key: PRNGKeyArray | None = None,
        strength: Array | float = 1.0,
    ) -> Float[Array, "h *n"]:
        """What the head sees of the features x; a key switches what is random on."""
        return self.backbone(self.front(x), key=fold(key, 0), strength=strength)

    def __call__(
        self,
        x: Float[Array, "*shape"],
        *,
        key: PRNGKeyArray | None = None,
        strength: Array | float = 1.0,
    ) -> Params:
        """Parameters (K, ...) at the features x; a key switches what is random on."""
        return self.head(self.embed(x, key=key, strength=strength), key=fold(key, 1))

    def log_prob(
        self,
        x: Float[Array, "*shape"],
        u: Float[Array, "*event_n"],
        *,
        key: PRNGKeyArray | None = None,
        strength: Array | float = 1.0,
    ) -> Float[Array, " *n"]:
        """Log-density of scaled targets u, (n,) or (d, n), at features x.

        A key switches what is random on, with rates of dropout times `strength`.
        """
        return self.head.family.log_prob(self(x, key=key, strength=strength), u)

    def dense_layers(self) -> tuple[Any, ...]:  # a strategy makes other classes of them
        """The dense layers from the first to the head's."""
        return (*self.backbone.dense_layers(), self.head.linear)

    def with_dense_layers(self, layers: Sequence[Any]) -> "ConditionalDensity":  # as above
        """The same network with other dense layers."""
        head = eqx.tree_at(lambda head: head.linear, self.head, layers[-1])
        other = ConditionalDensity(self.front, self.backbone, head)
        return other.with_backbone(self.backbone.with_dense_layers(tuple(layers[:-1])))

    def with_backbone(self, backbone: Backbone) -> "ConditionalDensity":
        """The same network with another backbone."""
        return ConditionalDensity(self.front, backbone, self.head)


class Inputs(eqx.Module):
    """From the user's rows to what a member sees: feature transform, scaler, bins.

    All arrays are inputs of compiled programs: other rows of one shape compile nothing anew.

    Parameters
    ----------
    features : transform of the columns, or None for the rows as they are.
    scaler : affine scaling of the first axis: features, or the channels of an image.
    bins : of the numeric features, or None.
    """

    features: FeatureTransform | None
    scaler: AffineScaler
    bins: BinEmbedding | None = None

    def __call__(
        self,
        x: Float[Array, "*shape n"],
        *,
        key: PRNGKeyArray | None = None,
        noise: Array | float = 1.0,
    ) -> Float[Array, "*features n"]:
        """What networks see of x; a key adds the noise of a training pass, times `noise`."""
        z = self.scaled(x if key is None else self.perturbed(x, key=key, noise=noise))
        return z if self.bins is None else self.bins(z)

    def perturbed(
        self, x: Float[Array, "*shape n"], *, key: PRNGKeyArray, noise: Array | float = 1.0
    ) -> Float[Array, "*shape n"]:
        """The user's rows as a pass of training sees them."""
        return x if self.features is None else self.features.perturb(x, key=key, noise=noise)

    def scaled(self, x: Float[Array, "*shape n"]) -> Float[Array, "*features n"]:
        """Scaled features, before any bins."""
        return self.scaler(x if self.features is None else self.features(x))


class Network(eqx.Module):
    """What prediction needs: the inputs, and the members stacked on axis 0 of their arrays."""

    inputs: Inputs
    members: ConditionalDensity

    @property
    def n_members(self) -> int:
        """Networks in the ensemble."""
        return self.members.head.linear.bias.shape[0]

    def parameters(self, x: Float[Array, "n *shape"]) -> Params:
        """Parameters (n, m, K, ...) of every member at the user's rows x."""
        inputs = self.inputs(jnp.moveaxis(x, 0, -1))
        arrays, static = eqx.partition(self.members, eqx.is_array)
        members = jax.vmap(lambda member: eqx.combine(member, static)(inputs))(arrays)
        return {name: jnp.moveaxis(value, -1, 0) for name, value in members.items()}
