"""What regressor and classifier share: training and prediction behind checked arrays."""

import warnings
from inspect import signature

import numpy as np
from jaxtyping import Array
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from sfumato._typing import Arguments, HostParams, Params
from sfumato.engine.compiled import use_compilation_cache
from sfumato.errors import IncompatibleError
from sfumato.estimators import fitting
from sfumato.estimators.codes import measured_in
from sfumato.estimators.idle import Setting, warn_of_idle
from sfumato.estimators.input import CheckedInput
from sfumato.estimators.novelty import fit_row_novelty, row_novelty
from sfumato.estimators.tables import TableWish, fit_inputs
from sfumato.families import MixtureFamily
from sfumato.networks.architecture import Architecture
from sfumato.networks.density import Network
from sfumato.networks.rows import in_chunks, map_rows
from sfumato.pdfs import JointPDFs, ParametricPDFs, make_pdfs
from sfumato.preprocessing.frames import in_order
from sfumato.preprocessing.measurement import excess_factors, mean_covariance, noise_factors
from sfumato.preprocessing.novelty import Novelty, ranges_of
from sfumato.preprocessing.units import Units
from sfumato.recalibration.sharpening import Sharpening, check_sharpens, fit_sharpening
from sfumato.training.folds import held_out_members
from sfumato.training.history import History
from sfumato.uncertainty._base import Strategy
from sfumato.uncertainty.strategies import strategy_of

N_DRAWS = 16
"""Draws of features with measurement errors that a prediction averages over."""


