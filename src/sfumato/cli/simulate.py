"""``sfumato simulate``: data whose truth is known."""

from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli._console import console, progress
from sfumato.cli._galaxies import population_of
from sfumato.cli._options import Overwrite, split
from sfumato.galaxies.jobs.sets import simulate_set
from sfumato.photoz.survey import SurveyPlan, simulate_survey

app = typer.Typer(no_args_is_help=True, help="Simulate data whose truth is known.")


@app.command("galaxies")
def galaxies(
    output: Annotated[Path, typer.Option(help=".hdf5 or .fits.", show_default=False)],
    number: Annotated[int, typer.Option(help="Galaxies.")] = 10_000,
    population: Annotated[
        str, typer.Option("--set", help="v1, v2, v3, snr60 or snr30; see below.")
    ] = "v1",
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 0,
    prior: Annotated[
        Path | None, typer.Option(help="TOML file with a population of your own, instead of --set.")
    ] = None,
    psf: Annotated[
        str | None, typer.Option(help="FWHM of the Moffat PSF, arcsec: one number or low,high.")
    ] = None,
    psf_beta: Annotated[float | None, typer.Option(help="Slope of the Moffat PSF.")] = None,
    noise: Annotated[
        str | None, typer.Option(help="Gaussian noise, counts per pixel: one number or low,high.")
    ] = None,
    engine: Annotated[
        str, typer.Option(help="sfumato, or galsim to draw the same catalogue with GalSim.")
    ] = "sfumato",
    images: Annotated[
        str, typer.Option(help="What to store: image (noisy), noiseless, psf.")
    ] = "image,noiseless",
    overwrite: Overwrite = False,
) -> None:
    """Sérsic galaxies through a PSF, with pixel noise and labels.

    Sets of 64 x 64 pixels at 0.23 arcsec, signal-to-noise 10 to 100: `v1` has one Moffat PSF
    (beta 2, 0.5 arcsec) and noise 200; `v2` noise of 200 to 400; `v3` also PSFs of 0.5 to 1.0
    arcsec; `snr60` and `snr30` are one galaxy under many draws of the noise. A `--prior` file has
    entries such as `flux = [3e4, 4e5]`, `sersic_index = 1.0`, `psf_fwhm = 0.7`, and
    `half_light_radius = {low = 0.1, high = 2.0, scale = "log"}`.

    Example:

        sfumato simulate galaxies --set v2 --number 200000 --seed 1 --output v2.hdf5
    """
    chosen = population_of(population, prior, psf=psf, psf_beta=psf_beta, noise=noise)
    with progress() as bar:
        task = bar.add_task("Simulating", total=number)
        simulate_set(
            chosen,
            output,
            number=number,
            seed=seed,
            engine=engine,
            images=split(images),
            overwrite=overwrite,
            on_galaxies=lambda n: bar.advance(task, n),
        )
    console.print(f"{number:,} galaxies written to {output}")


@app.callback()
def _simulate() -> None:
    pass


@app.command("photoz")
def photoz(
    output: Annotated[Path, typer.Option(help="Folder for the tables.", show_default=False)],
    galaxies: Annotated[
        int, typer.Option(help="Training galaxies; half as many for testing.")
    ] = 150_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same survey.")] = 0,
    posteriors: Annotated[
        int, typer.Option(help="First test galaxies to give the exact p(z) of, by quadrature.")
    ] = 0,
    posterior_depth: Annotated[int, typer.Option(help="Depth, 1 to 5, of the exact p(z).")] = 5,
    overwrite: Overwrite = False,
) -> None:
    """A galaxy survey in ugrizy at five depths, from templates, prior and noise model.

    Writes `train.parquet` (a fifth of the galaxies at each depth), `test.parquet` (true magnitudes
    and all five depths of each galaxy) and `survey.json`; with `--posteriors`, also
    `posteriors.parquet`, the exact p(z | magnitudes).

    Example:

        sfumato simulate photoz --galaxies 20000 --seed 1 \\
        --posteriors 50 --output survey
    """
    plan = SurveyPlan(galaxies, seed, posteriors, posterior_depth)
    with progress() as bar:
        task = bar.add_task("Simulating", total=plan.n_steps)
        simulate_survey(plan, output, overwrite=overwrite, on_steps=lambda n: bar.advance(task, n))
    console.print(f"Survey written to {output}")
