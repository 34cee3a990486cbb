"""A mixture of K components on an affinely scaled target; the one family class."""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from sfumato._typing import AnyArray, HostParams, Params
from sfumato.families._base import Component, options_of


@dataclass(frozen=True)
class MixtureFamily:
    r"""Mixture of `n_components` on the scale ``u = (y - shift) / scale``.

    .. math:: p(y) = \frac{1}{s} \sum_k \pi_k \, f\!\left(\frac{y - t}{s}; \theta_k\right)

    with shift t and scale s, so that densities are per unit of the user's target (Bishop 1994,
    Mixture Density Networks, equation 22, with the Jacobian of the scaling).

    Parameters
    ----------
    component : the component family (see `sfumato.families.table`).
    n_components : number of components K, at least 1.
    shift, scale : affine map from the component's standard scale to the target, one pair or, for
        vectors, one for each coordinate; scale > 0.
    """

    component: Component
    n_components: int
    shift: Any = 0.0  # a number, or a tuple of one for each coordinate
    scale: Any = 1.0  # likewise

    @property
    def n_raw(self) -> int:
        """How many reals a network must produce: K logits and those of the parameters."""
        sizes = (int(np.prod(shape)) for shape in self.component.raw_shapes)
        return self.n_components * (1 + sum(sizes))

    @property
    def kind(self) -> str:
        """What a target is: ``"continuous"``, ``"count"`` or ``"vector"``."""
        return self.component.kind

    @property
    def event_size(self) -> int:
        """Coordinates of a target."""
        return self.component.n_coordinates

    @property
    def support(self) -> tuple[float, float]:
        """Bounds of a scalar target in the user's units."""
        low, high = self.component.support[0], self.component.upper
        return self.shift + self.scale * low, self.shift + self.scale * high

    def to_unit(self, y: AnyArray) -> AnyArray:
        """Targets in user units to the component's scale."""
        return (y - np.asarray(self.shift)) / np.asarray(self.scale)

    def from_unit(self, u: np.ndarray) -> np.ndarray:
        """Values on the component's scale to user units."""
        return np.asarray(self.shift) + np.asarray(self.scale) * u

    def constrain(self, raw: Float[Array, "r *n"]) -> Params:
        """Raw outputs, logits first, to a dict of arrays (K, *shape, ...)."""
        k, component = self.n_components, self.component
        log_weights = jax.nn.log_softmax(raw[:k], axis=0)
        parts, start = [], k
        for shape in component.raw_shapes:
            stop = start + k * int(np.prod(shape))
            parts.append(raw[start:stop].reshape(k, *shape, *raw.shape[1:]))
            start = stop
        values = component.constrain(*parts)
        return {"log_weights": log_weights, **dict(zip(component.parameters, values, strict=True))}

    def log_prob(self, params: Params, u: Float[Array, "*event_n"]) -> Float[Array, " *n"]:
        """Log-density (n,) at u, (n,) or (d, n), on the component's scale.

        By log-sum-exp over the components, never log(sum).

        The Jacobian ``-log(scale)`` is a constant of training and is added by `log_jacobian`.
        """
        values = [params[name] for name in self.component.parameters]
        return self.component.mixture_log_prob(u, params["log_weights"], *values)

    @property
    def log_jacobian(self) -> float:
        """What turns a log-density per unit of u into one per unit of y."""
        return -float(np.sum(np.log(np.broadcast_to(self.scale, self.event_size))))

    def shape_of(self, name: str) -> tuple[int, ...]:
        """Own shape of a parameter of one component; () for weights and scalar parameters."""
        shapes = dict(zip(self.component.parameters, self.component.shapes, strict=True))
        return shapes.get(name, ())

    def exact_parameters(self, params: HostParams) -> tuple[np.ndarray, ...]:
        """The component parameters (n, m, K, *shape) in double precision.

        Those of components that a network does not move are filled in.
        """
        shape = np.shape(params["log_weights"])
        fixed = tuple(np.broadcast_to(values, shape) for values in self.component.constants)
        return fixed + tuple(np.asarray(params[n], float) for n in self.component.parameters)

    def to_dict(self) -> dict[str, object]:
        """Everything needed to build it again, in JSON's types."""
        shift, scale = (list(v) if isinstance(v, tuple) else v for v in (self.shift, self.scale))
        return {
            "component": self.component.name,
            "options": options_of(self.component),
            "n_components": self.n_components,
            "shift": shift,
            "scale": scale,
        }
