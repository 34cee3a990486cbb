"""Galaxy images: fits and posteriors beside the truth, the Cramér–Rao bound and the Bayesian floor.

python examples/galaxies.py FOLDER
"""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from sfumato.galaxies import (
    POPULATIONS,
    Moffat,
    Noise,
    Scene,
    Stamps,
    Uniform,
    crb,
    fisher,
    fit_stamps,
    sample_stamps,
)
from sfumato.galaxies.basis.floor import bayesian_floor, population_basis
from sfumato.galaxies.jobs.bounds import BoundAt, bound_map, parse_axis, plot_bound
from sfumato.galaxies.jobs.sources import parse_psf
from sfumato.galaxies.population.labelled import draw_batch
from sfumato.galaxies.posterior.prior import Prior
from sfumato.galaxies.render.profiles import LABELS, UNITS
from sfumato.plots.estimators import (
    plot_bias_and_scatter,
    plot_table,
    prepare_bias_and_scatter,
)
from sfumato.plots.images import plot_residuals
from sfumato.plots.page import save
from sfumato.plots.posteriors import plot_corner

N = 600
V2 = POPULATIONS["v2"]
ONE = replace(  # a single galaxy under noise of many levels
    POPULATIONS["snr60"],
    sersic_index=Uniform(2.0, 2.0),
    half_light_radius=Uniform(0.45, 0.45),
    shear_fixed=(0.4, 0.0),
    noise_sigma=Uniform(60.0, 350.0, log=True),
    signal_to_noise=(10.0, 500.0),
)
PSF = Moffat(0.5)
SCENE = Scene(V2.grid)
MODEL = SCENE.model(SCENE.optics([PSF]))
NAMES = [LABELS.get(name, name) for name in SCENE.names]
PUBLISHED = {  # flux in 1e5 counts, index, radius, g1, g2
    "Xception network (published)": (0.0899, 0.836, 0.0512, 0.0839, 0.0831),
    "autoencoder (published)": (0.121, 0.872, 0.052, 0.087, 0.086),
}
SCALE = np.array([1e-5, 1, 1, 1, 1])


def simulate(population, seed, n=N):
    """Stamps of galaxies, their true parameters (n, 5), noise (n,) and signal-to-noise (n,)."""
    draw = jax.jit(partial(draw_batch, population=population, n=n))
    batch = draw(jax.random.key(seed))
    images, sigma = np.asarray(batch.noisy)[:, None], np.asarray(batch.labels.noise_sigma)
    weight = np.broadcast_to(1 / sigma[:, None, None, None] ** 2, images.shape)
    truth = np.stack([np.broadcast_to(v, n) for v in batch.labels.galaxy[:5]], axis=1)
    stamps = Stamps(images, weight, (PSF,), population.gain)
    return stamps, truth.astype(float), sigma, np.asarray(batch.signal_to_noise)


@jax.jit
def information(theta, sigma):
    """Fisher matrices (n, 5, 5)."""
    return jax.lax.map(
        lambda row: fisher(MODEL, row[0], variance=Noise(row[1], V2.gain).variance), (theta, sigma)
    )


