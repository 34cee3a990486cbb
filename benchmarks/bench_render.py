"""The renderer against GalSim: accuracy over the whole range, images a second, derivatives."""

import argparse
import time

from _common import environment, one_core


def draw(rng, n):
    """Parameters of n galaxies over the whole range, the corners of it first."""
    import numpy as np

    index, radius = rng.uniform(0.5, 6, n), rng.uniform(0.1, 0.6, n)
    size, angle = rng.uniform(0, 0.67, n), rng.uniform(0, np.pi, n)
    corners = [(n_, r, g) for n_ in (0.5, 6.0) for r in (0.1, 0.6) for g in (0.0, 0.67)]
    for i, corner in enumerate(corners[:n]):
        index[i], radius[i], size[i] = corner
    g1, g2 = size * np.cos(2 * angle), size * np.sin(2 * angle)
    fwhm = np.where(np.arange(n) % 2, rng.uniform(0.5, 1.0, n), 0.5)
    return np.column_stack([np.full(n, 1e5), index, radius, g1, g2]), fwhm


def accuracy(n):
    import jax
    import jax.numpy as jnp
    import numpy as np

    from sfumato.galaxies import Moffat, PixelGrid, Sersic, render
    from sfumato.galaxies.render.galsim_twin import galsim_image

    grid = PixelGrid.seeing(64, 64, 0.23, fwhm=0.5)
    rows, widths = draw(np.random.default_rng(0), n)
    ours = jax.jit(lambda row, fwhm: render(Sersic(*row), Moffat(fwhm), grid))
    sigmas, peaks, fluxes = [], [], []
    for row, fwhm in zip(rows, widths, strict=True):
        exact = galsim_image(tuple(row), fwhm, 2.0, grid, accurate=True)
        error = np.asarray(ours(jnp.float32(row), fwhm), float) - exact
        sigmas.append(100 * np.abs(error).max() / np.sqrt(np.sum(exact**2)))
        peaks.append(np.abs(error).max() / exact.max())
        fluxes.append(abs(error.sum()) / exact.sum())
    print(f"accuracy, {n} galaxies over the range, GalSim at high accuracy as judge")
    print(f"  worst pixel at signal-to-noise 100   {max(sigmas):.1e} sigma   (target 0.01)")
    print(f"  median of worst pixels               {np.median(sigmas):.1e} sigma")
    print(f"  worst pixel over the peak            {max(peaks):.1e}         (target 1e-3)")
    print(f"  worst flux                           {max(fluxes):.1e}         (target 1e-4)")


def derivatives(n):
    """Forward derivatives against central differences of GalSim's images in double precision."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    from sfumato.galaxies import Moffat, PixelGrid, Sersic, render
    from sfumato.galaxies.render.galsim_twin import galsim_image

    grid = PixelGrid.seeing(64, 64, 0.23, fwhm=0.5)
    rng = np.random.default_rng(1)
    ours = jax.jit(jax.jacfwd(lambda row: render(Sersic(*row), Moffat(0.5), grid)))
    worst = np.zeros(5)
    steps = np.array([1e3, 0.02, 0.004, 0.01, 0.01])
    for row in draw(rng, n + 8)[0][8:]:
        row[1] = np.clip(row[1], 0.6, 5.9)
        slopes = np.asarray(ours(jnp.float32(row)), float)
        for i, step in enumerate(steps):

            def difference(h, i=i, row=row):
                low, high = row.copy(), row.copy()
                low[i], high[i] = low[i] - h, high[i] + h
                images = [
                    galsim_image(tuple(r), 0.5, 2.0, grid, accurate=True) for r in (low, high)
                ]
                return (images[1] - images[0]) / (2 * h)

            exact = (4 * difference(step / 2) - difference(step)) / 3  # Richardson
            worst[i] = max(worst[i], np.abs(slopes[..., i] - exact).max() / np.abs(exact).max())
    text = ", ".join(f"{v:.1e}" for v in worst)
    print(f"derivatives by flux, n, r, g1, g2, {n} galaxies: worst pixel over the peak {text}")
    print("  (target 1e-4)")


def speed(n):
    import galsim
    import jax
    import jax.numpy as jnp
    import numpy as np

    from sfumato.engine.compiled import CPU_OPTIONS, over_rows
    from sfumato.galaxies import Moffat, PixelGrid, Sersic, render
    from sfumato.galaxies.fit.model import linearise

    grid = PixelGrid.seeing(64, 64, 0.23, fwhm=0.5)
    rows, widths = draw(np.random.default_rng(2), n)
    one = lambda row: render(Sersic(*row), Moffat(0.5), grid)  # noqa: E731
    own = lambda row, fwhm: render(Sersic(*row), Moffat(fwhm), grid)  # noqa: E731
    slopes = lambda row: linearise(lambda t: one(t).reshape(-1), row)  # noqa: E731
    programs = {
        "one PSF": (one, (rows,)),
        "own PSF": (own, (rows, widths)),
        "one PSF, with 5 derivatives": (slopes, (rows,)),
    }
    rate = {}
    for name, (function, arrays) in programs.items():
        arrays = [jnp.float32(a) for a in arrays]
        run = jax.jit(lambda *a, f=function: over_rows(f, *a), compiler_options=CPU_OPTIONS)
        jax.block_until_ready(run(*arrays))
        start = time.process_time()
        jax.block_until_ready(run(*arrays))
        rate[name] = n / (time.process_time() - start)
    psf = galsim.Moffat(beta=2, fwhm=0.5)
    many, few = np.linspace(0.5, 6, 1000), np.linspace(0.5, 6, 50)

    def peer(count, indices):
        start = time.process_time()
        for row, index in zip(rows[:count], indices, strict=False):
            galaxy = galsim.Sersic(float(index), half_light_radius=row[2], flux=row[0])
            seen = galsim.Convolve(galaxy.shear(g1=row[3], g2=row[4]), psf)
            seen.drawImage(nx=64, ny=64, scale=0.23)
        return count / (time.process_time() - start)

    # GalSim keeps the look-up tables of the last 100 indices
    peer(50, few)
    in_cache = peer(300, np.random.default_rng(3).choice(few, 300))
    on_cache = peer(300, np.random.default_rng(3).choice(many, 300))
    free = peer(60, rows[8:, 1])
    print(f"images of 64 x 64 a core-second, {n} galaxies (targets: 3,000; 30x and 300x GalSim)")
    for name, value in rate.items():
        print(f"  sfumato, {name:<28} {value:10,.0f}")
    ours = rate["one PSF"]
    print(f"  GalSim, 50 indices, all in its cache {in_cache:11,.0f}  ratio {ours / in_cache:,.0f}")
    print(f"  GalSim, 1,000 indices        {on_cache:19,.0f}  ratio {ours / on_cache:,.0f}")
    print(f"  GalSim, free indices                  {free:10,.1f}   ratio {ours / free:,.0f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--galaxies", type=int, default=4000, help="of the timing")
    parser.add_argument("--accuracy", type=int, default=200, help="galaxies compared")
    parser.add_argument("--derivatives", type=int, default=12, help="galaxies differentiated")
    options = parser.parse_args()
    one_core()
    environment()
    speed(options.galaxies)
    accuracy(options.accuracy)
    derivatives(options.derivatives)


if __name__ == "__main__":
    main()
