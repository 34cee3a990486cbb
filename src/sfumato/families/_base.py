"""The contract of a component family; the members are in their own files."""

from dataclasses import fields
from typing import Any, Literal, Protocol

import numpy as np
from jaxtyping import Array

Kind = Literal["continuous", "count", "vector"]
Shapes = tuple[tuple[int, ...], ...]

Scaling = Literal["standard", "positive", "bounds", "none"]
"""How a target becomes standard: minus its mean and over its deviation; over its mean; from its
bounds to (0, 1); not at all."""


class Component(Protocol):
    """One distribution on its own standard scale, with any number of parameters.

    Two kinds of function live here. Those for training (`constrain`, `log_prob`) are JAX, have
    the components first and the batch last, and are safe in single precision. Those for results
    (`log_density`, `cdf`, moments, `sample`) are NumPy and SciPy in double precision, broadcast,
    and are exact. A parameter with a shape of its own, such as a covariance, has it behind the
    components in training and last in results.
    """

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def parameters(self) -> tuple[str, ...]: ...
    @property
    def shapes(self) -> Shapes:
        """Shape of each parameter of one component."""
        ...

    @property
    def raw_shapes(self) -> Shapes:
        """Shape of the reals each parameter is made from."""
        ...

    @property
    def scaling(self) -> Scaling: ...
    @property
    def support(self) -> tuple[float, float]:
        """Bounds of the standard scale (of every coordinate, for vectors)."""
        ...

    def constrain(self, *raw: Array) -> tuple[Array, ...]:
        """Unconstrained arrays (K, *raw shape, ...) to valid parameters (K, *shape, ...)."""
        ...

    def unconstrain(self, mean: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, ...]:
        """Raw values whose components have about these means and standard deviations."""
        ...

    def log_prob(self, u: Array, *params: Array) -> Array:
        """Log-density for training, finite with finite gradients at every valid input."""
        ...

    def clip(self, u: Any) -> Any:
        """Targets moved inside the open support by a stated margin."""
        ...

    def log_density(self, u: np.ndarray, *params: np.ndarray) -> np.ndarray:
        """Exact log-density or log-probability; -inf outside the support."""
        ...

    def sample(self, rng: np.random.Generator, *params: np.ndarray) -> np.ndarray:
        """One draw for each set of parameters."""
        ...


class ScalarLike(Component, Protocol):
    """What a component with a scalar target adds for results."""

    def cdf(self, u: np.ndarray, *params: np.ndarray) -> np.ndarray:
        """Exact cumulative distribution."""
        ...

    def moments(self, *params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance."""
        ...

    def nodes(self, *params: np.ndarray) -> np.ndarray:
        """Points that resolve the density of each component, along a new last axis."""
        ...

    def reach(self, *params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Two points between which all but 1e-12 of each component lies."""
        ...


_FAR = np.array([4.75, 5.75, 7.25, 9.5])
SPREAD = np.concatenate([-_FAR[::-1], np.linspace(-4, 4, 33), _FAR])
"""Nodes of a bell-shaped component, in its standard deviations."""

OPTIONS = ("event_size", "rank", "trials", "edges", "n_classes", "n_bins")
"""Names of the fields that bind a component to a task: its dimension, trials, bins."""


def options_of(component: Any) -> dict[str, Any]:
    """The options a component has been bound with, in JSON's types."""
    values = {f.name: getattr(component, f.name) for f in fields(component) if f.name in OPTIONS}
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items() if v is not None}
