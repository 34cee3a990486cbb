"""``sfumato bound``: how well any method can possibly do."""

from collections.abc import Mapping
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

Value = float | str | Path | None

GALAXY = {"flux": 1e5, "sersic_index": 3.0, "half_light_radius": 0.3, "g1": 0.0, "g2": 0.0}
"""The galaxy that a bound is of where nothing else is asked for."""
SEEN = {"psf": "0.5", "noise": 200.0, "gain": 1.0, "pixels": 64, "pixel_scale": 0.23}
"""How it is seen."""


def bound(
    population: Annotated[
        str | None,
        typer.Option("--set", help="snr60 or snr30; with --floor v1, v2, v3 or a TOML file."),
    ] = None,
    flux: Annotated[float | None, typer.Option(help="Counts [100000].")] = None,
    sersic_index: Annotated[float | None, typer.Option(help="0.5 to 6 [3].")] = None,
    half_light_radius: Annotated[float | None, typer.Option(help="Arcsec [0.3].")] = None,
    g1: Annotated[float | None, typer.Option(help="Reduced shear [0].")] = None,
    g2: Annotated[float | None, typer.Option(help="Reduced shear [0].")] = None,
    psf: Annotated[
        str | None,
        typer.Option(help="FWHM, moffat:FWHM:BETA, gaussian:FWHM or an image file [0.5]."),
    ] = None,
    noise: Annotated[
        float | None, typer.Option(help="Gaussian noise, counts per pixel [200].")
    ] = None,
    gain: Annotated[
        float | None, typer.Option(help="Electrons per count; 0 leaves the Poisson noise out [1].")
    ] = None,
    pixels: Annotated[int | None, typer.Option(help="Side of the stamp [64].")] = None,
    pixel_scale: Annotated[float | None, typer.Option(help="Arcsec per pixel [0.23].")] = None,
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
    number: Annotated[int | None, typer.Option(help="Galaxies of --floor [2000].")] = None,
    seed: Annotated[int | None, typer.Option(help="Of --floor [0].")] = None,
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
    galaxy = {
        "flux": flux,
        "sersic_index": sersic_index,
        "half_light_radius": half_light_radius,
        "g1": g1,
        "g2": g2,
    }
    seen = {"psf": psf, "noise": noise, "gain": gain, "pixels": pixels, "pixel_scale": pixel_scale}
    if floor:
        _refuse(
            {**galaxy, **seen, "map": over, "figure": figure}, why="--floor is of a whole --set"
        )
        name, number = population or "v1", 2000 if number is None else number
        title = f"Bayesian floor of {name}, {number:,} galaxies"
        with progress() as bar:
            task = bar.add_task("Sampling", total=number)
            columns = floor_of(
                _population(name),
                number,
                seed=seed or 0,
                output=output,
                overwrite=overwrite,
                on_galaxies=lambda n: bar.advance(task, n),
            )
    else:
        _refuse({"number": number, "seed": seed}, why="it is of --floor")
        at = _bound_at({**GALAXY, **_given(galaxy)}, {**SEEN, **_given(seen)}, split(free))
        if population is not None:
            _refuse({**galaxy, **seen}, why="--set says it already")
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


def _given(values: Mapping[str, Value]) -> dict[str, Value]:
    return {name: value for name, value in values.items() if value is not None}


def _refuse(values: Mapping[str, Value], *, why: str) -> None:
    """Refuse options that would have no effect."""
    for name in _given(values):
        raise ValueError(f"--{name.replace('_', '-')} has no effect here: {why}. Leave it out.")


def _bound_at(galaxy: dict, seen: dict, free: tuple[str, ...]) -> BoundAt:
    return BoundAt(galaxy, parse_psf(seen.pop("psf")), **seen, free=free)


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
