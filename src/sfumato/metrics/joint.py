"""Scores and calibration of draws from joint distributions of several targets.

Draws are (s, n, d): draw, object, dimension. Temporaries stay small whatever s and n are.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from scipy.spatial.distance import cdist, pdist

from sfumato._numerics import row_chunks
from sfumato.errors import ShapeError, choose
from sfumato.metrics.intervals import reliability_curve

Seed = int | np.random.Generator


def _checked(
    samples: ArrayLike, truth: ArrayLike, *, n_draws: int = 1, n_dims: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Draws and truths as arrays, with at least `n_draws` draws in at least `n_dims` dimensions."""
    draws, true = np.asarray(samples, float), np.asarray(truth, float)
    if draws.ndim != 3 or draws.shape[1:] != true.shape or true.size == 0:
        message = "`samples` and `truth` must have shapes (s, n, d) and (n, d), n >= 1"
        raise ShapeError(f"{message}; got {draws.shape} and {true.shape}. Draws come first.")
    if draws.shape[0] < n_draws or draws.shape[2] < n_dims:
        message = f"`samples` must hold s >= {n_draws} draws in d >= {n_dims} dimensions"
        raise ShapeError(f"{message}; got s = {draws.shape[0]}, d = {draws.shape[2]}.")
    bad = ~(np.isfinite(draws).all(axis=(0, 2)) & np.isfinite(true).all(axis=1))
    if bad.any():
        message = "`samples` and `truth` must be finite"
        raise ValueError(f"{message}; {bad.sum()} of {bad.size} objects are not. Leave them out.")
    return draws, true


def energy_scores(samples: ArrayLike, truth: ArrayLike) -> np.ndarray:
    r"""Energy score of each object, (n,), smaller is better, in the common units of the targets.

    .. math::
        \mathrm{ES} = \frac{1}{s} \sum_i \|x_i - y\|
            - \frac{1}{2 s (s - 1)} \sum_{i \ne j} \|x_i - x_j\|

    (Gneiting & Raftery 2007, equation 22 with exponent 1 and the sign of a loss). The pairs leave
    out i = j, so the expectation does not depend on the number of draws; a single object's value
    may be negative. In one dimension it is the CRPS. Norms mix the dimensions: divide both arrays
    by a scale of each dimension first if their units differ.

    Parameters
    ----------
    samples : (s, n, d) independent draws of each object's distribution, s >= 2.
    truth : (n, d) true values.

    Raises
    ------
    ShapeError
        The shapes disagree or there are fewer than 2 draws.
    ValueError
        A draw or a truth is not finite.
    """
    draws, true = _checked(samples, truth, n_draws=2)
    n_pairs = len(draws) * (len(draws) - 1) / 2
    out = np.empty(len(true))
    for row, y in enumerate(true):
        x = np.ascontiguousarray(draws[:, row])
        out[row] = np.mean(cdist(x, y[None])) - _sum_over_pairs(x) / n_pairs / 2
    return out


def _sum_over_pairs(x: np.ndarray) -> float:
    """Sum of the distances over unordered pairs of the rows of x (s, d), in blocks of rows."""
    total = 0.0
    for rows in row_chunks(len(x), width=len(x)):
        total += pdist(x[rows]).sum() + cdist(x[rows], x[rows.stop :]).sum()
    return total


