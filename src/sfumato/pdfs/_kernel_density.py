"""The smooth density of a sample of targets, by kernels."""

import numpy as np


def kernel_density(
    y: np.ndarray, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Points (401,) over a sample y (n,), and its density there, of integral 1.

    Kernels are reflected at the ends of the sample, where it may stop sharply (Silverman 1986,
    section 2.10); their width is Silverman's rule with the smaller of deviation and quartiles.
    """
    low = float(np.min(y))
    values = np.asarray(y, float) - low
    high = float(np.max(values))
    q25, q75 = np.quantile(values, [0.25, 0.75])
    deviation = float(np.std(values))
    spread = min(deviation, (q75 - q25) / 1.349) or deviation or 1.0
    width = max(0.9 * spread * values.size**-0.2, high / 400, 1e-12)
    grid = np.linspace(-1e-9 * width, max(high, width), 401)
    counts, edges = np.histogram(values, bins=1200, range=(grid[0], grid[-1]), weights=weights)
    centres = 0.5 * (edges[1:] + edges[:-1])
    density = np.zeros(grid.size)
    for mirrored in (centres, -centres, 2 * high - centres):
        density += np.exp(-0.5 * ((grid[:, None] - mirrored) / width) ** 2) @ counts
    points = low + grid
    if np.any(np.diff(points) <= 0):  # so far from 0 that the spread is lost in rounding
        points = low + np.abs(low) * 1e-12 * np.arange(grid.size)
    return points, density / np.trapezoid(density, points)
