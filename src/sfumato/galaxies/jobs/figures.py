"""Pictures of measured galaxies: residuals, profiles, posteriors, bias and scatter."""

from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np

from sfumato.galaxies.jobs.measure import Measured
from sfumato.galaxies.jobs.sources import StampSource
from sfumato.galaxies.render.profiles import LABELS, UNITS
from sfumato.plots.estimators import plot_bias_and_scatter, prepare_bias_and_scatter
from sfumato.plots.images import plot_profiles, plot_residuals, prepare_profile
from sfumato.plots.page import Figure, save
from sfumato.plots.posteriors import plot_corner

N_SHOWN = 6
_LEAST_FOR_STATISTICS = 50
_EDGES = np.array([10.0, 15.0, 22.0, 33.0, 50.0, 70.0, 100.0])


def write_figures(folder: Path, done: list[Measured], source: StampSource) -> list[Path]:
    """Write pictures of a measurement as PNG; returns their paths.

    ``residuals.png`` shows the first clean galaxies, ``profile.png`` the brightest of them,
    ``corner.png`` its posterior if there is one, and ``bias.png`` bias and scatter over
    signal-to-noise if the stamps have true parameters.
    """
    paths = []
    for name, figure in _figures(done, source):
        path = folder / f"{name}.png"
        save(figure, path)
        paths.append(path)
    return paths


def _figures(done: list[Measured], source: StampSource) -> Iterator[tuple[str, Figure]]:
    batch = max(done, key=lambda b: b.n_clean)  # the one that has its stamps
    clean = np.flatnonzero(batch.fits.flags == 0)[:N_SHOWN]
    if clean.size:
        yield from _of_galaxies(batch, clean, source.pixel_scale)
    truth = _truths(done, source)
    if truth is not None:
        yield "bias", _bias_figure(done, truth)


def _of_galaxies(batch: Measured, rows: np.ndarray, scale: float) -> Iterator[tuple[str, Figure]]:
    models = models_of(batch, rows)
    images = batch.stamps.images[rows, 0]
    weights = batch.stamps.inverse_variance[rows, 0]
    gain = batch.stamps.gain
    light = np.maximum(models, 0) / gain if gain else np.zeros_like(models)
    masks = weights <= 0
    sigmas = np.sqrt(1 / np.where(masks, 1.0, weights) + light)
    p = len(batch.fits.names)
    ratio = batch.fits.signal_to_noise[rows]
    titles = [f"stamp {batch.rows[i]} (S/N {s:.0f})" for i, s in zip(rows, ratio, strict=True)]
    yield (
        "residuals",
        plot_residuals(
            images, models, sigmas, pixel_scale=scale, masks=masks, titles=titles, n_parameters=p
        ),
    )
    best = int(np.argmax(ratio))
    values = dict(zip(batch.fits.names, batch.fits.theta[rows[best]], strict=True))
    g1, g2 = (values.get(g, batch.scene.fixed.get(g, 0.0)) for g in ("g1", "g2"))
    size = float(np.hypot(g1, g2))
    shape = {
        "pixel_scale": scale,
        "centre": (values.get("x", 0.0), values.get("y", 0.0)),
        "axis_ratio": (1 - size) / (1 + size),
        "angle_rad": 0.5 * float(np.arctan2(g2, g1)),
        "mask": masks[best],
    }
    data = prepare_profile(images[best], sigmas[best], **shape)
    model = prepare_profile(models[best], sigmas[best], **shape)
    yield "profile", plot_profiles(data, {"Sérsic fit": model.brightness}, title=titles[best])
    if batch.posteriors is not None:
        found, row = batch.posteriors, rows[best]
        yield (
            "corner",
            plot_corner(
                found.theta[row].T,
                weights=np.exp(found.log_weights[row]),
                names=[LABELS.get(name, name) for name in found.names],
                units=[UNITS.get(name, "") for name in found.names],
                maximum=batch.fits.theta[row],
            ),
        )


def models_of(batch: Measured, rows: np.ndarray) -> np.ndarray:
    """Fitted images (n, height, width) of the first exposure of some galaxies of a batch."""
    out = []
    for row in rows:
        psfs = batch.stamps.psfs
        if batch.stamps.own_psf:
            psfs = jax.tree.map(lambda leaf, row=row: leaf[row], psfs)
        theta = jax.numpy.asarray(batch.fits.theta[row], jax.numpy.float32)
        pixels = batch.scene.model(batch.scene.optics(psfs))(theta)
        out.append(np.asarray(pixels).reshape(len(psfs), *batch.scene.grid.shape)[0])
    return np.stack(out)


def _truths(done: list[Measured], source: StampSource) -> np.ndarray | None:
    """True parameters (n, p) in the order of the batches, if the stamps have them."""
    names, file = done[0].fits.names, source.files[0]
    if not set(names) <= set(file.columns):
        return None
    columns = np.column_stack([file.column(name) for name in names])
    return columns[np.concatenate([batch.rows for batch in done])].astype(float)


def _bias_figure(done: list[Measured], truth: np.ndarray) -> Figure:
    """Bias and scatter of the fits over signal-to-noise, beside the bound at the fits."""
    fits = [batch.fits for batch in done]
    clean = np.isfinite(np.concatenate([f.errors for f in fits])).all(axis=1)
    estimate = np.concatenate([f.theta - f.bias for f in fits])[clean]
    errors = np.concatenate([f.errors for f in fits])[clean]
    ratio = np.concatenate([f.signal_to_noise for f in fits])[clean]
    edges = _EDGES if clean.sum() >= _LEAST_FOR_STATISTICS else _EDGES[[0, -1]]
    edges = edges[(np.histogram(ratio, edges)[0].cumsum() > 0).argmax() :]
    prepared = prepare_bias_and_scatter(estimate, truth[clean], by=ratio, edges=edges)
    places = np.digitize(ratio, edges) - 1
    bounds = np.stack([np.median(errors[places == i], axis=0) for i in range(len(edges) - 1)])
    names = fits[0].names
    return plot_bias_and_scatter(
        {"maximum likelihood": prepared},
        names=[LABELS.get(name, name) for name in names],
        units=[UNITS.get(name, "") for name in names],
        bounds=bounds,
        bounds_label="median error of the fits",
        robust=True,
    )
