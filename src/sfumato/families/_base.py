"""The contract of a component family; the members are in their own files."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal, NamedTuple, Self, TypeAlias

import jax
import numpy as np
from jaxtyping import Array

from sfumato._typing import HostParams
from sfumato.errors import IncompatibleError

Kind = Literal["continuous", "count", "vector"]
Shapes = tuple[tuple[int, ...], ...]

Scaling = Literal["robust", "standard", "positive", "bounds", "none"]
"""How a target becomes standard: minus its median and over the width of its central 90 %, as a
Gaussian's deviation; minus its mean and over its deviation; over its mean; from its bounds to
(0, 1); not at all."""

Values: TypeAlias = Array | np.ndarray
"""Arrays of JAX in training, of NumPy in results."""


class Marginal(NamedTuple):
    """One coordinate of vector components: a family of single numbers and its parameters.

    Parameters
    ----------
    family, options : what `bound_component` makes it of.
    params : parameters (n, m, K).
    """

    family: str
    options: dict[str, int]
    params: HostParams


class Conditional(NamedTuple):
    """What is left of vector components once some coordinates are known.

    Parameters
    ----------
    family, options : what `bound_component` makes the other coordinates' component of.
    params : its parameters (n, m, K, ...).
    log_prob : (n, m, K) what each component said of the known values.
    """

    family: str
    options: dict[str, int]
    params: HostParams
    log_prob: np.ndarray


class Component(ABC):
    """One distribution on its own standard scale, with any number of parameters.

    Two kinds of function live here. Those for training (`constrain`, `log_prob`) are JAX, have
    the components first and the batch last, and are safe in single precision. Those for results
    (`log_density`, `cdf`, moments, `sample`) are NumPy and SciPy in double precision, broadcast,
    and are exact. A parameter with a shape of its own, such as a covariance, has it behind the
    components in training and last in results.

    Members are frozen dataclasses: their fields say what they are.
    """

    name: str
    kind: Kind
    parameters: tuple[str, ...]
    shapes: Shapes
    """Shape of each parameter of one component."""
    raw_shapes: Shapes
    """Shape of the reals that each parameter is made from."""
    scaling: Scaling
    support: tuple[float, float]
    """Bounds of the standard scale, of every coordinate for vectors."""

    sharpens: ClassVar[bool] = False
    """Whether `narrow` can multiply its precision."""
    needs_trials: ClassVar[bool] = False
    """Whether it means nothing without a number of trials."""
    takes_gaps: ClassVar[bool] = False
    """Whether coordinates of a target may be missing."""

    # -- what it is, for one task ----------------------------------------------------------------

    @property
    def n_coordinates(self) -> int:
        """Coordinates of a target."""
        return 1

    @property
    def constants(self) -> tuple[np.ndarray, ...]:
        """Parameters (K,) that no network moves; they come before the others in results."""
        return ()

    @property
    def upper(self) -> float:
        """Upper bound of the standard scale, that of the trials where there are some."""
        return self.support[1]

    def exponent_of(self, y: np.ndarray) -> float | None:
        """The option `exponent` for targets y, where it has one."""
        return None

    def bound(self, **options: object) -> Self:
        """Bound to a task by those of `COMPONENT_OPTIONS` that it has; the others are left out."""
        row: Any = self  # a dataclass, which its base cannot say
        own = vars(self).keys() & set(COMPONENT_OPTIONS)
        given = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items() if k in own}
        return replace(row, **given)

    # -- training --------------------------------------------------------------------------------

    @abstractmethod
    def constrain(self, *raw: Array) -> tuple[Array, ...]:
        """Unconstrained arrays (K, *raw shape, ...) to valid parameters (K, *shape, ...)."""

    @abstractmethod
    def unconstrain(self, mean: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, ...]:
        """Raw values whose components have about these means and standard deviations."""

    def start_weights(self, u: np.ndarray) -> np.ndarray | None:
        """Shares (K,) of the targets u to start from; None where components are laid over them."""
        return None

    @abstractmethod
    def log_prob(self, u: Array, *params: Array) -> Array:
        """Log-density for training, finite with finite gradients at every valid input."""

    def mixture_log_prob(self, u: Array, log_weights: Array, *params: Array) -> Array:
        """Log-density of the mixture: log-sum-exp over the leading axis, never log(sum)."""
        return jax.nn.logsumexp(log_weights + self.log_prob(u, *params), axis=0)

    def clip(self, u: Values) -> Values:
        """Targets moved inside the open support by a stated margin; here as they are."""
        return u

    # -- sharpening ------------------------------------------------------------------------------

    def log_precision(self, *params: Values) -> Values:
        """Log of the precision that `narrow` multiplies."""
        raise self._cannot("has no precision")

    def narrow(
        self, log_weights: Values, params: Sequence[Values], log_factor: Values | float
    ) -> tuple[Values, Sequence[Values]]:
        """Weights and parameters with the precision times ``exp(log_factor)``, means kept."""
        raise self._cannot("has no precision")

    # -- results ---------------------------------------------------------------------------------

    @abstractmethod
    def admits(self, u: np.ndarray) -> np.ndarray:
        """Which targets lie in the support."""

    def takes(self) -> str:
        """What targets it takes, in words, for messages."""
        if self.kind == "count":
            return "whole numbers of at least 0"
        return "values above 0" if self.support[0] == 0 else "values in its support"

    @abstractmethod
    def log_density(self, u: np.ndarray, *params: np.ndarray) -> np.ndarray:
        """Exact log-density or log-probability; -inf outside the support.

        Never infinite at a bound of single numbers, where it is the value `INSET` inside.
        """

    @abstractmethod
    def sample(self, rng: np.random.Generator, *params: np.ndarray) -> np.ndarray:
        """One draw for each set of parameters."""

    # -- results of scalar targets ---------------------------------------------------------------

    def cdf(self, u: np.ndarray, *params: np.ndarray) -> np.ndarray:
        """Exact cumulative distribution."""
        raise self._cannot("is of vectors and has no cdf")

    def moments(self, *params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance."""
        raise self._cannot("is of vectors: ask for mean and covariance")

    def nodes(self, *params: np.ndarray) -> np.ndarray:
        """Points that resolve the density of each component, along a new last axis."""
        raise self._cannot("is of vectors and has no nodes")

    def reach(self, *params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Two points between which all but 1e-12 of each component lies."""
        raise self._cannot("is of vectors and has no reach")

    # -- results of vector targets ---------------------------------------------------------------

    def mean(self, *params: np.ndarray) -> np.ndarray:
        """Mean (..., d)."""
        raise self._cannot("is of single numbers: ask for moments")

    def covariance(self, *params: np.ndarray) -> np.ndarray:
        """Covariance (..., d, d)."""
        raise self._cannot("is of single numbers: ask for moments")

    def marginal(self, index: int, *params: np.ndarray) -> Marginal:
        """The distribution of one coordinate."""
        raise self._cannot("is of single numbers and has no marginals")

    def condition(
        self, given: list[int], rest: list[int], values: np.ndarray, *params: np.ndarray
    ) -> Conditional:
        """The components of the coordinates `rest` where those `given` are `values` (n, given)."""
        raise self._cannot("is of single numbers and has no conditionals")

    def _cannot(self, why: str) -> IncompatibleError:
        return IncompatibleError(f"The family {self.name!r} {why}.")


INSET = 1e-12
"""Where a density is infinite at a bound of the standard scale, its value this far inside stands
for it: what rounding leaves of a finite density (an alpha of 1 that became 0.9999999) stays what it
was, and no grid that holds the bound meets an infinity."""

_FAR = np.array([4.75, 5.75, 7.25, 9.5])
SPREAD = np.concatenate([-_FAR[::-1], np.linspace(-4, 4, 33), _FAR])
"""Nodes of a bell-shaped component, in its standard deviations."""

COMPONENT_OPTIONS = (
    "event_size",
    "rank",
    "trials",
    "edges",
    "n_classes",
    "n_bins",
    "with_gaps",
    "exponent",
)
"""Names of the fields that bind a component to a task: its dimension, trials, bins, gaps, power."""


def options_of(component: Component) -> dict[str, object]:
    """The options a component has been bound with, in JSON's types."""
    values = {k: v for k, v in vars(component).items() if k in COMPONENT_OPTIONS}
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items() if v is not None}
