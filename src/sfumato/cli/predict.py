"""``sfumato predict``: PDFs for tables of any length."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli._console import console, progress
from sfumato.cli._options import Group, Overwrite, Tables, band_columns, open_tables, split
from sfumato.errors import IncompatibleError
from sfumato.io._files import check_output
from sfumato.io.models import archive_digest
from sfumato.photoz.features import PhotometryFeatures
from sfumato.prediction import Job, predict_tables
from sfumato.tabular import Columns, TabularModel

MODEL_HELP = "Folder written by `sfumato fit`."


def predict(
    model: Annotated[Path, typer.Argument(help=MODEL_HELP, show_default=False)],
    tables: Tables,
    output: Annotated[Path, typer.Option(help="Parquet file of PDFs.", show_default=False)],
    keep: Annotated[
        str | None, typer.Option(help="Columns to carry over, as in `id,redshift`.")
    ] = None,
    statistics: Annotated[
        str | None, typer.Option(help="To add: mean, std, mode, median, q16, q97.5, ...")
    ] = None,
    precision: Annotated[int, typer.Option(help="Bits a parameter: 16 or 32.")] = 16,
    magnitude: Annotated[
        str | None, typer.Option(help="Template of the magnitude columns, if not the model's.")
    ] = None,
    error: Annotated[
        str | None, typer.Option(help="Template of the error columns, if not the model's.")
    ] = None,
    group: Group = None,
    overwrite: Overwrite = False,
) -> None:
    """Predict a PDF for every row, in order, streaming.

    Killed at any moment, the same command goes on where it was. The output appears when whole.

    Example:

        sfumato predict model survey/test.parquet --output pdfs.parquet \\
        --magnitude 'mag_{band}_depth5' --error 'mag_err_{band}_depth5' \\
        --keep id,redshift,mag_i_depth5 \\
        --statistics mean,std,mode,median,q16,q84
    """
    check_output(output, overwrite=overwrite)
    if precision not in (16, 32):
        raise ValueError(f"--precision must be 16 or 32; got {precision}.")
    fitted = TabularModel.read(model)
    files = open_tables(tables, group)
    job = Job(
        columns=_columns(fitted, magnitude, error),
        keep=tuple(dict.fromkeys(split(keep))),
        statistics=tuple(dict.fromkeys(split(statistics))),
        precision=precision,
        about={
            "model": str(model),
            "model_sha256": archive_digest(model),
            "model_about": fitted.about,
            "tables": [str(t) for t in tables],
            "features": getattr(fitted.regressor.features, "kind", None),
        },
    )
    with progress() as bar:
        task = bar.add_task("Predicting", total=sum(file.n_rows for file in files))
        done = predict_tables(
            fitted.regressor, files, output, job=job, on_rows=lambda n: bar.advance(task, n)
        )
    if done:
        console.print(f"{done:,} rows were finished by an earlier run.")
    console.print(f"PDFs written to {output}")


def _columns(fitted: TabularModel, magnitude: str | None, error: str | None) -> Columns:
    """The model's columns, or their counterparts in a table that names them otherwise."""
    columns = fitted.columns
    if magnitude is None and error is None:
        return columns
    features = fitted.regressor.features
    if not isinstance(features, PhotometryFeatures):
        raise IncompatibleError("--magnitude and --error need a model of photometry.")
    values = columns.features[: len(features.bands)]
    if magnitude is not None:
        values = band_columns(magnitude, features.bands, option="--magnitude")
    errors = columns.errors
    if error is not None and not errors:
        raise IncompatibleError("--error: the model was fitted without errors. Leave it out.")
    if error is not None:
        errors = band_columns(error, features.bands, option="--error")
    return replace(columns, features=values + errors, errors=errors)
