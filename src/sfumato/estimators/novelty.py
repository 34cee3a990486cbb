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
    rows = rng.permutation(len(X))[: 2 * MOST_ROWS]
    key = jax.random.key(int(rng.integers(2**31)))
    seen = np.asarray(inputs.perturbed(jnp.asarray(X[rows].T, jnp.float32), key=key)).T
    plain, noisy = (
        Sample(np.asarray(_scaled(jnp.asarray(x), inputs)["z"], float), _gaps(inputs, x))
        for x in (X[rows].astype(np.float32), seen)
    )
    return fit_novelty(plain, noisy, None if folds is None else folds[rows], ranges=ranges)


def row_novelty(inputs: Inputs, novelty: Novelty, X: np.ndarray) -> np.ndarray:
    """Novelty (n,) of rows X (n, c) in their units."""
    z = in_chunks(lambda part: map_rows(_scaled, part, inputs), X)["z"]
    return novelty(z, _gaps(inputs, X))


def _scaled(rows: Array, inputs: Inputs) -> dict[str, Array]:
    return {"z": inputs.scaled(rows.T).T}


def _gaps(inputs: Inputs, X: np.ndarray) -> np.ndarray:
    """Rows (n,) in which something was not measured."""
    return np.any(~np.isfinite(measured_in(inputs.features, X)), axis=1)
