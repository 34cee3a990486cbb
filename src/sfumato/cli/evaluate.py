"""``sfumato evaluate``: PDFs against the truth."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from sfumato.cli._bundles import takes
from sfumato.cli._console import console, progress
from sfumato.cli._options import ROWS, DropMissing, Overwrite, PDFs, split
from sfumato.io.tables import Reading
from sfumato.jobs.evaluation import evaluate_file


@takes(reading=ROWS)
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
    group: Annotated[
        str | None,
        typer.Option(help="Column of what rows belong to (wells): each is reported by itself."),
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="What is reported [by what the model saw]: plain, redshift.")
    ] = None,
    redshift: Annotated[
        bool | None,
        typer.Option(help="The same as `--profile redshift`, or `--profile plain`."),
    ] = None,
    bootstrap: Annotated[int | None, typer.Option(help="Resamplings for the errors [100].")] = None,
    drop_missing: DropMissing = False,
    *,
    reading: Reading,
    overwrite: Overwrite = False,
) -> None:
    """All metrics with errors, overall and in bins, as table, JSON, CSV, figures and a page.

    Example:

        sfumato evaluate pdfs.parquet --truth redshift \\
        --magnitude mag_i_depth5 --output evaluation
    """
    if redshift is not None:
        profile = "redshift" if redshift else "plain"
    with progress() as bar:
        task = bar.add_task("Scoring")
        found = evaluate_file(
            pdfs,
            split(truth),
            output,
            by=magnitude,
            group=group,
            profile=profile,
            n_bootstrap=bootstrap,
            drop_missing=drop_missing,
            reading=reading,
            overwrite=overwrite,
            on_start=lambda n: bar.update(task, total=n),
            on_rows=lambda n: bar.advance(task, n),
        )
    _report(found.metrics, title=f"{pdfs.name}: {found.n:,} objects", folder=found.folder)
    if group is not None:
        console.print(
            f"Every {group} by itself: by_group in metrics.csv, by_group.png, report.html"
        )


def _report(metrics: dict[str, dict[str, float]], *, title: str, folder: Path) -> None:
    table = Table("metric", "value", "error", title=title)
    for name, entry in metrics.items():
        table.add_row(name, f"{entry['value']:.5g}", _shown(entry["error"]))
    console.print(table)
    console.print(f"Tables and figures written to {folder}")


def _shown(error: float) -> str:
    return "" if error != error else f"{error:.2g}"
