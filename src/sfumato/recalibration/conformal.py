r"""Conformal recalibration: probabilities that hold, for any estimator, without losing the PDF.

The PIT values :math:`u_i = F_i(y_i)` of rows that an estimator was not trained on say what its
probabilities are worth. If new rows are exchangeable with these, a PIT value below the
:math:`\lceil (n + 1) \tau \rceil`-th smallest occurs with probability at least :math:`\tau`,
whatever the model (Vovk et al. 2017; Chernozhukov et al. 2021, Distributional conformal
prediction). So the cdf is mapped through the curve of these order statistics: quantiles and
intervals hold, and what comes out is a density again.
"""

from collections.abc import Iterator
from typing import Literal, Protocol, Self, cast, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.model_selection import GroupKFold, GroupShuffleSplit, KFold, ShuffleSplit
from sklearn.utils.validation import check_is_fitted

from sfumato.errors import IncompatibleError, check_one_of
from sfumato.pdfs import AbstractPDFs, CountPDFs
from sfumato.pdfs._joint import AbstractJointPDFs
from sfumato.pdfs.recalibrated import LevelMap, RecalibratedPDFs

_MOST_KNOTS, _ROWS_PER_KNOT = 41, 20
FEWEST_ROWS = 20
"""Rows of a group that are needed to say anything of its probabilities."""


