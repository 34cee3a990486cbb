"""A well of random logs, and what is predicted of it, for pictures."""

import numpy as np

from sfumato.welllogs.plots import Tracks

N = 50
RNG = np.random.default_rng(0)
DEPTH = 1000 + 0.5 * np.arange(N)
LOGS = {
    "GR": RNG.uniform(20, 140, N),
    "RDEP": 10 ** RNG.normal(0, 0.5, N),
    "RHOB": RNG.uniform(2.0, 2.8, N),
    "NPHI": RNG.uniform(0, 0.4, N),
}
QUANTILES = np.sort(RNG.uniform(60, 140, (N, 5)), axis=1)
GRID = np.linspace(50, 150, 30)
DENSITY = RNG.uniform(0, 1, (10, 30))


def tracks(**other):
    values = {
        "well": "A-1", "depth_m": DEPTH, "logs": LOGS, "target": "DTC", "unit": "us/ft",
        "measured": QUANTILES[:, 1], "quantiles": QUANTILES, "grid": GRID, "image_m": DEPTH[::5],
        "density": DENSITY, "tops": {"Draupne": 1012.0},
    }  # fmt: skip
    return Tracks(**values | other)
