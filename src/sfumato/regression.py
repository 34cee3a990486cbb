"""`MDNRegressor`: the scikit-learn estimator for targets of any kind."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Self, cast

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data

from sfumato._compilation import use_compilation_cache
from sfumato.errors import DataError, choose
from sfumato.estimator import N_DRAWS, DensityEstimator, check_options, check_weights
from sfumato.families import MixtureFamily, bound_component
from sfumato.families.table import REGRESSION, check_support, choose_family
from sfumato.pdfs import GridPDFs, density_of, frequencies_of
from sfumato.preprocessing import FeatureTransform
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
    batch_size, max_epochs : rows of a step, passes over the data; None suits them to the rows.
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
        `sfumato.uncertainty.recalibration`. It leaves every predicted mean as it is.
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
    training_prior_ : density of the training targets, for `reweight`; None for vectors.
    noise_covariance_ : mean covariance of the training features' errors, or None.
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
    ) -> Self:
        """Train on rows X (n, c) with targets y, (n,) or (n, d).

        Parameters
        ----------
        X : features.
        y : targets.
        sample_weight : (n,) weights, at least 0, such as those of `importance_weights`.
        X_err : measurement errors of the features, standard deviations (n, c) or (c,), or
            covariances (n, c, c). Every pass sees the rows with fresh noise of this size, so the
            network answers for features measured with such errors.

        Raises
        ------
        ValueError
            A parameter is out of range, the target is constant, or the input is not finite where
            it must be.
        DataError
            A target lies outside the support of the family.
        """
        use_compilation_cache()
        check_options(self)
        _check_parameters(self)
        y = _checked_targets(self, X, y)
        rows = self._checked_rows(X, reset=True)
        if len(rows) != len(y):
            raise ValueError(f"X has {len(rows)} rows and y has {len(y)}: inconsistent lengths.")
        weight = check_weights(sample_weight, rows)
        kept = weight > 0
        rows, y, weight = rows[kept], y[kept], weight[kept]
        factors = None if X_err is None else _kept_errors(X_err, kept)
        _check_targets(self, y)
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31))
        self.family_, self.family_reason_ = _make_family(self, y)
        u, self.n_clipped_ = _scaled_targets(self.family_, y)
        self._train(rows, u, weight, X_err=factors, rng=rng)
        density = frequencies_of if self.family_.kind == "count" else density_of
        self.training_prior_: GridPDFs | None = density(y, weight) if y.ndim == 1 else None
        return self

    def predict_pdfs(
        self, X: ArrayLike, *, X_err: ArrayLike | None = None, n_draws: int = N_DRAWS
    ) -> Any:
        """Predicted distributions of the target, in its own units, one per row of X (n, c).

        Parameters
        ----------
        X_err, n_draws : errors of these features, and draws to average over; see
            `predict_parameters`.

        Returns
        -------
        ParametricPDFs; CountPDFs for counts; JointPDFs for vectors.
        """
        check_is_fitted(self)
        vector = self.family_.kind == "vector"
        prior: dict[str, Any] = {} if vector else {"training_prior": self.training_prior_}
        return self._pdfs(X, X_err, n_draws, **prior)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Expectation of the target, (n,) or (n, d), in its own units."""
        return self.predict_pdfs(X).mean()


# -- pieces of fit ---------------------------------------------------------------------------------


def _check_parameters(model: MDNRegressor) -> None:
    """Ranges of what only a regressor has."""
    for name in ("n_components", "n_bins", "rank"):
        value = getattr(model, name)
        if not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(f"`{name}` must be an integer of at least 1; got {value!r}.")
    if model.family != "auto":
        choose(model.family, dict.fromkeys(("auto", *REGRESSION)), what="`family`")
    trials = model.trials
    if trials is not None and (not isinstance(trials, int | np.integer) or trials < 1):
        raise ValueError(f"`trials` must be an integer of at least 1; got {trials!r}.")


def _checked_targets(model: MDNRegressor, X: ArrayLike, y: ArrayLike) -> np.ndarray:
    """Targets as finite numbers (n,) or (n, d); one column is a scalar."""
    if y is None:
        # scikit-learn's own words, which its checks look for
        raise ValueError(
            "This MDNRegressor estimator requires y to be passed, but the target y is None."
        )
    checked: Any = validate_data(
        model, cast(Any, "no_validation"), cast(Any, y), multi_output=True, y_numeric=True
    )
    values = np.asarray(checked, float)
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def _kept_errors(X_err: ArrayLike, kept: np.ndarray) -> np.ndarray:
    errors = np.asarray(X_err, float)
    return errors[kept] if errors.ndim > 1 and len(errors) == len(kept) else errors


