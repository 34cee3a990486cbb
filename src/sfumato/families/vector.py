"""One class for every component with a vector target; the families are table rows.

A row names NumPyro's class, whose constraints give the links, and one of three sets of exact
results (`sfumato.families.exact`): Gaussian, Dirichlet or multinomial.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy import linalg

from sfumato.families._base import Component, Conditional, Kind, Marginal, Scaling, Shapes, Values
from sfumato.families._special import HALF_LOG_2PI
from sfumato.families.exact import Exact
from sfumato.families.links import Link, link_of
from sfumato.families.scalar import numpyro_class


@dataclass(frozen=True)
class VectorComponent(Component):
    """A row of the table of families with vector targets of `event_size` coordinates.

    Parameters
    ----------
    name, scaling, support : see `Component`.
    parameters, numpyro : names as NumPyro's class knows them.
    shape : dimension and rank to the shapes of the parameters.
    start : means and deviations (K, d) and the component to parameters (K, *shape).
    kernel : log-density in JAX: values (d, ...) and parameters (K, *shape, ...) to (K, ...).
    natural : parameters to those `exact` takes; any further arguments are the component itself.
    exact : the set of results.
    floors : smallest values of positive parameters.
    simplex : whether targets are shares that add up to 1.
    gap_kernel : the same where coordinates of u may be NaN: of those that are there.
    event_size, rank, trials, with_gaps : what binds the row to a task.
    """

    name: str
    parameters: tuple[str, ...]
    numpyro: str
    shape: Callable[[int, int], Shapes]
    start: Callable[..., tuple[np.ndarray, ...]]
    kernel: Callable[..., Array]
    natural: Callable[..., tuple[np.ndarray, ...]]
    exact: Exact
    floors: tuple[float, ...]
    scaling: Scaling = "standard"
    support: tuple[float, float] = (-np.inf, np.inf)
    kind: Kind = "vector"
    needs_trials: bool = False
    simplex: bool = False
    event_size: int | None = None
    rank: int | None = None
    trials: int | None = None
    gap_kernel: Callable[..., Array] | None = None
    with_gaps: bool | None = None

    @property
    def takes_gaps(self) -> bool:  # type: ignore[override]
        """Whether coordinates of a target may be missing."""
        return self.gap_kernel is not None

    @property
    def n_coordinates(self) -> int:
        """Coordinates of a target."""
        return self.event_size or 1

    @property
    def upper(self) -> float:
        """The number of trials, where there is one."""
        return self.support[1] if self.trials is None else float(self.trials)

    @property
    def shapes(self) -> Shapes:
        """Shapes of the parameters of one component."""
        return self.shape(self.event_size or 1, self.rank or 1)

    @property
    def raw_shapes(self) -> Shapes:
        """Shapes of the reals they are made from."""
        return tuple(
            link.raw_shape(shape) for link, shape in zip(self._links, self.shapes, strict=True)
        )

    @property
    def _links(self) -> tuple[Link, ...]:
        constraints = numpyro_class(self.numpyro).arg_constraints
        return tuple(link_of(constraints[name]) for name in self.parameters)

    def constrain(self, *raw: Array) -> tuple[Array, ...]:
        """Unconstrained arrays (K, *raw shape, ...) to parameters, by the constraints' links."""
        return tuple(
            link.forward(part, floor)
            for link, part, floor in zip(self._links, raw, self.floors, strict=True)
        )

    def unconstrain(self, mean: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, ...]:
        """Raw values whose components have about these means and deviations, both (K, d)."""
        return tuple(
            link.inverse(part, floor)
            for link, part, floor in zip(
                self._links, self.start(mean, std, self), self.floors, strict=True
            )
        )

    def log_prob(self, u: Array, *params: Array) -> Array:
        """Log-density for training, values (d, ...) to (K, ...)."""
        kernel = self.gap_kernel if self.with_gaps else None
        return (kernel or self.kernel)(u, *params)

    def clip(self, u: Values) -> Values:
        """Compositions are moved inside their simplex; others are left as they are."""
        if not self.simplex:
            return u
        inside = jnp.clip(u, 1e-6, 1.0)
        return inside / jnp.sum(inside, axis=-1, keepdims=True)

    def admits(self, u: np.ndarray) -> np.ndarray:
        """Which rows (n, d) lie in the support."""
        low, _ = self.support
        if self.with_gaps:
            return np.asarray(~np.isinf(u).any(axis=1) & np.isfinite(u).any(axis=1))
        inside = np.asarray(np.isfinite(u).all(axis=1) & (u >= low).all(axis=1))
        total = np.sum(np.where(np.isfinite(u), u, 0.0), axis=1)
        if self.simplex:
            return np.asarray(inside & (np.abs(total - 1) < 1e-4))
        if self.needs_trials:
            return np.asarray(inside & (u == np.round(u)).all(axis=1) & (total == self.trials))
        return inside

    def takes(self) -> str:
        """Shares, counts that add up to the trials, or anything."""
        if self.simplex:
            return "shares of at least 0 that add up to 1"
        if self.trials is not None:
            return f"whole numbers up to (or adding up to) {self.trials} trials"
        return "values in its support"

    def log_density(self, u: np.ndarray, *params: np.ndarray) -> np.ndarray:
        """Exact log-density of values (..., d)."""
        return self.exact.log_density(u, *self.natural(*params, self))

    def mean(self, *params: np.ndarray) -> np.ndarray:
        """Mean (..., d)."""
        return self.exact.mean(*self.natural(*params, self))

    def covariance(self, *params: np.ndarray) -> np.ndarray:
        """Covariance (..., d, d)."""
        return self.exact.covariance(*self.natural(*params, self))

    def sample(self, rng: np.random.Generator, *params: np.ndarray) -> np.ndarray:
        """One draw (..., d) for each set of parameters."""
        return self.exact.sample(rng, *self.natural(*params, self))

    def marginal(self, index: int, *params: np.ndarray) -> Marginal:
        """Normal, Beta or binomial, exact."""
        return self.exact.marginal(index, *self.natural(*params, self))

    def condition(
        self, given: list[int], rest: list[int], values: np.ndarray, *params: np.ndarray
    ) -> Conditional:
        """Conditionals of Normals are Normal; shares and counts become those of what is left."""
        return self.exact.condition(given, rest, values, *self.natural(*params, self))


