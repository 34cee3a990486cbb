"""What mixtures of single numbers and of vectors share: members, weights, rows, the exact stack."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from scipy import special

from sfumato._typing import HostParams
from sfumato.errors import IncompatibleError, ShapeError
from sfumato.families import MixtureFamily
from sfumato.pdfs._base import AbstractPDFs
from sfumato.pdfs._objects import Rows


@dataclass(frozen=True, eq=False)
class Mixtures:
    """n mixtures, each the average of m members of K components; axis 0 is the object. Immutable.

    Parameters
    ----------
    family : what the parameters mean, and the units of the target.
    params : arrays (n, m, K, *shape): ``log_weights``, normalised over K, and the component
        parameters, those with a shape of their own having it behind.
    member_log_weights : (n, m), normalised over m; equal weights if not given.
    training_priors : of every coordinate the density of its training targets, a set of one; none
        if they are not known.

    Raises
    ------
    ShapeError
        The arrays do not share one shape (n, m, K).
    """

    family: MixtureFamily
    params: HostParams
    member_log_weights: np.ndarray | None = None
    training_priors: tuple[AbstractPDFs, ...] = ()

    def __post_init__(self) -> None:
        check_shapes(self.family, self.params)

    def __len__(self) -> int:
        return self.params["log_weights"].shape[0]

    @property
    def n_members(self) -> int:
        """Length of the member axis."""
        return self.params["log_weights"].shape[1]

    @property
    def n_components_total(self) -> int:
        """Components of all members together."""
        return int(np.prod(self.params["log_weights"].shape[1:]))

    def __repr__(self) -> str:
        k = self.params["log_weights"].shape[2]
        what = f"{self.n_members} x {k} {self.family.component.name} components"
        return f"{type(self).__name__}({len(self)} objects, {what})"

    def with_training_priors(self, priors: Sequence[AbstractPDFs]) -> Self:
        """The same PDFs, which `reweight` then knows the training targets of, by coordinate."""
        return replace(self, training_priors=tuple(priors))

    def _take(self, rows: Rows) -> Self:
        params = {name: values[rows] for name, values in self.params.items()}
        members = None if self.member_log_weights is None else self.member_log_weights[rows]
        return replace(self, params=params, member_log_weights=members)

    @classmethod
    def _joined(cls, parts: Sequence[Self]) -> Self:
        first = parts[0]
        for part in parts:
            if (part.family, part.n_members) != (first.family, first.n_members):
                message = "All parts must share family, members and components"
                raise IncompatibleError(f"{message}; got {first!r} and {part!r}.")
        names = first.params
        params = {name: np.concatenate([part.params[name] for part in parts]) for name in names}
        members = None
        if any(part.member_log_weights is not None for part in parts):
            members = np.concatenate([part._own_member_log_weights() for part in parts])
        return replace(first, params=params, member_log_weights=members)

    def _own_member_log_weights(self) -> np.ndarray:
        """Log-weights (n, m) of the members, equal ones written out."""
        if self.member_log_weights is not None:
            return self.member_log_weights
        return np.full((len(self), self.n_members), -np.log(self.n_members))

    def flat_log_weights(self, dtype: type = np.float64) -> np.ndarray:
        """Log-weights (n, m K) of all components of all members, normalised."""
        log_weights = np.asarray(self.params["log_weights"], dtype)
        if self.member_log_weights is None:
            log_weights = log_weights - dtype(np.log(self.n_members))
        else:
            log_weights = log_weights + self.member_log_weights[:, :, None].astype(dtype)
        flat = log_weights.reshape(len(self), self.n_components_total)
        # stored weights are single precision: their sum is off by 1e-7, which a mean of 1e6 shows
        return (
            flat - special.logsumexp(flat, axis=1, keepdims=True) if dtype is np.float64 else flat
        )

    @cached_property
    def log_weights(self) -> np.ndarray:
        """`flat_log_weights` in double precision, kept."""
        return self.flat_log_weights()

    @cached_property
    def components(self) -> tuple[np.ndarray, ...]:
        """The component parameters (n, m K, *shape) in double precision, on the standard scale."""
        shape = (len(self), self.n_components_total)
        values = self.family.exact_parameters(self.params)
        return tuple(part.reshape(*shape, *part.shape[3:]) for part in values)

    def _chosen(self, uniform: np.ndarray) -> np.ndarray:
        """Places (s, n) of components, drawn by their weights with uniform numbers (s, n)."""
        edges = np.cumsum(np.exp(self.log_weights), axis=1)
        edges[:, -1] = np.inf
        return np.sum(uniform[..., None] >= edges, axis=-1)

    def _as_one(self, share: np.ndarray) -> tuple[HostParams, np.ndarray]:
        """Parameters and member weights of the average by shares (n,): one of n m members."""
        k = self.params["log_weights"].shape[2]
        params = {n: v.reshape(1, -1, k, *v.shape[3:]) for n, v in self.params.items()}
        with np.errstate(divide="ignore"):
            members = np.repeat(np.log(share), self.n_members)
        own = self.member_log_weights
        members = members + (-np.log(self.n_members) if own is None else own.reshape(-1))
        return params, members[None]


def check_shapes(family: MixtureFamily, params: HostParams) -> None:
    """Refuse parameters that are not those of the family in one shape (n, m, K).

    Raises
    ------
    ShapeError
        A parameter is missing or has another shape.
    """
    shapes = {name: np.shape(values) for name, values in params.items()}
    expected = {"log_weights", *family.component.parameters}
    own = {name: shape[len(shape) - len(family.shape_of(name)) :] for name, shape in shapes.items()}
    leading = {shape[: len(shape) - len(own[name])] for name, shape in shapes.items()}
    fitting = all(own[name] == family.shape_of(name) for name in shapes)
    if set(shapes) != expected or len(leading) != 1 or not fitting:
        raise ShapeError(
            f"`params` must hold {sorted(expected)} in one shape (n, m, K); got {shapes}."
        )
    if len(next(iter(leading))) != 3:
        raise ShapeError(f"`params` must have axes (object, member, component); got {shapes}.")
