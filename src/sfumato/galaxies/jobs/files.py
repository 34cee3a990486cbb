"""Measuring files of stamps into a table, posteriors and pictures."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from sfumato.galaxies.jobs.figures import write_figures
from sfumato.galaxies.jobs.measure import (
    Measured,
    MeasuringPlan,
    count_flags,
    measure_source,
    posterior_pdfs,
    results,
)
from sfumato.galaxies.jobs.sources import PSFSource, kept_columns, open_source
from sfumato.io._files import check_folder, filling, reserved
from sfumato.io.output import Column, table_writer, write_columns
from sfumato.io.pdfs import write_pdfs


class MeasuredFiles(NamedTuple):
    """What was written, how many galaxies, and how many are clean or carry each flag."""

    table: Path
    pictures: list[Path]
    n: int
    flags: dict[str, int]


def measure_files(
    images: Sequence[Path | str],
    output: Path | str,
    plan: MeasuringPlan,
    *,
    psfs: Sequence[PSFSource],
    noise: float | str,
    gain: float | None = None,
    pixel_scale: float | None = None,
    mask_bad: bool = False,
    covariance: bool = False,
    keep: Sequence[str] = (),
    pdfs: Path | str | None = None,
    figures: Path | str | None = None,
    overwrite: bool = False,
    on_start: Callable[[int], None] = lambda _n: None,
    on_galaxies: Callable[[int], None] = lambda _n: None,
) -> MeasuredFiles:
    """Measure every galaxy of files of stamps; write a table, and on request more.

    Parameters
    ----------
    images : one file, or one for each exposure of the same galaxies.
    output : the table, .parquet, .csv, .fits or .hdf5.
    plan : what is measured.
    psfs, noise, gain, pixel_scale, mask_bad : as in `open_source`.
    covariance : whether the table holds the covariances.
    keep : columns of the stamps to carry over.
    pdfs : folder for the posteriors, one file for each parameter.
    figures : folder for pictures.
    on_start, on_galaxies : called with the number of galaxies, and of those finished since the
        last call.

    Raises
    ------
    DataError, ValueError
        A file is missing or damaged, an output is there already or cannot be written, or what is
        asked for does not go together.
    """
    if pdfs is not None and not plan.posterior:
        raise ValueError("PDFs are those of posteriors. Ask for posteriors as well.")
    output = Path(output)
    table_writer(output)
    with reserved(output, overwrite=overwrite):
        folders = [Path(folder) for folder in (pdfs, figures) if folder is not None]
        for folder in folders:
            check_folder(folder, overwrite=overwrite)
        source = open_source(
            images, psfs=psfs, noise=noise, gain=gain, pixel_scale=pixel_scale, mask_bad=mask_bad
        )
        kept = kept_columns(source, keep)
        on_start(source.n)
        done = measure_source(source, plan, on_galaxies=on_galaxies)
        table = results(done, plan, covariance=covariance)
        about = {
            "images": [str(path) for path in images],
            "psf": [psf.text for psf in psfs],
            "noise": noise,
            "free": ",".join(plan.free),
        }
        with filling(folders):
            if pdfs is not None:
                _write_posteriors(done, kept, Path(pdfs))
            pictures = [] if figures is None else write_figures(Path(figures), done, source)
            # the table comes last: where it is, all is there
            write_columns(output, {**kept, **table}, about=about, overwrite=overwrite)
        return MeasuredFiles(output, pictures, source.n, count_flags(table["flags"].values))


def _write_posteriors(done: list[Measured], kept: dict[str, Column], folder: Path) -> None:
    """A file of PDFs for each parameter."""
    rows, marginals = posterior_pdfs(done)
    columns = {"row": rows, **{name: c.values[rows] for name, c in kept.items()}}
    for name, pdfs in marginals.items():
        write_pdfs(pdfs, folder / f"{name}.parquet", columns=columns)
