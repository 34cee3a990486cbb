"""Joint distributions of vector targets: mixtures with samples, marginals and conditionals."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from sfumato._numerics import row_chunks
from sfumato.errors import ShapeError
from sfumato.families import MixtureFamily, bound_component
from sfumato.pdfs._base import Rows
from sfumato.pdfs._mixtures import Mixtures
from sfumato.pdfs._shares import shares
from sfumato.pdfs.counts import CountPDFs
from sfumato.pdfs.parametric import ParametricPDFs


@dataclass(frozen=True, eq=False)
class JointPDFs(Mixtures):
    """n predicted densities of a target with d coordinates; axis 0 is the object. Immutable.

    Parameters
    ----------
    family : what the parameters mean, and the units of the target.
    params : arrays (n, m, K, *shape): ``log_weights`` and the component parameters.
    member_log_weights : (n, m), normalised over m; equal weights if not given.

    Raises
    ------
    ShapeError
        The arrays do not share one shape (n, m, K).
    """

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, {self.event_size} coordinates)"

    def __getitem__(self, rows: int | Rows) -> "JointPDFs":
        """Objects chosen by slice, mask or indices; an integer gives a set of one."""
        if isinstance(rows, int | np.integer):
            rows = [range(len(self))[int(rows)]]
        return self._take(rows)

    @property
    def event_size(self) -> int:
        """Coordinates d of a target."""
        return self.family.event_size

    def _affine(self) -> tuple[np.ndarray, np.ndarray]:
        """Shift and scale of every coordinate, (d,) each."""
        d = self.event_size
        return np.broadcast_to(self.family.shift, d), np.broadcast_to(self.family.scale, d)

    def log_prob(self, y: ArrayLike) -> np.ndarray:
        """Joint log-density of object i at ``y[i]``, y of shape (n, d), (n,)."""
        values = np.asarray(y, float)
        if values.shape != (len(self), self.event_size):
            expected = (len(self), self.event_size)
            raise ShapeError(f"`y` must have shape {expected}; got {values.shape}.")
        out = np.empty(len(self))
        width = self.log_weights.shape[1] * self.event_size**2
        for rows in row_chunks(len(self), width=width):
            unit = self.family.to_unit(values[rows])[:, None, :]
            params = (part[rows] for part in self.components)
            terms = self.family.component.log_density(unit, *params)
            out[rows] = special.logsumexp(terms + self.log_weights[rows], axis=1)
        return out + self.family.log_jacobian

    def component_means(self) -> np.ndarray:
        """Mean (n, m K, d) of every component, in units of y."""
        return self.family.from_unit(self.family.component.mean(*self.components))

    def mean(self) -> np.ndarray:
        """Expectation (n, d)."""
        return np.einsum("nk,nkd->nd", np.exp(self.log_weights), self.component_means())

    def covariance(self) -> np.ndarray:
        """Covariance (n, d, d), by the law of total covariance."""
        (_, scale), weights = self._affine(), np.exp(self.log_weights)
        within = self.family.component.covariance(*self.components) * np.outer(scale, scale)
        offset = self.component_means() - self.mean()[:, None]
        within = np.einsum("nk,nkij->nij", weights, within)
        return within + np.einsum("nk,nki,nkj->nij", weights, offset, offset)

    def variance(self) -> np.ndarray:
        """Variances of the coordinates (n, d)."""
        return np.diagonal(self.covariance(), axis1=1, axis2=2).copy()

    def std(self) -> np.ndarray:
        """Standard deviations of the coordinates (n, d)."""
        return np.sqrt(self.variance())

    def decompose(self) -> tuple[np.ndarray, np.ndarray]:
        """Aleatoric and epistemic variance of every coordinate, (n, d) each."""
        parts = [self.marginal(index).decompose() for index in range(self.event_size)]
        aleatoric, epistemic = (np.stack(part, axis=1) for part in zip(*parts, strict=True))
        return aleatoric, epistemic

    def sample(self, n_draws: int, *, random_state: int | np.random.Generator = 0) -> np.ndarray:
        """Joint draws (n_draws, n, d): a component by its weight, then a vector from it."""
        rng = np.random.default_rng(random_state)
        rows = np.arange(len(self))
        out = np.empty((n_draws, len(self), self.event_size))
        for draw in range(n_draws):
            chosen = self._chosen(rng.random(len(self)))
            params = (values[rows, chosen] for values in self.components)
            out[draw] = self.family.from_unit(self.family.component.sample(rng, *params))
        return out

    # -- fewer coordinates -----------------------------------------------------------------------

    def _index(self, index: int) -> int:
        if not -self.event_size <= index < self.event_size:
            allowed = f"0 to {self.event_size - 1}"
            raise ValueError(f"There is no coordinate {index}; there are {allowed}.")
        return index % self.event_size

    def marginal(self, index: int) -> ParametricPDFs:
        """The distribution of one coordinate, exact: Normal, Beta or binomial mixtures."""
        index = self._index(index)
        exact = self.family.exact_parameters(self.params)
        found = self.family.component.marginal(index, *exact)
        component = bound_component(found.family, **found.options)
        shift, scale = (float(values[index]) for values in self._affine())
        family = MixtureFamily(component, self.family.n_components, shift, scale)
        params = {"log_weights": self.params["log_weights"], **found.params}
        return SCALARS[component.kind](family, params, self.member_log_weights)

    def conditional(self, given: Mapping[int, ArrayLike]) -> "JointPDFs | ParametricPDFs":
        """The distribution of the other coordinates once some are known.

        Every component is conditioned, and its weight multiplied by what it says of the known
        values. Conditionals of Normal mixtures are Normal mixtures; those of shares are given as
        shares of what is left, those of counts as counts of the trials that are left.

        Parameters
        ----------
        given : from the index of a coordinate to its values (n,), or one value for all.

        Returns
        -------
        JointPDFs of the remaining coordinates, in their order; one alone as scalar PDFs.

        Raises
        ------
        IncompatibleError
            The trials of multinomial counts that are left differ between objects.
        ValueError
            Nothing, or everything, is given.
        """
        known = {self._index(key): np.asarray(value, float) for key, value in given.items()}
        rest = [index for index in range(self.event_size) if index not in known]
        if not rest or not known:
            raise ValueError("`given` must name some of the coordinates, and not all.")
        which = sorted(known)
        shift, scale = self._affine()
        values = np.stack([np.broadcast_to(known[i], len(self)) for i in which], axis=1)
        unit = ((values - shift[which]) / scale[which])[:, None, None, :]
        exact = self.family.exact_parameters(self.params)
        found = self.family.component.condition(which, rest, unit, *exact)
        # members, too, are weighted by what they said of the known values
        joint = np.asarray(self.params["log_weights"], float) + found.log_prob
        if self.member_log_weights is not None:
            joint = joint + self.member_log_weights[:, :, None]
        by_member = np.asarray(special.logsumexp(joint, axis=2))
        log_weights = joint - by_member[:, :, None]
        members = by_member - np.logaddexp.reduce(by_member, axis=1, keepdims=True)
        component = bound_component(found.family, **found.options)
        family = MixtureFamily(
            component, self.family.n_components, tuple(shift[rest]), tuple(scale[rest])
        )
        remaining = JointPDFs(family, {"log_weights": log_weights, **found.params}, members)
        return remaining.marginal(0) if len(rest) == 1 else remaining

    def stack(self, weights: ArrayLike | None = None) -> "JointPDFs":
        """Average density of all objects as one object, exact."""
        params, members = self._as_one(shares(weights, len(self)))
        return JointPDFs(self.family, params, members)


SCALARS = {"continuous": ParametricPDFs, "count": CountPDFs}
"""From the kind of a coordinate's family to the class of its PDFs."""
