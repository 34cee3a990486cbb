"""Proper scores of predicted densities, one value per object; averages are the caller's."""

import numpy as np
from numpy.typing import ArrayLike

from sfumato._numerics import cumulative_trapezoid, row_chunks
from sfumato.errors import ShapeError
from sfumato.pdfs import AbstractPDFs


def log_scores(pdfs: AbstractPDFs, truth: ArrayLike) -> np.ndarray:
    """Log-density at the truth, (n,), nats per unit of the target; -inf outside the support."""
    return pdfs.log_prob(truth)


def crps(pdfs: AbstractPDFs, truth: ArrayLike) -> np.ndarray:
    r"""Continuous ranked probability score of each object, (n,), in units of the target.

    .. math:: \mathrm{CRPS} = \int \left(F(z) - 1[z \ge y]\right)^2 dz

    (Gneiting & Raftery 2007, equation 20), by the trapezoid rule on each object's own nodes with
    the truth added, so that the step falls on a node.
    """
    return _by_quadrature(pdfs, truth)[0]


def cde_losses(pdfs: AbstractPDFs, truth: ArrayLike) -> np.ndarray:
    r"""Conditional density estimation loss of each object, (n,), per unit of the target.

    .. math:: L = \int p(z)^2 dz - 2 p(y)

    (Izbicki & Lee 2016, equation 7, without the constant that does not depend on p).
    """
    return _by_quadrature(pdfs, truth)[1]


def crps_and_cde(pdfs: AbstractPDFs, truth: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Both quadrature scores from one pass over the densities."""
    return _by_quadrature(pdfs, truth)


def _by_quadrature(pdfs: AbstractPDFs, truth: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    true = np.asarray(truth, float)
    if true.shape != (len(pdfs),):
        raise ShapeError(f"`truth` must have shape ({len(pdfs)},); got {true.shape}.")
    scores, losses = np.empty(len(pdfs)), np.empty(len(pdfs))
    width = pdfs.quadrature_size() if len(pdfs) else 1
    for rows in row_chunks(len(pdfs), width=width):
        part, y = pdfs[rows], true[rows]
        nodes = part.nodes()
        # a truth beyond the nodes is scored by its distance to them, added after the integral
        inside = np.clip(y, nodes[:, 0], nodes[:, -1])[:, None]
        nodes = np.sort(np.concatenate([nodes, inside], axis=1), axis=1)
        density = part.density_at(nodes)
        cdf = cumulative_trapezoid(density, nodes)
        cdf /= cdf[:, -1:]
        steps = np.diff(nodes, axis=1)
        below = nodes[:, 1:] <= inside
        left, right = (
            np.where(below, cdf[:, :-1], 1 - cdf[:, :-1]),
            np.where(below, cdf[:, 1:], 1 - cdf[:, 1:]),
        )
        # the square of a linear function, integrated exactly over each cell
        scores[rows] = np.sum(steps * (left**2 + left * right + right**2) / 3, axis=1)
        scores[rows] += np.abs(y - inside[:, 0])
        square = np.sum(
            steps
            * (density[:, :-1] ** 2 + density[:, :-1] * density[:, 1:] + density[:, 1:] ** 2)
            / 3,
            axis=1,
        )
        losses[rows] = square - 2 * part.density_at(y[:, None])[:, 0]
    return scores, losses
