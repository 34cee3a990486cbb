r"""The CRPS of mixtures in closed form, where there is one.

.. math:: \mathrm{CRPS} = \sum_k \pi_k \mathrm{E}|X_k - y|
          - \tfrac12 \sum_{jk} \pi_j \pi_k \mathrm{E}|X_j - X_k|

(Gneiting & Raftery 2007, equation 21). Mixtures need the mean distance of every pair of
components: Normal, Laplace, lognormal, Gamma, exponential, chi-squared, inverse-Gamma and uniform
bins have it. One component alone needs only that of two draws of itself, which logistic, Student-t,
Weibull, Gumbel and Beta have as well.

For positive families both distances follow from the size-biased variable :math:`X^*`, of density
:math:`x f(x) / m` with m the mean:

.. math:: \mathrm{E}|X - y| = y (2 F(y) - 1) + m (1 - 2 F^*(y)), \qquad
          \mathrm{E}|X_1 - X_2| = m_1 (2 P(X_1^* > X_2) - 1) + m_2 (2 P(X_2^* > X_1) - 1).
"""

from collections.abc import Callable

import numpy as np
from scipy import special, stats

from sfumato._numerics import row_chunks
from sfumato.pdfs import AbstractPDFs, ParametricPDFs

Parameters = tuple[np.ndarray, ...]

# -- distances to a point and between components, on the standard scale ----------------------------