def variogram_scores(
    samples: ArrayLike, truth: ArrayLike, *, order: float = 0.5, weights: ArrayLike | None = None
) -> np.ndarray:
    r"""Variogram score of each object, (n,), smaller is better: sensitive to correlations.

    .. math:: \mathrm{VS} = \sum_{i, j} w_{ij} \left(|y_i - y_j|^p - E|X_i - X_j|^p\right)^2

    (Scheuerer & Hamill 2015), with the mean over draws for E, as published; s draws add
    :math:`\mathrm{Var}|X_i - X_j|^p / s` to each term, so compare models at equal s. It does not
    see an error that is the same in all dimensions: use it beside `energy_scores`.

    Parameters
    ----------
    samples : (s, n, d) draws, d >= 2.
    truth : (n, d) true values, in the same units in all dimensions.
    order : the exponent p > 0.
    weights : (d, d) values >= 0 for the pairs of dimensions; None is 1 everywhere.

    Raises
    ------
    ShapeError
        The shapes disagree or there is only one dimension.
    ValueError
        `order` is not positive, a weight is negative, or a number is not finite.
    """
    draws, true = _checked(samples, truth, n_dims=2)
    n_dims = true.shape[1]
    if not order > 0:
        raise ValueError(f"`order` must be above 0; got {order}.")
    pair_weights = np.ones((n_dims, n_dims)) if weights is None else np.asarray(weights, float)
    if pair_weights.shape != (n_dims, n_dims):
        required = f"`weights` must have shape ({n_dims}, {n_dims})"
        raise ShapeError(f"{required}; got {pair_weights.shape}.")
    if not np.all(np.isfinite(pair_weights) & (pair_weights >= 0)):
        raise ValueError(f"`weights` must be finite and >= 0; got {pair_weights.tolist()}.")
    both_ways = pair_weights + pair_weights.T
    out = np.zeros(len(true))
    for rows in row_chunks(len(true), width=draws[:, 0].size):
        x, y = draws[:, rows], true[rows]
        for i in range(n_dims - 1):
            predicted = np.mean(np.abs(x[..., i + 1 :] - x[..., i : i + 1]) ** order, axis=0)
            observed = np.abs(y[:, i + 1 :] - y[:, i : i + 1]) ** order
            out[rows] += (observed - predicted) ** 2 @ both_ways[i, i + 1 :]
    return out


def tarp_credibilities(
    samples: ArrayLike,
    truth: ArrayLike,
    *,
    references: ArrayLike | None = None,
    norm: str = "standardised",
    random_state: Seed = 0,
) -> np.ndarray:
    """Probability inside the ball about a reference that reaches to the truth, (n,), in [0, 1].

    Uniform if calibrated (Lemos et al. 2023, TARP), so whatever takes PIT values takes these.
    The share of draws inside is a rank in 0..s; it is spread evenly over its step of 1 / (s + 1),
    which makes it exactly uniform for any number of draws.

    Parameters
    ----------
    samples : (s, n, d) draws.
    truth : (n, d) true values.
    references : (n, d) one point per object; None draws them evenly from the box of the truths.
        Points that know nothing of the features cannot reject a model that ignores the features
        (the truths' own distribution for every object); references that follow them can.
    norm : "standardised" divides each dimension by the truths' standard deviation, "euclidean"
        takes the units as they are.

    Raises
    ------
    ShapeError
        The shapes disagree.
    ValueError
        `norm` is unknown or a number is not finite.
    """
    draws, true = _checked(samples, truth)
    scales = {"standardised": true.std(axis=0), "euclidean": np.ones(true.shape[1])}
    scale = choose(norm, scales, what="`norm`")
    scale = np.where(scale > 0, scale, 1.0)
    rng = np.random.default_rng(random_state)
    points = _reference_points(references, true, rng=rng)
    ranks = np.empty(len(true))
    for rows in row_chunks(len(true), width=draws[:, 0].size):
        reach = np.linalg.norm((true[rows] - points[rows]) / scale, axis=-1)
        away = np.linalg.norm((draws[:, rows] - points[rows]) / scale, axis=-1)
        ranks[rows] = _random_ranks(away, reach, rng=rng)
    return (ranks + rng.random(len(true))) / (len(draws) + 1)


def _reference_points(
    references: ArrayLike | None, true: np.ndarray, *, rng: np.random.Generator
) -> np.ndarray:
    """The given points, checked, or points drawn evenly from the box of the truths, (n, d)."""
    if references is None:
        return rng.uniform(true.min(axis=0), true.max(axis=0), true.shape)
    points = np.asarray(references, float)
    if points.shape != true.shape:
        message = f"`references` must have the shape of `truth`, {true.shape}"
        raise ShapeError(f"{message}; got {points.shape}. Give one point per object.")
    if not np.all(np.isfinite(points)):
        bad = np.sum(~np.isfinite(points).all(axis=1))
        raise ValueError(f"`references` must be finite; {bad} of {len(points)} are not.")
    return points


def _random_ranks(draws: np.ndarray, true: np.ndarray, *, rng: np.random.Generator) -> np.ndarray:
    """Number of draws (s, ...) below `true` (...), a tie counting at random as the order falls."""
    below, ties = np.sum(draws < true, axis=0), np.sum(draws == true, axis=0)
    return below + rng.integers(0, ties, endpoint=True)


