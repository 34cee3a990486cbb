"""``sfumato evaluate``: PDFs against the truth."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from sfumato.cli._console import console, progress
from sfumato.cli._options import Overwrite, PDFs, split
from sfumato.io._files import check_output
from sfumato.io.pdfs import open_pdfs
from sfumato.report import (
    METRICS_FILE,
    evaluate_vectors,
    is_redshift,
    read_scores,
    write_evaluation,
)


def evaluate(
    pdfs: PDFs,
    truth: Annotated[
        str,
        typer.Option(
            help="Column of true values; of vectors, all columns, as in `a,b`.", show_default=False
        ),
    ],
    output: Annotated[
        Path | None, typer.Option(help="Folder for tables and figures [PDFS without suffix].")
    ] = None,
    magnitude: Annotated[
        str | None, typer.Option(help="Column to bin by as well, kept by `predict --keep`.")
    ] = None,
    redshift: Annotated[
        bool | None,
        typer.Option(help="Errors in z / (1 + z) and tomography [if fitted to photometry]."),
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
    if file.is_vector:
        overall = evaluate_vectors(file, split(truth), folder)
        _report(overall, title=f"{pdfs.name}: {file.n_rows:,} objects", folder=folder)
        return
    with progress() as bar:
        task = bar.add_task("Scoring", total=file.n_rows)
        objects, by = read_scores(
            file, truth, magnitude=magnitude, on_rows=lambda n: bar.advance(task, n)
        )
    result = write_evaluation(
        objects,
        folder,
        redshift=is_redshift(file) if redshift is None else redshift,
        by=by,
        by_name=magnitude,
        n_bootstrap=bootstrap,
    )
    _report(result["overall"], title=f"{pdfs.name}: {len(objects):,} objects", folder=folder)


def _report(metrics: dict[str, dict[str, float]], *, title: str, folder: Path) -> None:
    table = Table("metric", "value", "error", title=title)
    for name, entry in metrics.items():
        table.add_row(name, f"{entry['value']:.5g}", _shown(entry["error"]))
    console.print(table)
    console.print(f"Tables and figures written to {folder}")


def _shown(error: float) -> str:
    return "" if error != error else f"{error:.2g}"
