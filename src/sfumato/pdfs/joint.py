"""Joint distributions of vector targets: mixtures with samples, marginals and conditionals."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from sfumato._numerics import row_chunks
from sfumato._typing import HostParams
from sfumato.errors import IncompatibleError, ShapeError
from sfumato.families import Beta, MixtureFamily, Normal, bound_component
from sfumato.families.vector import (
    condition_dirichlet,
    condition_gaussian,
    condition_multinomial,
)
from sfumato.pdfs._base import Rows, shares
from sfumato.pdfs.counts import CountPDFs
from sfumato.pdfs.parametric import ParametricPDFs, check_shapes


@dataclass(frozen=True, eq=False)
class JointPDFs:
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

    family: MixtureFamily
    params: HostParams
    member_log_weights: np.ndarray | None = None

    def __post_init__(self) -> None:
        check_shapes(self.family, self.params)

    def __len__(self) -> int:
        return self.params["log_weights"].shape[0]

    def __repr__(self) -> str:
        _, members, k = self.params["log_weights"].shape
        what = f"{members} x {k} {self.family.component.name} components"
        return f"JointPDFs({len(self)} objects of {self.event_size} coordinates, {what})"

    def __getitem__(self, rows: int | Rows) -> "JointPDFs":
        """Objects chosen by slice, mask or indices; an integer gives a set of one."""
        if isinstance(rows, int | np.integer):
            rows = [range(len(self))[int(rows)]]
        params = {name: values[rows] for name, values in self.params.items()}
        members = None if self.member_log_weights is None else self.member_log_weights[rows]
        return replace(self, params=params, member_log_weights=members)

    @property
    def event_size(self) -> int:
        """Coordinates d of a target."""
        return self.family.event_size

    @property
    def n_members(self) -> int:
        """Length of the member axis."""
        return self.params["log_weights"].shape[1]

    @cached_property
    def log_weights(self) -> np.ndarray:
        """Log-weights (n, m K) of all components of all members, normalised."""
        values = np.asarray(self.params["log_weights"], float)
        if self.member_log_weights is not None:
            values = values + self.member_log_weights[:, :, None]
        flat = values.reshape(len(self), values.shape[1] * values.shape[2])
        return flat - special.logsumexp(flat, axis=1, keepdims=True)

    @cached_property
    def components(self) -> tuple[np.ndarray, ...]:
        """The component parameters (n, m K, *shape) in double precision, standard scale."""
        exact = self.family.exact_parameters(self.params)
        return tuple(v.reshape(len(self), -1, *v.shape[3:]) for v in exact)

    def _scale(self) -> np.ndarray:
        return np.broadcast_to(np.asarray(self.family.scale, float), self.event_size)

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
        scale, weights = self._scale(), np.exp(self.log_weights)
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
        edges = np.cumsum(np.exp(self.log_weights), axis=1)
        edges[:, -1] = np.inf
        rows = np.arange(len(self))
        out = np.empty((n_draws, len(self), self.event_size))
        for draw in range(n_draws):
            chosen = np.sum(rng.random((len(self), 1)) >= edges, axis=1)
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
        index, component = self._index(index), self.family.component
        k = self.family.n_components
        shift = float(np.broadcast_to(self.family.shift, self.event_size)[index])
        scale = float(self._scale()[index])
        shape = np.shape(self.params["log_weights"])
        natural = component.natural(*self.family.exact_parameters(self.params), component)
        params = {"log_weights": self.params["log_weights"]}
        if component.name == "dirichlet":
            alpha = natural[0][..., index]
            params |= {"alpha": alpha, "beta": natural[0].sum(axis=-1) - alpha}
            family = MixtureFamily(Beta(), k, shift, scale)
        elif component.name == "multinomial":
            params |= {"probs": natural[0][..., index]}
            family = MixtureFamily(bound_component("binomial", trials=component.trials), k)
            return CountPDFs(family, params, self.member_log_weights)
        else:
            deviation = np.sqrt(np.sum(natural[1][..., index, :] ** 2, axis=-1))
            params |= {"loc": natural[0][..., index], "scale": deviation.reshape(shape)}
            family = MixtureFamily(Normal(), k, shift, scale)
        return ParametricPDFs(family, params, self.member_log_weights)

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
        shift, scale = (
            np.broadcast_to(v, self.event_size) for v in (self.family.shift, self._scale())
        )
        values = np.stack([np.broadcast_to(known[i], len(self)) for i in which], axis=1)
        unit = ((values - shift[which]) / scale[which])[:, None, None, :]
        component = self.family.component
        natural = component.natural(*self.family.exact_parameters(self.params), component)
        if component.name == "dirichlet":
            params, log_prob = condition_dirichlet(natural[0], given=which, rest=rest, values=unit)
            full = bound_component("dirichlet", event_size=len(rest))
        elif component.name == "multinomial":
            left = np.unique(component.trials - values.sum(axis=1))
            if left.size > 1 or left[0] < 1:
                message = (
                    "Conditionals of multinomial counts need one number of trials left, above 0"
                )
                raise IncompatibleError(f"{message}; got {left.tolist()[:5]}. Take equal rows.")
            params, log_prob = condition_multinomial(
                natural[0], component.trials, given=which, rest=rest, values=unit
            )
            full = bound_component("multinomial", event_size=len(rest), trials=int(left[0]))
        else:
            loc, tril, log_prob = condition_gaussian(
                natural[0], natural[1], given=which, rest=rest, values=unit
            )
            params = {"loc": loc, "scale_tril": tril}
            full = bound_component("multivariate-normal", event_size=len(rest))
        # members, too, are weighted by what they said of the known values
        joint = np.asarray(self.params["log_weights"], float) + log_prob
        if self.member_log_weights is not None:
            joint = joint + self.member_log_weights[:, :, None]
        by_member = np.asarray(special.logsumexp(joint, axis=2))
        log_weights = joint - by_member[:, :, None]
        members = by_member - np.logaddexp.reduce(by_member, axis=1, keepdims=True)
        family = MixtureFamily(
            full, self.family.n_components, tuple(shift[rest]), tuple(scale[rest])
        )
        remaining = JointPDFs(family, {"log_weights": log_weights, **params}, members)
        return remaining.marginal(0) if len(rest) == 1 else remaining

    def stack(self, weights: ArrayLike | None = None) -> "JointPDFs":
        """Average density of all objects as one object, exact."""
        share, k = shares(weights, len(self)), self.family.n_components
        params = {n: v.reshape(1, -1, k, *v.shape[3:]) for n, v in self.params.items()}
        with np.errstate(divide="ignore"):
            members = np.repeat(np.log(share), self.n_members)
        own = self.member_log_weights
        members = members + (-np.log(self.n_members) if own is None else own.reshape(-1))
        return JointPDFs(self.family, params, members[None])
