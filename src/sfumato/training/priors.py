"""Priors and penalties on chosen layers: maximum a posteriori instead of maximum likelihood."""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias, runtime_checkable

import jax.numpy as jnp
from jaxtyping import Array

from sfumato.errors import suggest
from sfumato.networks.density import ConditionalDensity


def _normal(w: Array, scale: float) -> Array:
    return 0.5 * (w / scale) ** 2


def _laplace(w: Array, scale: float) -> Array:
    return jnp.abs(w) / scale


def _student_t(w: Array, scale: float) -> Array:
    return 2.0 * jnp.log1p((w / scale) ** 2 / 3.0)


def _horseshoe(w: Array, scale: float) -> Array:
    """Minus the log of the density's tight lower bound (Carvalho, Polson & Scott 2010, thm 1)."""
    return -jnp.log(jnp.log1p(4.0 * (scale / (jnp.abs(w) + 1e-3 * scale)) ** 2))


PRIORS: dict[str, Callable[[Array, float], Array]] = {
    "normal": _normal,
    "laplace": _laplace,
    "student-t": _student_t,
    "horseshoe": _horseshoe,
}
"""The one table from a prior's name to minus its log-density, up to a constant."""

PENALTIES: dict[str, Callable[[Array], Array]] = {"l1": jnp.abs, "l2": jnp.square}
"""Penalties, whose strength is per row and does not fade as rows are added."""


@runtime_checkable
class Distribution(Protocol):
    """What a prior of the user's own must answer, as NumPyro's distributions do."""

    def log_prob(self, value: Array) -> Array:
        """Log-density of weights, elementwise."""
        ...


Prior: TypeAlias = tuple[str, float] | Distribution
"""A pair (name, scale) of `PRIORS`, a pair (name, strength) of `PENALTIES`, or a distribution."""


def layer_weights(member: ConditionalDensity) -> dict[str, list[Array]]:
    """Weight matrices by the names a prior can be put on."""
    *hidden, head = (layer.weight for layer in member.dense_layers())
    named = {f"hidden.{index}": [weight] for index, weight in enumerate(hidden)}
    return {"all": [*hidden, head], "hidden": hidden, "head": [head], **named}


def check_priors(priors: Mapping[str, Prior], member: ConditionalDensity) -> None:
    """Refuse priors on layers that do not exist, or of no known form.

    Raises
    ------
    ValueError
        A layer or a prior is unknown, or a scale is not positive.
    """
    layers = layer_weights(member)
    if not isinstance(priors, Mapping):
        message = (
            "`priors` must be a dictionary from layers to priors, as {'head': ('normal', 1.0)}"
        )
        raise ValueError(f"{message}; got {priors!r}.")
    for layer, prior in priors.items():
        if layer not in layers:
            raise ValueError(
                f"There is no layer {layer!r} for a prior. {suggest(layer, [*layers])}"
            )
        if isinstance(prior, Distribution):
            continue
        known = [*PRIORS, *PENALTIES]
        if not (isinstance(prior, tuple | list) and len(prior) == 2 and prior[0] in known):
            message = f"The prior of {layer!r} must be a pair of a name and a number, as in"
            names = ", ".join(known)
            raise ValueError(
                f"{message} ('normal', 1.0), with a name of {names}, "
                f"or a NumPyro distribution; got {prior!r}."
            )
        if not isinstance(prior[1], int | float) or not prior[1] > 0:
            raise ValueError(f"The scale or strength of {layer!r} must be positive; got {prior!r}.")


def prior_loss(priors: Mapping[str, Prior], member: ConditionalDensity, *, n_rows: int) -> Array:
    """Minus the log-prior of a member's weights per row, plus the penalties."""
    layers, total = layer_weights(member), jnp.zeros(())
    for layer, prior in priors.items():
        for weight in layers[layer]:
            if isinstance(prior, Distribution):
                total = total - jnp.sum(prior.log_prob(weight)) / n_rows
            elif prior[0] in PENALTIES:
                total = total + prior[1] * jnp.sum(PENALTIES[prior[0]](weight))
            else:
                total = total + jnp.sum(PRIORS[prior[0]](weight, prior[1])) / n_rows
    return total
