"""Proper scores of predicted densities, one value per object; averages are the caller's."""

import numpy as np
from numpy.typing import ArrayLike

from sfumato._numerics import row_chunks
from sfumato.errors import ShapeError
from sfumato.metrics.closed import closed_crps, closed_square
from sfumato.pdfs import AbstractPDFs, CountPDFs

_POLE = 0.02
"""A density whose integral by its nodes is off by more has a pole: so is that of its square."""


def log_scores(pdfs: AbstractPDFs, truth: ArrayLike) -> np.ndarray:
    """Log-density at the truth, (n,), nats per unit of the target; -inf outside the support."""
    return pdfs.log_prob(truth)


def crps(pdfs: AbstractPDFs, truth: ArrayLike) -> np.ndarray:
    r"""Continuous ranked probability score of each object, (n,), in units of the target.

    .. math:: \mathrm{CRPS} = \int \left(F(z) - 1[z \ge y]\right)^2 dz

    (Gneiting & Raftery 2007, equation 20): in closed form where there is one (see
    `sfumato.metrics.closed`), as a sum for counts, otherwise by Simpson's rule on each object's own
    nodes with the truth added, so that the step falls on a node.
    """
    true = _checked(pdfs, truth)
    closed = closed_crps(pdfs, true)
    return crps_and_cde(pdfs, true)[0] if closed is None else closed


def cde_losses(pdfs: AbstractPDFs, truth: ArrayLike) -> np.ndarray:
    r"""Conditional density estimation loss of each object, (n,), per unit of the target.

    .. math:: L = \int p(z)^2 dz - 2 p(y)

    (Izbicki & Lee 2016, equation 7, without the constant that does not depend on p). Infinite
    where a density has a pole, as a Beta density with a parameter below 0.95 has.
    """
    return crps_and_cde(pdfs, truth)[1]


def crps_and_cde(pdfs: AbstractPDFs, truth: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Both scores from one pass over the densities; closed forms take the place of quadrature."""
    true = _checked(pdfs, truth)
    if isinstance(pdfs, CountPDFs):
        return pdfs.discrete_scores(true)
    closed, square = closed_crps(pdfs, true), closed_square(pdfs)
    if closed is not None and square is not None:
        return closed, square - 2 * pdfs.density_at(true[:, None])[:, 0]
    crps, losses = np.empty(len(pdfs)), np.empty(len(pdfs))
    width = pdfs.quadrature_size() if len(pdfs) else 1
    for rows in row_chunks(len(pdfs), width=width):
        crps[rows], losses[rows] = _simpson_scores(pdfs[rows], true[rows])
    return crps if closed is None else closed, losses


def _checked(pdfs: AbstractPDFs, truth: ArrayLike) -> np.ndarray:
    true = np.asarray(truth, float)
    if true.shape != (len(pdfs),):
        raise ShapeError(f"`truth` must have shape ({len(pdfs)},); got {true.shape}.")
    return true


def _simpson_scores(pdfs: AbstractPDFs, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """CRPS and CDE loss by Simpson's rule on cells between every other node."""
    nodes = pdfs.nodes()
    # a truth beyond the nodes is scored by its distance to them, added after the integral
    inside = np.clip(y, nodes[:, 0], nodes[:, -1])[:, None]
    nodes = np.sort(np.concatenate([nodes[:, ::2], nodes[:, -1:], inside], axis=1), axis=1)
    left, right = nodes[:, :-1], nodes[:, 1:]
    half = 0.5 * (right - left)
    at_nodes = pdfs.density_at(nodes)
    p0, p1, p2 = at_nodes[:, :-1], pdfs.density_at(0.5 * (left + right)), at_nodes[:, 1:]
    cells = half / 3 * (p0 + 4 * p1 + p2)
    f2 = np.cumsum(cells, axis=1)
    f0, total = f2 - cells, f2[:, -1:]
    f1 = f0 + half / 12 * (5 * p0 + 8 * p1 - p2)
    below = right <= inside
    g0, g1, g2 = (np.where(below, f / total, 1 - f / total) for f in (f0, f1, f2))
    crps = np.sum(half / 3 * (g0**2 + 4 * g1**2 + g2**2), axis=1) + np.abs(y - inside[:, 0])
    losses = np.sum(half / 3 * (p0**2 + 4 * p1**2 + p2**2), axis=1)
    losses -= 2 * pdfs.density_at(y[:, None])[:, 0]
    poles = np.flatnonzero(np.abs(total[:, 0] - 1) > _POLE)
    if poles.size:
        crps[poles], losses[poles] = _crps_by_cdf(pdfs[poles], y[poles]), np.inf
    return crps, losses


def _crps_by_cdf(pdfs: AbstractPDFs, y: np.ndarray) -> np.ndarray:
    """CRPS (n,) from the exact cdf at the nodes and between them, where densities have a pole."""
    nodes = pdfs.nodes()
    inside = np.clip(y, nodes[:, 0], nodes[:, -1])[:, None]
    nodes = np.sort(np.concatenate([nodes, inside], axis=1), axis=1)
    left, right = nodes[:, :-1], nodes[:, 1:]
    steps = (right <= inside)[..., None]
    points = np.stack([left, 0.5 * (left + right), right], axis=-1)
    values = np.stack([pdfs[r : r + 1].cdf(x.ravel())[0] for r, x in enumerate(points)])
    tails = np.where(steps, values.reshape(points.shape), 1 - values.reshape(points.shape)) ** 2
    cells = (right - left) / 6 * (tails[..., 0] + 4 * tails[..., 1] + tails[..., 2])
    return cells.sum(axis=1) + np.abs(y - inside[:, 0])
