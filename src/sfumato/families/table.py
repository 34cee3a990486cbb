"""The one table from the name of a family to its definition, and what fits a given target."""

import copyreg
from collections.abc import Mapping
from functools import partial

import numpy as np
from scipy import special, stats

from sfumato._typing import Json
from sfumato.errors import choose
from sfumato.families import log_densities, vector
from sfumato.families._base import Component, options_of
from sfumato.families.beta import Beta
from sfumato.families.exact import DIRICHLET, GAUSSIAN, MULTINOMIAL, low_rank_cholesky
from sfumato.families.fixed import Bins, Points
from sfumato.families.links import POSITIVE, REAL
from sfumato.families.mixture import MixtureFamily
from sfumato.families.normal import Normal
from sfumato.families.scalar import ScalarComponent
from sfumato.families.spline import Spline
from sfumato.families.transformed import (
    LOGIT,
    TransformedNormal,
    box_cox,
    box_cox_normal_log_prob,
    inside_box_cox,
    logit_normal_log_prob,
)
from sfumato.families.truncated import TruncatedNormal, truncated_normal_log_prob
from sfumato.families.uniform import SoftUniform, soft_uniform_log_prob, soft_uniform_nodes
from sfumato.families.vector import VectorComponent

_WIDTH = 0.005
"""Smallest scale of a component, in standard deviations of the target: without one the likelihood
of a mixture has no bound."""

_SHAPE = 0.1
"""Smallest shape of a component on the positive numbers: its 0.1 % quantile is at 1e-30."""

_real = partial(ScalarComponent, parameters=("loc", "scale"), floors=(0.0, _WIDTH))
_positive = partial(ScalarComponent, scaling="positive", support=(0.0, np.inf), margin=0.0)
_count = partial(ScalarComponent, kind="count", scaling="none", support=(0.0, np.inf))


