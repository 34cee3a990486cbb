"""One class for every component with a vector target; the families are table rows.

A row names NumPyro's class, whose constraints give the links, and one of three sets of exact
results: Gaussian, Dirichlet or multinomial.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from scipy import linalg, special

from sfumato.families._base import Kind, Scaling, Shapes
from sfumato.families._special import HALF_LOG_2PI
from sfumato.families.links import Link, link_of
from sfumato.families.scalar import numpyro_class

FLOOR = 0.005
"""Smallest standard deviation of a coordinate, in those of the target."""


@dataclass(frozen=True)
class Exact:
    """Results of one kind of vector distribution, parameters last axes, NumPy.

    Parameters
    ----------
    log_density : values (..., d) and parameters to (...).
    mean, covariance : parameters to (..., d) and (..., d, d).
    sample : generator and parameters to one draw each, (..., d).
    """

    log_density: Callable[..., np.ndarray]
    mean: Callable[..., np.ndarray]
    covariance: Callable[..., np.ndarray]
    sample: Callable[..., np.ndarray]


@dataclass(frozen=True)
class VectorComponent:
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
    event_size, rank, trials : what binds the row to a task.
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
    event_size: int | None = None
    rank: int | None = None
    trials: int | None = None

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
        return self.kernel(u, *params)

    def clip(self, u: Any) -> Any:
        """Compositions are moved inside their simplex; others are left as they are."""
        if self.name != "dirichlet":
            return u
        inside = jnp.clip(u, 1e-6, 1.0)
        return inside / jnp.sum(inside, axis=-1, keepdims=True)

    def admits(self, u: np.ndarray) -> np.ndarray:
        """Which rows (n, d) lie in the support."""
        low, _ = self.support
        inside = np.asarray(np.isfinite(u).all(axis=1) & (u >= low).all(axis=1))
        total = np.sum(np.where(np.isfinite(u), u, 0.0), axis=1)
        if self.name == "dirichlet":
            return np.asarray(inside & (np.abs(total - 1) < 1e-4))
        if self.needs_trials:
            return np.asarray(inside & (u == np.round(u)).all(axis=1) & (total == self.trials))
        return inside

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


# -- exact results ---------------------------------------------------------------------------------


def _gaussian_log_density(u: np.ndarray, loc: np.ndarray, tril: np.ndarray) -> np.ndarray:
    offset = np.broadcast_to(u - loc, np.broadcast_shapes(u.shape, loc.shape))
    z = np.linalg.solve(tril, offset[..., None])[..., 0]
    log_det = np.sum(np.log(np.diagonal(tril, axis1=-2, axis2=-1)), axis=-1)
    return -0.5 * np.sum(z * z, axis=-1) - log_det - u.shape[-1] * HALF_LOG_2PI


def _gaussian_sample(rng: np.random.Generator, loc: np.ndarray, tril: np.ndarray) -> np.ndarray:
    return loc + np.einsum("...ij,...j->...i", tril, rng.normal(size=loc.shape))


GAUSSIAN = Exact(
    _gaussian_log_density,
    lambda loc, _tril: loc,
    lambda _loc, tril: tril @ np.swapaxes(tril, -1, -2),
    _gaussian_sample,
)


def _dirichlet_log_density(u: np.ndarray, concentration: np.ndarray) -> np.ndarray:
    total = np.sum(concentration, axis=-1)
    norm = special.gammaln(total) - np.sum(special.gammaln(concentration), axis=-1)
    inside = (u >= 0).all(axis=-1) & (np.abs(u.sum(axis=-1) - 1) < 1e-4)
    # shares of exactly 0 are scored where training puts them, or a density may be infinite there
    value = norm + np.sum((concentration - 1) * np.log(np.maximum(u, 1e-6)), axis=-1)
    return np.where(inside, value, -np.inf)


def _dirichlet_covariance(concentration: np.ndarray) -> np.ndarray:
    total = np.sum(concentration, axis=-1)[..., None, None]
    mean = concentration / total[..., 0]
    outer = mean[..., :, None] * mean[..., None, :]
    return (mean[..., None] * np.eye(mean.shape[-1]) - outer) / (total + 1)


def _dirichlet_sample(rng: np.random.Generator, concentration: np.ndarray) -> np.ndarray:
    draws = rng.standard_gamma(concentration)
    return draws / draws.sum(axis=-1, keepdims=True)


DIRICHLET = Exact(
    _dirichlet_log_density,
    lambda concentration: concentration / concentration.sum(axis=-1, keepdims=True),
    _dirichlet_covariance,
    _dirichlet_sample,
)


def _multinomial_log_density(u: np.ndarray, probs: np.ndarray, trials: int) -> np.ndarray:
    counts = np.maximum(u, 0)
    norm = special.gammaln(trials + 1) - np.sum(special.gammaln(counts + 1), axis=-1)
    inside = (u >= 0).all(axis=-1) & (u == np.round(u)).all(axis=-1) & (u.sum(axis=-1) == trials)
    return np.where(inside, norm + np.sum(special.xlogy(counts, probs), axis=-1), -np.inf)


def _multinomial_covariance(probs: np.ndarray, trials: int) -> np.ndarray:
    diagonal = probs[..., None] * np.eye(probs.shape[-1])
    return trials * (diagonal - probs[..., :, None] * probs[..., None, :])


MULTINOMIAL = Exact(
    _multinomial_log_density,
    lambda probs, trials: trials * probs,
    _multinomial_covariance,
    lambda rng, probs, trials: rng.multinomial(
        trials, probs / probs.sum(axis=-1, keepdims=True)
    ).astype(float),
)


def low_rank_cholesky(
    loc: np.ndarray, cov_factor: np.ndarray, cov_diag: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Location and Cholesky factor of W W^T + D."""
    covariance = cov_factor @ np.swapaxes(cov_factor, -1, -2)
    covariance = covariance + cov_diag[..., None] * np.eye(cov_diag.shape[-1])
    return loc, np.linalg.cholesky(covariance)


