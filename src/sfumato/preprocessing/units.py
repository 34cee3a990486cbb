"""From the user's units to numbers of order one, in double precision.

Networks work in single precision, which holds seven digits between 1e-38 and 3e38. A flux of
1e-29 erg/s/cm2/Hz, or a time of 2.4e6 days with a spread of one, has to be brought into that range
before it is rounded, or what is measured is lost in the rounding.
"""

from typing import NamedTuple

import numpy as np

_FARTHEST = 1e30


class Units(NamedTuple):
    """``(x - centre) / scale`` of each column, in double precision.

    Parameters
    ----------
    centre, scale : (c,) in the user's units; scales are powers of 2, so that dividing is exact, and
        infinite for columns that were constant: nothing was learnt of other values.
    """

    centre: np.ndarray
    scale: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Rows (n, c) as single-precision numbers of order one; what is not finite stays so."""
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = (x - self.centre) / self.scale
        # however far beyond training, a number is no gap
        far = np.where(np.isfinite(x), np.clip(scaled, -_FARTHEST, _FARTHEST), scaled)
        return far.astype(np.float32)

    def moved(self, x: np.ndarray) -> list[int]:
        """Columns of x (n, c) that were constant in training and are not what they were."""
        constant = np.flatnonzero(np.isinf(self.scale))
        values = x[:, constant]
        others = np.any(np.isfinite(values) & (values != self.centre[constant]), axis=0)
        return constant[others].tolist()

    def noise(self, factors: np.ndarray) -> np.ndarray:
        """Standard deviations (n, c), or factors (n, c, c) of covariances, in these units."""
        return factors / (self.scale if factors.ndim == 2 else self.scale[:, None])


def no_units(n_columns: int) -> Units:
    """Columns as they are."""
    return Units(np.zeros(n_columns), np.ones(n_columns))


def fit_units(x: np.ndarray, columns: tuple[int, ...]) -> Units:
    """Median and spread of the finite values of some columns of x (n, c); the others stay.

    The spread is the interquartile range, or that of all values where the quartiles coincide; it is
    infinite where all values do.
    """
    units = no_units(x.shape[1])
    for column in columns:
        values = x[np.isfinite(x[:, column]), column]
        if values.size:
            first, centre, third = np.quantile(values, [0.25, 0.5, 0.75])
            units.centre[column] = centre
            spread = third - first or np.ptp(values)
            units.scale[column] = power_of_two(spread) if spread else np.inf
    return units


def power_of_two(value: float) -> float:
    """The power of 2 nearest to a positive number; 1 for 0 and for what is not finite."""
    if not 0 < value < np.inf:
        return 1.0
    return float(2.0 ** np.clip(np.round(np.log2(value)), -1000, 1000))
