"""Joint distributions of vector targets: mixtures with samples, marginals and conditionals."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from sfumato._numerics import row_chunks
from sfumato.errors import check_one_of
from sfumato.families import MixtureFamily, bound_component
from sfumato.pdfs._base import Density
from sfumato.pdfs._joint import AbstractJointPDFs
from sfumato.pdfs._mixtures import Mixtures
from sfumato.pdfs._priors import OUTSIDE, Outside
from sfumato.pdfs._shares import shares
from sfumato.pdfs.counts import CountPDFs
from sfumato.pdfs.parametric import ParametricPDFs
from sfumato.pdfs.reweighted import Exchange, ReweightedJointPDFs, reweighted

Points = np.ndarray
JointPrior = Callable[[Points], ArrayLike] | Mapping[int, Density]
"""A density of vectors: a function of points (..., d), or densities of single coordinates."""


@dataclass(frozen=True, eq=False)
class JointPDFs(Mixtures, AbstractJointPDFs):
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
        values = self._own(y)
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

    def marginal(self, index: int) -> ParametricPDFs:
        """The distribution of one coordinate, exact: Normal, Beta or binomial mixtures."""
        index = self._index(index)
        exact = self.family.exact_parameters(self.params)
        found = self.family.component.marginal(index, *exact)
        component = bound_component(found.family, **found.options)
        shift, scale = (float(values[index]) for values in self._affine())
        family = MixtureFamily(component, self.family.n_components, shift, scale)
        params = {"log_weights": self.params["log_weights"], **found.params}
        known = self.training_priors[index : index + 1]
        return SCALARS[component.kind](family, params, self.member_log_weights, known)

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

    # -- another prior ---------------------------------------------------------------------------

    def reweight(
        self,
        new_prior: JointPrior,
        *,
        training_prior: JointPrior | Literal["auto"] | None = "auto",
        outside: Outside = "zero",
        n_draws: int = 1000,
        random_state: int | np.random.Generator = 0,
    ) -> ReweightedJointPDFs:
        r"""Replace the prior that the training set implied by another one.

        .. math:: p'(y|x) \propto p(y|x) \, \frac{p_\mathrm{new}(y)}{p_\mathrm{train}(y)}

        by importance sampling: n_draws of every object are weighted by the ratio.

        Parameters
        ----------
        new_prior : densities of single coordinates by their index, in the forms of
            `AbstractPDFs.reweight`; the others keep what training implied, given these. Or one
            function of points (..., d), up to a factor.
        training_prior : that of the training targets, in the same form: a mapping with the same
            coordinates, or a function of points. ``"auto"`` takes the densities of the coordinates
            that a fitted model keeps with its predictions; None means flat. Several coordinates
            are exchanged by the product of their ratios, which is right if they were independent
            among the training targets; else give functions.
        outside : beyond the training targets' range in a coordinate, as in `AbstractPDFs.reweight`;
            `marginal` has `mass_outside`.
        n_draws : n_draws x n x d numbers are kept.

        Raises
        ------
        ValueError
            A prior is negative or not finite, the forms do not fit, ``"auto"`` has nothing to go
            by, or the new prior is 0 at all draws of an object.
        """
        check_one_of(outside, OUTSIDE, what="`outside`")
        if isinstance(new_prior, Mapping):
            exchange = self._by_coordinate(new_prior, training_prior)
        else:
            exchange = _by_function(new_prior, training_prior)
        return reweighted(
            self, exchange, outside=outside, n_draws=n_draws, random_state=random_state
        )

    def _by_coordinate(
        self, new_prior: Mapping[int, Density], training_prior: JointPrior | str | None
    ) -> Callable[[Points], Exchange]:
        """The product of the ratios of single coordinates."""
        if training_prior is not None and not isinstance(training_prior, str | Mapping):
            message = "`new_prior` by coordinate needs `training_prior` by coordinate"
            raise ValueError(f"{message}, 'auto' or None; got a function. Give both as functions.")
        curves = []
        places = [self._index(index) for index in new_prior]
        if len(set(places)) < len(places):
            raise ValueError(f"`new_prior` names one coordinate twice: {list(new_prior)}.")
        for index, prior in new_prior.items():
            marginal, known = self.marginal(index), training_prior
            if isinstance(known, Mapping):
                if index not in known:
                    raise ValueError(f"`training_prior` lacks coordinate {index} of `new_prior`.")
                known = known[index]
            points = marginal.prior_points(prior)
            ratio, trained = marginal.prior_ratio(points, prior, known)
            curves.append((self._index(index), points, ratio, trained.astype(float)))

        def exchange(y: Points) -> Exchange:
            log_ratio, inside = np.zeros(y.shape[:-1]), np.ones(y.shape[:-1], bool)
            for index, points, ratio, trained in curves:
                with np.errstate(divide="ignore"):
                    log_ratio += np.log(np.interp(y[..., index], points, ratio))
                inside &= np.interp(y[..., index], points, trained, left=0.0, right=0.0) > 0.5
            return Exchange(log_ratio, inside)

        return exchange


def _by_function(
    new_prior: Callable[[Points], ArrayLike], training_prior: JointPrior | str | None
) -> Callable[[Points], Exchange]:
    """The ratio of two functions of points."""
    if training_prior is not None and not callable(training_prior):
        message = "A function as `new_prior` needs a function as `training_prior`, or None"
        raise ValueError(f"{message}. Or give both by coordinate, such as {{0: density}}.")

    def exchange(y: Points) -> Exchange:
        new = _values(new_prior, y, name="new_prior")
        known = np.ones(new.shape)
        if training_prior is not None:
            known = _values(training_prior, y, name="training_prior")
        with np.errstate(divide="ignore"):
            trained = known > 0
            return Exchange(np.log(new) - np.log(np.where(trained, known, 1.0)), trained)

    return exchange


def _values(prior: Callable[[Points], ArrayLike], y: Points, *, name: str) -> np.ndarray:
    values = np.asarray(prior(y), float)
    if values.shape != y.shape[:-1] or not np.all(np.isfinite(values) & (values >= 0)):
        raise ValueError(f"`{name}` must give one finite value >= 0 for each point (..., d).")
    return values


SCALARS = {"continuous": ParametricPDFs, "count": CountPDFs}
"""From the kind of a coordinate's family to the class of its PDFs."""
