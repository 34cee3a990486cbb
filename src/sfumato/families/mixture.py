"""A mixture of K components on an affinely scaled target; the one family class."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from sfumato._typing import HostParams, Params
from sfumato.families._base import Component


@dataclass(frozen=True)
class MixtureFamily:
    r"""Mixture of `n_components` on the scale ``u = (y - shift) / scale``.

    .. math:: p(y) = \frac{1}{s} \sum_k \pi_k \, f\!\left(\frac{y - t}{s}; \theta_k\right)

    with shift t and scale s, so that densities are per unit of the user's target (Bishop 1994,
    Mixture Density Networks, equation 22, with the Jacobian of the scaling).

    Parameters
    ----------
    component : the component family.
    n_components : number of components K, at least 1.
    shift, scale : affine map from the component's standard scale to the target; scale > 0.
    """

    component: Component
    n_components: int
    shift: float = 0.0
    scale: float = 1.0

    @property
    def n_raw(self) -> int:
        """How many reals a network must produce: K logits and two parameters per component."""
        return 3 * self.n_components

    @property
    def support(self) -> tuple[float, float]:
        """Bounds of the target in the user's units."""
        low, high = self.component.support
        return self.shift + self.scale * low, self.shift + self.scale * high

    def to_unit(self, y: Array) -> Array:
        """Targets in user units to the component's scale, moved inside its open support."""
        return self.component.clip((y - self.shift) / self.scale)

    def constrain(self, raw: Float[Array, "r *n"]) -> Params:
        """Raw outputs, parameters first, to a dict of arrays (K, ...)."""
        logits, first, second = jnp.split(raw, 3, axis=0)
        first, second = self.component.constrain(first, second)
        names = self.component.parameters
        log_weights = jax.nn.log_softmax(logits, axis=0)
        return {"log_weights": log_weights, names[0]: first, names[1]: second}

    def log_prob(self, params: Params, u: Float[Array, " *n"]) -> Float[Array, " *n"]:
        """Log-density on the component's scale: log-sum-exp over the leading axis, never log(sum).

        The Jacobian ``-log(scale)`` is a constant of training and is added by `log_jacobian`.
        """
        first, second = (params[name] for name in self.component.parameters)
        components = self.component.log_prob(u, first, second)
        return jax.nn.logsumexp(params["log_weights"] + components, axis=0)

    @property
    def log_jacobian(self) -> float:
        """What turns a log-density per unit of u into one per unit of y."""
        return -float(np.log(self.scale))

    def initial_raw(self, u: np.ndarray) -> np.ndarray:
        """Head biases that spread the components over the quantiles of the scaled targets."""
        levels = (np.arange(self.n_components) + 0.5) / self.n_components
        centres = np.quantile(u, levels)
        spread = np.full_like(centres, np.std(u) / np.sqrt(self.n_components) + 1e-3)
        first, second = self.component.unconstrain(centres, spread)
        return np.concatenate([np.zeros(self.n_components), first, second])

    def exact_parameters(self, params: HostParams) -> tuple[np.ndarray, np.ndarray]:
        """The two component parameters in double precision."""
        first, second = (np.asarray(params[name], float) for name in self.component.parameters)
        return first, second
