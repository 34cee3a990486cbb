"""``sfumato bound``: how well any method can possibly do."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from sfumato.cli._console import console, progress
from sfumato.cli._galaxies import population_of
from sfumato.cli._options import Overwrite, split
from sfumato.galaxies.basis.floor import bayesian_floor
from sfumato.galaxies.fit.scene import DEFAULT_FREE
from sfumato.galaxies.jobs.bounds import (
    BoundAt,
    bound_map,
    bound_table,
    floor_table,
    parse_axis,
    plot_bound,
)
from sfumato.galaxies.jobs.sources import parse_psf
from sfumato.io._files import check_output
from sfumato.io.output import Column, table_writer, write_columns
from sfumato.plots.page import check_picture


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
    _check_request(output, figure, has_map=over is not None, is_floor=floor, overwrite=overwrite)
    if floor:
        columns = _floor(population or "v1", number, seed)
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
        if over is None:
            columns = bound_table(at)
            _show(columns, title="Cramér–Rao bound")
        else:
            x, y = (parse_axis(text) for text in _two(over))
            columns = bound_map(at, x, y)
            console.print(f"Bound at {len(x.values) * len(y.values):,} places")
            if figure is not None:
                plot_bound(columns, x, y, figure)
                console.print(f"Picture written to {figure}")
    if output is not None:
        write_columns(output, columns, overwrite=overwrite)
        console.print(f"Table written to {output}")


def _check_request(
    output: Path | None, figure: Path | None, *, has_map: bool, is_floor: bool, overwrite: bool
) -> None:
    """Refuse, before any work, what cannot be written or does not go together."""
    for path in (output, figure):
        if path is not None:
            check_output(path, overwrite=overwrite)
    if output is not None:
        table_writer(output)
    if figure is not None:
        if not has_map:
            raise ValueError("--figure is a picture of --map. Give two parameters and ranges.")
        check_picture(figure)
    if is_floor and has_map:
        raise ValueError("--floor and --map are two questions. Ask one at a time.")


def _floor(name: str, number: int, seed: int) -> dict[str, Column]:
    path = Path(name)
    chosen = population_of("", path) if path.suffix == ".toml" else population_of(name, None)
    with progress() as bar:
        task = bar.add_task("Sampling", total=number)
        found = bayesian_floor(
            chosen, number, random_state=seed, on_done=lambda n: bar.advance(task, n)
        )
    columns = floor_table(found)
    _show(columns, title=f"Bayesian floor of {name}, {number:,} galaxies")
    return columns


def _two(text: str) -> tuple[str, ...]:
    parts = split(text)
    if len(parts) != 2:
        raise ValueError(f"--map must name two parameters with their ranges; got {text!r}.")
    return parts


def _show(columns: dict[str, Column], *, title: str) -> None:
    table = Table(title=title)
    for name in columns:
        table.add_column(name.replace("_", " "))
    for row in zip(*(column.values for column in columns.values()), strict=True):
        table.add_row(*(v if isinstance(v, str) else f"{v:.4g}" for v in row))
    console.print(table)
