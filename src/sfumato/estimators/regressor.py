"""`MDNRegressor`: the scikit-learn estimator for targets of any kind."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Self, cast

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_random_state, validate_data

from sfumato.engine.compiled import use_compilation_cache
from sfumato.errors import DataError
from sfumato.estimators._base import N_DRAWS, DensityEstimator
from sfumato.estimators.options import check_options
from sfumato.estimators.rows import check_groups, check_weights, kept_errors
from sfumato.estimators.targets import (
    Wish,
    check_present,
    check_targets,
    make_family,
    scaled_targets,
    warn_of_extremes,
)
from sfumato.pdfs import GridPDFs, JointPDFs, ParametricPDFs, density_of, frequencies_of
from sfumato.preprocessing import FeatureTransform
from sfumato.preprocessing.frames import is_missing, unmasked
from sfumato.training.priors import Prior
from sfumato.uncertainty._base import Strategy


class MDNRegressor(RegressorMixin, DensityEstimator):
    """Mixture density network: a full predictive distribution for every row.

    Networks give the parameters of a mixture of `n_components` of any family; what the weights
    themselves are uncertain about becomes further members, and the prediction is the average of
    the members' densities (Bishop 1994; Lakshminarayanan et al. 2017).

    Parameters
    ----------
    family : a name in `sfumato.families.COMPONENTS`: ``"normal"`` (multivariate for vector
        targets), ``"student-t"``, ``"beta"``, ``"gamma"``, ``"poisson"`` and so on; ``"auto"``
        picks one by the support of the targets and says why in `family_reason_`.
    n_components : components of each member's mixture.
    bounds : (lower, upper) of the target for bounded families; None in either place means the
        training range widened by a twentieth. Targets beyond a bound are moved inside and counted
        in `n_clipped_`.
    trials : number of trials of ``"binomial"`` and ``"multinomial"``.
    n_bins : bins of ``"histogram"`` (of equal shares of the targets) and of ``"spline"``.
    rank : rank of ``"multivariate-normal-low-rank"``.
    centres : where components start: ``"quantiles"``, ``"kmeans"``, or the centres, (K,) or (K, d).
    uncertainty : how weights are uncertain: ``"none"``, ``"ensemble"``, ``"dropout"``,
        ``"variational"``, ``"laplace"``, ``"batch-ensemble"``, ``"nuts"``, ``"svi"``, or a strategy
        of `sfumato.uncertainty` with other options.
    n_members : members of a prediction: networks of an ensemble, draws of random weights. None
        means the strategy's own default.
    priors : from a layer (``"all"``, ``"hidden"``, ``"hidden.0"``, ``"head"``) to a prior, such as
        ``("normal", 1.0)``, ``("horseshoe", 0.1)`` or a NumPyro distribution, or to a penalty,
        ``("l1", 1e-3)`` or ``("l2", 1e-3)``.
    backbone : ``"mlp"`` or ``"residual"``.
    hidden_sizes : widths of the hidden layers; None for three of 64, or of 128 from 20,000 rows.
    activation : ``"silu"``, ``"gelu"``, ``"relu"`` or ``"tanh"``.
    dropout_rate : share of activations dropped while training.
    dropout_fade : shares of the run between which dropout fades to nothing; None for constant.
    embedding : of numeric features: ``"periodic"``, ``"piecewise-linear"`` or ``"none"``.
    n_frequencies, frequency_spread, embedding_size : of the periodic embedding: frequencies of
        each feature, their first deviation in cycles per scaled unit, and numbers each becomes.
    learning_rate, weight_decay : of AdamW under a one-cycle schedule.
    averaging : decay, by step, of the running mean of the weights that is kept; 0 for none.
    batch_size, max_epochs : rows of a step, passes over the data; None suits them to the rows,
        and goes on, up to four times as long, while training still gains.
    max_steps : steps of training, from which `max_epochs` follows where that is None: for rows that
        are so alike that more of them need no more steps, such as neighbouring samples of a log.
    patience : epochs without improvement of any member before training stops, below 1 as a share
        of `max_epochs`; None for never.
    validation_fraction : share of the rows each network holds out; None for about 30 rows or a
        thirtieth. With fewer than 20 rows the networks validate on their training rows.
    x_scaler : ``"robust"``, ``"standard"`` or ``"none"``.
    features : transform of the columns (see `sfumato.preprocessing.FeatureTransform`), or None.
    categorical : names or indices of categorical columns; ``"auto"`` takes those of a data frame
        that hold words.
    missing : ``"error"`` refuses missing features, ``"flag"`` fills them and adds a flag.
    recalibrate : sharpen or widen the components by what the held-out rows ask for; see
        `sfumato.recalibration.sharpening`. It leaves every predicted mean as it is.
    random_state : seed; the same seed gives the same model.
    on_epoch : called as ``on_epoch(epoch, train_loss, valid_loss)``; for progress bars.

    Attributes
    ----------
    history_ : `History` of the losses, with what went less well than it should.
    family_ : the mixture in units of the target.
    family_reason_ : why this family was taken.
    network_ : the members and what stands before them.
    architecture_ : what each is made of.
    sharpening_ : the fitted recalibration, the identity without `recalibrate`.
    training_priors_ : density of the training targets, for `reweight`; one for each coordinate.
    noise_covariance_ : mean covariance of the training features' errors, or None.
    novelty_ : what the training rows are like, for `novelty`.
    n_clipped_ : training targets that lay on or beyond a bound.
    n_features_in_, feature_names_in_ : as in scikit-learn.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(0, 1, 200)[:, None]
    >>> model = MDNRegressor(n_members=1, max_epochs=5, random_state=0).fit(x, x[:, 0])
    >>> model.predict_pdfs(x[:3]).quantiles([0.16, 0.84]).shape
    (3, 2)
    """

    def __init__(
        self,
        *,
        family: str = "normal",
        n_components: int = 3,
        bounds: tuple[float | None, float | None] = (None, None),
        trials: int | None = None,
        n_bins: int = 32,
        rank: int = 1,
        centres: Literal["quantiles", "kmeans"] | ArrayLike = "quantiles",
        uncertainty: str | Strategy = "ensemble",
        n_members: int | None = None,
        priors: Mapping[str, Prior] | None = None,
        backbone: str = "residual",
        hidden_sizes: tuple[int, ...] | None = None,
        activation: str = "silu",
        dropout_rate: float = 0.1,
        dropout_fade: tuple[float, float] | None = (0.05, 0.2),
        embedding: str = "piecewise-linear",
        n_frequencies: int = 8,
        frequency_spread: float = 0.15,
        embedding_size: int = 8,
        learning_rate: float = 4e-3,
        weight_decay: float = 0.03,
        averaging: float = 0.99,
        batch_size: int | None = None,
        max_epochs: int | None = None,
        max_steps: int | None = None,
        patience: float | None = 0.25,
        validation_fraction: float | None = None,
        x_scaler: Literal["robust", "standard", "none"] = "standard",
        features: FeatureTransform | None = None,
        categorical: Literal["auto"] | Sequence[int | str] | None = "auto",
        missing: Literal["error", "flag"] = "error",
        recalibrate: bool = False,
        random_state: int | None = None,
        on_epoch: Callable[[int, float, float], None] | None = None,
    ) -> None:
        self.family = family
        self.n_components = n_components
        self.bounds = bounds
        self.trials = trials
        self.n_bins = n_bins
        self.rank = rank
        self.centres = centres
        self.uncertainty = uncertainty
        self.n_members = n_members
        self.priors = priors
        self.backbone = backbone
        self.hidden_sizes = hidden_sizes
        self.activation = activation
        self.dropout_rate = dropout_rate
        self.dropout_fade = dropout_fade
        self.embedding = embedding
        self.n_frequencies = n_frequencies
        self.frequency_spread = frequency_spread
        self.embedding_size = embedding_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.averaging = averaging
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.max_steps = max_steps
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.x_scaler = x_scaler
        self.features = features
        self.categorical = categorical
        self.missing = missing
        self.recalibrate = recalibrate
        self.random_state = random_state
        self.on_epoch = on_epoch

    def __sklearn_tags__(self):  # noqa: ANN204 - scikit-learn's own type
        """Vector targets are welcome."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_err: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        validation: tuple[ArrayLike, ArrayLike] | None = None,
    ) -> Self:
        """Train on rows X (n, c) with targets y, (n,) or (n, d).

        Parameters
        ----------
        X : features.
        y : targets. Of vectors some numbers may be missing (NaN), where the family is a
            multivariate Normal: what is there is learnt from.
        sample_weight : (n,) weights, at least 0, such as those of `importance_weights`.
        X_err : measurement errors of the features, standard deviations (n, c) or (c,), or
            covariances (n, c, c). Every pass sees the rows with fresh noise of this size, so the
            network answers for features measured with such errors.
        groups : (n,) names or numbers, as of wells or fields, where rows of one group are alike and
            rows to come are of other groups: what members hold out, stop by and recalibrate with
            are whole groups, each by itself where there are at most 8.
        validation : (X, y) rows to stop by and recalibrate with, in place of some that each network
            holds out, such as another survey's; nobody trains on them. Not with `groups`.

        Raises
        ------
        ValueError
            A parameter is out of range, the target is constant, or the input is not finite where
            it must be.
        DataError
            A target lies outside the support of the family.
        """
        use_compilation_cache()
        check_options(self.get_params(deep=False))
        y = self._checked_targets(y)
        rows = self._checked_rows(X, reset=True)
        if len(rows) != len(y):
            raise ValueError(f"X has {len(rows)} rows and y has {len(y)}: inconsistent lengths.")
        held = self._checked_validation(validation, groups, rows)
        weight = check_weights(sample_weight, rows)
        kept = weight > 0
        rows, y, weight = rows[kept], y[kept], weight[kept]
        check_targets(y, n_components=self.n_components)
        self._warn_of_codes(rows, y)
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31))
        bounds = (None, None) if self.bounds is None else self.bounds
        wish = Wish(self.family, self.n_components, bounds, self.trials, self.n_bins, self.rank)
        self.family_, self.family_reason_ = make_family(wish, y)
        warn_of_extremes(self.family_, y)
        u, self.n_clipped_ = scaled_targets(self.family_, y)
        self._train(
            rows,
            u,
            weight,
            X_err=kept_errors(X_err, kept, vars(self).get("feature_names_in_", ())),
            groups=check_groups(groups, kept),
            validation=None if held is None else (held[0], self._validation_targets(held[1])),
            rng=rng,
        )
        counts = self.family_.kind == "count" or self.family_.component.needs_trials
        density = frequencies_of if counts else density_of
        coordinates = y.T.reshape(-1, len(y))
        there = np.isfinite(coordinates)
        self.training_priors_: tuple[GridPDFs, ...] = tuple(
            density(values[own], weight[own])
            for values, own in zip(coordinates, there, strict=True)
        )
        return self

    def _checked_targets(self, y: ArrayLike) -> np.ndarray:
        """Targets as finite numbers (n,) or (n, d); one column is a scalar."""
        if y is None:
            # scikit-learn's own words, which its checks look for
            raise ValueError(
                "This MDNRegressor estimator requires y to be passed, but the target y is None."
            )
        given = unmasked(y)
        if isinstance(given, np.ndarray) and given.dtype == object:  # None passes every check
            cells = [np.nan if is_missing(cell) else cell for cell in given.ravel()]
            given = np.array(cells, object).reshape(given.shape)
        gaps = check_present(given)
        if gaps is not None:  # scikit-learn takes none
            given = np.where(gaps, 0.0, np.asarray(given, float))
        # its stubs take words only where y is a word
        checked = validate_data(self, y=cast(Any, given), multi_output=True, y_numeric=True)
        values = np.asarray(checked, float)
        if gaps is not None:
            values = np.where(gaps, np.nan, values)
        return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values

    def _validation_targets(self, y: ArrayLike) -> np.ndarray:
        """Targets that are held out, on the scale of the family; as a fit would take them.

        Raises
        ------
        DataError
            They are not such as the family is for.
        """
        values, family = self._checked_targets(y), self.family_
        size = family.event_size if family.kind == "vector" else 1
        if values.reshape(len(values), -1).shape[1] != size:
            raise DataError(f"`validation` has targets {values.shape}, unlike those of training.")
        return scaled_targets(family, values)[0]

    @property
    def training_prior_(self) -> GridPDFs | None:
        """The density of the training targets, for `reweight`; None for vectors."""
        return self.training_priors_[0] if len(self.training_priors_) == 1 else None

    def predict_pdfs(
        self, X: ArrayLike, *, X_err: ArrayLike | None = None, n_draws: int = N_DRAWS
    ) -> ParametricPDFs | JointPDFs:
        """Predicted distributions of the target, in its own units, one per row of X (n, c).

        Parameters
        ----------
        X_err, n_draws : errors of these features, and draws to average over; see
            `predict_parameters`.

        Returns
        -------
        ParametricPDFs; CountPDFs for counts; JointPDFs for vectors.
        """
        pdfs = self._pdfs(X, X_err, n_draws)
        return pdfs.with_training_priors(self.training_priors_)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Expectation of the target, (n,) or (n, d), in its own units."""
        return self.predict_pdfs(X).mean()