def _check_targets(model: MDNRegressor, y: np.ndarray) -> None:
    if len(y) < 2:
        raise ValueError(f"{len(y)} sample of positive weight; at least 2 are needed.")
    constant = np.ptp(y, axis=0) == 0
    if np.any(constant):
        value = np.atleast_1d(y[0])[int(np.argmax(constant))]
        raise ValueError(f"The target is constant ({value:g}); there is nothing to learn.")
    if model.n_components > len(y):
        k, n = model.n_components, len(y)
        raise ValueError(f"`n_components` is {k}, more than the {n} rows. Lower it.")


def _make_family(model: MDNRegressor, y: np.ndarray) -> tuple[MixtureFamily, str]:
    """The mixture with its affine map from the component's scale to the target's, and why."""
    name, reason = model.family, "it was asked for"
    if name == "auto":
        name, reason = choose_family(y)
    elif name == "normal" and y.ndim == 2:
        name, reason = "multivariate-normal", f"the targets are vectors of {y.shape[1]} numbers"
    component = _bound(model, name, y)
    if (component.kind == "vector") != (y.ndim == 2):
        fitting = "'multivariate-normal', 'dirichlet' or 'multinomial'"
        what = f"vectors of {y.shape[1]} numbers" if y.ndim == 2 else "single numbers"
        cure = f"Use {fitting}" if y.ndim == 2 else "Use a family of single numbers"
        raise DataError(f"The targets are {what}; the family {name!r} is not for them. {cure}.")
    n_components = model.n_components
    if name == "histogram":
        component, n_components = _binned(model, y), min(model.n_bins, len(np.unique(y)))
        n_components = len(component.edges) - 1
    if component.scaling == "standard" and y.ndim == 2:
        shift, scale = tuple(y.mean(axis=0).tolist()), tuple(y.std(axis=0).tolist())
    elif component.scaling == "standard":
        shift, scale = float(y.mean()), float(y.std())
    elif component.scaling == "positive":
        shift, scale = 0.0, float(abs(y).mean())
    elif component.scaling == "bounds":
        lower, upper = _bounds(model, y)
        shift, scale = lower, upper - lower
    else:
        shift, scale = 0.0, 1.0
    family = MixtureFamily(component, n_components, shift, scale)
    if component.scaling != "bounds":
        check_support(component, family.to_unit(y), y)
    return family, reason


def _bound(model: MDNRegressor, name: str, y: np.ndarray) -> Any:
    """The component with the dimension, trials and bins of this task."""
    trials = model.trials
    if name == "multinomial" and trials is None:
        trials = int(y.sum(axis=-1).max())
    if name == "binomial" and trials is None:
        raise ValueError("The family 'binomial' needs `trials`, the number of trials.")
    options: dict[str, Any] = {"trials": trials, "rank": int(model.rank)}
    options |= {"event_size": y.shape[1] if y.ndim == 2 else 1, "n_bins": min(model.n_bins, 16)}
    component = bound_component(name, **options)
    if not getattr(component, "needs_trials", False) and hasattr(component, "trials"):
        component = bound_component(name, **{**options, "trials": None})
    return component


def _binned(model: MDNRegressor, y: np.ndarray) -> Any:
    """Bins of about equal shares of the targets; the outer ones reach to the bounds."""
    lower, upper = _bounds(model, y)
    inner = np.quantile(y, np.linspace(0, 1, model.n_bins + 1)[1:-1])
    unit = np.unique(np.round((inner - lower) / (upper - lower), 9))
    inside = unit[(unit > 1e-6) & (unit < 1 - 1e-6)]
    return bound_component("histogram", edges=(0.0, *inside.tolist(), 1.0))


def _bounds(model: MDNRegressor, y: np.ndarray) -> tuple[float, float]:
    """Bounds of the target, given or a twentieth beyond the training range."""
    margin = 0.05 * np.ptp(y)
    bounds = model.bounds
    pair = isinstance(bounds, tuple | list) and len(bounds) == 2
    if not pair or not all(b is None or (_is_number(b) and np.isfinite(b)) for b in bounds):
        raise ValueError(f"`bounds` must be a pair of finite numbers or None; got {bounds!r}.")
    lower, upper = bounds
    lower = float(y.min() - margin) if lower is None else float(lower)
    upper = float(y.max() + margin) if upper is None else float(upper)
    if not lower < upper:
        raise ValueError(f"`bounds` must increase; got {model.bounds!r}.")
    if y.max() <= lower or y.min() >= upper:
        raise ValueError(f"No target lies inside `bounds` ({lower:g}, {upper:g}).")
    return lower, upper


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.number)


def _scaled_targets(family: MixtureFamily, y: np.ndarray) -> tuple[np.ndarray, int]:
    """Targets on the component's scale, inside its support, and how many had to be moved."""
    plain = family.to_unit(y)
    u = np.asarray(family.component.clip(plain), float)
    return u, int(np.sum(~np.isclose(u, plain, atol=1e-9, rtol=1e-6)))