# -- densities for training: values (d, ...), parameters (K, *shape, ...) --------------------------


def normal_kernel(u: Array, loc: Array, scale: Array) -> Array:
    """Log-density of independent Normal coordinates."""
    z = (u - loc) / scale
    return jnp.sum(-0.5 * z * z - jnp.log(scale) - HALF_LOG_2PI, axis=1)


def cholesky_kernel(u: Array, loc: Array, scale_tril: Array) -> Array:
    """Log-density of a multivariate Normal by forward substitution, coordinate after coordinate.

    The batch stays last and contiguous; batched triangular solves are several times slower.
    """
    offset = u - loc
    solved: list[Array] = []
    log_det = jnp.zeros_like(offset[:, 0])
    for row in range(offset.shape[1]):
        rest = offset[:, row]
        for column, value in enumerate(solved):
            rest = rest - scale_tril[:, row, column] * value
        solved.append(rest / scale_tril[:, row, row])
        log_det = log_det + jnp.log(scale_tril[:, row, row])
    square = sum(value * value for value in solved)
    return -0.5 * square - log_det - offset.shape[1] * HALF_LOG_2PI


def normal_gap_kernel(u: Array, loc: Array, scale: Array) -> Array:
    """Log-density of the independent Normal coordinates that are there."""
    there = ~jnp.isnan(u)
    z = jnp.where(there, u - loc, 0.0) / scale
    each = -0.5 * z * z - jnp.log(scale) - HALF_LOG_2PI
    return jnp.sum(jnp.where(there, each, 0.0), axis=1)


def cholesky_gap_kernel(u: Array, loc: Array, scale_tril: Array) -> Array:
    """Marginal log-density of the coordinates of a multivariate Normal that are there."""
    return _observed(u, loc, jnp.einsum("kij...,klj...->kil...", scale_tril, scale_tril))


