"""The density ratio by kernels: mean matching and least squares."""

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize
from scipy.spatial.distance import cdist, pdist

from sfumato._numerics import row_chunks
from sfumato.preprocessing.shift.samples import _Samples

N_CENTRES = 300
"""Kernels that describe both samples; the kernel methods cost its square per row."""


MOST_SOLVED = 20_000
"""Rows of a sample that the kernel methods solve for; the solution holds for every row."""


def _drawn(x: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """At most n rows of x, in random order."""
    return x[rng.permutation(len(x))[:n]]


def _kernel(x: np.ndarray, centres: np.ndarray, width: float) -> np.ndarray:
    """Gaussian kernels (n, b) of `width` around `centres` (b, d), at x (n, d)."""
    return np.exp(cdist(x, centres, "sqeuclidean") / (-2 * width**2))


def _typical_distance(x: np.ndarray) -> float:
    """Median distance of two rows; 1 where most rows are the same."""
    return float(np.median(pdist(x))) or 1.0


def _by_rows(function: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    """`function` of a few thousand rows at a time, joined."""
    return np.concatenate([function(x[rows]) for rows in row_chunks(len(x), width=N_CENTRES)])


WEIGHT_BOUND = 1000.0
"""Largest weight of kernel mean matching, as in its paper."""


def _by_mean_matching(samples: _Samples, rng: np.random.Generator) -> np.ndarray:
    """Kernel mean matching (Huang et al. 2006, section 3.3); (n_train,).

    Bounded weights under which both samples have the same mean in the space of a Gaussian kernel,
    whose width is the median distance of rows. That space is spanned by a Nyström basis of 300
    rows (Williams & Seeger 2001), so time and memory grow as the number of rows.
    """
    half = N_CENTRES // 2
    centres = [_drawn(samples.train, half, rng), _drawn(samples.target, half, rng)]
    landmarks = np.concatenate(centres)
    width = _typical_distance(landmarks)
    values, vectors = np.linalg.eigh(_kernel(landmarks, landmarks, width))
    kept = values > 1e-6 * values[-1]
    basis = vectors[:, kept] / np.sqrt(values[kept])

    def features(x: np.ndarray) -> np.ndarray:
        return _kernel(x, landmarks, width) @ basis

    mean = _by_rows(features, _drawn(samples.target, MOST_SOLVED, rng)).mean(axis=0)
    rows = _by_rows(features, _drawn(samples.train, MOST_SOLVED, rng))
    # sampling moves the squared distance of two kernel means by about 1 / n
    ridge = 1 / min(len(rows), len(samples.target))
    slope, offset = _matched(rows, mean, ridge=ridge)
    return _by_rows(lambda x: np.clip(features(x) @ slope + offset, 0, WEIGHT_BOUND), samples.train)


def _matched(features: np.ndarray, mean: np.ndarray, *, ridge: float) -> tuple[np.ndarray, float]:
    r"""Slope (k,) and offset of the weights :math:`\beta = [\Phi a + c]_0^B` that match `mean`.

    The quadratic programme :math:`\min \|\Phi^T \beta / n - \mu\|^2 + \lambda \|\beta\|^2 / n`
    over :math:`0 \le \beta \le B` of mean 1 has an unknown per row, its dual one per feature.
    """
    n, k = features.shape

    def dual(unknown: np.ndarray) -> tuple[float, np.ndarray]:
        slope, offset = unknown[:k], unknown[k]
        line = features @ slope + offset
        beta = np.clip(line, 0, WEIGHT_BOUND)
        value = np.mean(beta * line - beta**2 / 2) - slope @ mean - offset
        gradient = np.append(features.T @ beta / n - mean + ridge * slope, beta.mean() - 1)
        return float(value + ridge * slope @ slope / 2), gradient

    start = np.append(np.zeros(k), 1.0)
    options = {"maxiter": 1000, "ftol": 1e-12, "gtol": 1e-6, "maxcor": 30}
    solution = minimize(dual, start, jac=True, method="L-BFGS-B", options=options).x
    return solution[:k], float(solution[k])


WIDTHS = (0.25, 0.5, 1.0, 2.0)
"""Kernel widths that uLSIF tries, in units of the median distance of rows."""


RIDGES = 10.0 ** np.arange(-5, 1.5, 0.5)
"""Ridge penalties that uLSIF tries."""


MOST_VALIDATED = 5000
"""Rows of a sample that uLSIF chooses width and ridge on."""


def _by_least_squares(samples: _Samples, rng: np.random.Generator) -> np.ndarray:
    r"""Unconstrained least-squares importance fitting (Kanamori et al. 2009, section 3.1).

    The ratio is :math:`\max(0, 1 + (\phi - \bar\phi_{train}) \cdot \theta)` with Gaussian kernels
    phi on target rows, :math:`\theta = (H + \lambda I)^{-1} (\bar\phi_{target} -
    \bar\phi_{train})` and H their covariance in training: the paper's fit and a constant that is
    not penalised, so that much ridge means "no shift". Five folds choose width and ridge.
    """
    centres = _drawn(samples.target, N_CENTRES, rng)
    typical = _typical_distance(centres)
    train = _drawn(samples.train, MOST_VALIDATED, rng)
    target = _drawn(samples.target, MOST_VALIDATED, rng)
    widths = [factor * typical for factor in WIDTHS]
    losses = [_fold_losses(_kernel(train, centres, w), _kernel(target, centres, w)) for w in widths]
    best = np.unravel_index(np.argmin(losses), (len(widths), len(RIDGES)))
    width, ridge = widths[best[0]], RIDGES[[best[1]]]

    def features(x: np.ndarray) -> np.ndarray:
        return _kernel(x, centres, width)

    train = _by_rows(features, _drawn(samples.train, MOST_SOLVED, rng))
    target = _by_rows(features, _drawn(samples.target, MOST_SOLVED, rng))
    theta, centre = _least_squares(train, target, ridge)
    return _by_rows(lambda x: _ratio(features(x), theta, centre)[:, 0], samples.train)


def _least_squares(
    train: np.ndarray, target: np.ndarray, ridges: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (b, ridges) for kernels of both samples (n, b), and their training mean (b,)."""
    centre = train.mean(axis=0)
    centred = train - centre
    values, vectors = np.linalg.eigh(centred.T @ centred / len(train))
    along = vectors.T @ (target.mean(axis=0) - centre)
    return vectors @ (along[:, None] / (np.maximum(values, 0)[:, None] + ridges)), centre


def _ratio(features: np.ndarray, theta: np.ndarray, centre: np.ndarray) -> np.ndarray:
    return np.maximum(0, 1 + (features - centre) @ theta)


def _fold_losses(train: np.ndarray, target: np.ndarray, *, n_folds: int = 5) -> np.ndarray:
    r"""Held-out loss :math:`\langle w^2 \rangle_{train} / 2 - \langle w \rangle_{target}` by ridge.

    The squared error of the ratio up to a constant (Kanamori et al. 2009, section 2.2); rows are in
    random order already.
    """
    losses = np.zeros(len(RIDGES))
    for fold in range(n_folds):
        held_train = np.arange(len(train)) % n_folds == fold
        held_target = np.arange(len(target)) % n_folds == fold
        theta, centre = _least_squares(train[~held_train], target[~held_target], RIDGES)
        losses += np.mean(_ratio(train[held_train], theta, centre) ** 2, axis=0) / 2
        losses -= np.mean(_ratio(target[held_target], theta, centre), axis=0)
    return losses / n_folds
