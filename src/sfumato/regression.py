"""`MDNRegressor`: the scikit-learn estimator over network, training and PDFs."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, Self, cast

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    check_random_state,
    validate_data,
)

from sfumato._compilation import use_compilation_cache
from sfumato._typing import HostParams, Params
from sfumato.backbones import ACTIVATIONS
from sfumato.errors import choose
from sfumato.families import COMPONENTS, MixtureFamily
from sfumato.models import Inputs, Network, map_rows, padded_size
from sfumato.pdfs import ParametricPDFs
from sfumato.preprocessing import SCALERS, FeatureTransform
from sfumato.training import History, fit, make_optimiser
from sfumato.training.loop import Data
from sfumato.training.losses import negative_log_likelihood
from sfumato.uncertainty.ensemble import held_out_members, make_folds, make_members, member_rows
from sfumato.uncertainty.recalibration import Sharpening, fit_sharpening

CHUNK_ROWS = 65_536
"""Rows handed to one call of the compiled prediction."""


class MDNRegressor(RegressorMixin, BaseEstimator):
    """Mixture density network: a full predictive distribution for every row.

    An ensemble of networks, trained together, each giving a mixture of `n_components`; the
    prediction is the average of the members' densities (Bishop 1994; Lakshminarayanan et al.
    2017). Each member holds out its own share of the rows to choose its best epoch.

    Parameters
    ----------
    hidden_sizes : widths of the hidden layers.
    activation : ``"silu"``, ``"gelu"``, ``"relu"`` or ``"tanh"``.
    dropout_rate : share of activations dropped while training.
    family : ``"normal"`` for targets on the real line, ``"beta"`` for targets between bounds.
    n_components : components of each member's mixture.
    n_members : networks in the ensemble.
    bounds : (lower, upper) of the target for bounded families; None in either place means the
        training range widened by a twentieth. Targets beyond a bound are moved inside and counted
        in `n_clipped_`.
    learning_rate, weight_decay, batch_size, max_epochs : of AdamW under a one-cycle schedule.
    patience : epochs without improvement of any member before training stops; None for never.
    validation_fraction : share of the rows each member holds out. With fewer than 20 rows the
        members validate on their training rows.
    x_scaler : ``"robust"``, ``"standard"`` or ``"none"``.
    features : transform of the columns (see `sfumato.preprocessing.FeatureTransform`), or None.
    recalibrate : sharpen or widen the components by what the held-out rows ask for; see
        `sfumato.uncertainty.recalibration`. It leaves every predicted mean as it is.
    random_state : seed; the same seed gives the same model.
    on_epoch : called as ``on_epoch(epoch, train_loss, valid_loss)``; for progress bars.

    Attributes
    ----------
    history_ : `History` of the losses.
    family_ : the mixture in units of the target.
    network_ : the trained members and what stands before them.
    sharpening_ : the fitted recalibration, the identity without `recalibrate`.
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
        hidden_sizes: tuple[int, ...] = (64, 64),
        activation: str = "silu",
        dropout_rate: float = 0.0,
        family: str = "normal",
        n_components: int = 5,
        n_members: int = 5,
        bounds: tuple[float | None, float | None] = (None, None),
        learning_rate: float = 3e-3,
        weight_decay: float = 1e-4,
        batch_size: int = 256,
        max_epochs: int = 100,
        patience: int | None = 30,
        validation_fraction: float = 0.1,
        x_scaler: Literal["robust", "standard", "none"] = "robust",
        features: FeatureTransform | None = None,
        recalibrate: bool = False,
        random_state: int | None = None,
        on_epoch: Callable[[int, float, float], None] | None = None,
    ) -> None:
        self.hidden_sizes = hidden_sizes
        self.activation = activation
        self.dropout_rate = dropout_rate
        self.family = family
        self.n_components = n_components
        self.n_members = n_members
        self.bounds = bounds
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.x_scaler = x_scaler
        self.features = features
        self.recalibrate = recalibrate
        self.random_state = random_state
        self.on_epoch = on_epoch

    def __sklearn_tags__(self):  # noqa: ANN204 - scikit-learn's own type
        """Missing values are allowed where the feature transform has a meaning for them."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.features is not None
        tags.non_deterministic = False
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Train on rows X (n, c) with targets y (n,) and optional weights (n,).

        Raises
        ------
        ValueError
            A parameter is out of range, the target is constant, or the input is not finite where
            it must be.
        """
        use_compilation_cache()
        _check_parameters(self)
        checked: Any = validate_data(
            self,
            cast(Any, X),
            cast(Any, y),
            dtype=np.float32,
            y_numeric=True,
            ensure_min_samples=2,
            ensure_all_finite=self.features is None,
        )
        y = np.asarray(checked[1], float)
        weight = _check_sample_weight(
            sample_weight, checked[0], dtype=np.float64, ensure_non_negative=True
        )
        kept = weight > 0
        rows, y, weight = checked[0][kept], y[kept], weight[kept]
        if np.ptp(y) == 0:
            raise ValueError(f"The target is constant ({y[0]:g}); there is nothing to learn.")
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31))
        self.family_ = _make_family(self, y)
        u, self.n_clipped_ = _scaled_targets(self.family_, y)
        self._train(rows, u, weight, rng=rng)
        return self

    def _train(
        self, X: np.ndarray, u: np.ndarray, weight: np.ndarray, *, rng: np.random.Generator
    ) -> None:
        """Scale, train and recalibrate; sets the fitted attributes."""
        folds = make_folds(len(u), fraction=self.validation_fraction, rng=rng)
        inputs = _fit_inputs(self.x_scaler, self.features, X)
        members = make_members(
            self.family_,
            n_features=inputs.scaler.centre.size,
            n_members=self.n_members,
            hidden_sizes=self.hidden_sizes,
            activation=self.activation,
            dropout_rate=self.dropout_rate,
            initial_bias=self.family_.initial_raw(u),
            seed=int(rng.integers(2**31)),
        )
        train_rows, valid_rows = member_rows(folds, n_members=self.n_members)
        n_batches = -(-train_rows.shape[1] // self.batch_size)
        result = fit(
            members,
            Data(
                inputs,
                jnp.asarray(X, jnp.float32),
                jnp.asarray(u, jnp.float32),
                jnp.asarray(weight / weight.mean(), jnp.float32),
            ),
            train_rows=train_rows,
            valid_rows=valid_rows,
            loss=negative_log_likelihood,
            optimiser=make_optimiser(
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                n_steps=n_batches * self.max_epochs,
            ),
            batch_size=self.batch_size,
            max_epochs=self.max_epochs,
            patience=self.patience,
            rng=rng,
            on_epoch=self.on_epoch,
        )
        if not np.all(np.isfinite(result.history.valid_loss.min(axis=0))):
            raise ValueError("Training diverged: no finite loss. Lower `learning_rate`.")
        self.history_: History = result.history
        self.network_ = Network(inputs, result.members)
        self.sharpening_ = Sharpening()
        if self.recalibrate:
            self._recalibrate(X, u, folds)

    def _recalibrate(self, X: np.ndarray, u: np.ndarray, folds: np.ndarray) -> None:
        """Fit the sharpening to what each row's own held-out members say of it."""
        params = self.predict_parameters(X)
        rows, holders = held_out_members(folds, n_members=self.n_members)
        held = {name: values[rows[:, None], holders] for name, values in params.items()}
        y = self.family_.shift + self.family_.scale * u[rows]
        self.sharpening_ = fit_sharpening(self.family_, held, y, n_members=self.n_members)

    def predict_parameters(self, X: ArrayLike) -> HostParams:
        """Parameters (n, m, K) of the predicted mixtures, single precision, recalibrated.

        Rows are handed to the compiled program in large chunks, one per core at a time.
        """
        check_is_fitted(self)
        use_compilation_cache()
        rows: Any = validate_data(
            self,
            cast(Any, X),
            dtype=np.float32,
            reset=False,
            ensure_all_finite=self.features is None,
        )
        return in_chunks(
            lambda part: map_rows(final_parameters, part, self.network_, self.sharpening_), rows
        )

    def predict_pdfs(self, X: ArrayLike) -> ParametricPDFs:
        """Predicted densities of the target, in its own units, one per row of X (n, c)."""
        check_is_fitted(self)
        return ParametricPDFs(self.family_, self.predict_parameters(X))

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Expectation of the target (n,), in its own units."""
        return self.predict_pdfs(X).mean()


# -- pieces of fit ---------------------------------------------------------------------------------


def _check_parameters(model: MDNRegressor) -> None:
    """Ranges of the constructor's arguments; scikit-learn forbids checking them earlier."""
    positive = ("n_components", "n_members", "batch_size", "max_epochs")
    for name in positive:
        value = getattr(model, name)
        if not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(f"`{name}` must be an integer of at least 1; got {value!r}.")
    sizes = model.hidden_sizes
    if not sizes or any(not isinstance(size, int | np.integer) or size < 1 for size in sizes):
        raise ValueError(f"`hidden_sizes` must be positive integers; got {sizes!r}.")
    if not 0 <= model.weight_decay < np.inf:
        raise ValueError(f"`weight_decay` must be at least 0; got {model.weight_decay!r}.")
    if model.patience is not None and model.patience < 1:
        raise ValueError(f"`patience` must be at least 1 or None; got {model.patience!r}.")
    if not 0 <= model.dropout_rate < 1:
        raise ValueError(f"`dropout_rate` must lie in [0, 1); got {model.dropout_rate!r}.")
    if not 0 < model.validation_fraction <= 0.5:
        value = model.validation_fraction
        raise ValueError(f"`validation_fraction` must lie in (0, 0.5]; got {value!r}.")
    if not 0 < model.learning_rate < np.inf:
        raise ValueError(f"`learning_rate` must be positive; got {model.learning_rate!r}.")
    choose(model.activation, ACTIVATIONS, what="`activation`")
    choose(model.family, COMPONENTS, what="`family`")
    choose(model.x_scaler, SCALERS, what="`x_scaler`")


def _make_family(model: MDNRegressor, y: np.ndarray) -> MixtureFamily:
    """The mixture with its affine map from the component's scale to the target's."""
    component = COMPONENTS[model.family]
    if not np.isfinite(component.support).all():
        return MixtureFamily(component, model.n_components, float(y.mean()), float(y.std()))
    margin = 0.05 * np.ptp(y)
    lower, upper = model.bounds
    if any(bound is not None and not np.isfinite(bound) for bound in (lower, upper)):
        raise ValueError(f"`bounds` must be finite numbers or None; got {model.bounds!r}.")
    lower = float(y.min() - margin) if lower is None else float(lower)
    upper = float(y.max() + margin) if upper is None else float(upper)
    if not lower < upper:
        raise ValueError(f"`bounds` must increase; got {model.bounds!r}.")
    if y.max() <= lower or y.min() >= upper:
        raise ValueError(f"No target lies inside `bounds` ({lower:g}, {upper:g}).")
    return MixtureFamily(component, model.n_components, lower, upper - lower)


def _scaled_targets(family: MixtureFamily, y: np.ndarray) -> tuple[np.ndarray, int]:
    """Targets on the component's scale, inside its support, and how many had to be moved."""
    plain = (y - family.shift) / family.scale
    u = np.asarray(family.component.clip(plain), float)
    return u, int(np.sum(~np.isclose(u, plain, atol=1e-9, rtol=1e-6)))


def _fit_inputs(scaler: str, features: FeatureTransform | None, X: np.ndarray) -> Inputs:
    """Feature transform and scaler, fitted to training rows X (n, c)."""
    if features is None:
        return Inputs(None, SCALERS[scaler](X))
    fitted = features.fit(X)
    transformed = np.asarray(fitted(jnp.asarray(X.T, jnp.float32)))
    return Inputs(fitted, SCALERS[scaler](transformed.T))


# -- pieces of predict -----------------------------------------------------------------------------


def final_parameters(rows: jax.Array, network: Network, sharpening: Sharpening) -> Params:
    """Recalibrated parameters (n, m, K) at rows (n, c); JAX."""
    return sharpening(network.members.head.family, network.parameters(rows))


def in_chunks(program: Callable[[np.ndarray], dict], X: np.ndarray) -> HostParams:
    """`program` over chunks of rows of few sizes, one thread per core, joined in order."""
    starts = range(0, len(X), CHUNK_ROWS)

    def run(start: int) -> HostParams:
        rows = X[start : start + CHUNK_ROWS]
        size = padded_size(len(rows), most=CHUNK_ROWS)
        padded = np.concatenate([rows, np.repeat(rows[-1:], size - len(rows), axis=0)])
        return {name: np.asarray(v)[: len(rows)] for name, v in program(padded).items()}

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        parts = list(pool.map(run, starts))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
