"""Data sets of simulated galaxies in files: labels, images, and what made them."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import jax
import numpy as np

from sfumato import engine
from sfumato.engine.compiled import CPU_OPTIONS
from sfumato.errors import check_one_of, choose
from sfumato.galaxies.population.labelled import LabelledStamps, check_cut, draw_batch, noise_of
from sfumato.galaxies.population.population import Population
from sfumato.galaxies.render.galsim_twin import galsim_image
from sfumato.galaxies.render.profiles import UNITS
from sfumato.galaxies.render.psf import Moffat
from sfumato.galaxies.render.renderer import point_source
from sfumato.io.images import StampWriter

CHUNK = 500  # galaxies; part of what a seed means
IMAGES = ("image", "noiseless", "psf")

COLUMNS = {
    "id": ("i8", "", "number of the galaxy"),
    "flux": ("f4", UNITS["flux"], "total flux"),
    "sersic_index": ("f4", "", "Sersic index"),
    "half_light_radius": ("f4", UNITS["half_light_radius"], "of the unsheared profile"),
    "g1": ("f4", "", "reduced shear along x"),
    "g2": ("f4", "", "reduced shear along x = y"),
    "psf_fwhm": ("f4", "arcsec", "width of the Moffat PSF at half maximum"),
    "noise_sigma": ("f4", "count", "Gaussian noise of a pixel"),
    "signal_to_noise": ("f4", "", "sqrt(sum image^2) / noise_sigma"),
}


def simulate_set(
    population: Population,
    path: str | Path,
    *,
    number: int,
    seed: int = 0,
    engine: str = "sfumato",
    images: tuple[str, ...] = ("image", "noiseless"),
    overwrite: bool = False,
    on_galaxies: Callable[[int], None] = lambda n: None,
) -> Path:
    """Write labelled images of a population to HDF5 or FITS, whose path is returned.

    The same seed gives the same bytes.

    Parameters
    ----------
    number : galaxies, all of which pass the population's cut.
    engine : ``"sfumato"``, or ``"galsim"`` to draw the same catalogue, and the same noise, with
        GalSim (which must be installed).
    images : some of ``"image"`` (noisy), ``"noiseless"`` and ``"psf"`` (with the pixel's response).
    on_galaxies : called with the number of galaxies written since the last call.

    Raises
    ------
    ValueError
        `number` is not positive, or an engine or kind of image is unknown.
    DataError
        The file exists or cannot be written.
    """
    if number < 1:
        raise ValueError(f"`number` must be at least 1; got {number}.")
    for name in images:
        check_one_of(name, IMAGES, what="`images`")
    draw = choose(engine, _ENGINES, what="`engine`")(population, min(number, CHUNK))
    attributes = {
        "population": population.name,
        "seed": seed,
        "engine": engine,
        "pixel_scale": population.pixel_scale,
        "psf_beta": population.psf_beta,
        "gain": population.gain,
    }
    with StampWriter(
        path,
        n=number,
        shape=population.grid.shape,
        attributes=attributes,
        images=images,
        columns=COLUMNS,
        overwrite=overwrite,
    ) as writer:
        starts = range(0, number, CHUNK)
        for start, batch in zip(starts, _batches(draw, seed, len(starts)), strict=True):
            n = min(CHUNK, number - start)
            check_cut(batch, population)
            writer.append(_images(batch, population, images, n), _labels(batch, start, n))
            on_galaxies(n)
    return Path(path)


def _batches(draw: Callable, seed: int, n_chunks: int) -> Iterator[LabelledStamps]:
    """Batches of all chunks in their order."""
    key = jax.random.key(seed)

    def one(chunk: int) -> LabelledStamps:
        return jax.block_until_ready(draw(jax.random.fold_in(key, chunk)))

    return engine.map(one, range(n_chunks))


def _images(
    batch: LabelledStamps, population: Population, names: tuple[str, ...], n: int
) -> dict[str, np.ndarray]:
    out = {"image": batch.noisy, "noiseless": batch.noiseless}
    if "psf" in names:
        out["psf"] = _psf_images(population)(batch.labels.psf_fwhm)
    return {name: np.asarray(out[name][:n]) for name in names}


def _psf_images(population: Population) -> Callable:
    def one(fwhm: jax.Array) -> jax.Array:
        return point_source(Moffat(fwhm, population.psf_beta), population.grid)

    return jax.jit(jax.vmap(one), compiler_options=CPU_OPTIONS)


def _labels(batch: LabelledStamps, start: int, n: int) -> dict[str, np.ndarray]:
    galaxy = batch.labels.galaxy
    values = {name: getattr(galaxy, name) for name in galaxy._fields[:5]}
    values |= {
        "psf_fwhm": batch.labels.psf_fwhm,
        "noise_sigma": batch.labels.noise_sigma,
        "signal_to_noise": batch.signal_to_noise,
    }
    columns = {name: np.broadcast_to(np.asarray(v), CHUNK)[:n] for name, v in values.items()}
    return {"id": np.arange(start, start + n), **columns}


def _own_engine(population: Population, _most: int) -> Callable:
    return jax.jit(
        partial(draw_batch, population=population, n=CHUNK), compiler_options=CPU_OPTIONS
    )


def _galsim_engine(population: Population, most: int) -> Callable:
    """The same labels and noise around GalSim's noiseless images."""
    own = _own_engine(population, most)

    def draw(key: jax.Array) -> LabelledStamps:
        batch = own(key)
        rows = zip(*(np.broadcast_to(v, CHUNK) for v in batch.labels.galaxy[:5]), strict=True)
        widths = np.broadcast_to(batch.labels.psf_fwhm, CHUNK)
        clean = np.array(batch.noiseless)
        clean[:most] = np.stack(
            [
                galsim_image(
                    tuple(map(float, row)), float(fwhm), population.psf_beta, population.grid
                )
                for row, fwhm in islice(zip(rows, widths, strict=True), most)
            ]
        )
        return batch._replace(noiseless=clean, noisy=noise_of(key, batch.labels, clean, population))

    return draw


_ENGINES = {"sfumato": _own_engine, "galsim": _galsim_engine}
