"""The contract of a component family; the members are in their own files."""

from typing import Any, Protocol

import numpy as np
from jaxtyping import Array


class Component(Protocol):
    """One distribution with two parameters, on its own standard scale.

    Two kinds of function live here. Those for training (`constrain`, `log_prob`) are JAX,
    elementwise, and safe in single precision. Those for results (`log_density`, `cdf`, moments,
    `sample`) are NumPy and SciPy in double precision, broadcast, and are exact.
    """

    @property
    def name(self) -> str: ...
    @property
    def parameters(self) -> tuple[str, str]: ...
    @property
    def support(self) -> tuple[float, float]: ...

    def constrain(self, first: Array, second: Array) -> tuple[Array, Array]:
        """Two unconstrained arrays to valid parameters, elementwise."""
        ...

    def unconstrain(self, mean: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Raw values whose component has about this mean and standard deviation."""
        ...

    def log_precision(self, first: Any, second: Any) -> Any:
        """Log of what `narrow` multiplies; any kind of array."""
        ...

    def narrow(self, first: Any, second: Any, log_factor: Any) -> tuple[Any, Any]:
        """The same mean with the precision times ``exp(log_factor)``; any kind of array."""
        ...

    def log_prob(self, y: Array, first: Array, second: Array) -> Array:
        """Log-density for training, finite with finite gradients at every valid input."""
        ...

    def clip(self, y: Any) -> Any:
        """Targets moved inside the open support by a stated margin."""
        ...

    def log_density(self, y: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Exact log-density; -inf outside the support."""
        ...

    def cdf(self, y: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Exact cumulative distribution."""
        ...

    def moments(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance."""
        ...

    def peak(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Place of the highest density."""
        ...

    def sample(self, rng: np.random.Generator, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """One draw for each pair of parameters."""
        ...
