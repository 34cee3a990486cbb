"""What stands before the first dense layer: embeddings of numbers and of categories.

A dense layer sees a feature only through straight lines. An embedding gives every feature a set of
functions of its own (Gorishniy et al. 2022, On embeddings for numerical features).
"""

from typing import Self, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from sfumato.networks.backbone import Front

Edges: TypeAlias = tuple[tuple[float, ...], ...]
"""Increasing edges of the bins of each feature."""


class Periodic(eqx.Module):
    """Sines and cosines of learned frequencies, a linear layer for each feature, and ReLU.

    (Gorishniy et al. 2022, section 3.3, "PLR".) The feature itself is kept beside.

    Parameters
    ----------
    n_features : number of numerical features f.
    n_frequencies : frequencies k for each.
    size : numbers e each feature becomes.
    spread : standard deviation of the initial frequencies, in cycles per unit.
    """

    frequencies: Float[Array, "f k"]
    weight: Float[Array, "f e k2"]
    bias: Float[Array, "f e"]

    def __init__(
        self,
        n_features: int,
        *,
        n_frequencies: int,
        size: int,
        spread: float,
        key: PRNGKeyArray,
    ) -> None:
        first, second = jax.random.split(key)
        self.frequencies = spread * jax.random.normal(first, (n_features, n_frequencies))
        scale = 1.0 / np.sqrt(2 * n_frequencies)
        shape = (n_features, size, 2 * n_frequencies)
        self.weight = scale * jax.random.uniform(second, shape, minval=-1.0, maxval=1.0)
        self.bias = jnp.zeros((n_features, size))

    @property
    def out_size(self) -> int:
        """The features, and what each becomes."""
        return self.bias.shape[0] * (1 + self.bias.shape[1])

    def __call__(self, x: Float[Array, "f *n"]) -> Float[Array, "out *n"]:
        """Features (f,) or (f, n) to (f + f e, ...)."""
        tail = (1,) * (x.ndim - 1)
        angle = 2 * np.pi * self.frequencies.reshape(*self.frequencies.shape, *tail) * x[:, None]
        waves = jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], axis=1)
        mixed = jnp.einsum("fek,fk...->fe...", self.weight, waves)
        embedded = jax.nn.relu(mixed + self.bias.reshape(*self.bias.shape, *tail))
        return jnp.concatenate([x, embedded.reshape(-1, *x.shape[1:])])


class BinEmbedding(eqx.Module):
    """How far each feature has passed through each of its bins, from -1 to 1, behind the features.

    (Gorishniy et al. 2022, section 3.2, "PLE".) Beyond its first and last edge a feature goes on
    in a straight line, to a bin's width beyond. With an edge at every value that a feature takes,
    a network can treat each value on its own. Nothing here is trained.

    Parameters
    ----------
    low, width : (b,) where each bin begins, and how wide it is.
    least, most : (b,) how far through it a feature may be.
    of : the feature of each bin.
    n_features : numeric features f, which come first.
    """

    low: Float[Array, " b"]
    width: Float[Array, " b"]
    least: Float[Array, " b"]
    most: Float[Array, " b"]
    of: tuple[int, ...] = eqx.field(static=True)
    n_features: int = eqx.field(static=True)

    @classmethod
    def between(cls, edges: Edges) -> Self:
        """Bins between the increasing edges of each feature."""
        n_bins = [max(len(own) - 1, 0) for own in edges]
        values = np.zeros((4, sum(n_bins)), np.float32)
        start = 0
        for own, count in zip(edges, n_bins, strict=True):
            if count:
                part = values[:, start : start + count]
                part[0], part[1], part[3] = own[:-1], np.diff(own), 1.0
                part[2, 0], part[3, -1] = -1.0, 2.0
            start += count
        of = tuple(int(index) for index in np.repeat(np.arange(len(edges)), n_bins))
        return cls(*map(jnp.asarray, values), of=of, n_features=len(edges))

    def __call__(self, x: Float[Array, "f *n"]) -> Float[Array, "out *n"]:
        """Scaled features, one row or a batch, with the bins behind those that are numbers."""
        low, width, least, most = (
            v.reshape(-1, *(1,) * (x.ndim - 1))
            for v in (self.low, self.width, self.least, self.most)
        )
        passed = jnp.clip((x[jnp.asarray(self.of, int)] - low) / width, least, most)
        n = self.n_features
        return jnp.concatenate([x[:n], 2.0 * passed - 1.0, x[n:]])


class Categories(eqx.Module):
    """A learned vector for each level of each categorical column, from one-hot features.

    Parameters
    ----------
    sizes : levels of each column, the first of them "missing or never seen".
    """

    tables: tuple[Float[Array, "e l"], ...]

    def __init__(self, sizes: tuple[int, ...], *, key: PRNGKeyArray) -> None:
        keys = jax.random.split(key, max(len(sizes), 1))
        self.tables = tuple(
            0.5 * jax.random.normal(k, (embedding_size(n), n))
            for k, n in zip(keys, sizes, strict=False)
        )

    def __call__(self, x: Float[Array, "l *n"]) -> Float[Array, "out *n"]:
        """One-hot features of all columns, one behind the other, to their vectors."""
        parts, start = [], 0
        for table in self.tables:
            stop = start + table.shape[1]
            parts.append(table @ x[start:stop])
            start = stop
        return jnp.concatenate(parts)


def embedding_size(n_levels: int) -> int:
    """Numbers a column of so many levels becomes: their square root, between 1 and 16."""
    return int(np.clip(np.ceil(np.sqrt(n_levels)), 1, 16))


MOST_VALUES, FINE_BINS, COARSE_BINS = 32, 32, 6
"""Distinct values that each get an edge; bins of features that repeat values, and of others."""


def bin_edges(x: np.ndarray) -> Edges:
    """Edges of the bins of each feature of scaled rows x (n, f).

    At its distinct values if there are few; else at quantiles, in many bins where values repeat
    (a grid of settings, a recipe) and in few where nearly every row has its own.
    """
    out = []
    for values in x.T.astype(float):
        distinct = np.unique(values)
        if distinct.size > MOST_VALUES + 1:
            n_bins = COARSE_BINS if distinct.size > 0.5 * values.size else FINE_BINS
            distinct = np.unique(np.quantile(values, np.linspace(0, 1, n_bins + 1)))
        # values that differ by rounding alone are one
        apart = np.concatenate([[True], np.diff(distinct) > 1e-6])
        out.append(tuple(distinct[apart].tolist()))
    return tuple(out)


class TableFront(Front):
    """All features to the input of the first dense layer.

    The first `n_numeric` features are numbers, with their `bins`; then come flags, which pass as
    they are; then the one-hot features of the categorical columns.
    """

    numbers: Periodic | None
    categories: Categories | None
    n_numeric: int = eqx.field(static=True)
    n_flags: int = eqx.field(static=True)

    def __call__(self, x: Float[Array, "f *n"]) -> Float[Array, "out *n"]:
        """Embed one example or a batch."""
        numeric, rest = x[: self.n_numeric], x[self.n_numeric :]
        parts = [numeric if self.numbers is None else self.numbers(numeric)]
        if self.n_flags:
            parts.append(rest[: self.n_flags])
        if self.categories is not None:
            parts.append(self.categories(rest[self.n_flags :]))
        return parts[0] if len(parts) == 1 else jnp.concatenate(parts)
