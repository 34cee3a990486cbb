r"""Sharpening: one factor on the precision of every component, fitted to held-out rows.

The average of M networks is wider than any of them, so an ensemble of calibrated members is
underconfident. Multiplying every component's precision by a factor repairs this and leaves each
component's mean and weight, hence the mean of every PDF and of every stack, exactly as it was.

The factor is found on rows that the members did not train on. Of M members only r hold out a given
row, and an average of r is narrower than the average of M: the variance between members enters
with the weight 1 - 1/r. The log of the factor is therefore fitted for one and for r held-out
members and extrapolated along that weight to M.
"""

import equinox as eqx
import numpy as np
from scipy import optimize

from sfumato._typing import HostParams, Params
from sfumato.families import MixtureFamily
from sfumato.metrics.calibration import pit_cvm
from sfumato.pdfs import ParametricPDFs

_LOG_FACTOR_BOUNDS = (-1.5, 1.5)
_MOST_ROWS = 20_000
"""Rows used for the fit: more would not change the second digit of the factor."""


class Sharpening(eqx.Module):
    """Precision of every component times ``exp(log_factor)``; 0 is the identity."""

    log_factor: float = 0.0

    def __call__(self, family: MixtureFamily, params: Params | HostParams) -> dict:
        """Sharpened parameters, of any shape."""
        first, second = (params[name] for name in family.component.parameters)
        first, second = family.component.narrow(first, second, self.log_factor)
        return {"log_weights": params["log_weights"]} | dict(
            zip(family.component.parameters, (first, second), strict=True)
        )


def fit_sharpening(
    family: MixtureFamily, params: HostParams, y: np.ndarray, *, n_members: int
) -> Sharpening:
    """Factor that makes held-out PIT values uniform, for an ensemble of `n_members`.

    Parameters
    ----------
    params : (n, r, K) parameters at n held-out rows from the r members that held each out.
    y : (n,) targets in user units.
    n_members : members M of the ensemble the factor is for.
    """
    params = {name: values[:_MOST_ROWS] for name, values in params.items()}
    y = y[:_MOST_ROWS]
    n_held = params["log_weights"].shape[1]
    single = _best_log_factor(family, {name: v[:, :1] for name, v in params.items()}, y)
    if n_held == 1 or n_members == 1:
        return Sharpening(single)
    several = _best_log_factor(family, params, y)
    per_weight = (several - single) / (1 - 1 / n_held)
    return Sharpening(
        float(np.clip(single + per_weight * (1 - 1 / n_members), *_LOG_FACTOR_BOUNDS))
    )


def _best_log_factor(family: MixtureFamily, params: HostParams, y: np.ndarray) -> float:
    """Minimum of the Cramér-von Mises distance of the PIT over the log of the factor."""

    def distance(log_factor: float) -> float:
        sharpened = Sharpening(log_factor)(family, params)
        return pit_cvm(ParametricPDFs(family, sharpened).pit(y))

    found = optimize.minimize_scalar(
        distance, bounds=_LOG_FACTOR_BOUNDS, method="bounded", options={"xatol": 0.01}
    )
    return float(found.x)
