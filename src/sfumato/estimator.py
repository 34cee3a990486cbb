"""What regressor and classifier share: from checked arrays to members, and back to parameters."""

import os
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from sfumato._compilation import use_compilation_cache
from sfumato._typing import HostParams, Params
from sfumato.backbones import ACTIVATIONS, BACKBONES, EMBEDDINGS
from sfumato.backbones.embeddings import bin_edges
from sfumato.errors import IncompatibleError, choose
from sfumato.families import MixtureFamily
from sfumato.families.start import initial_raw
from sfumato.models import Architecture, Inputs, Network, map_rows, padded_size
from sfumato.pdfs import make_pdfs
from sfumato.preprocessing import SCALERS, FeatureTransform
from sfumato.preprocessing.measurement import (
    excess_factors,
    mean_covariance,
    noise_factors,
)
from sfumato.preprocessing.table import Levels, TableFeatures, encode, find_levels
from sfumato.training import History, fit, make_optimiser
from sfumato.training.history import convergence_note
from sfumato.training.loop import Data
from sfumato.training.losses import effective_components, negative_log_likelihood
from sfumato.training.priors import check_priors, prior_loss
from sfumato.uncertainty._base import Strategy, Task
from sfumato.uncertainty.ensemble import (
    held_out_members,
    make_folds,
    make_members,
    member_rows,
)
from sfumato.uncertainty.recalibration import Sharpening, fit_sharpening
from sfumato.uncertainty.strategies import strategy_of

CHUNK_ROWS = 65_536
"""Rows handed to one call of the compiled prediction."""

N_DRAWS = 16
"""Draws of features with measurement errors that a prediction averages over."""


