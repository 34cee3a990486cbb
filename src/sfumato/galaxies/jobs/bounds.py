"""Tables and maps of the Cramér–Rao bound, and the table of the Bayesian floor."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sfumato.engine.compiled import CPU_OPTIONS, over_rows
from sfumato.errors import IncompatibleError, suggest
from sfumato.galaxies.basis.floor import Floor, bayesian_floor
from sfumato.galaxies.fit.fisher import crb, fisher, inverse
from sfumato.galaxies.fit.scene import SHAPE, Scene
from sfumato.galaxies.jobs.sources import PSFSource, checked_psf
from sfumato.galaxies.population.population import Population
from sfumato.galaxies.render.noise import Noise
from sfumato.galaxies.render.pixels import PixelGrid
from sfumato.galaxies.render.profiles import LABELS, UNITS, Sersic, check_galaxy
from sfumato.galaxies.render.psf import PSF, Gaussian, ImagePSF, Moffat
from sfumato.io._files import all_reserved
from sfumato.io.output import Column, table_writer, write_columns
from sfumato.plots.estimators import plot_map
from sfumato.plots.page import check_picture, save

_MOST_PLACES = 400  # along one axis of a map


@dataclass(frozen=True)
class BoundAt:
    """Where a bound is asked for.

    Parameters
    ----------
    galaxy : flux, sersic_index, half_light_radius, g1, g2.
    psf, noise, gain : as in `sfumato.galaxies.jobs.sources.StampSource`.
    pixels, pixel_scale : side of the stamp, and arcsec per pixel.
    free : unknown parameters; the others are known.

    Raises
    ------
    ValueError
        A value cannot be rendered, or the noise is not positive.
    """

    galaxy: dict[str, float]
    psf: PSFSource
    noise: float
    gain: float
    pixels: int
    pixel_scale: float
    free: tuple[str, ...]

    def __post_init__(self) -> None:
        if not 0 < self.noise < np.inf:
            raise ValueError(f"The noise must be positive counts per pixel; got {self.noise:g}.")
        if not 0 <= self.gain < np.inf:
            raise ValueError(f"The gain must be at least 0 electrons per count; got {self.gain}.")
        if self.psf.is_own:
            raise IncompatibleError("A bound needs one PSF: a width or an image file.")
        check_galaxy(Sersic(**self.galaxy), side=self.pixels * self.pixel_scale)

    def of_population(self, population: Population) -> "BoundAt":
        """The galaxy, PSF and noise of a population that is one galaxy.

        Raises
        ------
        IncompatibleError
            The population has many galaxies.
        """
        if not population.is_fixed or population.shear_fixed is None:
            message = f"The population {population.name!r} has many galaxies and no single bound"
            raise IncompatibleError(f"{message}. Use --floor.")
        g1, g2 = population.shear_fixed
        return replace(
            self,
            galaxy={
                "flux": population.flux.low,
                "sersic_index": population.sersic_index.low,
                "half_light_radius": population.half_light_radius.low,
                "g1": g1,
                "g2": g2,
            },
            psf=PSFSource("moffat", population.psf_fwhm.low, population.psf_beta),
            noise=population.noise_sigma.low,
            gain=population.gain,
            pixels=population.pixels,
            pixel_scale=population.pixel_scale,
        )

    @property
    def scene(self) -> Scene:
        """The scene with these free parameters."""
        fixed = {name: v for name, v in self.galaxy.items() if name not in self.free}
        side = self.pixels
        grid = PixelGrid.seeing(side, side, self.pixel_scale, fwhm=self.psf.fwhm)
        return Scene(grid, self.free, fixed)

    @property
    def theta(self) -> np.ndarray:
        """Values of the free parameters."""
        return np.array([self.galaxy.get(name, 0.0) for name in self.scene.names])

    def optics(self) -> jax.Array:
        """The PSF and pixel of the scene."""
        source = self.psf
        psf: PSF
        if source.kind == "image":
            scale = source.pixel_scale or self.pixel_scale
            assert source.image is not None  # noqa: S101 - made by `parse_psf`
            image = checked_psf(source, source.image, self.scene.grid, where="--psf")
            psf = ImagePSF(image, scale, source.includes_pixel)
        elif source.kind == "gaussian":
            psf = Gaussian(source.fwhm)
        else:
            psf = Moffat(source.fwhm, source.beta)
        return self.scene.optics([psf])


class MapAxis(NamedTuple):
    """One axis of a map: a parameter and its values."""

    name: str
    values: np.ndarray


def parse_axis(text: str) -> MapAxis:
    """An axis from a text such as ``sersic_index:0.5:6:20``.

    Raises
    ------
    ValueError
        The text has another form, or the parameter is unknown.
    """
    name, *rest = text.split(":")
    allowed = ("flux", *SHAPE[:4])
    if name not in allowed:
        raise ValueError(f"--map: unknown parameter {name!r}. {suggest(name, allowed)}")
    try:
        low, high, n = float(rest[0]), float(rest[1]), int(rest[2])
    except (ValueError, IndexError):
        low, high, n = 0.0, 0.0, 0
    if len(rest) != 3 or not -np.inf < low < high < np.inf or not 2 <= n <= _MOST_PLACES:
        message = f"--map must be like {name}:LOW:HIGH:NUMBER with at most {_MOST_PLACES} places"
        raise ValueError(f"{message}; got {text!r}.")
    return MapAxis(name, np.linspace(low, high, n))


def bound_galaxy(
    at: BoundAt,
    *,
    over: tuple[MapAxis, MapAxis] | None = None,
    output: Path | None = None,
    figure: Path | None = None,
    overwrite: bool = False,
) -> dict[str, Column]:
    """The bound of one galaxy, or a map of it: what ``sfumato bound`` does.

    Parameters
    ----------
    at : the galaxy and how it is seen.
    over : two parameters that vary; None for a table of the one galaxy.
    output : the table, if it is to be kept: .parquet, .csv, .fits or .hdf5.
    figure : picture of a map: .png, .pdf or .svg.
    overwrite : replace files that exist.

    Raises
    ------
    DataError, ValueError
        A file or a parameter is not as it has to be; nothing is written.
    """
    if figure is not None and over is None:
        raise ValueError("--figure is a picture of --map. Give two parameters and ranges.")
    with _files_reserved(output, figure, overwrite=overwrite):
        columns = bound_table(at) if over is None else bound_map(at, *over)
        if over is not None and figure is not None:
            plot_bound(columns, *over, figure)
        if output is not None:
            write_columns(output, columns, overwrite=overwrite)
    return columns


def floor_of(
    population: Population,
    number: int,
    *,
    seed: int = 0,
    output: Path | None = None,
    overwrite: bool = False,
    on_galaxies: Callable[[int], None] = lambda _n: None,
) -> dict[str, Column]:
    """The smallest error of any estimator on a population: what ``sfumato bound --floor`` does.

    Parameters
    ----------
    population, number, seed : the galaxies, how many, and their random draws.
    output, overwrite : as in `bound_galaxy`.
    on_galaxies : called with the number of galaxies of every part that is done.
    """
    with _files_reserved(output, None, overwrite=overwrite):
        found = bayesian_floor(population, number, random_state=seed, on_done=on_galaxies)
        columns = floor_table(found)
        if output is not None:
            write_columns(output, columns, overwrite=overwrite)
    return columns


def _files_reserved(
    output: Path | None, figure: Path | None, *, overwrite: bool
) -> AbstractContextManager[None]:
    """What is to be written, refused before any work where it cannot be."""
    if output is not None:
        table_writer(output)
    if figure is not None:
        check_picture(figure)
    paths = [path for path in (output, figure) if path is not None]
    return all_reserved(paths, overwrite=overwrite)


def bound_table(at: BoundAt) -> dict[str, Column]:
    """Value and bound of every free parameter.

    Raises
    ------
    ValueError
        The free parameters cannot be told apart on these pixels.
    """
    information = _information(at, at.theta[None])
    bound = np.sqrt(np.diagonal(crb(information)[0]))
    known = 1 / np.sqrt(np.diagonal(information[0]))
    names = at.scene.names
    return {
        "parameter": Column(np.array(names)),
        "value": Column(at.theta),
        "bound": Column(bound, "", "smallest standard deviation of an unbiased estimator"),
        "others_known": Column(known, "", "the same, were all other parameters known"),
        "unit": Column(np.array([UNITS.get(name, "") for name in names])),
    }


def bound_map(at: BoundAt, x: MapAxis, y: MapAxis) -> dict[str, Column]:
    """Bounds over a grid of two parameters, x varying fastest.

    Raises
    ------
    ValueError
        A parameter of the map is not free, or a place on it cannot be rendered.
    """
    names = at.scene.names
    if x.name == y.name:
        raise ValueError(f"--map needs two different parameters; got {x.name} twice.")
    for axis in (x, y):
        if axis.name not in names:
            raise ValueError(f"--map: {axis.name} must be among the free parameters {names}.")
    grid_x, grid_y = (values.ravel() for values in np.meshgrid(x.values, y.values))
    corners = {**at.galaxy, x.name: grid_x, y.name: grid_y}
    check_galaxy(Sersic(**corners), side=at.pixels * at.pixel_scale)
    theta = np.repeat(at.theta[None], grid_x.size, axis=0)
    theta[:, names.index(x.name)], theta[:, names.index(y.name)] = grid_x, grid_y
    covariance, _ = inverse(_information(at, theta))
    bounds = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    columns = {axis.name: Column(v, UNITS[axis.name]) for axis, v in ((x, grid_x), (y, grid_y))}
    for i, name in enumerate(names):
        columns[f"bound_{name}"] = Column(bounds[:, i], UNITS.get(name, ""))
    return columns


def _information(at: BoundAt, theta: np.ndarray) -> np.ndarray:
    """Fisher matrices (n, p, p) at parameters (n, p)."""
    scene, noise = at.scene, Noise(at.noise, at.gain)
    model = scene.model(at.optics())
    one = partial(fisher, model, variance=noise.variance)
    run = jax.jit(partial(over_rows, one), compiler_options=CPU_OPTIONS)
    return np.asarray(run(jnp.asarray(theta, jnp.float32)), float)


def plot_bound(columns: dict[str, Column], x: MapAxis, y: MapAxis, path: Path) -> None:
    """Picture of a map: the bound of the Sérsic index, or of the first parameter."""
    bounds = [name for name in columns if name.startswith("bound_")]
    chosen = "bound_sersic_index" if "bound_sersic_index" in bounds else bounds[0]
    values = columns[chosen].values.reshape(len(y.values), len(x.values))
    figure = plot_map(
        x.values,
        y.values,
        values,
        xlabel=_label(x.name),
        ylabel=_label(y.name),
        label="bound of " + _label(chosen.removeprefix("bound_")),
    )
    save(figure, path)


def _label(name: str) -> str:
    unit = UNITS.get(name, "")
    words = LABELS.get(name, name)
    return f"{words} [{unit}]" if unit else words


def floor_table(floor: Floor) -> dict[str, Column]:
    """The floor of every parameter, its error, and how well posteriors are calibrated."""
    return {
        "parameter": Column(np.array(floor.names)),
        "floor": Column(floor.rmse, "", "smallest root mean square error of any estimator"),
        "floor_error": Column(floor.rmse_error, "", "Monte Carlo error"),
        "posterior_mean": Column(floor.achieved, "", "error of posterior means here"),
        "coverage_68": Column(floor.coverage(0.68)),
        "coverage_95": Column(floor.coverage(0.95)),
        "median_effective_size": Column(
            np.full(len(floor.names), np.median(floor.effective_sizes))
        ),
        "unit": Column(np.array([UNITS.get(name, "") for name in floor.names])),
    }