def draw_residuals(stamps, fits, sigma, ratio, folder):
    """Image, model and residual of four galaxies from faint to bright."""
    rows = np.argsort(ratio)[[N // 8, N // 2, (4 * N) // 5, N - 8]]
    models = np.stack([MODEL(jnp.float32(t)).reshape(SCENE.grid.shape) for t in fits.theta[rows]])
    figure = plot_residuals(
        stamps.images[rows, 0],
        models,
        np.sqrt(sigma[rows, None, None] ** 2 + np.maximum(models, 0) / V2.gain),
        pixel_scale=V2.pixel_scale,
        titles=[f"S/N {ratio[row]:.0f}" for row in rows],
        n_parameters=len(NAMES),
    )
    save(figure, folder / "galaxy_residuals.png")


def draw_posterior(stamps, fits, truth, sigma, ratio, folder):
    """Posterior of one galaxy of middling index and signal-to-noise."""
    clean = fits.flags == 0
    row = np.argmin(np.abs(truth[:, 1] - 2) + np.abs(ratio / 50 - 1) + np.where(clean, 0, 1e9))
    one = np.array([row])
    found = sample_stamps(
        stamps.take(one),
        SCENE,
        Prior(SCENE, V2),
        type(fits)(fits.names, *(values[one] for values in fits[1:])),
        n_draws=(2000, 4000, 12000),
    )
    print(f"posterior of a galaxy of S/N {ratio[row]:.0f}: {found.effective_size[0]:.0f} draws")
    figure = plot_corner(
        found.theta[0].T,
        weights=np.exp(found.log_weights[0]),
        names=NAMES,
        units=[UNITS[name] for name in SCENE.names],
        truth=truth[row],
        bound=crb(information(jnp.float32(truth[one]), jnp.float32(sigma[one])))[0],
        maximum=fits.theta[row],
    )
    save(figure, folder / "galaxy_posterior.png")


def draw_bias(folder):
    """Bias and scatter of one galaxy, with and without Box's correction."""
    stamps, truth, sigma, ratio = simulate(ONE, seed=2, n=3 * N)
    fits = fit_stamps(stamps, SCENE)
    used = fits.flags == 0
    print(f"bias: {np.sum(~used)} of {len(used)} fits are flagged and left out")
    edges = np.geomspace(0.999 * ratio.min(), 1.001 * ratio.max(), 6)
    results = {
        name: prepare_bias_and_scatter(
            theta[used, :4], truth[used, :4], by=ratio[used], edges=edges
        )
        for name, theta in {
            "maximum likelihood": fits.theta,
            "bias removed": fits.theta - fits.bias,
        }.items()
    }
    bins = np.digitize(ratio, edges) - 1
    typical = np.array([np.median(sigma[bins == k]) for k in range(len(edges) - 1)])
    bound = crb(information(jnp.float32(truth[: typical.size]), jnp.float32(typical)))
    print("signal-to-noise     ", np.round(results["bias removed"].centre))
    for name, result in results.items():
        print(f"{name:20s} bias of the index {np.round(result.bias[:, 1], 3)}")
        print(f"{name:20s} its error         {np.round(result.bias_error[:, 1], 3)}")
    figure = plot_bias_and_scatter(
        results,
        names=NAMES[:4],
        units=[UNITS[name] for name in SCENE.names[:4]],
        bounds=np.sqrt(np.diagonal(bound, axis1=1, axis2=2))[:, :4],
    )
    save(figure, folder / "galaxy_bias.png")


def draw_map(folder):
    """Bound of the Sérsic index over index and radius."""
    galaxy = dict(zip(SCENE.names, (1e5, 3.0, 0.3, 0.0, 0.0), strict=True))
    at = BoundAt(galaxy, parse_psf("0.5"), 300.0, 1.0, 64, 0.23, SCENE.names)
    x, y = parse_axis("half_light_radius:0.1:0.6:18"), parse_axis("sersic_index:0.5:6:18")
    plot_bound(bound_map(at, x, y), x, y, folder / "galaxy_bound.png")


def draw_table(fits, truth, folder):
    """Errors on the population v2: published networks, fits and posterior means, and the floor."""
    floor = bayesian_floor(V2, 200, basis=population_basis(V2), random_state=1)
    done = np.isfinite(fits.theta).all(axis=1)
    errors = (fits.theta - fits.bias - truth)[done]
    rows = {
        "maximum likelihood": SCALE * np.sqrt(np.mean(errors**2, axis=0)),
        **PUBLISHED,
        "posterior mean": SCALE * floor.achieved,
    }
    for name, values in {
        **rows,
        "floor": SCALE * floor.rmse,
        "±": SCALE * floor.rmse_error,
    }.items():
        print(f"{name:30s} " + " ".join(f"{value:.4f}" for value in values))
    print("coverage of 68 % intervals", np.round(floor.coverage(0.68), 2))
    units = ["10⁵ counts", *(UNITS[name] for name in SCENE.names[1:])]
    figure = plot_table(
        list(rows.items()),
        list(zip(NAMES, units, strict=True)),
        reference=SCALE * floor.rmse,
        n_columns=3,
    )
    save(figure, folder / "galaxy_table.png")


def main(folder):
    stamps, truth, sigma, ratio = simulate(V2, seed=1)
    fits = fit_stamps(stamps, SCENE)
    print(f"v2: {np.sum(fits.flags == 0)} of {N} fits are clean")
    draw_residuals(stamps, fits, sigma, ratio, folder)
    draw_posterior(stamps, fits, truth, sigma, ratio, folder)
    draw_bias(folder)
    draw_map(folder)
    draw_table(fits, truth, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
