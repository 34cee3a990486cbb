"""What stands before the first dense layer: embeddings of numbers and of categories.

A dense layer sees a feature only through straight lines. An embedding gives every feature a set of
functions of its own (Gorishniy et al. 2022, On embeddings for numerical features).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray


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

    def __call__(self, x: Float[Array, "f *n"]) -> Float[Array, "out *n"]:
        """Features (f,) or (f, n) to (f + f e, ...)."""
        tail = (1,) * (x.ndim - 1)
        angle = 2 * np.pi * self.frequencies.reshape(*self.frequencies.shape, *tail) * x[:, None]
        waves = jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], axis=1)
        mixed = jnp.einsum("fek,fk...->fe...", self.weight, waves)
        embedded = jax.nn.relu(mixed + self.bias.reshape(*self.bias.shape, *tail))
        return jnp.concatenate([x, embedded.reshape(-1, *x.shape[1:])])


class PiecewiseLinear(eqx.Module):
    """How far each feature has passed through each of its bins, and a linear layer with ReLU.

    (Gorishniy et al. 2022, section 3.2, "PLE", with bins at quantiles of the training rows.)

    Parameters
    ----------
    edges : (f, b + 1) increasing edges of the bins of each feature.
    size : numbers e each feature becomes.
    """

    edges: tuple[tuple[float, ...], ...] = eqx.field(static=True)
    weight: Float[Array, "f e b"]
    bias: Float[Array, "f e"]

    def __init__(
        self, edges: tuple[tuple[float, ...], ...], *, size: int, key: PRNGKeyArray
    ) -> None:
        self.edges = edges
        n_features, n_bins = len(edges), len(edges[0]) - 1
        scale = 1.0 / np.sqrt(n_bins)
        shape = (n_features, size, n_bins)
        self.weight = scale * jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)
        self.bias = jnp.zeros((n_features, size))

    def __call__(self, x: Float[Array, "f *n"]) -> Float[Array, "out *n"]:
        """Features (f,) or (f, n) to (f + f e, ...)."""
        tail = (1,) * (x.ndim - 1)
        edges = jnp.asarray(self.edges, x.dtype)
        low, high = edges[:, :-1], edges[:, 1:]
        low, width = (v.reshape(*v.shape, *tail) for v in (low, jnp.maximum(high - low, 1e-6)))
        passed = jnp.clip((x[:, None] - low) / width, 0.0, 1.0)
        mixed = jnp.einsum("feb,fb...->fe...", self.weight, passed)
        embedded = jax.nn.relu(mixed + self.bias.reshape(*self.bias.shape, *tail))
        return jnp.concatenate([x, embedded.reshape(-1, *x.shape[1:])])


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


def quantile_edges(x: np.ndarray, *, n_bins: int) -> tuple[tuple[float, ...], ...]:
    """Edges (f, n_bins + 1) at the quantiles of each feature of scaled rows x (n, f)."""
    levels = np.linspace(0, 1, n_bins + 1)
    return tuple(map(tuple, np.quantile(x, levels, axis=0).T.astype(float).tolist()))


class Front(eqx.Module):
    """All features to the input of the first dense layer.

    The first `n_numeric` features are numbers; then come flags, which pass as they are; then the
    one-hot features of the categorical columns.
    """

    numbers: Periodic | PiecewiseLinear | None
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


EMBEDDINGS = ("none", "periodic", "piecewise-linear")
"""Names of the embeddings of numbers."""
