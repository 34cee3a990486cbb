"""`MDNClassifier`: class probabilities, with what the network does not know, as for a regressor."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Self, cast

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data

from sfumato.engine.compiled import use_compilation_cache
from sfumato.estimators._base import N_DRAWS, DensityEstimator
from sfumato.estimators.options import check_options
from sfumato.estimators.rows import check_groups, check_weights, kept_errors
from sfumato.estimators.targets import check_present
from sfumato.families import MixtureFamily, bound_component
from sfumato.pdfs import CountPDFs
from sfumato.preprocessing import FeatureTransform
from sfumato.training.priors import Prior
from sfumato.uncertainty._base import Strategy


class MDNClassifier(ClassifierMixin, DensityEstimator):
    """Class probabilities from the same networks, strategies and options as `MDNRegressor`.

    Minus the log-likelihood of a Bernoulli or categorical output is the cross-entropy. The
    probabilities of the members are averaged; with `recalibrate` their logits are divided by the
    temperature that the held-out rows ask for (Guo et al. 2017).

    Parameters
    ----------
    uncertainty, n_members, priors, backbone, hidden_sizes, activation, dropout_rate, dropout_fade,
    embedding, n_frequencies, frequency_spread, embedding_size, learning_rate, weight_decay,
    averaging, batch_size, max_epochs, max_steps, patience, validation_fraction, x_scaler, features,
    categorical, missing, recalibrate, random_state, on_epoch : see `MDNRegressor`.

    Attributes
    ----------
    classes_ : the classes, sorted.
    history_, family_, network_, architecture_, sharpening_, n_features_in_, feature_names_in_ :
        see `MDNRegressor`.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 200)[:, None]
    >>> model = MDNClassifier(n_members=1, max_epochs=20, random_state=0).fit(x, x[:, 0] > 0)
    >>> model.predict([[0.9], [-0.9]])
    array([ True, False])
    """

    def __init__(
        self,
        *,
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
        """Train on rows X (n, c) with classes y (n,); the other arguments as in `MDNRegressor`.

        Raises
        ------
        ValueError
            A parameter is out of range, there is one class, or the input is not finite.
        """
        use_compilation_cache()
        check_options(self.get_params(deep=False))
        if y is None:
            # scikit-learn's own words, which its checks look for
            raise ValueError(
                "This MDNClassifier estimator requires y to be passed, but the target y is None."
            )
        check_present(y)
        # its stubs take words only where y is a word
        labels = np.asarray(validate_data(self, y=cast(Any, y)))
        check_classification_targets(labels)
        rows = self._checked_rows(X, reset=True)
        if len(rows) != len(labels):
            raise ValueError(f"X has {len(rows)} rows and y {len(labels)}: inconsistent lengths.")
        self._warn_of_codes(rows, np.zeros((len(rows), 0)))
        held = self._checked_validation(validation, groups, rows)
        weight = check_weights(sample_weight, rows)
        kept = weight > 0
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(np.unique(codes[kept])) < 2:
            only = self.classes_[codes[kept][0]] if kept.any() else None
            raise ValueError(f"Classifier can't train when only one class is present ({only!r}).")
        n_classes = len(self.classes_)
        component = bound_component("categorical", n_classes=n_classes)
        self.family_ = MixtureFamily(component, n_classes)
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31))
        errors = kept_errors(X_err, kept, vars(self).get("feature_names_in_", ()))
        self._train(
            rows[kept],
            codes[kept].astype(float),
            weight[kept],
            X_err=errors,
            groups=check_groups(groups, kept),
            validation=None if held is None else (held[0], self._codes_of(held[1])),
            rng=rng,
        )
        return self

    def _codes_of(self, y: ArrayLike) -> np.ndarray:
        """Places of classes (n,) among those of training.

        Raises
        ------
        ValueError
            A class is none of those.
        """
        labels = np.asarray(y).ravel()
        if (strange := ~np.isin(labels, self.classes_)).any():
            raise ValueError(f"Training had no class {labels[strange][0]}, `validation` has it.")
        return np.searchsorted(self.classes_, labels).astype(float)

    def predict_pdfs(
        self, X: ArrayLike, *, X_err: ArrayLike | None = None, n_draws: int = N_DRAWS
    ) -> CountPDFs:
        """Predicted distributions over the indices of `classes_`, with a member axis."""
        return cast(CountPDFs, self._pdfs(X, X_err, n_draws))

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Probability of each class, (n, classes)."""
        check_is_fitted(self)
        return self.predict_pdfs(X).pdf(np.arange(len(self.classes_)))

    def predict(self, X: ArrayLike) -> np.ndarray:
        """The most probable class, (n,)."""
        return self.classes_[np.argmax(self.predict_proba(X), axis=1)]