def _normal_to(y: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> np.ndarray:
    z = (y - loc) / scale
    density = np.exp(-0.5 * z * z) * (2 / np.sqrt(2 * np.pi))
    return scale * (z * special.erf(z / np.sqrt(2)) + density)


def _normal_pair(a: Parameters, b: Parameters) -> np.ndarray:
    return _normal_to(a[0], b[0], np.hypot(a[1], b[1]))


def _laplace_to(y: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> np.ndarray:
    away = np.abs(y - loc)
    return away + scale * np.exp(-away / scale)


def _laplace_pair(a: Parameters, b: Parameters) -> np.ndarray:
    away, p, q = np.abs(a[0] - b[0]), a[1], b[1]
    # equal scales are the limit, and nearly equal ones lose their digits: take the limit there
    near = np.abs(p - q) < 1e-4 * (p + q)
    mid = 0.5 * (p + q)
    limit = np.exp(-away / mid) * (1.5 * mid + 0.5 * away)
    gap = np.where(near, 1.0, p * p - q * q)
    general = (p**3 * np.exp(-away / p) - q**3 * np.exp(-away / q)) / gap
    return away + np.where(near, limit, general)


def _positive_to(
    y: np.ndarray, mean: np.ndarray, cdf: np.ndarray, biased: np.ndarray
) -> np.ndarray:
    return y * (2 * cdf - 1) + mean * (1 - 2 * biased)


def _gamma_to(y: np.ndarray, a: np.ndarray, rate: np.ndarray) -> np.ndarray:
    x = np.maximum(y, 0) * rate
    return _positive_to(y, a / rate, special.gammainc(a, x), special.gammainc(a + 1, x))


def _gamma_pair(one: Parameters, two: Parameters) -> np.ndarray:
    (a, r), (b, q) = one, two
    share = r / (r + q)
    first = special.betaincc(a + 1, b, share)
    second = special.betainc(a, b + 1, share)
    return a / r * (2 * first - 1) + b / q * (2 * second - 1)


def _inverse_gamma_to(y: np.ndarray, a: np.ndarray, rate: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        x = rate / np.maximum(y, 0)
    return _positive_to(y, rate / (a - 1), special.gammaincc(a, x), special.gammaincc(a - 1, x))


def _inverse_gamma_pair(one: Parameters, two: Parameters) -> np.ndarray:
    (a, r), (b, q) = one, two
    share = r / (r + q)
    first = special.betainc(a - 1, b, share)
    second = special.betaincc(a, b - 1, share)
    return r / (a - 1) * (2 * first - 1) + q / (b - 1) * (2 * second - 1)


def _lognormal_to(y: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        z = (np.log(np.maximum(y, 0)) - loc) / scale
    mean = np.exp(loc + 0.5 * scale**2)
    return _positive_to(y, mean, special.ndtr(z), special.ndtr(z - scale))


def _lognormal_pair(one: Parameters, two: Parameters) -> np.ndarray:
    (m, s), (n, t) = one, two
    width = np.hypot(s, t)
    first, second = special.ndtr((m + s**2 - n) / width), special.ndtr((n + t**2 - m) / width)
    means = np.exp(m + 0.5 * s**2), np.exp(n + 0.5 * t**2)
    return means[0] * (2 * first - 1) + means[1] * (2 * second - 1)


def _bin_to(y: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    inside = np.clip(y, lower, upper)
    within = ((inside - lower) ** 2 + (upper - inside) ** 2) / (2 * (upper - lower))
    return within + np.abs(y - inside)


def _bin_pair(one: Parameters, two: Parameters) -> np.ndarray:
    same = one[0] == two[0]
    apart = np.abs(one[0] + one[1] - two[0] - two[1]) / 2
    return np.where(same, (one[1] - one[0]) / 3, apart)


PAIRS: dict[str, tuple[Callable[..., np.ndarray], Callable[..., np.ndarray]]] = {
    "normal": (_normal_to, _normal_pair),
    "laplace": (_laplace_to, _laplace_pair),
    "lognormal": (_lognormal_to, _lognormal_pair),
    "gamma": (_gamma_to, _gamma_pair),
    "inverse-gamma": (_inverse_gamma_to, _inverse_gamma_pair),
    "exponential": (
        lambda y, rate: _gamma_to(y, np.ones_like(rate), rate),
        lambda a, b: _gamma_pair((np.ones_like(a[0]), a[0]), (np.ones_like(b[0]), b[0])),
    ),
    "chi-squared": (
        lambda y, df: _gamma_to(y, df / 2, np.full_like(df, 0.5)),
        lambda a, b: _gamma_pair(
            (a[0] / 2, np.full_like(a[0], 0.5)), (b[0] / 2, np.full_like(b[0], 0.5))
        ),
    ),
    "histogram": (_bin_to, _bin_pair),
}
"""Mean distance of a component to a point, and of two components."""


# -- one component alone: mean distance to a point, and of two draws -------------------------------


def _logistic(y: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    z = (y - loc) / scale
    return scale * (2 * np.logaddexp(0, z) - z), 2 * scale


def _student_t(
    y: np.ndarray, df: np.ndarray, loc: np.ndarray, scale: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    z = (y - loc) / scale
    away = z * (2 * stats.t.cdf(z, df) - 1) + 2 * stats.t.pdf(z, df) * (df + z * z) / (df - 1)
    ratio = special.beta(0.5, df - 0.5) / special.beta(0.5, df / 2) ** 2
    return scale * away, scale * 4 * np.sqrt(df) / (df - 1) * ratio


def _weibull(y: np.ndarray, scale: np.ndarray, shape: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    power = (np.maximum(y, 0) / scale) ** shape
    mean = scale * special.gamma(1 + 1 / shape)
    biased = special.gammainc(1 + 1 / shape, power)
    return _positive_to(y, mean, -np.expm1(-power), biased), 2 * mean * (1 - 2 ** (-1 / shape))


def _gumbel(y: np.ndarray, loc: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    z = np.clip((y - loc) / scale, -6, 600)
    away = -z - 2 * special.expi(-np.exp(-z)) + np.euler_gamma
    # below -6 the distribution function vanishes (exp(-400)): the distance is linear
    return scale * away + (loc + scale * z - y), scale * 2 * np.log(2)


def _beta(y: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    inside, total = np.clip(y, 0, 1), a + b
    cdf, biased = special.betainc(a, b, inside), special.betainc(a + 1, b, inside)
    log_ratio = special.betaln(total, total) - special.betaln(a, a) - special.betaln(b, b)
    return _positive_to(y, a / total, cdf, biased), 4 / total * np.exp(log_ratio)


SINGLES: dict[str, Callable[..., tuple[np.ndarray, np.ndarray]]] = {
    "logistic": _logistic,
    "student-t": _student_t,
    "weibull": _weibull,
    "gumbel": _gumbel,
    "beta": _beta,
}
"""Mean distance of the one component to a point, and of two draws of it."""


# -- scores ----------------------------------------------------------------------------------------


def closed_crps(pdfs: AbstractPDFs, truth: np.ndarray) -> np.ndarray | None:
    """CRPS of each object, (n,), in units of the target, exact; None where there is no formula.

    There is one for mixtures of a family in `PAIRS`, and single components of one in `SINGLES`.

    Parameters
    ----------
    truth : (n,) true values.
    """
    if not isinstance(pdfs, ParametricPDFs):
        return None
    name = pdfs.family.component.name
    if name not in PAIRS and not (name in SINGLES and pdfs.n_components_total == 1):
        return None
    out, width = np.empty(len(pdfs)), pdfs.n_components_total
    for rows in row_chunks(len(pdfs), width=width, budget=1 << 17):
        part, unit = pdfs[rows], pdfs.family.to_unit(truth[rows])
        columns = [tuple(p[:, k] for p in part.components) for k in range(width)]
        out[rows] = _of_components(part.family.component.name, columns, part.log_weights, unit)
    return pdfs.family.scale * out


def _of_components(
    name: str, columns: list[Parameters], log_weights: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """CRPS on the standard scale; `columns` holds the parameters (n,) of each component."""
    if name not in PAIRS:
        away, spread = SINGLES[name](y, *columns[0])
        return away - 0.5 * spread
    to_point, between = PAIRS[name]
    weights = np.exp(log_weights)
    total = np.zeros(y.size)
    for k, one in enumerate(columns):
        total += weights[:, k] * to_point(y, *one)
        total -= 0.5 * weights[:, k] ** 2 * between(one, one)
        for j in range(k):
            total -= weights[:, j] * weights[:, k] * between(columns[j], one)
    return total


def _normal_overlap(one: Parameters, two: Parameters) -> np.ndarray:
    (loc, scale), (other_loc, other_scale) = one, two
    spread = np.hypot(scale, other_scale)
    z = (loc - other_loc) / spread
    return np.exp(-0.5 * z * z) / (np.sqrt(2 * np.pi) * spread)


OVERLAPS: dict[str, Callable[[Parameters, Parameters], np.ndarray]] = {"normal": _normal_overlap}
"""Integral of the product of two components' densities."""


def closed_square(pdfs: AbstractPDFs) -> np.ndarray | None:
    """Integral of the squared density, (n,), for the CDE loss; None where there is no formula."""
    if not isinstance(pdfs, ParametricPDFs):
        return None
    overlap = OVERLAPS.get(pdfs.family.component.name)
    if overlap is None:
        return None
    out, width = np.empty(len(pdfs)), pdfs.n_components_total
    for rows in row_chunks(len(pdfs), width=width, budget=1 << 17):
        part = pdfs[rows]
        weights, total = np.exp(part.log_weights), np.zeros(len(part))
        for k in range(width):
            one = tuple(values[:, k] for values in part.components)
            for j in range(k + 1):
                two = tuple(values[:, j] for values in part.components)
                shared = (1 if j == k else 2) * weights[:, j] * weights[:, k]
                total += shared * overlap(one, two)
        out[rows] = total
    return out / pdfs.family.scale
