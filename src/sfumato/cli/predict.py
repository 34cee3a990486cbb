"""``sfumato predict``: PDFs for tables of any length."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli._bundles import takes
from sfumato.cli._console import console, progress
from sfumato.cli._model_options import RENAMES
from sfumato.cli._options import READING, Overwrite, Tables, split
from sfumato.errors import IncompatibleError
from sfumato.io.tables import Reading
from sfumato.jobs.prediction import predict_files
from sfumato.jobs.presets import Answers
from sfumato.welllogs.completion import Completed, complete_files, is_las

MODEL_HELP = "Folder written by `sfumato fit`."


@takes(reading=READING, answers=RENAMES)
def predict(
    model: Annotated[Path, typer.Argument(help=MODEL_HELP, show_default=False)],
    tables: Tables,
    output: Annotated[
        Path,
        typer.Option(
            help="Parquet file of PDFs; of logs also a LAS file, or a folder for some.",
            show_default=False,
        ),
    ],
    keep: Annotated[
        str | None, typer.Option(help="Columns to carry over, as in `id,redshift`.")
    ] = None,
    statistics: Annotated[
        str | None, typer.Option(help="To add: mean, std, mode, median, q16, q97.5, ..., novelty.")
    ] = None,
    precision: Annotated[int, typer.Option(help="Bits a parameter: 16 or 32.")] = 16,
    fill: Annotated[
        bool, typer.Option("--fill", help="In LAS files, add the log with its gaps filled.")
    ] = False,
    *,
    reading: Reading,
    overwrite: Overwrite = False,
    answers: Answers,
) -> None:
    """Predict a PDF for every row, in order, streaming.

    Killed at any moment, the same command goes on where it was. The output appears when whole.

    Example:

        sfumato predict model survey/test.parquet --output pdfs.parquet \\
        --magnitude 'mag_{band}_depth5' --error 'mag_err_{band}_depth5' \\
        --keep id,redshift,mag_i_depth5 \\
        --statistics mean,std,mode,median,q16,q84

        sfumato predict model wells/*.las --output completed/
    """
    if is_las(output) or (not output.suffix and any(is_las(table) for table in tables)):
        if keep is not None:
            raise IncompatibleError("--keep: LAS files keep all their curves. Leave it out.")
        _complete(
            partial(
                complete_files,
                model,
                tables,
                output,
                statistics=split(statistics),
                fill=fill,
                precision=precision,
                answers=answers,
                reading=reading,
                overwrite=overwrite,
            )
        )
        return
    if fill:
        raise IncompatibleError("--fill is for LAS files: give --output a name in .las.")
    with progress() as bar:
        task = bar.add_task("Predicting")
        done = predict_files(
            model,
            tables,
            output,
            keep=split(keep),
            statistics=split(statistics),
            precision=precision,
            answers=answers,
            reading=reading,
            overwrite=overwrite,
            on_start=lambda n_rows: bar.update(task, total=n_rows),
            on_rows=lambda n: bar.advance(task, n),
        )
    if done:
        console.print(f"{done:,} rows were finished by an earlier run.")
    console.print(f"PDFs written to {output}")


def _complete(complete: Callable[..., list[Completed]]) -> None:
    """Write LAS files again with the log added, and say what each is worth."""
    with progress() as bar:
        task = bar.add_task("Completing")
        done = complete(
            on_start=lambda n_files: bar.update(task, total=n_files),
            on_file=lambda _file: bar.advance(task),
        )
    for file in done:
        before = " (by an earlier run)" if file.before else ""
        n_all = file.n_predicted + file.n_lacking + file.n_beyond
        told = f"of them {file.n_beyond:,} outside the range of training"
        told += f", {file.n_lacking:,} of the others without some input"
        empty = f"; {file.n_empty:,} not, where nothing was measured" if file.n_empty else ""
        console.print(
            f"{file.output}{before}: {n_all:,} samples predicted, {told}{empty}.",
            soft_wrap=True,
        )
    console.print("The PDFs lie beside, in .parquet.")
