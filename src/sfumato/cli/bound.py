"""``sfumato bound``: how well any method can possibly do."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from sfumato.cli._console import console, progress
from sfumato.cli._galaxies import population_of
from sfumato.cli._options import Overwrite, split
from sfumato.galaxies.fit.scene import DEFAULT_FREE
from sfumato.galaxies.jobs.bounds import BoundAt, MapAxis, bound_galaxy, floor_of, parse_axis
from sfumato.galaxies.jobs.sources import parse_psf
from sfumato.galaxies.population.population import Population
from sfumato.io.output import Column


def bound(
    population: Annotated[
        str | None,
        typer.Option("--set", help="snr60 or snr30; with --floor v1, v2, v3 or a TOML file."),
    ] = None,
    flux: Annotated[float, typer.Option(help="Counts.")] = 1e5,
    sersic_index: Annotated[float, typer.Option(help="0.5 to 6.")] = 3.0,
    half_light_radius: Annotated[float, typer.Option(help="Arcsec.")] = 0.3,
    g1: Annotated[float, typer.Option(help="Reduced shear.")] = 0.0,
    g2: Annotated[float, typer.Option(help="Reduced shear.")] = 0.0,
    psf: Annotated[
        str, typer.Option(help="FWHM, moffat:FWHM:BETA, gaussian:FWHM or an image file.")
    ] = "0.5",
    noise: Annotated[float, typer.Option(help="Gaussian noise, counts per pixel.")] = 200.0,
    gain: Annotated[
        float, typer.Option(help="Electrons per count; 0 leaves the Poisson noise out.")
    ] = 1.0,
    pixels: Annotated[int, typer.Option(help="Side of the stamp.")] = 64,
    pixel_scale: Annotated[float, typer.Option(help="Arcsec per pixel.")] = 0.23,
    free: Annotated[
        str, typer.Option(help="Parameters that are unknown; also x, y, background.")
    ] = ",".join(DEFAULT_FREE),
    over: Annotated[
        str | None,
        typer.Option(
            "--map",
            help="Two parameters and their ranges, such as "
            "half_light_radius:0.1:0.6:20,sersic_index:0.5:6:20.",
        ),
    ] = None,
    floor: Annotated[
        bool, typer.Option("--floor", help="The smallest error any estimator can reach on --set.")
    ] = False,
    number: Annotated[int, typer.Option(help="Galaxies of --floor.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of --floor.")] = 0,
    output: Annotated[
        Path | None, typer.Option(help="Table: .parquet, .csv, .fits or .hdf5.")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Picture of --map: .png, .pdf or .svg.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """The Cramér–Rao bound of a galaxy, a map of it, or the Bayesian floor of a population.

    The bound is the smallest standard deviation of an unbiased estimator. The floor is the smallest
    root mean square error of *any* estimator on a population, biased ones included: that of the
    mean of the exact posterior.

    Examples
    --------
        sfumato bound --set snr60

        sfumato bound --noise 400 --map half_light_radius:0.1:0.6:20,sersic_index:0.5:6:20 \\
        --output map.parquet --figure map.png

        sfumato bound --floor --set v2 --number 2000
    """
    if floor:
        if over is not None or figure is not None:
            raise ValueError("--floor and --map are two questions. Ask one at a time.")
        name = population or "v1"
        title = f"Bayesian floor of {name}, {number:,} galaxies"
        with progress() as bar:
            task = bar.add_task("Sampling", total=number)
            columns = floor_of(
                _population(name),
                number,
                seed=seed,
                output=output,
                overwrite=overwrite,
                on_galaxies=lambda n: bar.advance(task, n),
            )
    else:
        galaxy = {
            "flux": flux,
            "sersic_index": sersic_index,
            "half_light_radius": half_light_radius,
            "g1": g1,
            "g2": g2,
        }
        at = BoundAt(galaxy, parse_psf(psf), noise, gain, pixels, pixel_scale, split(free))
        if population is not None:
            at = at.of_population(population_of(population, None))
        title, axes = "Cramér–Rao bound", None if over is None else _axes(over)
        columns = bound_galaxy(at, over=axes, output=output, figure=figure, overwrite=overwrite)
    if over is None:
        _show(columns, title=title)
    else:
        console.print(f"Bound at {len(next(iter(columns.values())).values):,} places")
    for path, what in ((figure, "Picture"), (output, "Table")):
        if path is not None:
            console.print(f"{what} written to {path}")


def _population(name: str) -> Population:
    path = Path(name)
    return population_of("", path) if path.suffix == ".toml" else population_of(name, None)


def _axes(text: str) -> tuple[MapAxis, MapAxis]:
    parts = split(text)
    if len(parts) != 2:
        raise ValueError(f"--map must name two parameters with their ranges; got {text!r}.")
    return parse_axis(parts[0]), parse_axis(parts[1])


def _show(columns: dict[str, Column], *, title: str) -> None:
    table = Table(title=title)
    for name in columns:
        table.add_column(name.replace("_", " "))
    for row in zip(*(column.values for column in columns.values()), strict=True):
        table.add_row(*(v if isinstance(v, str) else f"{v:.4g}" for v in row))
    console.print(table)
