"""``sfumato evaluate``: PDFs against the truth."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from sfumato.cli._console import console, progress
from sfumato.cli._options import Overwrite, PDFs
from sfumato.io._files import check_output
from sfumato.io.pdfs import open_pdfs
from sfumato.photoz.report import METRICS_FILE, read_scores, write_evaluation


def evaluate(
    pdfs: PDFs,
    truth: Annotated[str, typer.Option(help="Column of true values.", show_default=False)],
    output: Annotated[
        Path | None, typer.Option(help="Folder for tables and figures [PDFS without suffix].")
    ] = None,
    magnitude: Annotated[
        str | None, typer.Option(help="Column to bin by as well, kept by `predict --keep`.")
    ] = None,
    bootstrap: Annotated[int, typer.Option(help="Resamplings for the errors.")] = 100,
    overwrite: Overwrite = False,
) -> None:
    """All metrics with errors, overall and in bins, as table, JSON, CSV, figures and a page.

    Example:

        sfumato evaluate pdfs.parquet --truth redshift \\
        --magnitude mag_i_depth5 --output evaluation
    """
    folder = output or pdfs.with_name(pdfs.stem + "-evaluation")
    check_output(folder, overwrite=overwrite, mark=METRICS_FILE)
    file = open_pdfs(pdfs)
    with progress() as bar:
        task = bar.add_task("Scoring", total=file.n_rows)
        objects, by = read_scores(
            file, truth, magnitude=magnitude, on_rows=lambda n: bar.advance(task, n)
        )
    result = write_evaluation(objects, folder, by=by, by_name=magnitude, n_bootstrap=bootstrap)
    table = Table("metric", "value", "error", title=f"{pdfs.name}: {len(objects):,} objects")
    for name, entry in result["overall"].items():
        table.add_row(name, f"{entry['value']:.5g}", f"{entry['error']:.2g}")
    console.print(table)
    console.print(f"Tables and figures written to {folder}")
