"""Mixtures held by their parameters, per object and member: the usual result of a prediction."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from sfumato._numerics import row_chunks
from sfumato.pdfs._base import AbstractPDFs
from sfumato.pdfs._fast import kernel_of
from sfumato.pdfs._mixtures import Mixtures
from sfumato.pdfs._shares import shares
from sfumato.pdfs.grid import GridPDFs

_MAX_NODES = 1025
"""Most nodes of one object."""


@dataclass(frozen=True, eq=False)
class ParametricPDFs(Mixtures, AbstractPDFs):
    """n mixtures, each the average of m members of K components.

    Parameters
    ----------
    family : what the parameters mean, and the units of the target.
    params : arrays (n, m, K): ``log_weights``, normalised over K, and the component parameters,
        those with a shape of their own having it behind.
    member_log_weights : (n, m), normalised over m; equal weights if not given.
    training_priors : the density of the training targets, a set of one; empty if it is not known.

    Raises
    ------
    ShapeError
        The arrays do not share one shape (n, m, K).
    """

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, support {self.support})"

    @property
    def training_prior(self) -> AbstractPDFs | None:
        """The density of the training targets, a set of one, if it is known."""
        return next(iter(self.training_priors), None)

    @property
    def support(self) -> tuple[float, float]:
        """Bounds of the target, the family's."""
        return self.family.support

    def moved_in(self, y: np.ndarray) -> np.ndarray:
        """Values (n,) as training saw them: those on a bound inside, by the family's margin."""
        family = self.family
        moved = family.from_unit(np.asarray(family.component.clip(family.to_unit(y)), float))
        return np.where(np.isin(y, self.support), moved, y)

    @property
    def _width(self) -> int:
        return self.n_components_total

    # -- all members as one mixture ------------------------------------------------------------

    @cached_property
    def _along(self) -> tuple[np.ndarray, ...]:
        """`components` with an axis for points behind the components."""
        return tuple(values[:, :, None] for values in self.components)

    def _unit(self, y: np.ndarray) -> np.ndarray:
        return self.family.to_unit(y)

    def _terms(self, y: np.ndarray) -> np.ndarray:
        """Weighted log-densities (n, m K, j) of the components, per unit of the standard scale."""
        terms = self.family.component.log_density(self._unit(y)[:, None, :], *self._along)
        terms += self.log_weights[:, :, None]
        return terms

    def _log_density(self, y: np.ndarray) -> np.ndarray:
        return np.asarray(special.logsumexp(self._terms(y), axis=1)) + self.family.log_jacobian

    def _density(self, y: np.ndarray) -> np.ndarray:
        terms = self._terms(y)
        np.exp(terms, out=terms)
        return terms.sum(axis=1) / self.family.scale

    def _cdf(self, y: np.ndarray) -> np.ndarray:
        terms = self.family.component.cdf(self._unit(y)[:, None, :], *self._along)
        return np.clip(np.einsum("nk,nkj->nj", np.exp(self.log_weights), terms), 0.0, 1.0)

    def component_moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance (n, m K) of every component, in units of y."""
        mean, variance = self.family.component.moments(*self.components)
        return self.family.from_unit(mean), self.family.scale**2 * variance

    def nodes(self) -> np.ndarray:
        """Sorted union of points placed where each component needs them, (n, g).

        They resolve bounded densities. Where a Beta component is infinite at a bound (alpha or
        beta below 1, which no network here predicts) quadrature on them is not to be trusted.
        """
        points = self.family.component.nodes(*self.components)
        points = self.family.from_unit(points.reshape(len(self), int(np.prod(points.shape[1:]))))
        low, high = self._bracket()
        span = np.linspace(0, 1, 65) * (high - low)[:, None] + low[:, None]
        points = np.clip(np.concatenate([points, span], axis=1), low[:, None], high[:, None])
        points.sort(axis=1)
        # of many overlapping components every few-th node is enough; rank keeps the adaptation
        keep = min(points.shape[1], _MAX_NODES)
        return points[:, np.linspace(0, points.shape[1] - 1, keep).round().astype(int)]

    def _bracket(self) -> tuple[np.ndarray, np.ndarray]:
        low, high = self.family.component.reach(*self.components)
        low, high = self.family.from_unit(low), self.family.from_unit(high)
        return np.min(low, axis=1), np.max(high, axis=1)

    def mean(self) -> np.ndarray:
        """Expectation: the weighted mean of the components' means."""
        mean, _ = self.family.component.moments(*self.components)
        return self.family.from_unit(np.sum(np.exp(self.log_weights) * mean, axis=1))

    def variance(self) -> np.ndarray:
        """Law of total variance: mean of the variances plus variance of the means."""
        mean, variance = self.family.component.moments(*self.components)
        weights = np.exp(self.log_weights)
        centre = np.sum(weights * mean, axis=1, keepdims=True)
        unit = np.sum(weights * (variance + (mean - centre) ** 2), axis=1)
        return self.family.scale**2 * unit

    def decompose(self) -> tuple[np.ndarray, np.ndarray]:
        r"""Aleatoric and epistemic variance of each object, (n,) each; their sum is `variance`.

        .. math:: \mathrm{Var}[y] = \mathrm{E}_m \mathrm{Var}[y|m] + \mathrm{Var}_m \mathrm{E}[y|m]

        over the members m (Depeweg et al. 2018, equation 5): what every member says is noise, and
        what they disagree on. With one member the epistemic part is 0.
        """
        shape = self.params["log_weights"].shape
        mean, variance = (part.reshape(shape) for part in self.component_moments())
        joint = np.exp(self.log_weights).reshape(shape)
        member = joint.sum(axis=2)
        with np.errstate(divide="ignore", invalid="ignore"):
            weights = np.nan_to_num(joint / member[:, :, None])
        centre = np.sum(weights * mean, axis=2)
        within = np.sum(weights * (variance + (mean - centre[:, :, None]) ** 2), axis=2)
        overall = np.sum(member * centre, axis=1, keepdims=True)
        return np.sum(member * within, axis=1), np.sum(member * (centre - overall) ** 2, axis=1)

    def component_pdf(self, grid: ArrayLike) -> np.ndarray:
        """Weighted densities (n, m K, g) of the single components; they sum to `pdf`."""
        points = self._curve_grid(grid)[None]
        return np.exp(self._terms(points) + self.family.log_jacobian)

    def sample(self, n_draws: int, *, random_state: int | np.random.Generator = 0) -> np.ndarray:
        """Draws (n_draws, n): a component by its weight, then a value from it."""
        rng = np.random.default_rng(random_state)
        chosen = self._chosen(rng.random((n_draws, len(self))))
        rows = np.arange(len(self))
        params = (values[rows, chosen] for values in self.components)
        return self.family.from_unit(self.family.component.sample(rng, *params))

    def _average_density(self, share: np.ndarray, points: np.ndarray) -> np.ndarray:
        """Weighted average of the densities at points (g,)."""
        unit = self._unit(points)
        kernel = kernel_of(self.family)
        if kernel is not None and kernel.stack is not None and kernel.reaches(unit):
            with np.errstate(divide="ignore"):
                log_weights = self.flat_log_weights(np.float32) + np.log(share)[:, None]
            return kernel.stack(log_weights, *self.flat_parameters(), unit) / self.family.scale
        total = np.zeros(points.size)
        for rows in row_chunks(len(self), width=self._width * points.size):
            total += share[rows] @ self._take(rows).pdf(points)
        return total

    def flat_parameters(self) -> tuple[np.ndarray, ...]:
        """The component parameters (n, m K, ...) as they are stored."""
        shape = (len(self), self.n_components_total)
        values = (self.params[name] for name in self.family.component.parameters)
        return tuple(v.reshape(*shape, *v.shape[3:]) for v in values)

    def mode_and_quantiles(
        self, levels: np.ndarray, *, with_mode: bool
    ) -> tuple[np.ndarray | None, np.ndarray]:
        """Mode (n,) and quantiles (n, q), by compiled kernels where the family has some."""
        kernel = kernel_of(self.family)
        if kernel is None or not len(self):
            return super().mode_and_quantiles(levels, with_mode=with_mode)
        asked = levels if levels.size else np.array([0.5])
        weights = self.flat_log_weights(np.float32)
        mode, quantiles = kernel.summarise(weights, *self.flat_parameters(), asked)
        shift, scale = np.float32(self.family.shift), np.float32(self.family.scale)
        found = shift + scale * quantiles[:, : levels.size]
        if not with_mode:
            return None, found
        return self.mode() if mode is None else shift + scale * mode, found

    def _gridded(self, points: np.ndarray, density: np.ndarray) -> GridPDFs:
        return GridPDFs(points, density)

    def stack(
        self, weights: ArrayLike | None = None, *, grid: ArrayLike | None = None
    ) -> AbstractPDFs:
        """Average density of all objects as one object.

        Without `grid` the result is exact: one mixture of all n m K components. With it, the
        average is accumulated on that grid in one fused pass, which is what to use beyond a few
        thousand objects.

        Parameters
        ----------
        weights : (n,), not negative, not all zero; equal if not given.
        grid : (g,), increasing, in units of y.

        Raises
        ------
        ValueError
            There are no objects, or the weights are negative or all zero.
        """
        share = shares(weights, len(self))
        if grid is not None:
            points = self._curve_grid(grid)
            average = self._average_density(share, points)
            self.warn_of_coarse(points, average)
            return GridPDFs(points, average[None])
        params, members = self._as_one(share)
        return type(self)(self.family, params, members)
