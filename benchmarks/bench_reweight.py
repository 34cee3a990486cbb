"""Another prior for 200,000 galaxies of 16 Betas on 361 points, mean and mode; against SciPy."""

import argparse
import resource
import time

from _common import environment, one_core


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--scipy-rows", type=int, default=2_000)
    options = parser.parse_args()
    one_core()
    environment()
    import numpy as np
    from scipy import stats

    from sfumato.families import Beta, MixtureFamily
    from sfumato.pdfs import ParametricPDFs, density_of

    rng = np.random.default_rng(0)
    shape = (options.rows, 1, 16)
    alpha, beta = 1 + rng.exponential(20, shape), 1 + rng.exponential(20, shape)
    params = {"log_weights": np.log(rng.dirichlet(np.ones(16), options.rows)[:, None])}
    params |= {"alpha": alpha, "beta": beta}
    params = {name: values.astype(np.float32) for name, values in params.items()}
    pdfs = ParametricPDFs(MixtureFamily(Beta(), 16, 0.0, 3.6), params)
    prior = density_of(3.6 * rng.beta(1.2, 1.2, 50_000))
    grid = np.linspace(0, 3.6, 361)
    start = time.process_time()
    flat = pdfs.reweight(np.ones_like, training_prior=prior, grid=grid)
    mean, mode = flat.mean(), flat.mode()
    seconds = time.process_time() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20

    part, n = pdfs[: options.scipy_rows], options.scipy_rows
    start = time.process_time()
    a, b, w = (
        part.params[name][:, 0, :, None].astype(float) for name in ("alpha", "beta", "log_weights")
    )
    ratio = prior.pdf(grid)[0]
    ratio = np.where(ratio > 0, 1 / np.maximum(ratio, 1e-4 * ratio.max()), 0)
    product = (np.exp(w) * stats.beta.pdf(grid / 3.6, a, b)).sum(axis=1) * ratio
    product /= np.trapezoid(product, grid, axis=1)[:, None]
    expected = np.trapezoid(grid * product, grid, axis=1)
    place = grid[np.argmax(product, axis=1)]
    peer = (time.process_time() - start) * options.rows / n
    print(f"sfumato {seconds:.1f} CPU-s for {options.rows:,} rows, at most {memory:.2f} GiB")
    print(f"SciPy   {peer:.0f} CPU-s, from {n:,} rows; ratio {peer / seconds:.1f}")
    print(f"largest difference of means {np.abs(mean[:n] - expected).max():.1e}")
    print(f"largest difference of modes {np.abs(mode[:n] - place).max():.1e}, one cell is 1e-2")


if __name__ == "__main__":
    main()
