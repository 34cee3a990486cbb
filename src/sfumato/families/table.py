"""The one table from the name of a family to its definition, and what fits a given target."""

import copyreg
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import special, stats

from sfumato.errors import DataError, choose
from sfumato.families import kernels, vector
from sfumato.families._base import Component, options_of
from sfumato.families.beta import Beta
from sfumato.families.fixed import Bins, Points
from sfumato.families.links import POSITIVE, REAL
from sfumato.families.mixture import MixtureFamily
from sfumato.families.normal import Normal
from sfumato.families.scalar import ScalarComponent
from sfumato.families.spline import Spline
from sfumato.families.uniform import SoftUniform, soft_uniform_log_prob, soft_uniform_nodes
from sfumato.families.vector import DIRICHLET, GAUSSIAN, MULTINOMIAL, VectorComponent

_WIDTH = 0.005
"""Smallest scale of a component, in standard deviations of the target: without one the likelihood
of a mixture has no bound."""

_REAL: Any = {"parameters": ("loc", "scale"), "floors": (0.0, _WIDTH)}
_POSITIVE: Any = {"scaling": "positive", "support": (0.0, np.inf), "margin": 0.0}
_COUNT: Any = {"kind": "count", "scaling": "none", "support": (0.0, np.inf)}


def _squared_ratio(mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    return np.clip((mean / std) ** 2, 0.05, 1e4)


def _log_moments(mean: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    variance = np.log1p(1 / _squared_ratio(mean, std))
    return np.log(np.maximum(mean, 1e-6)) - 0.5 * variance, np.sqrt(variance)


def _excess(mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Concentration of a negative binomial whose variance is mean + mean^2 / c."""
    return np.clip(mean**2 / np.maximum(std**2 - mean, 1e-3 * mean**2 + 1e-9), 0.05, 1e4)


def _weibull_start(mean: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shape from the coefficient of variation (Justus et al. 1978, to a few per cent), scale."""
    shape = np.clip((np.maximum(mean, 1e-6) / std) ** 1.086, 0.2, 80)
    return mean / special.gamma(1 + 1 / shape), shape


_ROWS: tuple[ScalarComponent, ...] = (
    ScalarComponent(
        "laplace",
        exact=stats.laplace,
        start=lambda m, s: (m, s / 2**0.5),
        numpyro="Laplace",
        **_REAL,
    ),
    ScalarComponent(
        "logistic",
        exact=stats.logistic,
        start=lambda m, s: (m, s * 3**0.5 / np.pi),
        numpyro="Logistic",
        **_REAL,
    ),
    ScalarComponent(
        "student-t",
        ("df", "loc", "scale"),
        exact=stats.t,
        start=lambda m, s: (6.0, m, s * (4 / 6) ** 0.5),
        numpyro="StudentT",
        floors=(2.1, 0.0, _WIDTH),
    ),
    ScalarComponent(
        "gumbel",
        exact=stats.gumbel_r,
        start=lambda m, s: (m - np.euler_gamma * s * 6**0.5 / np.pi, s * 6**0.5 / np.pi),
        numpyro="Gumbel",
        kernel=kernels.gumbel_log_prob,
        **_REAL,
    ),
    ScalarComponent(
        "uniform",
        ("centre", "width", "edge"),
        exact=SoftUniform,
        start=lambda m, s: (m, s * 12**0.5, 0.2 * s),
        kernel=soft_uniform_log_prob,
        links=(REAL, POSITIVE, POSITIVE),
        floors=(0.0, 2 * _WIDTH, _WIDTH),
        tabulate=soft_uniform_nodes,
    ),
    ScalarComponent(
        "lognormal",
        ("loc", "scale"),
        exact=lambda loc, scale: stats.lognorm(scale, scale=np.exp(loc)),
        start=_log_moments,
        numpyro="LogNormal",
        floors=(0.0, _WIDTH),
        **_POSITIVE,
    ),
    ScalarComponent(
        "gamma",
        ("concentration", "rate"),
        exact=lambda concentration, rate: stats.gamma(concentration, scale=1 / rate),
        start=lambda m, s: (_squared_ratio(m, s), m),
        combine=lambda concentration, mean: (concentration, concentration / mean),
        numpyro="Gamma",
        kernel=kernels.gamma_log_prob,
        **_POSITIVE,
    ),
    ScalarComponent(
        "inverse-gamma",
        ("concentration", "rate"),
        exact=lambda concentration, rate: stats.invgamma(concentration, scale=rate),
        start=lambda m, s: (2 + _squared_ratio(m, s), m),
        combine=lambda concentration, mean: (concentration, (concentration - 1) * mean),
        numpyro="InverseGamma",
        kernel=kernels.inverse_gamma_log_prob,
        floors=(2.05, 0.0),
        **_POSITIVE,
    ),
    ScalarComponent(
        "weibull",
        ("scale", "concentration"),
        exact=lambda scale, concentration: stats.weibull_min(concentration, scale=scale),
        start=_weibull_start,
        numpyro="Weibull",
        kernel=kernels.weibull_log_prob,
        **_POSITIVE,
    ),
    ScalarComponent(
        "exponential",
        ("rate",),
        exact=lambda rate: stats.expon(scale=1 / rate),
        start=lambda m, _s: (1 / np.maximum(m, 1e-6),),
        numpyro="Exponential",
        zero=True,
        **_POSITIVE,
    ),
    ScalarComponent(
        "chi-squared",
        ("df",),
        exact=stats.chi2,
        start=lambda m, _s: (m,),
        numpyro="Chi2",
        kernel=kernels.chi_squared_log_prob,
        scaling="none",
        support=(0.0, np.inf),
    ),
    ScalarComponent(
        "truncated-normal",
        ("loc", "scale"),
        exact=lambda loc, scale: stats.truncnorm(-loc / scale, (1 - loc) / scale, loc, scale),
        start=lambda m, s: (m, s),
        numpyro="Normal",
        kernel=kernels.truncated_normal_log_prob,
        floors=(0.0, _WIDTH),
        scaling="bounds",
        support=(0.0, 1.0),
        margin=1e-6,
    ),
    ScalarComponent(
        "poisson",
        ("rate",),
        exact=stats.poisson,
        start=lambda m, _s: (np.maximum(m, 0.05),),
        numpyro="Poisson",
        **_COUNT,
    ),
    ScalarComponent(
        "negative-binomial",
        ("mean", "concentration"),
        exact=lambda mean, c: stats.nbinom(c, c / (c + mean)),
        start=lambda m, s: (np.maximum(m, 0.05), _excess(np.maximum(m, 0.05), s)),
        numpyro="NegativeBinomial2",
        **_COUNT,
    ),
    ScalarComponent(
        "binomial",
        ("probs",),
        exact=lambda probs, total_count: stats.binom(total_count, probs),
        start=lambda m, _s, total_count: (m / total_count,),
        numpyro="BinomialProbs",
        needs_trials=True,
        **_COUNT,
    ),
    ScalarComponent(
        "geometric",
        ("probs",),
        exact=lambda probs: stats.geom(probs, loc=-1),
        start=lambda m, _s: (1 / (1 + m),),
        numpyro="GeometricProbs",
        **_COUNT,
    ),
)

_VECTORS: tuple[VectorComponent, ...] = (
    VectorComponent(
        "multivariate-normal-diagonal",
        ("loc", "scale"),
        numpyro="Normal",
        shape=lambda d, _r: ((d,), (d,)),
        start=vector.gaussian_start,
        kernel=vector.normal_kernel,
        natural=lambda loc, scale, _c: (loc, scale[..., None] * np.eye(scale.shape[-1])),
        exact=GAUSSIAN,
        floors=(0.0, _WIDTH),
    ),
    VectorComponent(
        "multivariate-normal-low-rank",
        ("loc", "cov_factor", "cov_diag"),
        numpyro="LowRankMultivariateNormal",
        shape=lambda d, r: ((d,), (d, r), (d,)),
        start=vector.gaussian_start,
        kernel=vector.low_rank_kernel,
        natural=lambda loc, factor, diag, _c: vector.low_rank_cholesky(loc, factor, diag),
        exact=GAUSSIAN,
        floors=(0.0, 0.0, _WIDTH**2),
    ),
    VectorComponent(
        "multivariate-normal",
        ("loc", "scale_tril"),
        numpyro="MultivariateNormal",
        shape=lambda d, _r: ((d,), (d, d)),
        start=vector.gaussian_start,
        kernel=vector.cholesky_kernel,
        natural=lambda loc, tril, _c: (loc, tril),
        exact=GAUSSIAN,
        floors=(0.0, _WIDTH),
    ),
    VectorComponent(
        "dirichlet",
        ("concentration",),
        numpyro="Dirichlet",
        shape=lambda d, _r: ((d,),),
        start=lambda mean, std, _c: (
            mean * np.clip(np.mean(mean * (1 - mean) / std**2, axis=1, keepdims=True) - 1, 1, 1e4),
        ),
        kernel=vector.dirichlet_kernel,
        natural=lambda concentration, _c: (concentration,),
        exact=DIRICHLET,
        floors=(0.01,),
        scaling="none",
        support=(0.0, 1.0),
    ),
    VectorComponent(
        "multinomial",
        ("probs",),
        numpyro="MultinomialProbs",
        shape=lambda d, _r: ((d,),),
        start=lambda mean, _s, _c: (mean / mean.sum(axis=1, keepdims=True),),
        kernel=vector.multinomial_kernel,
        natural=lambda probs, component: (probs, component.trials),
        exact=MULTINOMIAL,
        floors=(1e-6,),
        scaling="none",
        support=(0.0, np.inf),
        needs_trials=True,
    ),
)

COMPONENTS: dict[str, Any] = {
    component.name: component
    for component in (Normal(), Beta(), *_ROWS, Spline(), Bins(), Points(), *_VECTORS)
}
"""The one table from the name of a component family to its definition."""

REGRESSION = tuple(name for name in COMPONENTS if name != "categorical")
"""Families a regressor can be asked for."""


def bound_component(name: str, **options: Any) -> Any:
    """The component called `name`, bound to a task by the options it has (see `OPTIONS`)."""
    component = choose(name, COMPONENTS, what="`family`")
    known = {key: value for key, value in options.items() if hasattr(component, key)}
    edges = known.get("edges")
    return replace(component, **{**known, "edges": tuple(edges)} if edges is not None else known)


def family_from_dict(values: Mapping[str, Any]) -> MixtureFamily:
    """The inverse of `MixtureFamily.to_dict`.

    Raises
    ------
    ValueError
        There is no component of that name.
    """
    component = bound_component(values["component"], **values.get("options", {}))
    shift, scale = (
        tuple(value) if isinstance(value, list) else value
        for value in (values["shift"], values["scale"])
    )
    return MixtureFamily(component, values["n_components"], shift, scale)


def _rebuild(name: str, options: dict[str, Any]) -> Any:
    return bound_component(name, **options)


for _kind in (ScalarComponent, VectorComponent):
    # rows hold functions, which cannot be pickled: a component is its name and its options
    copyreg.pickle(_kind, lambda row: (_rebuild, (row.name, options_of(row))))


# -- which families fit a target -------------------------------------------------------------------


def families_for(y: np.ndarray, *, trials: int | None = None) -> list[str]:
    """Names of the families whose support holds every target y, (n,) or (n, d), as it stands."""
    fitting = []
    for name in REGRESSION:
        component = COMPONENTS[name]
        if (component.kind == "vector") != (y.ndim == 2):
            continue
        if component.scaling == "bounds":
            fitting.append(name)  # whose bounds can be laid around any target
            continue
        if getattr(component, "needs_trials", False):
            n = trials if trials is not None else _total(y)
            if n is None:
                continue
            component = replace(component, trials=n)
        if np.all(component.admits(y)):
            fitting.append(name)
    return fitting


def _total(y: np.ndarray) -> int | None:
    """The number of trials that count vectors show; scalars do not show theirs."""
    if y.ndim == 1 or not np.all(y == np.round(y)):
        return None
    totals = np.unique(y.sum(axis=1))
    return int(totals[0]) if totals.size == 1 else None


def check_support(component: Component, u: np.ndarray, y: np.ndarray) -> None:
    """Refuse targets outside the support, and say what would hold them.

    Parameters
    ----------
    u : targets on the component's scale, (n,) or (n, d).
    y : the same in the user's units.

    Raises
    ------
    DataError
        A target lies outside; the message names its row, its value and the families that fit.
    """
    if component.kind == "count" and np.max(y) > MOST_COUNTS:
        message = f"The family {component.name!r} takes counts up to {MOST_COUNTS}"
        row = int(np.argmax(y)) + 1
        cure = "Use a continuous family such as 'gamma' or 'lognormal'"
        raise DataError(f"{message}; the target of row {row} is {np.max(y):g}. {cure}.")
    fine = component.admits(u)  # type: ignore[attr-defined]
    if np.all(fine):
        return
    row = int(np.argmax(~fine))
    value = f"{y[row]:g}" if y.ndim == 1 else np.array2string(y[row], precision=4)
    what = {"count": "whole numbers of at least 0"}.get(component.kind, "values in its support")
    if getattr(component, "trials", None) is not None:
        what = f"whole numbers up to (or adding up to) {component.trials} trials"  # type: ignore[attr-defined]
    elif component.support[0] == 0 and component.kind == "continuous":
        what = "values above 0"
    elif component.name == "dirichlet":
        what = "shares of at least 0 that add up to 1"
    fitting = ", ".join(repr(name) for name in families_for(y))
    raise DataError(
        f"The family {component.name!r} takes {what}; the target of row {row + 1} is {value}. "
        f"Families that hold all targets: {fitting}."
    )


MOST_COUNTS = 100_000
"""Largest count of a family of counts: the links of rates reach somewhat further."""


def choose_family(y: np.ndarray) -> tuple[str, str]:
    """The family for targets y, (n,) or (n, d), by their support, and the reason in a sentence."""
    whole = bool(np.all(y == np.round(y)))
    if y.ndim == 2:
        if np.all(y >= 0) and np.allclose(y.sum(axis=1), 1, atol=1e-4):
            return "dirichlet", "the targets are shares that add up to 1"
        if whole and np.all(y >= 0) and _total(y) is not None:
            return "multinomial", f"the targets are counts that add up to {_total(y)} in every row"
        return "multivariate-normal", f"the targets are vectors of {y.shape[1]} real numbers"
    if whole and np.all(y >= 0) and np.max(y) <= MOST_COUNTS:
        if np.var(y) > 1.2 * np.mean(y):
            return "negative-binomial", "the targets are counts, more scattered than Poisson"
        return "poisson", "the targets are counts, not more scattered than Poisson"
    if np.all((y > 0) & (y < 1)):
        return "beta", "the targets lie between 0 and 1"
    if np.all(y > 0) and np.max(y) > 20 * np.median(y):
        return "lognormal", "the targets are positive with a long upper tail"
    if np.all(y > 0):
        return "gamma", "the targets are positive"
    return "normal", "the targets are real numbers of both signs"
