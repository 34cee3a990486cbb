"""What a table needs before training: words as numbers, feature transform, scaler, architecture."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from sfumato.errors import IncompatibleError
from sfumato.networks.architecture import Architecture
from sfumato.networks.density import Inputs
from sfumato.networks.embeddings import BinEmbedding, Edges, bin_edges
from sfumato.preprocessing import SCALERS, FeatureTransform
from sfumato.preprocessing.table import Levels, TableFeatures
from sfumato.preprocessing.units import Units, fit_units, no_units

MANY_ROWS = 20_000


@dataclass(frozen=True)
class TableWish:
    """How a table is to be looked at; the names are the options'."""

    features: FeatureTransform | None
    missing: str
    x_scaler: str
    backbone: str
    hidden_sizes: tuple[int, ...] | None
    activation: str
    dropout_rate: float
    embedding: str
    n_frequencies: int
    frequency_spread: float
    embedding_size: int


def fit_inputs(
    wish: TableWish, X: np.ndarray, levels: Levels, *, gated: bool
) -> tuple[Units, Inputs, Architecture]:
    """Units, feature transform and scaler fitted to training rows X (n, c), and the network.

    Parameters
    ----------
    X : in double precision and the user's units, which the transform is fitted behind.
    gated : whether layers carry gates.

    Raises
    ------
    IncompatibleError
        There are both a feature transform and categorical columns.
    """
    features = wish.features
    if features is not None and levels:
        raise IncompatibleError("Give either `features` or `categorical` columns, not both.")
    if features is None and (levels or wish.missing == "flag"):
        categories = tuple((column, len(words)) for column, words in levels.items())
        features = TableFeatures(X.shape[1], categories)
    units = _units(features, X, asked=wish.x_scaler != "none")
    X = units(X)
    transformed, sizes, n_numeric = X, (), X.shape[1]
    if features is not None:
        features = features.fit(X)
        transformed = np.moveaxis(np.asarray(features(jnp.asarray(X.T, jnp.float32))), -1, 0)
        sizes, n_numeric = features.category_sizes, features.n_numeric(transformed.shape[1])
    scaler = SCALERS[wish.x_scaler](transformed).only_first(n_numeric)
    edges: Edges = ()
    if wish.embedding == PIECEWISE:
        scaled = np.asarray(scaler(jnp.asarray(transformed.T, jnp.float32)))[:n_numeric]
        edges = bin_edges(scaled.T)
    architecture = Architecture(
        n_numeric=n_numeric,
        n_flags=transformed.shape[1] - n_numeric - sum(sizes),
        category_sizes=tuple(sizes),
        backbone=wish.backbone,
        hidden_sizes=_hidden_sizes(wish.hidden_sizes, len(X)),
        activation=wish.activation,
        dropout_rate=float(wish.dropout_rate),
        embedding=wish.embedding,
        n_frequencies=wish.n_frequencies,
        frequency_spread=wish.frequency_spread,
        embedding_size=wish.embedding_size,
        edges=edges,
        gated=gated,
    )
    bins = BinEmbedding.between(edges) if edges else None
    return units, Inputs(features, scaler, bins), architecture


def _units(features: FeatureTransform | None, X: np.ndarray, *, asked: bool) -> Units:
    """Those of the transform, or of all columns; none where features are not to be scaled."""
    if features is not None:
        return features.units(X)
    return fit_units(X, tuple(range(X.shape[1]))) if asked else no_units(X.shape[1])


PIECEWISE = "piecewise-linear"
"""The embedding whose bins are laid over the training rows."""


def _hidden_sizes(asked: tuple[int, ...] | None, n_rows: int) -> tuple[int, ...]:
    """Widths that were asked for, or three layers as wide as so many rows allow."""
    if asked is None:
        return (128 if n_rows >= MANY_ROWS else 64,) * 3
    return tuple(int(size) for size in asked)
