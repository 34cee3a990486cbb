"""The novelty of an estimator's rows: features as its networks see them, before any bins."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from sfumato.estimators.codes import measured_in
from sfumato.networks.density import Inputs
from sfumato.networks.rows import in_chunks, map_rows
from sfumato.preprocessing.novelty import MOST_ROWS, Novelty, Sample, fit_novelty


def fit_row_novelty(
    inputs: Inputs,
    X: np.ndarray,
    folds: np.ndarray | None,
    *,
    ranges: np.ndarray,
    rng: np.random.Generator,
) -> Novelty:
    """What training rows X (n, c) are like.

    Parameters
    ----------
    X : in their units.
    folds : (n,) parts that are held out together, or None.
    ranges : of the columns, as the user gave them.
    """
    rows = rng.permutation(len(X))[:MOST_ROWS]
    key = jax.random.key(int(rng.integers(2**31)))
    x = jnp.asarray(X[rows].T, jnp.float32)  # turned by NumPy, which compiles nothing
    plain, seen = (_sample(inputs, part) for part in (x, inputs.perturbed(x, key=key)))
    return fit_novelty(plain, seen, None if folds is None else folds[rows], ranges=ranges)


def row_novelty(inputs: Inputs, novelty: Novelty, X: np.ndarray) -> np.ndarray:
    """Novelty (n,) of rows X (n, c) in their units."""
    z = in_chunks(lambda part: map_rows(_scaled, part, inputs), X)["z"]
    return novelty(z, _gaps(inputs, X))


def _sample(inputs: Inputs, x: Array) -> Sample:
    """Columns x (c, n) of rows in their units."""
    z = np.asarray(inputs.scaled(x), float).T
    return Sample(z, _gaps(inputs, np.asarray(x).T))


def _scaled(rows: Array, inputs: Inputs) -> dict[str, Array]:
    return {"z": inputs.scaled(rows.T).T}


def _gaps(inputs: Inputs, X: np.ndarray) -> np.ndarray:
    """Rows (n,) in which something was not measured."""
    return np.any(~np.isfinite(measured_in(inputs.features, X)), axis=1)
