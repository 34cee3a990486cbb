"""Where the components of a mixture begin: head biases that cover the training targets."""

from typing import Any, Literal, cast

import numpy as np
from numpy.typing import ArrayLike
from sklearn.cluster import KMeans

from sfumato.errors import ShapeError
from sfumato.families.mixture import MixtureFamily

Centres = Literal["quantiles", "kmeans"] | ArrayLike


def initial_raw(
    family: MixtureFamily, u: np.ndarray, *, centres: Centres = "quantiles"
) -> np.ndarray:
    """Head biases (r,) that spread the components over the scaled targets u, (n,) or (n, d).

    Parameters
    ----------
    centres : ``"quantiles"`` for equal shares of the targets (k-means for vectors), ``"kmeans"``,
        or the centres themselves, (K,) or (K, d), on the scale of u.

    Raises
    ------
    ValueError, ShapeError
        `centres` is an unknown word or has another shape.
    """
    k, component = family.n_components, family.component
    shares = component.start_weights(u)
    if shares is not None:
        return np.log(shares)
    weights, means, stds = _clusters(_whole(u), k, centres)
    raw = component.unconstrain(means, stds)
    return np.concatenate([np.log(weights), *(np.reshape(part, -1) for part in raw)])


def _whole(u: np.ndarray) -> np.ndarray:
    """Targets without gaps, or, where there are few of them, with the mean in place of those."""
    if u.ndim == 1 or not np.isnan(u).any():
        return u
    whole = u[~np.isnan(u).any(axis=1)]
    if len(whole) >= max(_FEW_ROWS, 0.1 * len(u)):
        return whole
    return np.where(np.isnan(u), np.nanmean(u, axis=0), u)


_FEW_ROWS = 100


def _clusters(u: np.ndarray, k: int, centres: Centres) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shares (K,), centres and deviations (K,) or (K, d) of groups of the targets."""
    spread = np.std(u, axis=0) + 1e-3
    if isinstance(centres, str) and centres not in ("quantiles", "kmeans"):
        message = "`centres` must be 'quantiles', 'kmeans' or an array of centres"
        raise ValueError(f"{message}; got {centres!r}.")
    if not isinstance(centres, str):
        given = np.asarray(centres, float)
        if given.shape != (k, *u.shape[1:]):
            expected = (k, *u.shape[1:])
            raise ShapeError(f"`centres` must have shape {expected}; got {given.shape}.")
        return np.full(k, 1 / k), given, np.broadcast_to(spread / np.sqrt(k), given.shape)
    if u.ndim == 1 and centres == "quantiles":
        levels = (np.arange(k) + 0.5) / k
        means = np.quantile(u, levels)
        return np.full(k, 1 / k), means, np.full(k, float(spread) / np.sqrt(k))
    points = u.reshape(len(u), -1)[:20_000]
    n_clusters = min(k, len(np.unique(points, axis=0)))
    found = KMeans(n_clusters, n_init=cast(Any, 3), random_state=0).fit(points)  # "auto" is a word
    labels = np.asarray(found.labels_)
    means = np.resize(found.cluster_centers_, (k, points.shape[1]))
    stds = [points[labels == j % (labels.max() + 1)].std(axis=0) for j in range(k)]
    stds = np.maximum(np.stack(stds), 0.05 * points.std(axis=0) + 1e-3)
    counts = np.bincount(labels, minlength=k)[:k] + 1.0
    shape = (k, *u.shape[1:])
    return counts / counts.sum(), means.reshape(shape), stds.reshape(shape)
