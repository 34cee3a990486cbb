"""The Bayesian floor of the galaxy sets, with its Monte Carlo error and calibration."""

import argparse
import time

from _common import environment, one_core

# flux [1e5], n, r [arcsec], g1, g2: importance sampling by others, and the published network
KNOWN = {
    "v1": ((0.0554, 0.750, 0.0453, 0.0702, 0.0701), (0.0591, 0.780, 0.0462, 0.0737, 0.0735)),
    "v2": ((0.0814, 0.799, 0.0479, 0.0753, 0.0767), (0.0899, 0.836, 0.0512, 0.0839, 0.0831)),
    "v3": ((0.0913, 0.930, 0.0536, 0.1031, 0.1019), (0.0969, 0.975, 0.0542, 0.1043, 0.1038)),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", default="v1,v2,v3")
    parser.add_argument("--galaxies", type=int, default=2000, help="of each set")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    one_core()
    environment()
    import numpy as np
    from scipy import stats

    from sfumato.galaxies import POPULATIONS
    from sfumato.galaxies.basis.floor import bayesian_floor, population_basis

    scale = np.array([1e-5, 1, 1, 1, 1])
    for name in options.sets.split(","):
        start = time.process_time()
        basis = population_basis(POPULATIONS[name])
        built = time.process_time() - start
        bayesian_floor(POPULATIONS[name], 100, basis=basis, random_state=options.seed + 1)
        start = time.process_time()
        n = options.galaxies
        floor = bayesian_floor(POPULATIONS[name], n, basis=basis, random_state=options.seed)
        spent = time.process_time() - start

        def line(label, values, form=".4f"):
            print(f"  {label:<34}" + " ".join(f"{v:8{form}}" for v in values))

        print(f"{name}, {n} galaxies: flux/1e5, n, r, g1, g2")
        line("floor", floor.rmse * scale)
        line("  Monte Carlo error, relative", floor.rmse_error / floor.rmse)
        line("posterior means on these galaxies", floor.achieved * scale)
        line("reference floor", KNOWN[name][0])
        line("published network (Xception)", KNOWN[name][1])
        for level in (0.68, 0.95):
            line(f"coverage of {level:.0%} intervals", floor.coverage(level))
        line("KS p-value of the PIT", [stats.kstest(p, "uniform").pvalue for p in floor.pit.T])
        size = floor.effective_sizes
        print(f"  effective size: median {np.median(size):.0f}, least {size.min():.0f}")
        print(f"  basis {basis.n_modes} modes in {built:.0f} CPU-s; {basis.error}")
        print(f"  {spent / n * 1e3:.1f} CPU-ms a posterior\n", flush=True)


if __name__ == "__main__":
    main()