class DensityEstimator(BaseEstimator):
    """Training and prediction of mixture densities; the arguments are those of `MDNRegressor`."""

    # set by the constructors of the subclasses, which scikit-learn wants explicit
    family_: MixtureFamily
    network_: Network
    architecture_: Architecture
    sharpening_: Sharpening
    history_: History
    levels_: Levels
    noise_covariance_: np.ndarray | None

    def __sklearn_tags__(self):  # noqa: ANN204 - scikit-learn's own type
        """Missing values are allowed where they have a meaning."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self._allows_gaps
        tags.non_deterministic = False
        return tags

    @property
    def _options(self) -> Any:
        """Self, whose constructor arguments a type checker cannot see."""
        return self

    @property
    def _allows_gaps(self) -> bool:
        return self._options.features is not None or self._options.missing == "flag"

    # -- input -----------------------------------------------------------------------------------

    def _checked_rows(self, X: Any, *, reset: bool) -> np.ndarray:
        """Features as numbers (n, c), words encoded; the names and number of columns are kept."""
        if reset:
            self.levels_ = find_levels(X, self._options.categorical)
        if self.levels_:
            validate_data(self, cast(Any, X), reset=reset, skip_check_array=True)
            rows = encode(X, self.levels_)
            if not self._allows_gaps:
                numeric = [i for i in range(rows.shape[1]) if i not in self.levels_]
                if not np.isfinite(rows[:, numeric]).all():
                    raise ValueError("X contains NaN. Fill it, or use missing='flag'.")
            return rows
        checked: Any = validate_data(
            self,
            cast(Any, X),
            dtype=np.float32,
            reset=reset,
            ensure_all_finite=not self._allows_gaps,
            ensure_min_samples=2 if reset else 1,
        )
        return checked

    # -- training ---------------------------------------------------------------------------------

    def _train(
        self,
        X: np.ndarray,
        u: np.ndarray,
        weight: np.ndarray,
        *,
        X_err: ArrayLike | None,
        rng: np.random.Generator,
    ) -> None:
        """Scale, train, turn into explicit members, recalibrate; sets the fitted attributes."""
        options = self._options
        strategy = strategy_of(options.uncertainty)
        if options.recalibrate:
            check_recalibration(self.family_)
            if strategy.name in ("nuts", "svi"):
                message = f"uncertainty={strategy.name!r} learns from all rows and holds out none"
                raise IncompatibleError(f"{message}: it cannot recalibrate. Leave `recalibrate`.")
        n_members = self._n_members(strategy)
        n_networks = n_members if strategy.trains_all else 1
        if X_err is not None and strategy.name in ("nuts", "svi"):
            message = f"uncertainty={strategy.name!r} samples weights for fixed features"
            raise IncompatibleError(f"{message}. Give X_err to predict_pdfs, or another strategy.")
        factors = None if X_err is None else self._factors(X_err, X)
        self.noise_covariance_ = None if factors is None else mean_covariance(factors)
        folds = make_folds(len(u), fraction=held_out_share(options, len(u)), rng=rng)
        inputs, self.architecture_ = _fit_inputs(options, X, self.levels_)
        networks = make_members(
            self.family_,
            self.architecture_,
            n_members=n_networks,
            initial_bias=initial_raw(self.family_, u, centres=self._unit_centres()),
            seed=int(rng.integers(2**31)),
        )
        _check_size(strategy, networks)
        check_priors(options.priors or {}, networks)
        keys = jax.random.split(jax.random.key(rng.integers(2**31)), n_networks)
        networks = eqx.filter_jit(
            eqx.filter_vmap(
                lambda member, key: strategy.prepare(member, key=key, n_members=n_members)
            )
        )(networks, keys)
        train_rows, valid_rows = member_rows(folds, n_members=n_networks)
        batch_size, max_epochs = _schedule(options, train_rows.shape[1])
        n_batches = -(-train_rows.shape[1] // batch_size)
        self.n_epochs_planned_ = max_epochs

        def penalty(member: Any) -> jax.Array:
            own = strategy.penalty(member, n_rows=train_rows.shape[1])
            return own + prior_loss(options.priors or {}, member, n_rows=train_rows.shape[1])

        result = fit(
            networks,
            Data(
                inputs,
                jnp.asarray(X, jnp.float32),
                jnp.asarray(u, jnp.float32),
                jnp.asarray(weight / weight.mean(), jnp.float32),
                None if factors is None else jnp.asarray(factors, jnp.float32),
            ),
            train_rows=train_rows,
            valid_rows=valid_rows,
            loss=negative_log_likelihood,
            optimiser=make_optimiser(
                learning_rate=options.learning_rate,
                weight_decay=options.weight_decay if strategy.decays else 0.0,
                n_steps=n_batches * max_epochs,
            ),
            batch_size=batch_size,
            max_epochs=max_epochs,
            patience=_patience(options.patience, max_epochs),
            rng=rng,
            dropout_fade=None if strategy.name == "dropout" else options.dropout_fade,
            averaging=options.averaging,
            penalty=penalty,
            diagnose=effective_components,
            on_epoch=options.on_epoch,
        )
        if not np.all(np.isfinite(result.history.valid_loss.min(axis=0))):
            raise ValueError("Training diverged: no finite loss. Lower `learning_rate`.")
        seed = int(rng.integers(2**31))
        task = Task(inputs, X, u, weight, n_members, seed, options.priors or {})
        finished = strategy.finish(result.members, task)
        note = convergence_note(result.history)
        notes = (*finished.warnings, *([note] if note else []))
        for text in notes:
            warnings.warn(text, ConvergenceWarning, stacklevel=4)
        self.history_ = result.history.with_warnings(notes)
        self.network_ = Network(inputs, finished.members)
        self.sharpening_ = Sharpening()
        if options.recalibrate:
            self._recalibrate(X, u, folds, strategy)

    def _n_members(self, strategy: Strategy) -> int:
        asked = self._options.n_members
        if strategy.name == "none":
            return 1
        return strategy.default_members if asked is None else int(asked)

    def _unit_centres(self) -> Any:
        """Given centres on the scale of the components; words as they are."""
        centres = self._options.centres
        if isinstance(centres, str):
            return centres
        return self.family_.to_unit(np.asarray(centres, float))

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
        rows = self._checked_rows(X, reset=False)
        if X_err is None:
            return self._parameters(rows)
        if not isinstance(n_draws, int | np.integer) or n_draws < 1:
            raise ValueError(f"`n_draws` must be an integer of at least 1; got {n_draws!r}.")
        factors = excess_factors(self._factors(X_err, rows), self.noise_covariance_)
        # the same standard draws for every row: no answer depends on its neighbours
        draws = np.random.default_rng(0).normal(size=(n_draws, rows.shape[1]))
        noise = "nc,sc->snc" if factors.ndim == 2 else "nij,sj->sni"
        shifted = rows + np.einsum(noise, factors, draws)
        parts = [self._parameters(part.astype(np.float32)) for part in shifted]
        return {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}

    def _pdfs(self, X: ArrayLike, X_err: ArrayLike | None, n_draws: int, **options: Any) -> Any:
        check_is_fitted(self)
        params = self.predict_parameters(X, X_err=X_err, n_draws=n_draws)
        return make_pdfs(self.family_, params, **options)


# -- pieces of fit ---------------------------------------------------------------------------------


def check_weights(sample_weight: ArrayLike | None, X: np.ndarray) -> np.ndarray:
    """Row weights (n,), finite and not negative; ones if there are none."""
    return _check_sample_weight(
        cast(Any, sample_weight), X, dtype=np.float64, ensure_non_negative=True
    )


def check_options(model: Any) -> None:
    """Ranges of the shared constructor arguments; scikit-learn forbids checking them earlier."""
    for name in ("n_members", "batch_size", "max_epochs"):
        value = getattr(model, name)
        if value is not None and (not isinstance(value, int | np.integer) or value < 1):
            raise ValueError(f"`{name}` must be an integer of at least 1; got {value!r}.")
    sizes = (64,) if model.hidden_sizes is None else model.hidden_sizes
    if not sizes or any(not isinstance(size, int | np.integer) or size < 1 for size in sizes):
        raise ValueError(f"`hidden_sizes` must be positive integers; got {sizes!r}.")
    choose(model.activation, ACTIVATIONS, what="`activation`")
    choose(model.backbone, BACKBONES, what="`backbone`")
    choose(model.embedding, dict.fromkeys(EMBEDDINGS), what="`embedding`")
    choose(model.missing, dict.fromkeys(("error", "flag")), what="`missing`")
    choose(model.x_scaler, SCALERS, what="`x_scaler`")
    strategy_of(model.uncertainty)
    _check_ranges(model)


def _check_ranges(model: Any) -> None:
    if not 0 <= model.weight_decay < np.inf:
        raise ValueError(f"`weight_decay` must be at least 0; got {model.weight_decay!r}.")
    if model.patience is not None and not model.patience > 0:
        raise ValueError(f"`patience` must be positive or None; got {model.patience!r}.")
    if not 0 <= model.averaging < 1:
        raise ValueError(f"`averaging` must lie in [0, 1); got {model.averaging!r}.")
    if model.dropout_fade is not None and not 0 <= model.dropout_fade[0] <= model.dropout_fade[1]:
        raise ValueError(f"`dropout_fade` must increase from 0 on; got {model.dropout_fade!r}.")
    if not 0 <= model.dropout_rate < 1:
        raise ValueError(f"`dropout_rate` must lie in [0, 1); got {model.dropout_rate!r}.")
    value = model.validation_fraction
    if value is not None and not 0 < value <= 0.5:
        raise ValueError(f"`validation_fraction` must lie in (0, 0.5]; got {value!r}.")
    if not 0 < model.learning_rate < np.inf:
        raise ValueError(f"`learning_rate` must be positive; got {model.learning_rate!r}.")


def check_recalibration(family: MixtureFamily) -> None:
    """Refuse to sharpen families that have no precision to multiply.

    Raises
    ------
    ValueError
        The family is neither Normal, Beta nor categorical.
    """
    component = family.component
    if not hasattr(component, "narrow") and component.name != "categorical":
        raise ValueError(
            "`recalibrate` is for the families 'normal' and 'beta' and for classes; "
            f"got {component.name!r}. Use sfumato.ConformalRecalibration, which is for any."
        )


def _check_size(strategy: Any, networks: Any) -> None:
    """Let a strategy refuse networks that are too large for it."""
    if hasattr(strategy, "check"):
        leaves = jax.tree.leaves(eqx.filter(networks, eqx.is_array))
        strategy.check(sum(leaf[0].size for leaf in leaves))


BATCHES_PER_EPOCH = 26
FEWEST_EPOCHS, MOST_EPOCHS, STEPS = 80, 600, 16_000
MANY_ROWS = 20_000


def _schedule(options: Any, n_rows: int) -> tuple[int, int]:
    """Rows of a batch and epochs: those asked for, or what suits so many rows."""
    batch = options.batch_size or int(np.clip(n_rows // BATCHES_PER_EPOCH, 32, 256))
    n_batches = -(-n_rows // batch)
    epochs = options.max_epochs or int(np.clip(STEPS // n_batches, FEWEST_EPOCHS, MOST_EPOCHS))
    return int(batch), int(epochs)


def _hidden_sizes(options: Any, n_rows: int) -> tuple[int, ...]:
    """Widths that were asked for, or three layers as wide as so many rows allow."""
    if options.hidden_sizes is None:
        return (128 if n_rows >= MANY_ROWS else 64,) * 3
    return tuple(int(size) for size in options.hidden_sizes)


def _patience(patience: float | None, max_epochs: int) -> int | None:
    """Epochs without improvement; a number below 1 is a share of all."""
    if patience is None:
        return None
    return max(1, round(patience * max_epochs)) if patience < 1 else int(patience)


def held_out_share(options: Any, n_rows: int) -> float:
    """Share of the rows a network holds out: what was asked for, or about 30 rows, or a 30th."""
    if options.validation_fraction is not None:
        return options.validation_fraction
    return float(np.clip(30 / max(n_rows, 1), 1 / 30, 1 / 10))


def _fit_inputs(options: Any, X: np.ndarray, levels: Levels) -> tuple[Inputs, Architecture]:
    """Feature transform and scaler fitted to training rows X (n, c), and the network for them."""
    features: FeatureTransform | None = options.features
    if features is not None and levels:
        raise IncompatibleError("Give either `features` or `categorical` columns, not both.")
    if features is None and (levels or options.missing == "flag"):
        categories = tuple((column, len(words)) for column, words in levels.items())
        features = TableFeatures(X.shape[1], categories)
    transformed, sizes, n_numeric = X, (), X.shape[1]
    if features is not None:
        features = features.fit(X)
        transformed = np.asarray(features(jnp.asarray(X.T, jnp.float32))).T
        sizes = getattr(features, "category_sizes", ())
        n_numeric = getattr(features, "n_numeric", transformed.shape[1])
    scaler = SCALERS[options.x_scaler](transformed).only_first(n_numeric)
    inputs = Inputs(features, scaler)
    edges: tuple = ()
    if options.embedding == "piecewise-linear":
        scaled = np.asarray(scaler(jnp.asarray(transformed.T, jnp.float32)))[:n_numeric]
        edges = bin_edges(scaled.T)
    return inputs, Architecture(
        n_numeric=n_numeric,
        n_flags=transformed.shape[1] - n_numeric - sum(sizes),
        category_sizes=tuple(sizes),
        backbone=options.backbone,
        hidden_sizes=_hidden_sizes(options, len(X)),
        activation=options.activation,
        dropout_rate=float(options.dropout_rate),
        embedding=options.embedding,
        n_frequencies=options.n_frequencies,
        frequency_spread=options.frequency_spread,
        embedding_size=options.embedding_size,
        edges=edges,
        gated=strategy_of(options.uncertainty).name == "dropout",
    )


# -- pieces of predict -----------------------------------------------------------------------------


def final_parameters(rows: jax.Array, network: Network, sharpening: Sharpening) -> Params:
    """Recalibrated parameters (n, m, K, ...) at rows (n, c); JAX."""
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