def low_rank_gap_kernel(u: Array, loc: Array, cov_factor: Array, cov_diag: Array) -> Array:
    """The same with covariance W W^T + D."""
    rows = np.arange(cov_diag.shape[1])
    covariance = jnp.einsum("kir...,kjr...->kij...", cov_factor, cov_factor)
    return _observed(u, loc, covariance.at[:, rows, rows].add(cov_diag))


def _observed(u: Array, loc: Array, covariance: Array) -> Array:
    """Marginal Normal log-density (K, ...) where u (d, ...) is not NaN.

    What is missing gets unit variance and no covariance, is where it is expected, and leaves
    nothing behind but a constant: the marginal of a Normal is that of its rows and columns.
    """
    there = ~jnp.isnan(u)
    size = u.shape[0]
    offset = jnp.where(there, u - loc, 0.0)
    rows: list[list[Array]] = []
    solved: list[Array] = []
    log_det = jnp.zeros_like(offset[:, 0])
    for i in range(size):  # Cholesky's rows one after another; the batch stays last
        row: list[Array] = []
        for j in range(i):
            both = there[i] & there[j]
            rest = jnp.where(both, covariance[:, i, j], 0.0)
            rest = rest - sum(a * b for a, b in zip(row, rows[j], strict=False))
            row.append(rest / rows[j][j])
        own = jnp.where(there[i], covariance[:, i, i], 1.0) - sum(a * a for a in row)
        row.append(jnp.sqrt(jnp.maximum(own, _LEAST_VARIANCE)))
        rows.append(row)
        rest = offset[:, i] - sum(a * b for a, b in zip(row, solved, strict=False))
        solved.append(rest / row[i])
        log_det = log_det + jnp.log(row[i])
    square = sum(value * value for value in solved)
    n_there = jnp.sum(there.astype(u.dtype), axis=0)
    return -0.5 * square - log_det - n_there * HALF_LOG_2PI


_LEAST_VARIANCE = 1e-10
"""Of a coordinate once others are known; what rounding takes from a covariance is more."""


def _batch_first(values: Array, n_axes: int) -> Array:
    """Parameter axes 1 to n_axes to the end, for NumPyro."""
    return jnp.moveaxis(values, range(1, 1 + n_axes), range(-n_axes, 0))


def low_rank_kernel(u: Array, loc: Array, cov_factor: Array, cov_diag: Array) -> Array:
    """Log-density of a Normal with covariance W W^T + D, NumPyro's."""
    twin = numpyro_class("LowRankMultivariateNormal")(
        _batch_first(loc, 1), _batch_first(cov_factor, 2), _batch_first(cov_diag, 1)
    )
    return twin.log_prob(jnp.moveaxis(u, 0, -1))


def dirichlet_kernel(u: Array, concentration: Array) -> Array:
    """Log-density of the Dirichlet distribution, NumPyro's."""
    twin = numpyro_class("Dirichlet")(_batch_first(concentration, 1))
    return twin.log_prob(jnp.moveaxis(u, 0, -1))


def multinomial_kernel(u: Array, probs: Array) -> Array:
    """Log-probability of multinomial counts."""
    from jax.scipy.special import gammaln, xlogy

    constant = gammaln(jnp.sum(u, axis=0) + 1) - jnp.sum(gammaln(u + 1), axis=0)
    return constant + jnp.sum(xlogy(u, probs), axis=1)


def gaussian_start(
    mean: np.ndarray, std: np.ndarray, component: VectorComponent
) -> tuple[np.ndarray, ...]:
    """Means and Cholesky factors of diagonal covariances."""
    return mean, np.stack([linalg.diagsvd(row, row.size, row.size) for row in std])


def diagonal_start(mean: np.ndarray, std: np.ndarray, _: VectorComponent) -> tuple[np.ndarray, ...]:
    """Means and deviations."""
    return mean, std


def low_rank_start(
    mean: np.ndarray, std: np.ndarray, component: VectorComponent
) -> tuple[np.ndarray, ...]:
    """Means, small factors that differ, and variances."""
    size, rank = mean.shape[1], component.rank or 1
    seeds = np.sin(1.0 + np.arange(size * rank)).reshape(size, rank)  # any that differ
    return mean, 0.1 * std[..., None] * seeds, std**2