def tarp(
    samples: ArrayLike,
    truth: ArrayLike,
    *,
    references: ArrayLike | None = None,
    norm: str = "standardised",
    random_state: Seed = 0,
    n_levels: int = 101,
) -> tuple[np.ndarray, np.ndarray]:
    """Expected coverage of joint credible regions by random points, on the diagonal if calibrated.

    The share of objects whose `tarp_credibilities` do not exceed each level (Lemos et al. 2023);
    parameters and errors are those of that function.

    Parameters
    ----------
    n_levels : levels, evenly spaced from 0 to 1 with both ends; at least 2.

    Returns
    -------
    levels, coverage : each (n_levels,).
    """
    credibilities = tarp_credibilities(
        samples, truth, references=references, norm=norm, random_state=random_state
    )
    return reliability_curve(credibilities, n_levels=n_levels)[:2]


def tarp_distance(
    samples: ArrayLike,
    truth: ArrayLike,
    *,
    references: ArrayLike | None = None,
    norm: str = "standardised",
    random_state: Seed = 0,
    n_levels: int = 101,
) -> float:
    """Largest difference of coverage and level in `tarp`, in [0, 1].

    A calibrated model stays below ``1.63 / sqrt(n)`` in 99 of 100 cases, the 1 % point of the
    Kolmogorov-Smirnov statistic. Parameters and errors are those of `tarp`.
    """
    credibilities = tarp_credibilities(
        samples, truth, references=references, norm=norm, random_state=random_state
    )
    levels, coverage, _ = reliability_curve(credibilities, n_levels=n_levels)
    return float(np.max(np.abs(coverage - levels)))


def sbc_ranks(samples: ArrayLike, truth: ArrayLike, *, random_state: Seed = 0) -> np.ndarray:
    """Rank of each truth among its draws, dimension by dimension, integers (n, d) in 0..s.

    Uniform if the draws are independent and of the right distribution (Talts et al. 2018,
    theorem 1); thin the draws of a Markov chain first. Equal values are ordered at random, so
    counts and rounded values are uniform too.

    Parameters
    ----------
    samples : (s, n, d) draws.
    truth : (n, d) true values.

    Raises
    ------
    ShapeError
        The shapes disagree.
    ValueError
        A draw or a truth is not finite.
    """
    draws, true = _checked(samples, truth)
    rng = np.random.default_rng(random_state)
    chunks = row_chunks(len(true), width=draws[:, 0].size)
    parts = [_random_ranks(draws[:, rows], true[rows], rng=rng) for rows in chunks]
    return np.concatenate(parts)


def sbc_pvalues(ranks: ArrayLike, n_draws: int) -> np.ndarray:
    r"""Probability of ranks less uniform than these if calibrated, one per dimension, (d,).

    Neyman's smooth test of order 4 in its discrete form: n times the sum of the squared means of
    the first four polynomials orthonormal on 0..s, against :math:`\chi^2_4`. A bias, a wrong width,
    a skew and wrong tails show in the first to fourth, so these few directions hold what goes wrong
    with posteriors; a chi-square of binned ranks spreads its power over shapes that do not occur
    and depends on the bins, and Kolmogorov-Smirnov is for continuous values and weak for widths.

    Parameters
    ----------
    ranks : (n, d) integers in 0..n_draws; n of 50 or more for the :math:`\chi^2` to hold.
    n_draws : the number s of draws that the truths were ranked among.

    Raises
    ------
    ShapeError
        `ranks` is not two-dimensional or is empty.
    ValueError
        A rank is not an integer in 0..n_draws.
    """
    values = np.asarray(ranks)
    if values.ndim != 2 or values.size == 0:
        raise ShapeError(f"`ranks` must have shape (n, d), n >= 1; got {values.shape}.")
    if n_draws < 1 or not np.all((values >= 0) & (values <= n_draws) & (values % 1 == 0)):
        message = f"`ranks` must be integers in 0..n_draws = 0..{n_draws}"
        raise ValueError(f"{message}; got values from {values.min()} to {values.max()}.")
    order = min(4, n_draws)
    legendre = np.polynomial.legendre.legvander(np.linspace(-1, 1, n_draws + 1), order)
    polynomials = np.linalg.qr(legendre)[0][:, 1:] * np.sqrt(n_draws + 1)
    means = polynomials[values.astype(int)].mean(axis=0)
    return stats.chi2.sf(len(values) * np.sum(means**2, axis=-1), order)
