"""``sfumato measure``: Sérsic parameters of galaxies on stamps, with errors or posteriors."""

from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli._console import console, progress
from sfumato.cli._galaxies import fixed_values, population_of
from sfumato.cli._options import Overwrite, numbers, split
from sfumato.errors import choose
from sfumato.galaxies.fit.scene import DEFAULT_FREE
from sfumato.galaxies.jobs.files import measure_files
from sfumato.galaxies.jobs.measure import MeasuringPlan
from sfumato.galaxies.jobs.sources import parse_psf
from sfumato.galaxies.population.population import POPULATIONS


def measure(
    images: Annotated[
        list[Path],
        typer.Argument(help="Stamps: .hdf5, .fits or .npz; several are exposures of the same."),
    ],
    output: Annotated[
        Path, typer.Option(help="Table: .parquet, .csv, .fits or .hdf5.", show_default=False)
    ],
    psf: Annotated[
        list[str],
        typer.Option(
            help="FWHM in arcsec of a Moffat (beta 2), moffat:FWHM:BETA, gaussian:FWHM, an image "
            "file, stamps (an image with each stamp) or columns (psf_fwhm). Once, or per exposure.",
            show_default=False,
        ),
    ],
    noise: Annotated[
        str,
        typer.Option(
            help="Gaussian noise, counts per pixel: a number, a column such as noise_sigma, "
            "weight (maps of inverse variance in the file) or border.",
            show_default=False,
        ),
    ],
    gain: Annotated[
        float | None, typer.Option(help="Electrons per count; 0 for no Poisson noise.")
    ] = None,
    pixel_scale: Annotated[float | None, typer.Option(help="Arcsec per pixel.")] = None,
    free: Annotated[
        str,
        typer.Option(help="Of flux, sersic_index, half_light_radius, g1, g2, x, y and background."),
    ] = ",".join((*DEFAULT_FREE, "x", "y")),
    fix: Annotated[
        str | None, typer.Option(help="Values of others, such as sersic_index=4 or x=0,y=0.")
    ] = None,
    bands: Annotated[
        str | None, typer.Option(help="Band of every exposure, such as g,r,r: a flux for each.")
    ] = None,
    mask_bad: Annotated[
        bool,
        typer.Option(
            "--mask-bad", help="Leave NaN and infinite pixels out, as those whose mask is not 0."
        ),
    ] = False,
    mend_psf: Annotated[
        bool, typer.Option("--mend-psf", help="Cut PSF images to the stamp and normalise them.")
    ] = False,
    psf_scale: Annotated[float | None, typer.Option(help="Arcsec per pixel of PSF images.")] = None,
    psf_without_pixel: Annotated[
        bool, typer.Option("--psf-without-pixel", help="PSF images lack the pixel's response.")
    ] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="Keep the bias of maximum likelihood.")
    ] = False,
    covariance: Annotated[
        bool, typer.Option("--covariance", help="Add the covariances to the table.")
    ] = False,
    posterior: Annotated[
        bool, typer.Option("--posterior", help="Also sample the posterior of every galaxy.")
    ] = False,
    prior: Annotated[
        str | None,
        typer.Option(help="Prior of --posterior: v1, v2, v3 or a TOML file; else very wide."),
    ] = None,
    chains: Annotated[
        str | None,
        typer.Option(help="Rows, such as 0,17, whose posterior comes from Markov chains (NUTS)."),
    ] = None,
    pdfs: Annotated[
        Path | None, typer.Option(help="Folder for the posteriors, one file per parameter.")
    ] = None,
    figures: Annotated[Path | None, typer.Option(help="Folder for pictures.")] = None,
    keep: Annotated[str | None, typer.Option(help="Columns of the stamps to carry over.")] = None,
    seed: Annotated[int, typer.Option(help="Of the sampling.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Fit a Sérsic galaxy to every stamp: maximum likelihood, and on request its posterior.

    Estimates have errors, chi-square, iterations and `flags` (0 is a clean fit). A galaxy that
    cannot be fitted is NaN and flagged; it does not stop the others.

    Example:

        sfumato simulate galaxies --set v3 --number 500 --output v3.hdf5

        sfumato measure v3.hdf5 --psf columns --noise noise_sigma --fix x=0,y=0 \\
        --posterior --prior v3 --output v3_measured.parquet --figures figures
    """
    if (prior or pdfs or chains) and not posterior:
        raise ValueError("--prior, --pdfs and --chains need --posterior. Add it.")
    fixed = fixed_values(fix)
    exposures = split(bands) or ("0",) * len(images)
    if len(exposures) != len(images):
        raise ValueError(f"--bands must name {len(images)} bands, one per exposure; got {bands!r}.")
    plan = MeasuringPlan(
        free=tuple(name for name in split(free) if name not in fixed),
        fixed=fixed,
        bands=tuple(list(dict.fromkeys(exposures)).index(band) for band in exposures),
        correct_bias=not raw,
        posterior=posterior,
        chains=tuple(int(row) for row in numbers(chains or "", option="--chains")),
        prior=_prior(prior),
        seed=seed,
    )
    options = {"pixel_scale": psf_scale, "includes_pixel": not psf_without_pixel, "mend": mend_psf}
    with progress() as bar:
        task = bar.add_task("Measuring", total=None)
        done = measure_files(
            images,
            output,
            plan,
            psfs=[parse_psf(text, **options) for text in psf],
            noise=_number_or_name(noise),
            gain=gain,
            pixel_scale=pixel_scale,
            mask_bad=mask_bad,
            covariance=covariance,
            keep=split(keep),
            pdfs=pdfs,
            figures=figures,
            overwrite=overwrite,
            on_start=lambda n: bar.update(task, total=n),
            on_galaxies=lambda n: bar.advance(task, n),
        )
    for path in done.pictures:
        console.print(f"Picture {path}")
    counts = ", ".join(f"{n:,} {what}" for what, n in done.flags.items())
    console.print(f"{done.n:,} galaxies measured: {counts}")
    console.print(f"Table written to {done.table}")


def _prior(text: str | None):  # noqa: ANN202 - a population or None
    if text is None:
        return None
    path = Path(text)
    if path.suffix == ".toml":
        return population_of("", path)
    return choose(text, dict(POPULATIONS), what="--prior (or a .toml file)")


def _number_or_name(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
