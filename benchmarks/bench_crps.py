"""The CRPS of 1,000,000 mixtures of five Normals, closed form, against quadrature of the cdf."""

import argparse

from _common import cpu_seconds, environment, one_core


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=1_000_000)
    options = parser.parse_args()
    one_core()
    environment()
    import numpy as np
    from scipy import special

    from sfumato.families import MixtureFamily, Normal
    from sfumato.metrics.scores import crps
    from sfumato.pdfs import ParametricPDFs

    rng = np.random.default_rng(0)
    n = options.objects
    log_weights = np.log(rng.dirichlet(np.ones(5), size=(n, 1)))
    loc, scale = rng.normal(size=(n, 1, 5)), np.exp(0.5 * rng.normal(size=(n, 1, 5)))
    params = {"log_weights": log_weights, "loc": loc, "scale": scale}
    pdfs = ParametricPDFs(MixtureFamily(Normal(), 5), params)
    y = rng.normal(size=n)
    closed, spread = cpu_seconds(lambda: crps(pdfs, y), repeats=3)
    few = min(n, 20_000)

    def quadrature():
        grid = np.linspace(-12, 12, 401)
        cdf = special.ndtr((grid - loc[:few, 0, :, None]) / scale[:few, 0, :, None])
        mixed = np.einsum("nk,nkg->ng", np.exp(log_weights[:few, 0]), cdf)
        return np.trapezoid((mixed - (grid >= y[:few, None])) ** 2, grid, axis=1)

    def exact(row):
        """On fine grids below and above the truth, where the integrand has no step."""
        total = 0.0
        for low, high, step in ((-40, y[row], 0.0), (y[row], 40, 1.0)):
            grid = np.linspace(low, high, 40_001)
            parts = special.ndtr((grid - loc[row, 0, :, None]) / scale[row, 0, :, None])
            total += np.trapezoid((np.exp(log_weights[row, 0]) @ parts - step) ** 2, grid)
        return total

    slow, _ = cpu_seconds(quadrature, repeats=1)
    slow *= n / few
    worst = max(abs(exact(row) - crps(pdfs[row], y[row : row + 1])[0]) for row in range(50))
    print(f"closed form       {closed:.2f} ± {spread:.2f} CPU-s")
    print(f"quadrature        {slow:.1f} CPU-s (401 points, from {few:,} objects)")
    print(f"ratio             {slow / closed:.0f}")
    print(f"largest difference of 50 objects from fine quadrature {worst:.0e}")


if __name__ == "__main__":
    main()