def level_map(pit: np.ndarray, group: np.ndarray) -> LevelMap:
    """The map that makes PIT values (n,) uniform in each group (n,), from order statistics.

    Raises
    ------
    ValueError
        A group has fewer than `FEWEST_ROWS` values.
    """
    counts = np.bincount(group)
    if counts.min() < FEWEST_ROWS:
        message = f"A group has {counts.min()} rows to calibrate on; {FEWEST_ROWS} are needed"
        raise ValueError(f"{message}. Lower `n_groups` or give more rows.")
    n_knots = int(np.clip(counts.min() // _ROWS_PER_KNOT, 4, _MOST_KNOTS - 1)) + 1
    levels = np.linspace(0, 1, n_knots)
    knots = np.zeros((counts.size, n_knots))
    for index, n in enumerate(counts):
        values = np.sort(pit[group == index])
        rank = np.clip(np.ceil((n + 1) * levels[1:-1]).astype(int), 1, n)
        inner = values[rank - 1]
        # knots must rise: equal PIT values (0, say) are spread by a hair
        inner = np.maximum.accumulate(np.clip(inner, 1e-9, 1 - 1e-9) + 1e-9 * np.arange(inner.size))
        knots[index] = np.concatenate([[0.0], np.minimum(inner, 1 - 1e-9), [1.0]])
        knots[index] = np.maximum.accumulate(knots[index]) + np.linspace(0, 1e-10, n_knots)
    return LevelMap(knots / knots[:, -1:], levels)


def recalibrated(pdfs: AbstractPDFs, levels: LevelMap, group: np.ndarray) -> AbstractPDFs:
    """PDFs with their probabilities mapped; counts stay counts."""
    if not isinstance(pdfs, CountPDFs):
        return RecalibratedPDFs(pdfs, levels, group)
    numbers = np.arange(int(pdfs.default_grid()[-1]) + 1, dtype=float)
    cdf = levels(pdfs.cdf(numbers), group)
    cdf[:, -1] = 1.0
    mass = np.maximum(np.diff(cdf, axis=1, prepend=0.0), 0.0)  # rounding may let it fall by a hair
    with np.errstate(divide="ignore"):
        return pdfs.tabulated(np.log(mass))


@runtime_checkable
class Predictor(Protocol):
    """What is recalibrated: an estimator of the PDFs of single numbers."""

    def fit(self, X: ArrayLike, y: ArrayLike, *, groups: ArrayLike | None = None) -> Self:
        """Train on rows X (n, c) with targets y (n,); `groups` (n,) only where there are some."""
        ...

    def predict_pdfs(self, X: ArrayLike) -> AbstractPDFs | AbstractJointPDFs:
        """Distributions, one per row of X (n, c)."""
        ...


class ConformalRecalibration(RegressorMixin, BaseEstimator):
    """Given estimator of PDFs, with probabilities that hold on average or group by group.

    Parameters
    ----------
    estimator : an `MDNRegressor`, or anything with ``fit`` and ``predict_pdfs`` for scalars.
    method : ``"split"`` sets rows aside to calibrate on; ``"cross"`` fits once more for each of
        `n_folds` folds, calibrates on the rows left out, and trains the final model on all (CV+,
        Barber et al. 2021).
    fraction : share of the rows set aside by ``"split"``.
    n_folds : of ``"cross"``.
    by : None for probabilities that hold on average; an index of a feature, or ``"std"`` for the
        predicted standard deviation, for probabilities that hold in each of `n_groups` groups of
        it of equal size (Mondrian conformal prediction; Vovk et al. 2005).
    n_groups : groups of `by`.
    random_state : seed of the split.

    Attributes
    ----------
    estimator_ : the fitted estimator.
    levels_ : the map of probabilities.
    edges_ : inner edges of the groups.
    """

    def __init__(
        self,
        estimator: Predictor,
        *,
        method: Literal["split", "cross"] = "split",
        fraction: float = 0.25,
        n_folds: int = 5,
        by: int | Literal["std"] | None = None,
        n_groups: int = 4,
        random_state: int | None = 0,
    ) -> None:
        self.estimator = estimator
        self.method = method
        self.fraction = fraction
        self.n_folds = n_folds
        self.by = by
        self.n_groups = n_groups
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike, *, groups: ArrayLike | None = None) -> Self:
        """Train on rows X (n, c) with targets y (n,), then calibrate.

        Parameters
        ----------
        groups : (n,) names or numbers, as in `MDNRegressor.fit`: whole groups are set aside. With
            ``"cross"`` there are as many folds as groups where these are fewer than `n_folds`.

        Raises
        ------
        ValueError
            A parameter is out of range, or there are too few rows or groups to calibrate on.
        """
        check_one_of(self.method, ("split", "cross"), what="`method`")
        if isinstance(self.by, str):
            check_one_of(self.by, ("std",), what="`by`, if not the index of a feature,")
        elif self.by is not None and not 0 <= self.by < np.shape(X)[1]:
            raise ValueError(f"`by` must be the index of a feature; got {self.by!r}.")
        if not 0 < self.fraction < 1:
            raise ValueError(f"`fraction` must lie in (0, 1); got {self.fraction!r}.")
        rows, targets = np.asarray(X), np.asarray(y)
        whole = None if groups is None else np.asarray(groups)

        def fitted(train: np.ndarray | slice) -> Predictor:
            model = _copy(self.estimator)
            if whole is None:
                return model.fit(rows[train], targets[train])
            return model.fit(rows[train], targets[train], groups=whole[train])

        found = []
        for train, held in self._parts(rows, whole):
            self.estimator_ = fitted(train)
            found.append(self._judged(self.estimator_, rows[held], targets[held]))
        if self.method == "cross":
            self.estimator_ = fitted(slice(None))
        pit, key = (np.concatenate(parts) for parts in zip(*found, strict=True))
        n_groups = 1 if self.by is None else self.n_groups
        self.edges_ = np.quantile(key, np.linspace(0, 1, n_groups + 1)[1:-1])
        self.levels_ = level_map(pit, np.digitize(key, self.edges_))
        return self

    def _parts(
        self, rows: np.ndarray, groups: np.ndarray | None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows to train and to calibrate on, each time they are parted."""
        seed, n_folds = self.random_state, self.n_folds
        if self.method == "split":
            kind = ShuffleSplit if groups is None else GroupShuffleSplit
            return kind(1, test_size=self.fraction, random_state=seed).split(rows, groups=groups)
        if groups is None:
            return KFold(n_folds, shuffle=True, random_state=seed).split(rows)
        return GroupKFold(min(n_folds, len(np.unique(groups)))).split(rows, groups=groups)

    def _judged(
        self, model: Predictor, X: np.ndarray, y: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """PIT values of held-out rows, and what they are grouped by."""
        pdfs = _scalar(model.predict_pdfs(X))
        return pdfs.pit(np.reshape(y, -1)), self._key(pdfs, X)

    def _key(self, pdfs: AbstractPDFs, X: np.ndarray) -> np.ndarray:
        if self.by is None:
            return np.zeros(len(X))
        if isinstance(self.by, str):
            return pdfs.std()
        return np.asarray(X[:, self.by], float)

    def predict_pdfs(self, X: ArrayLike) -> AbstractPDFs:
        """Recalibrated distributions, one per row of X (n, c)."""
        check_is_fitted(self, "levels_")
        rows = np.asarray(X)
        pdfs = _scalar(self.estimator_.predict_pdfs(rows))
        return recalibrated(pdfs, self.levels_, np.digitize(self._key(pdfs, rows), self.edges_))

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Expectation of the target (n,), in its own units."""
        return self.predict_pdfs(X).mean()


def _copy(estimator: Predictor) -> Predictor:
    return cast(Predictor, clone(estimator))


def _scalar(pdfs: AbstractPDFs | AbstractJointPDFs) -> AbstractPDFs:
    if isinstance(pdfs, AbstractJointPDFs):
        raise IncompatibleError("Conformal recalibration is for single numbers, not vectors.")
    return pdfs
