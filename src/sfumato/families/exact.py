"""Exact results of vector distributions: Gaussian, Dirichlet and multinomial; NumPy."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from sfumato.errors import IncompatibleError
from sfumato.families._base import Conditional, Marginal
from sfumato.families._special import HALF_LOG_2PI


@dataclass(frozen=True)
class Exact:
    """Results of one kind of vector distribution, parameters last axes, NumPy.

    Parameters
    ----------
    log_density : values (..., d) and parameters to (...).
    mean, covariance : parameters to (..., d) and (..., d, d).
    sample : generator and parameters to one draw each, (..., d).
    marginal, condition : see `Component`; of the parameters as here.
    """

    log_density: Callable[..., np.ndarray]
    mean: Callable[..., np.ndarray]
    covariance: Callable[..., np.ndarray]
    sample: Callable[..., np.ndarray]
    marginal: Callable[..., Marginal]
    condition: Callable[..., Conditional]


def _gaussian_log_density(u: np.ndarray, loc: np.ndarray, tril: np.ndarray) -> np.ndarray:
    offset = np.broadcast_to(u - loc, np.broadcast_shapes(u.shape, loc.shape))
    z = np.linalg.solve(tril, offset[..., None])[..., 0]
    log_det = np.sum(np.log(np.diagonal(tril, axis1=-2, axis2=-1)), axis=-1)
    return -0.5 * np.sum(z * z, axis=-1) - log_det - u.shape[-1] * HALF_LOG_2PI


def _gaussian_sample(rng: np.random.Generator, loc: np.ndarray, tril: np.ndarray) -> np.ndarray:
    return loc + np.einsum("...ij,...j->...i", tril, rng.normal(size=loc.shape))


def _gaussian_marginal(index: int, loc: np.ndarray, tril: np.ndarray) -> Marginal:
    scale = np.sqrt(np.sum(tril[..., index, :] ** 2, axis=-1))
    loc = loc[..., index]
    return Marginal("normal", {}, {"loc": loc, "scale": np.broadcast_to(scale, loc.shape)})


def _gaussian_conditional(
    given: list[int], rest: list[int], values: np.ndarray, loc: np.ndarray, tril: np.ndarray
) -> Conditional:
    covariance = tril @ np.swapaxes(tril, -1, -2)
    s_gg = covariance[..., given, :][..., given]
    s_rg = covariance[..., rest, :][..., given]
    gain = np.swapaxes(np.linalg.solve(s_gg, np.swapaxes(s_rg, -1, -2)), -1, -2)
    offset = values - loc[..., given]
    new_loc = loc[..., rest] + np.einsum("...ij,...j->...i", gain, offset)
    schur = covariance[..., rest, :][..., rest] - gain @ np.swapaxes(s_rg, -1, -2)
    log_prob = _gaussian_log_density(values, loc[..., given], np.linalg.cholesky(s_gg))
    params = {"loc": new_loc, "scale_tril": np.linalg.cholesky(schur)}
    return Conditional("multivariate-normal", {"event_size": len(rest)}, params, log_prob)


GAUSSIAN = Exact(
    _gaussian_log_density,
    lambda loc, _tril: loc,
    lambda _loc, tril: tril @ np.swapaxes(tril, -1, -2),
    _gaussian_sample,
    _gaussian_marginal,
    _gaussian_conditional,
)
"""Of location and Cholesky factor."""


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


def _dirichlet_marginal(index: int, concentration: np.ndarray) -> Marginal:
    alpha = concentration[..., index]
    return Marginal("beta", {}, {"alpha": alpha, "beta": concentration.sum(axis=-1) - alpha})


def _dirichlet_conditional(
    given: list[int], rest: list[int], values: np.ndarray, concentration: np.ndarray
) -> Conditional:
    """The others as shares of what is left.

    The given shares and their rest together are Dirichlet, and independent of how the rest is
    divided (Aitchison 1986, section 3.3).
    """
    total = concentration[..., rest].sum(axis=-1, keepdims=True)
    merged = np.concatenate([concentration[..., given], total], axis=-1)
    shares = np.concatenate([values, 1 - values.sum(axis=-1, keepdims=True)], axis=-1)
    params = {"concentration": concentration[..., rest]}
    log_prob = _dirichlet_log_density(shares, merged)
    return Conditional("dirichlet", {"event_size": len(rest)}, params, log_prob)


DIRICHLET = Exact(
    _dirichlet_log_density,
    lambda concentration: concentration / concentration.sum(axis=-1, keepdims=True),
    _dirichlet_covariance,
    _dirichlet_sample,
    _dirichlet_marginal,
    _dirichlet_conditional,
)
"""Of concentrations."""


def _multinomial_log_density(u: np.ndarray, probs: np.ndarray, trials: int) -> np.ndarray:
    counts = np.maximum(u, 0)
    norm = special.gammaln(trials + 1) - np.sum(special.gammaln(counts + 1), axis=-1)
    inside = (u >= 0).all(axis=-1) & (u == np.round(u)).all(axis=-1) & (u.sum(axis=-1) == trials)
    return np.where(inside, norm + np.sum(special.xlogy(counts, probs), axis=-1), -np.inf)


def _multinomial_covariance(probs: np.ndarray, trials: int) -> np.ndarray:
    diagonal = probs[..., None] * np.eye(probs.shape[-1])
    return trials * (diagonal - probs[..., :, None] * probs[..., None, :])


def _multinomial_sample(rng: np.random.Generator, probs: np.ndarray, trials: int) -> np.ndarray:
    return rng.multinomial(trials, probs / probs.sum(axis=-1, keepdims=True)).astype(float)


def _multinomial_marginal(index: int, probs: np.ndarray, trials: int) -> Marginal:
    return Marginal("binomial", {"trials": trials}, {"probs": probs[..., index]})


def _multinomial_conditional(
    given: list[int], rest: list[int], values: np.ndarray, probs: np.ndarray, trials: int
) -> Conditional:
    """The others as counts of the trials that are left, which must be one number."""
    left = np.unique(trials - values.sum(axis=-1))
    if left.size > 1 or left[0] < 1:
        message = "Conditionals of multinomial counts need one number of trials left, above 0"
        raise IncompatibleError(f"{message}; got {left.tolist()[:5]}. Take equal rows.")
    total = probs[..., rest].sum(axis=-1, keepdims=True)
    merged = np.concatenate([probs[..., given], total], axis=-1)
    counts = np.concatenate([values, trials - values.sum(axis=-1, keepdims=True)], axis=-1)
    log_prob = _multinomial_log_density(counts, merged, trials)
    options = {"event_size": len(rest), "trials": int(left[0])}
    return Conditional("multinomial", options, {"probs": probs[..., rest] / total}, log_prob)


MULTINOMIAL = Exact(
    _multinomial_log_density,
    lambda probs, trials: trials * probs,
    _multinomial_covariance,
    _multinomial_sample,
    _multinomial_marginal,
    _multinomial_conditional,
)
"""Of probabilities and the number of trials."""


def low_rank_cholesky(
    loc: np.ndarray, cov_factor: np.ndarray, cov_diag: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Location and Cholesky factor of W W^T + D."""
    covariance = cov_factor @ np.swapaxes(cov_factor, -1, -2)
    covariance = covariance + cov_diag[..., None] * np.eye(cov_diag.shape[-1])
    return loc, np.linalg.cholesky(covariance)
