r"""Sharpening: component precisions times a factor that held-out rows ask for.

An average of networks is wider than each of them, and networks overfit, so the stated widths can
be off in either direction, and differently for narrow and for wide PDFs. Every component's
precision is multiplied by

.. math:: \exp\left[a + b \, (\ln s - \ln s_0)\right]

with s the precision and :math:`s_0` a typical one. Means and weights of the components stay, hence
the mean of every PDF and of every stack stays exactly as it was.

The two numbers make central intervals hold what they say, within groups of PDFs of similar width,
on rows that the members did not train on.

Of M members only r hold out a given row, and r networks are calibrated at another width than M: of
the variance between members an average of r shows the share 1 - 1/r in its width and suffers the
share 1/r in its error. Both are linear in 1/r, so the numbers are fitted for one and for r held-out
members and extrapolated along 1/r to M.
"""

import equinox as eqx
import numpy as np
from scipy import optimize

from sfumato._typing import HostParams, Params
from sfumato.families import MixtureFamily
from sfumato.metrics.calibration import pit_cvm
from sfumato.pdfs import ParametricPDFs

_MOST_ROWS = 10_000
"""Rows used for the fit: more would not change the second digit."""

_GROUPS = 4
_PRIOR_LEVEL, _PRIOR_SLOPE = 1.0, 0.15
"""Spreads expected before looking; they keep a fit to a few rows from chasing its noise."""

_LIMITS = (1.5, 0.3)


class Sharpening(eqx.Module):
    """The map of precisions; with zeros the identity.

    Parameters
    ----------
    level : a, the log of the factor at the pivot.
    slope : b, its change with the log of the precision.
    pivot : the log of the typical precision.
    """

    level: float = 0.0
    slope: float = 0.0
    pivot: float = 0.0

    @property
    def is_identity(self) -> bool:
        """Whether nothing is changed."""
        return self.level == 0.0 and self.slope == 0.0

    def __call__(self, family: MixtureFamily, params: Params | HostParams) -> dict:
        """Sharpened parameters, of any shape."""
        if self.is_identity:
            return dict(params)
        component = family.component
        own = tuple(params[name] for name in component.parameters)
        log_factor = self.level + self.slope * (component.log_precision(*own) - self.pivot)
        log_weights, own = component.narrow(params["log_weights"], own, log_factor)
        return {"log_weights": log_weights, **dict(zip(component.parameters, own, strict=True))}


def check_sharpens(family: MixtureFamily) -> None:
    """Refuse to sharpen families that have no precision to multiply.

    Raises
    ------
    ValueError
        The family is neither Normal, Beta nor categorical.
    """
    if not family.component.sharpens:
        raise ValueError(
            "`recalibrate` is for the families 'normal' and 'beta' and for classes; "
            f"got {family.component.name!r}. Use sfumato.ConformalRecalibration, which is for any."
        )


def fit_sharpening(
    family: MixtureFamily, params: HostParams, y: np.ndarray, *, n_members: int
) -> Sharpening:
    """Sharpening for an ensemble of `n_members`, from what held-out members say.

    For classes it is the temperature of their logits (Guo et al. 2017).

    Parameters
    ----------
    params : (n, r, K) parameters at n held-out rows from the r members that held each out.
    y : (n,) targets in user units.
    n_members : members M of the ensemble it is for.
    """
    # spread over all of them: neighbours in a table may be of one group
    rows = np.linspace(0, len(y) - 1, min(len(y), _MOST_ROWS)).round().astype(int)
    held = {name: np.asarray(values)[rows] for name, values in params.items()}
    y = y[rows]
    if not family.component.parameters:
        return Sharpening(level=_best_temperature(held["log_weights"], y.astype(int)))
    own = (held[name] for name in family.component.parameters)
    precision = np.asarray(family.component.log_precision(*own))
    pivot = float(np.average(precision, weights=np.exp(held["log_weights"])))
    numbers, n_held = _best(family, held, y, pivot=pivot), held["log_weights"].shape[1]
    if 1 < n_held < n_members:
        single = _best(family, {name: v[:, :1] for name, v in held.items()}, y, pivot=pivot)
        numbers = numbers + (numbers - single) * (1 / n_held - 1 / n_members) / (1 - 1 / n_held)
    level, slope = (float(np.clip(v, -m, m)) for v, m in zip(numbers, _LIMITS, strict=True))
    return Sharpening(level, slope, pivot)


def _best_temperature(log_weights: np.ndarray, classes: np.ndarray) -> float:
    """Log of the inverse temperature of highest likelihood for the members' average."""

    def loss(level: float) -> float:
        scaled = log_weights * np.exp(level)
        scaled = scaled - np.logaddexp.reduce(scaled, axis=2, keepdims=True)
        truth = np.take_along_axis(scaled, classes[:, None, None], axis=2)[:, :, 0]
        return -float(np.mean(np.logaddexp.reduce(truth, axis=1))) + 1e-3 * level**2

    found: object = optimize.minimize_scalar(loss, bounds=(-2, 2), method="bounded")
    return float(found.x)


def _best(family: MixtureFamily, params: HostParams, y: np.ndarray, *, pivot: float) -> np.ndarray:
    """Level and slope that make the folded PIT, 2 |u - 1/2|, uniform in groups by width."""
    width = ParametricPDFs(family, params).std()
    n_groups = _GROUPS if y.size >= 50 * _GROUPS else 1
    edges = np.quantile(width, np.linspace(0, 1, n_groups + 1)[1:-1])
    group = np.digitize(width, edges)

    def objective(numbers: np.ndarray) -> float:
        bounded = np.clip(numbers, [-m for m in _LIMITS], _LIMITS)
        sharpened = Sharpening(bounded[0], bounded[1], pivot)(family, params)
        sharpened = {name: np.asarray(values) for name, values in sharpened.items()}
        # distance of the PIT from its middle: what a bias does to one side it undoes on the other,
        # where the PIT itself would have PDFs widened for being in the wrong place
        pit = np.abs(2 * ParametricPDFs(family, sharpened).pit(y) - 1)
        # n times the distance is 1/6 on average where calibrated, whatever n
        statistics = [pit[group == g].size * pit_cvm(pit[group == g]) for g in np.unique(group)]
        prior = 0.5 * ((numbers[0] / _PRIOR_LEVEL) ** 2 + (numbers[1] / _PRIOR_SLOPE) ** 2)
        return float(np.sum(statistics) + prior)

    options = {"xatol": 2e-3, "fatol": 1e-3, "initial_simplex": [[0, 0], [0.1, 0], [0, 0.05]]}
    found = optimize.minimize(objective, np.zeros(2), method="Nelder-Mead", options=options)
    return found.x
