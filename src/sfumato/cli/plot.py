"""``sfumato plot``: pictures of a file of PDFs."""

from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli._bundles import takes
from sfumato.cli._console import console
from sfumato.cli._options import ROWS, Overwrite, PDFs, whole_numbers
from sfumato.io.tables import Reading
from sfumato.jobs.pictures import draw_file


@takes(reading=ROWS)
def plot(
    pdfs: PDFs,
    kind: Annotated[
        str, typer.Option(help="pdfs, pit, reliability, points, coverage, or tracks of a well.")
    ] = "pdfs",
    rows: Annotated[
        str | None, typer.Option(help="Rows, from 0, for `--kind pdfs` [first six].")
    ] = None,
    truth: Annotated[str | None, typer.Option(help="Column of true values.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="PNG, PDF or SVG file [PDFS-KIND.png]; tracks also HTML, to zoom in."),
    ] = None,
    tops: Annotated[
        str | None,
        typer.Option(help="Formation tops of tracks: a table of names and depths, or a column."),
    ] = None,
    *,
    reading: Reading,
    overwrite: Overwrite = False,
) -> None:
    """Draw chosen objects (components, truth and statistics), PIT, points or coverage.

    Example:

        sfumato plot pdfs.parquet --kind pdfs --rows 0,10,20 --truth redshift

        sfumato plot completed/well.parquet --kind tracks --tops tops.csv --output well.html
    """
    chosen = None if rows is None else whole_numbers(rows, option="--rows")
    path = draw_file(
        pdfs,
        kind,
        output,
        rows=chosen,
        truth=truth,
        marks=tops,
        reading=reading,
        overwrite=overwrite,
    )
    console.print(f"Figure written to {path}")