def _squared_ratio(mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    return np.clip((mean / std) ** 2, 0.05, 1e4)


def _log_moments(mean: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    variance = np.log1p(1 / _squared_ratio(mean, std))
    return np.log(np.maximum(mean, 1e-6)) - 0.5 * variance, np.sqrt(variance)


def _power_moments(
    mean: np.ndarray, std: np.ndarray, *, exponent: float
) -> tuple[np.ndarray, np.ndarray]:
    """What `inside_box_cox` turns into the moments of the power of Box and Cox, to second order."""
    mean = np.maximum(mean, 1e-6)
    middle = np.maximum(mean - 0.5 * (1 - exponent) * std**2 / mean, 0.3 * mean)
    loc, scale = special.boxcox(middle, exponent), std * middle ** (exponent - 1)
    if exponent:
        above = np.maximum(loc + 1 / exponent, 1e-3)
        loc = above + np.log(-np.expm1(-above)) - 1 / exponent
    return loc, scale


def _inside(mean: np.ndarray) -> np.ndarray:
    return np.clip(mean, 1e-3, 1 - 1e-3)


def _excess(mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Concentration of a negative binomial whose variance is mean + mean^2 / c."""
    return np.clip(mean**2 / np.maximum(std**2 - mean, 1e-3 * mean**2 + 1e-9), 0.05, 1e4)


def _weibull_start(mean: np.ndarray, std: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shape from the coefficient of variation (Justus et al. 1978, to a few per cent), scale."""
    shape = np.clip((np.maximum(mean, 1e-6) / std) ** 1.086, 0.2, 80)
    return mean / special.gamma(1 + 1 / shape), shape


_ROWS: tuple[ScalarComponent, ...] = (
    _real(
        "laplace",
        exact=stats.laplace,
        start=lambda m, s: (m, s / 2**0.5),
        numpyro="Laplace",
    ),
    _real(
        "logistic",
        exact=stats.logistic,
        start=lambda m, s: (m, s * 3**0.5 / np.pi),
        numpyro="Logistic",
    ),
    ScalarComponent(
        "student-t",
        ("df", "loc", "scale"),
        scaling="robust",
        exact=stats.t,
        start=lambda m, s: (6.0, m, s * (4 / 6) ** 0.5),
        numpyro="StudentT",
        floors=(2.1, 0.0, _WIDTH),
    ),
    _real(
        "gumbel",
        exact=stats.gumbel_r,
        start=lambda m, s: (m - np.euler_gamma * s * 6**0.5 / np.pi, s * 6**0.5 / np.pi),
        numpyro="Gumbel",
        kernel=log_densities.gumbel_log_prob,
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
    _positive(
        "lognormal",
        ("loc", "scale"),
        exact=lambda loc, scale: stats.lognorm(scale, scale=np.exp(loc)),
        start=_log_moments,
        numpyro="LogNormal",
        floors=(0.0, _WIDTH),
        limits=((-50.0, 50.0), (0.0, 10.0)),
    ),
    _positive(
        "box-cox-normal",
        ("loc", "scale"),
        exact=lambda loc, scale, exponent: TransformedNormal(loc, scale, box_cox(exponent)),
        start=_power_moments,
        combine=inside_box_cox,
        numpyro="Normal",
        kernel=box_cox_normal_log_prob,
        floors=(0.0, _WIDTH),
        limits=((-50.0, 50.0), (0.0, 10.0)),
        exponent=0.0,
    ),
    _positive(
        "gamma",
        ("concentration", "rate"),
        exact=lambda concentration, rate: stats.gamma(concentration, scale=1 / rate),
        start=lambda m, s: (_squared_ratio(m, s), m),
        combine=lambda concentration, mean: (concentration, concentration / mean),
        numpyro="Gamma",
        kernel=log_densities.gamma_log_prob,
        limits=((_SHAPE, np.inf), (0.0, np.inf)),
    ),
    _positive(
        "inverse-gamma",
        ("concentration", "rate"),
        exact=lambda concentration, rate: stats.invgamma(concentration, scale=rate),
        start=lambda m, s: (2 + _squared_ratio(m, s), m),
        combine=lambda concentration, mean: (concentration, (concentration - 1) * mean),
        numpyro="InverseGamma",
        kernel=log_densities.inverse_gamma_log_prob,
        floors=(2.05, 0.0),
    ),
    _positive(
        "weibull",
        ("scale", "concentration"),
        exact=lambda scale, concentration: stats.weibull_min(concentration, scale=scale),
        start=_weibull_start,
        numpyro="Weibull",
        kernel=log_densities.weibull_log_prob,
        limits=((0.0, np.inf), (_SHAPE, np.inf)),
    ),
    _positive(
        "exponential",
        ("rate",),
        exact=lambda rate: stats.expon(scale=1 / rate),
        start=lambda m, _s: (1 / np.maximum(m, 1e-6),),
        numpyro="Exponential",
        zero=True,
    ),
    ScalarComponent(
        "chi-squared",
        ("df",),
        exact=stats.chi2,
        start=lambda m, _s: (m,),
        numpyro="Chi2",
        kernel=log_densities.chi_squared_log_prob,
        limits=((2 * _SHAPE, np.inf),),
        scaling="none",
        support=(0.0, np.inf),
    ),
    ScalarComponent(
        "truncated-normal",
        ("loc", "scale"),
        exact=TruncatedNormal,
        start=lambda m, s: (m, s),
        numpyro="Normal",
        kernel=truncated_normal_log_prob,
        floors=(0.0, _WIDTH),
        scaling="bounds",
        support=(0.0, 1.0),
        margin=1e-6,
    ),
    ScalarComponent(
        "logit-normal",
        ("loc", "scale"),
        exact=lambda loc, scale: TransformedNormal(loc, scale, LOGIT),
        start=lambda m, s: (special.logit(_inside(m)), s / (_inside(m) * (1 - _inside(m)))),
        numpyro="Normal",
        kernel=logit_normal_log_prob,
        floors=(0.0, _WIDTH),
        limits=((-12.0, 12.0), (0.0, 3.0)),
        scaling="bounds",
        support=(0.0, 1.0),
        margin=1e-6,
    ),
    _count(
        "poisson",
        ("rate",),
        exact=stats.poisson,
        start=lambda m, _s: (np.maximum(m, 0.05),),
        numpyro="Poisson",
    ),
    _count(
        "negative-binomial",
        ("mean", "concentration"),
        exact=lambda mean, c: stats.nbinom(c, c / (c + mean)),
        start=lambda m, s: (np.maximum(m, 0.05), _excess(np.maximum(m, 0.05), s)),
        numpyro="NegativeBinomial2",
    ),
    _count(
        "binomial",
        ("probs",),
        exact=lambda probs, total_count: stats.binom(total_count, probs),
        start=lambda m, _s, total_count: (m / total_count,),
        numpyro="BinomialProbs",
        needs_trials=True,
    ),
    _count(
        "geometric",
        ("probs",),
        exact=lambda probs: stats.geom(probs, loc=-1),
        start=lambda m, _s: (1 / (1 + m),),
        numpyro="GeometricProbs",
    ),
)

_VECTORS: tuple[VectorComponent, ...] = (
    VectorComponent(
        "multivariate-normal-diagonal",
        ("loc", "scale"),
        numpyro="Normal",
        shape=lambda d, _r: ((d,), (d,)),
        start=vector.diagonal_start,
        kernel=vector.normal_kernel,
        gap_kernel=vector.normal_gap_kernel,
        natural=lambda loc, scale, _c: (loc, scale[..., None] * np.eye(scale.shape[-1])),
        exact=GAUSSIAN,
        floors=(0.0, _WIDTH),
    ),
    VectorComponent(
        "multivariate-normal-low-rank",
        ("loc", "cov_factor", "cov_diag"),
        numpyro="LowRankMultivariateNormal",
        shape=lambda d, r: ((d,), (d, r), (d,)),
        start=vector.low_rank_start,
        kernel=vector.low_rank_kernel,
        gap_kernel=vector.low_rank_gap_kernel,
        natural=lambda loc, factor, diag, _c: low_rank_cholesky(loc, factor, diag),
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
        gap_kernel=vector.cholesky_gap_kernel,
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
        simplex=True,
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

COMPONENTS: dict[str, Component] = {
    component.name: component
    for component in (Normal(), Beta(), *_ROWS, Spline(), Bins(), Points(), *_VECTORS)
}
"""The one table from the name of a component family to its definition."""

REGRESSION = tuple(name for name in COMPONENTS if name != "categorical")
"""Families a regressor can be asked for."""


def bound_component(name: str, **options: object) -> Component:
    """The component called `name`, bound to a task by the options it has (see `OPTIONS`)."""
    return choose(name, COMPONENTS, what="`family`").bound(**options)


def family_from_dict(values: Mapping[str, Json]) -> MixtureFamily:
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


def _rebuild(name: str, options: dict[str, object]) -> Component:
    return bound_component(name, **options)


for _kind in (ScalarComponent, VectorComponent):
    # rows hold functions, which cannot be pickled: a component is its name and its options
    copyreg.pickle(_kind, lambda row: (_rebuild, (row.name, options_of(row))))  # type: ignore[arg-type]
