"""Joint distributions under another prior, known by weighted draws and by their density."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from sfumato.pdfs._joint import AbstractJointPDFs
from sfumato.pdfs._objects import Rows
from sfumato.pdfs._priors import Outside
from sfumato.pdfs.samples import SamplePDFs

_FEW = 30.0
"""Effective draws of an object below which there is a warning."""


class Exchange(NamedTuple):
    """What exchanging priors multiplies a density by at points (n, s, d)."""

    log_ratio: np.ndarray  # (n, s)
    trained: np.ndarray  # (n, s) whether the point lies among the training targets


@dataclass(frozen=True, eq=False)
class ReweightedJointPDFs(AbstractJointPDFs):
    """n joint densities p(y) r(y) / Z, with r a ratio of priors; see `JointPDFs.reweight`.

    Densities are exact but for Z, the mean of r over the draws. Moments, marginals and new draws
    are those of the weighted draws.

    Parameters
    ----------
    base : the densities p(y), as predicted.
    exchange : the logarithm of r at points (n, s, d), and where it was learnt.
    draws : (n, s, d) from `base`.
    held : (n,) objects that have no draw among the training targets; r is taken as it is there.
    """

    base: AbstractJointPDFs
    exchange: Callable[[np.ndarray], Exchange]
    draws: np.ndarray
    held: np.ndarray

    def __len__(self) -> int:
        return len(self.base)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} objects of {self.draws.shape[1]} draws)"

    def _take(self, rows: Rows) -> "ReweightedJointPDFs":
        part = self.base[rows]
        return replace(self, base=part, draws=self.draws[rows], held=self.held[rows])

    @property
    def event_size(self) -> int:
        """Coordinates d of a target."""
        return self.base.event_size

    def _log_ratio(self, points: np.ndarray) -> np.ndarray:
        """Log of r (n, s) at points (n, s, d)."""
        log_ratio, trained = self.exchange(points)
        return np.where(trained | self.held[:, None], log_ratio, -np.inf)

    @cached_property
    def _log_weights(self) -> np.ndarray:
        return self._log_ratio(self.draws)

    @cached_property
    def _log_norm(self) -> np.ndarray:
        return special.logsumexp(self._log_weights, axis=1) - np.log(self.draws.shape[1])

    @cached_property
    def weights(self) -> np.ndarray:
        """Weights (n, s) of the draws, each row of sum 1."""
        return special.softmax(self._log_weights, axis=1)

    @property
    def effective_size(self) -> np.ndarray:
        """Number of independent draws that each object's are worth, ``1 / sum w^2`` (Kong 1992)."""
        return 1.0 / np.sum(self.weights**2, axis=1)

    def log_prob(self, y: ArrayLike) -> np.ndarray:
        """Joint log-density of object i at ``y[i]``, y of shape (n, d), (n,)."""
        values = self._own(y)
        ratio = self._log_ratio(values[:, None, :])[:, 0]
        return self.base.log_prob(values) + ratio - self._log_norm

    def mean(self) -> np.ndarray:
        """Expectation (n, d)."""
        return np.einsum("ns,nsd->nd", self.weights, self.draws)

    def covariance(self) -> np.ndarray:
        """Covariance (n, d, d)."""
        offset = self.draws - self.mean()[:, None]
        return np.einsum("ns,nsi,nsj->nij", self.weights, offset, offset, optimize=True)

    def sample(self, n_draws: int, *, random_state: int | np.random.Generator = 0) -> np.ndarray:
        """Joint draws (n_draws, n, d), taken by weight and with replacement from its own."""
        rng = np.random.default_rng(random_state)
        upto = np.cumsum(self.weights, axis=1)
        upto /= upto[:, -1:]
        out = np.empty((n_draws, len(self), self.event_size))
        for row, edges in enumerate(upto):
            out[:, row] = self.draws[row, np.searchsorted(edges, rng.random(n_draws), "right")]
        return out

    def marginal(self, index: int) -> SamplePDFs:
        """The distribution of one coordinate, by its weighted draws."""
        index = self._index(index)
        bounds = self.base.marginal(index).support
        return SamplePDFs(self.draws[:, :, index], self._log_weights, bounds)


def reweighted(
    base: AbstractJointPDFs,
    exchange: Callable[[np.ndarray], Exchange],
    *,
    outside: Outside,
    n_draws: int,
    random_state: int | np.random.Generator,
) -> ReweightedJointPDFs:
    """Densities times a ratio of priors; see `JointPDFs.reweight`."""
    if n_draws < 1:
        raise ValueError(f"`n_draws` must be at least 1; got {n_draws}. A thousand do.")
    draws = np.ascontiguousarray(base.sample(n_draws, random_state=random_state).swapaxes(0, 1))
    found = ReweightedJointPDFs(base, exchange, draws, np.ones(len(base), bool))
    if outside == "zero":
        weighed = exchange(draws)
        held = ~np.any(weighed.trained & (weighed.log_ratio > -np.inf), axis=1)
        found = replace(found, held=held)
    if np.any(found._log_norm == -np.inf):
        row = int(np.argmax(found._log_norm == -np.inf))
        raise ValueError(f"The new prior is 0 at all {n_draws} draws of row {row}.")
    few = int(np.sum(found.effective_size < _FEW))
    if few:
        message = f"The draws of {few} of {len(base)} objects are worth fewer than {_FEW:g}"
        advice = "see effective_size, and raise `n_draws`"
        warnings.warn(f"{message}: the new prior lies in their tails; {advice}.", stacklevel=3)
    return found
