"""One class for every parametric component with a scalar target; the families are table rows.

NumPyro decides what the parameters are and gives the density for training; SciPy gives the exact
results. A row brings its own kernel only where NumPyro's is not safe in single precision.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from numpy.typing import ArrayLike
from scipy import special

from sfumato._typing import NumpyroDistribution
from sfumato.families._base import INSET, Component, Kind, Scaling, Shapes, Values
from sfumato.families.links import Link, link_of
from sfumato.families.transformed import box_cox_exponent

_LEVELS = special.expit(np.linspace(-20, 20, 81))
"""Probabilities at whose quantiles a component is tabulated: dense in the middle, and to 2e-9."""

_FARTHEST = 1e290
_TAIL = 1e-12


class Exact(Protocol):
    """What is used of a frozen distribution of SciPy; one of counts has the second density."""

    def logpdf(self, x: np.ndarray) -> np.ndarray: ...  # noqa: D102
    def logpmf(self, k: np.ndarray) -> np.ndarray: ...  # noqa: D102
    def cdf(self, x: np.ndarray) -> np.ndarray: ...  # noqa: D102
    def ppf(self, q: ArrayLike) -> np.ndarray: ...  # noqa: D102
    def isf(self, q: ArrayLike) -> np.ndarray: ...  # noqa: D102
    def mean(self) -> np.ndarray: ...  # noqa: D102
    def var(self) -> np.ndarray: ...  # noqa: D102
    def rvs(  # noqa: D102
        self, *, size: tuple[int, ...], random_state: np.random.Generator
    ) -> np.ndarray: ...


@dataclass(frozen=True)
class ScalarComponent(Component):
    """A row of the table of families.

    Parameters
    ----------
    name, kind, scaling, support : see `Component`; `margin` keeps targets inside the support.
    parameters : names of the parameters, as NumPyro's `numpyro` class knows them.
    numpyro : class of ``numpyro.distributions`` whose constraints give the links.
    exact : parameters to a frozen SciPy distribution (or one with its methods).
    start : mean and standard deviation to the constrained numbers a component starts from.
    combine : constrained numbers to the parameters, where those train better than the parameters
        themselves (a mean and a concentration, say); any kind of array.
    kernel : log-density in JAX where NumPyro's is not safe in single precision.
    floors : smallest value of each constrained number.
    limits : least and largest value of each constrained number, where not all would do.
    links : instead of those of the constraints.
    tabulate : points that resolve the density, where quantiles do not.
    zero : whether 0 is in the support of a positive family.
    trials : number of trials of the families that need one.
    exponent : of the families that have one, which the targets decide.
    """

    name: str
    parameters: tuple[str, ...]
    exact: Callable[..., object]
    start: Callable[..., tuple]
    numpyro: str = ""
    combine: Callable[..., tuple] | None = None
    kernel: Callable[..., Array] | None = None
    floors: tuple[float, ...] = ()
    limits: tuple[tuple[float, float], ...] = ()
    links: tuple[Link, ...] = ()
    tabulate: Callable[..., np.ndarray] | None = None
    kind: Kind = "continuous"
    scaling: Scaling = "standard"
    support: tuple[float, float] = (-np.inf, np.inf)
    margin: float = 0.0
    zero: bool = False
    needs_trials: bool = False
    trials: int | None = field(default=None)
    exponent: float | None = None

    # -- shapes ----------------------------------------------------------------------------------

    @property
    def shapes(self) -> Shapes:
        """Every parameter is a scalar."""
        return ((),) * len(self.parameters)

    @property
    def raw_shapes(self) -> Shapes:
        """One real for each parameter."""
        return self.shapes

    @property
    def upper(self) -> float:
        """The number of trials, where there is one."""
        return self.support[1] if self.trials is None else float(self.trials)

    # -- training --------------------------------------------------------------------------------

    def constrain(self, *raw: Array) -> tuple[Array, ...]:
        """Unconstrained arrays to parameters, by the links of the constraints."""
        links = self.links or _links(self.numpyro, self.parameters)
        values = tuple(
            link.forward(part, floor)
            for link, part, floor in zip(links, raw, self._floors, strict=True)
        )
        if self.limits:  # beyond them means and quantiles leave the range of numbers
            values = tuple(
                jnp.clip(value, *limit) for value, limit in zip(values, self.limits, strict=True)
            )
        return values if self.combine is None else self.combine(*values, **self._fixed)

    @property
    def _floors(self) -> tuple[float, ...]:
        return self.floors or (0.0,) * len(self.parameters)

    def unconstrain(self, mean: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, ...]:
        """Raw values whose components have about these means and standard deviations."""
        links = self.links or _links(self.numpyro, self.parameters)
        values = self.start(mean, std, **self._fixed)
        parts = (np.broadcast_to(np.asarray(v, float), np.shape(mean)) for v in values)
        return tuple(
            link.inverse(part, floor)
            for link, part, floor in zip(links, parts, self._floors, strict=True)
        )

    @property
    def _fixed(self) -> dict[str, float]:
        values = {"total_count": self.trials, "exponent": self.exponent}
        return {name: value for name, value in values.items() if value is not None}

    def exponent_of(self, y: np.ndarray) -> float | None:
        """That of Box and Cox, where the family has one."""
        return None if self.exponent is None else box_cox_exponent(y)

    def log_prob(self, u: Array, *params: Array) -> Array:
        """Log-density for training: the row's kernel, or NumPyro's."""
        if self.kernel is not None:
            return self.kernel(u, *params, **self._fixed)
        named = dict(zip(self.parameters, params, strict=True))
        with jax.numpy_dtype_promotion("standard"):  # NumPyro mixes JAX's default precision in
            value = numpyro_class(self.numpyro)(**named, **self._fixed).log_prob(u)
        return value.astype(u.dtype)

    def clip(self, u: Values) -> Values:
        """Targets moved inside the support by the margin."""
        low, high = self.support
        return jnp.clip(u, low + self.margin, high - self.margin) if self.margin else u

    def admits(self, u: np.ndarray) -> np.ndarray:
        """Which targets lie in the support; those of a bounded scale may lie on its bounds."""
        low, high = self.support[0], self.upper
        closed = self.kind == "count" or self.zero or self.scaling == "bounds"
        inside = np.isfinite(u) & (u <= high) & ((u >= low) if closed else (u > low))
        return inside & (u == np.round(u)) if self.kind == "count" else inside

    def takes(self) -> str:
        """Whole numbers up to the trials, where there are some."""
        if self.trials is None:
            return super().takes()
        return f"whole numbers up to (or adding up to) {self.trials} trials"

    # -- results ---------------------------------------------------------------------------------

    def _twin(self, *params: np.ndarray) -> Exact:
        return cast(Exact, self.exact(*params, **self._fixed))

    def log_density(self, u: np.ndarray, *params: np.ndarray) -> np.ndarray:
        """Exact log-density or log-probability; see `Component.log_density`."""
        twin = self._twin(*params)
        if self.kind == "count":
            return twin.logpmf(u)
        with np.errstate(over="ignore"):  # far in a tail an exponential overflows, to -inf
            values = twin.logpdf(u)
            infinite = np.isposinf(values)
            if not np.any(infinite):
                return values
            return np.where(infinite, twin.logpdf(np.maximum(u, INSET)), values)

    def cdf(self, u: np.ndarray, *params: np.ndarray) -> np.ndarray:
        """Exact cumulative distribution."""
        with np.errstate(over="ignore"):
            return self._twin(*params).cdf(u)

    def moments(self, *params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance."""
        twin = self._twin(*params)
        return np.asarray(twin.mean()), np.asarray(twin.var())

    def nodes(self, *params: np.ndarray) -> np.ndarray:
        """Quantiles of each component along a new last axis, or the row's own points."""
        params = tuple(values[..., None] for values in params)
        if self.tabulate is not None:
            return self.tabulate(*params)
        with np.errstate(over="ignore"):
            return np.clip(self._twin(*params).ppf(_LEVELS), -_FARTHEST, _FARTHEST)

    def reach(self, *params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Quantiles at 1e-12 from either end."""
        twin = self._twin(*params)
        with np.errstate(over="ignore"):  # tails may reach farther than numbers do
            low, high = twin.ppf(_TAIL), twin.isf(_TAIL)
        return np.clip(low, -_FARTHEST, _FARTHEST), np.clip(high, -_FARTHEST, _FARTHEST)

    def sample(self, rng: np.random.Generator, *params: np.ndarray) -> np.ndarray:
        """One draw for each set of parameters."""
        shape = np.broadcast_shapes(*(np.shape(values) for values in params))
        return self._twin(*params).rvs(size=shape, random_state=rng)


def numpyro_class(name: str) -> type[NumpyroDistribution]:
    """A class of ``numpyro.distributions``, imported on first use."""
    from numpyro import distributions  # a second of imports: only where it is needed

    return getattr(distributions, name)


@cache
def _links(numpyro: str, parameters: tuple[str, ...]) -> tuple[Link, ...]:
    constraints = numpyro_class(numpyro).arg_constraints
    return tuple(link_of(constraints[name]) for name in parameters)