class DensityEstimator(CheckedInput):
    """Training and prediction of mixture densities; the arguments are those of `MDNRegressor`."""

    # set by fit
    family_: MixtureFamily
    network_: Network
    architecture_: Architecture
    sharpening_: Sharpening
    history_: History
    units_: Units
    noise_covariance_: np.ndarray | None
    novelty_: Novelty | None
    n_epochs_planned_: int
    n_features_in_: int

    def __sklearn_tags__(self):  # noqa: ANN204 - scikit-learn's own type
        """Missing values are allowed where they have a meaning."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.allows_gaps
        tags.non_deterministic = False
        return tags

    # -- training ---------------------------------------------------------------------------------

    def _train(
        self,
        X: np.ndarray,
        u: np.ndarray,
        weight: np.ndarray,
        *,
        X_err: ArrayLike | None,
        groups: np.ndarray | None,
        validation: tuple[np.ndarray, np.ndarray] | None,
        rng: np.random.Generator,
    ) -> None:
        """Scale, train, recalibrate; sets the fitted attributes.

        Parameters
        ----------
        validation : rows and scaled targets to hold out in place of some of these.
        """
        options = self._options
        strategy = strategy_of(options["uncertainty"])
        defaults = {name: p.default for name, p in signature(type(self)).parameters.items()}
        warn_of_idle(Setting(options, strategy, self.family_.component), defaults)
        if options["recalibrate"]:
            check_sharpens(self.family_)
            if not strategy.holds_out:
                message = f"uncertainty={strategy.name!r} learns from all rows and holds out none"
                raise IncompatibleError(f"{message}: it cannot recalibrate. Leave `recalibrate`.")
        wish = TableWish(**{name: options[name] for name in TableWish.__dataclass_fields__})
        self.units_, inputs, self.architecture_ = fit_inputs(
            wish, X, self.levels_, gated=strategy.keeps_dropout
        )
        factors = None if X_err is None else self.units_.noise(self._factors(X_err, X))
        self.noise_covariance_ = None if factors is None else mean_covariance(factors)
        ranges = ranges_of(measured_in(inputs.features, X))
        X = self.units_(X)
        data = fitting.Data(X, u, weight, factors, groups)
        if validation is not None:
            data = data.holding_out(self.units_(validation[0]), validation[1])
        fitted = fitting.fit_arrays(
            self.family_,
            self.architecture_,
            inputs,
            data,
            plan=_plan(options, strategy),
            rng=rng,
        )
        self.n_epochs_planned_, self.history_ = fitted.n_epochs_planned, fitted.history
        self.network_ = Network(inputs, fitted.members)
        folds = None if groups is None else fitted.folds
        self.novelty_ = fit_row_novelty(inputs, X, folds, ranges=ranges, rng=rng)
        self.sharpening_ = Sharpening()
        if options["recalibrate"] and fitted.folds is not None:
            self._recalibrate(data.x, data.u, fitted.folds, strategy)

    def _recalibrate(
        self, X: np.ndarray, u: np.ndarray, folds: np.ndarray, strategy: Strategy
    ) -> None:
        """Fit the sharpening to what each row's own held-out members say of it."""
        params = self._parameters(X)
        n_members = self.network_.n_members
        if strategy.trains_all:
            rows, holders = held_out_members(folds, n_members=n_members)
        else:
            # there was one network, and it held out the first fold
            rows = np.flatnonzero(folds == 0)
            holders = np.broadcast_to(np.arange(n_members), (rows.size, n_members))
        held = {name: values[rows[:, None], holders] for name, values in params.items()}
        y = self.family_.from_unit(u[rows])
        self.sharpening_ = fit_sharpening(
            self.family_, held, y, n_members=n_members if strategy.trains_all else 1
        )

    def _factors(self, X_err: ArrayLike, X: np.ndarray) -> np.ndarray:
        """Factors of the features' errors; a category has none."""
        names = vars(self).get("feature_names_in_")
        if names is not None:
            X_err = np.asarray(in_order(X_err, [str(name) for name in names]), float)
        factors = noise_factors(X_err, shape=(X.shape[0], X.shape[1]))
        if not self.levels_:
            return factors
        if factors.ndim == 3:
            message = "Covariances `X_err` and categorical columns cannot be combined"
            raise IncompatibleError(f"{message}. Give standard deviations.")
        factors = factors.copy()
        factors[:, list(self.levels_)] = 0.0
        return factors

    # -- prediction -------------------------------------------------------------------------------

    def _parameters(self, X: np.ndarray) -> HostParams:
        """Recalibrated parameters (n, m, K, ...) at checked rows."""
        return in_chunks(
            lambda part: map_rows(final_parameters, part, self.network_, self.sharpening_), X
        )

    def predict_parameters(
        self, X: ArrayLike, *, X_err: ArrayLike | None = None, n_draws: int = N_DRAWS
    ) -> HostParams:
        """Parameters (n, m, K) of the predicted mixtures, single precision, recalibrated.

        Rows are handed to the compiled program in large chunks, one per core at a time.

        Parameters
        ----------
        X : features (n, c).
        X_err : their measurement errors, in the forms `fit` takes: the prediction averages over
            `n_draws` draws of the features, each a member (so m is `n_draws` times the members).
            Where the model was trained with errors, only what exceeds those is drawn.
        n_draws : draws of the features.
        """
        check_is_fitted(self)
        use_compilation_cache()
        given = self._checked_rows(X, reset=False)
        self._warn_of_moved(given)
        rows = self.units_(given)
        if X_err is None:
            return self._parameters(rows)
        if not isinstance(n_draws, int | np.integer) or n_draws < 1:
            raise ValueError(f"`n_draws` must be an integer of at least 1; got {n_draws!r}.")
        factors = self.units_.noise(self._factors(X_err, given))
        factors = excess_factors(factors, self.noise_covariance_)
        # the same standard draws for every row: no answer depends on its neighbours
        draws = np.random.default_rng(0).normal(size=(n_draws, rows.shape[1]))
        noise = "nc,sc->snc" if factors.ndim == 2 else "nij,sj->sni"
        shifted = rows + np.einsum(noise, factors, draws)
        parts = [self._parameters(part.astype(np.float32)) for part in shifted]
        return {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}

    def novelty(self, X: ArrayLike) -> np.ndarray:
        """How unlike the training rows each row of X (n, c) is, (n,) in [0, 1].

        The share of training rows that were less far from those of other folds (of other `groups`,
        where there were some): 0.99 is farther than 99 % of them.

        Raises
        ------
        IncompatibleError
            The model was written before novelty was kept.
        """
        return self._novelty_of(self._checked_rows(X, reset=False))

    def _novelty_of(self, rows: np.ndarray) -> np.ndarray:
        return row_novelty(self.network_.inputs, self.check_novelty(), self.units_(rows))

    def check_novelty(self) -> Novelty:
        """What the training rows are like.

        Raises
        ------
        IncompatibleError
            The model was written before novelty was kept.
        """
        check_is_fitted(self)
        if self.novelty_ is None:
            message = "This model was written by a version that kept nothing of its training rows"
            raise IncompatibleError(f"{message}: it knows no novelty. Fit it again.")
        return self.novelty_

    def out_of_range(self, X: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
        """What in rows X (n, c) is below, and what above, all training rows; (n, c) each.

        Raises
        ------
        IncompatibleError
            As `novelty`.
        """
        return self._out_of_range(self._checked_rows(X, reset=False))

    def _out_of_range(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        low, high = self.check_novelty().ranges
        measured = np.array(measured_in(self.network_.inputs.features, rows))
        measured[:, list(self.levels_)] = np.nan  # codes of words have no order
        return measured < low, measured > high

    def beside_prediction(self, X: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """`novelty` and `out_of_range` of rows that were predicted: these have been spoken of."""
        rows = self._checked_rows(X, reset=False, told=False)
        return self._novelty_of(rows), *self._out_of_range(rows)

    def _warn_of_moved(self, X: np.ndarray) -> None:
        moved = [self._name_of(column) for column in self.units_.moved(X)]
        if moved:
            message = f"The training rows had one value in {', '.join(moved)}"
            warnings.warn(f"{message}, and these rows have others: they are ignored.", stacklevel=4)

    def _pdfs(
        self, X: ArrayLike, X_err: ArrayLike | None, n_draws: int
    ) -> ParametricPDFs | JointPDFs:
        check_is_fitted(self)
        params = self.predict_parameters(X, X_err=X_err, n_draws=n_draws)
        return make_pdfs(self.family_, params)


# -- pieces of fit ---------------------------------------------------------------------------------


def _plan(options: Arguments, strategy: Strategy) -> fitting.FittingPlan:
    """The plan of training that the options are."""
    own = {
        name: options[name] for name in fitting.FittingPlan.__dataclass_fields__ if name in options
    }
    return fitting.FittingPlan(**{**own, "strategy": strategy, "priors": options["priors"] or {}})


# -- pieces of predict -----------------------------------------------------------------------------


def final_parameters(rows: Array, network: Network, sharpening: Sharpening) -> Params:
    """Recalibrated parameters (n, m, K, ...) at rows (n, *shape); JAX."""
    return sharpening(network.members.head.family, network.parameters(rows))