def condition_gaussian(
    loc: np.ndarray, tril: np.ndarray, *, given: list[int], rest: list[int], values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Location and Cholesky factor of the other coordinates, and log-density of the given ones.

    Parameters
    ----------
    loc, tril : (..., d) and (..., d, d).
    values : (..., len(given)) what the given coordinates are.
    """
    covariance = tril @ np.swapaxes(tril, -1, -2)
    s_gg = covariance[..., given, :][..., given]
    s_rg = covariance[..., rest, :][..., given]
    gain = np.swapaxes(np.linalg.solve(s_gg, np.swapaxes(s_rg, -1, -2)), -1, -2)
    offset = values - loc[..., given]
    new_loc = loc[..., rest] + np.einsum("...ij,...j->...i", gain, offset)
    schur = covariance[..., rest, :][..., rest] - gain @ np.swapaxes(s_rg, -1, -2)
    log_prob = _gaussian_log_density(values, loc[..., given], np.linalg.cholesky(s_gg))
    return new_loc, np.linalg.cholesky(schur), log_prob


def condition_dirichlet(
    concentration: np.ndarray, *, given: list[int], rest: list[int], values: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Parameters of the other shares, as shares of what is left, and log-density of the given.

    The given shares and their rest together are Dirichlet, and independent of how the rest is
    divided (Aitchison 1986, section 3.3).
    """
    total = concentration[..., rest].sum(axis=-1, keepdims=True)
    merged = np.concatenate([concentration[..., given], total], axis=-1)
    shares = np.concatenate([values, 1 - values.sum(axis=-1, keepdims=True)], axis=-1)
    return {"concentration": concentration[..., rest]}, _dirichlet_log_density(shares, merged)


def condition_multinomial(
    probs: np.ndarray, trials: int, *, given: list[int], rest: list[int], values: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Probabilities of the other outcomes, and log-probability of the given counts."""
    total = probs[..., rest].sum(axis=-1, keepdims=True)
    merged = np.concatenate([probs[..., given], total], axis=-1)
    counts = np.concatenate([values, trials - values.sum(axis=-1, keepdims=True)], axis=-1)
    log_prob = _multinomial_log_density(counts, merged, trials)
    return {"probs": probs[..., rest] / total}, log_prob


def gaussian_start(mean: np.ndarray, std: np.ndarray, component: Any) -> tuple[np.ndarray, ...]:
    """Means and diagonal covariances for any of the three forms of a Normal."""
    if component.name.endswith("diagonal"):
        return mean, std
    if component.name.endswith("low-rank"):
        size, rank = mean.shape[1], component.rank or 1
        seeds = np.sin(1.0 + np.arange(size * rank)).reshape(size, rank)  # any that differ
        return mean, 0.1 * std[..., None] * seeds, std**2
    return mean, np.stack([linalg.diagsvd(row, row.size, row.size) for row in std])
