"""Stack of 1,000,000 galaxies of 5 Betas on 150 points, against vectorised SciPy on a part."""

import argparse
import time

from _common import cpu_seconds, environment, one_core


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--scipy-rows", type=int, default=10_000)
    options = parser.parse_args()
    one_core()
    environment()
    import numpy as np
    from scipy import stats

    from sfumato.families import Beta, MixtureFamily
    from sfumato.pdfs import ParametricPDFs

    rng = np.random.default_rng(0)
    shape = (options.rows, 1, 5)
    mean, precision = rng.uniform(0.02, 0.98, shape), np.exp(rng.uniform(1, 9, shape))
    weights = rng.dirichlet(np.ones(5), options.rows)[:, None]
    params = {
        "log_weights": np.log(weights),
        "alpha": 1 + mean * precision,
        "beta": 1 + (1 - mean) * precision,
    }
    params = {name: values.astype(np.float32) for name, values in params.items()}
    pdfs = ParametricPDFs(MixtureFamily(Beta(), 5), params)
    grid = (np.arange(150) + 0.5) / 150
    seconds, spread = cpu_seconds(lambda: pdfs.stack(grid=grid), repeats=3)
    part = pdfs[: options.scipy_rows]
    start = time.process_time()
    a, b, w = (
        part.params[n][:, 0, :, None].astype(float) for n in ("alpha", "beta", "log_weights")
    )
    expected = (np.exp(w) * stats.beta.pdf(grid, a, b)).sum(axis=1).mean(axis=0)
    peer = (time.process_time() - start) * options.rows / options.scipy_rows
    ours = part.stack(grid=grid).density[0] * np.trapezoid(expected, grid)
    error = np.max(np.abs(ours / expected - 1))
    print(f"sfumato {seconds:.2f} +- {spread:.2f} CPU-s for {options.rows:,} rows")
    print(f"SciPy   {peer:.0f} CPU-s, from {options.scipy_rows:,} rows; ratio {peer / seconds:.0f}")
    print(f"largest relative difference {error:.1e}")


if __name__ == "__main__":
    main()
