"""``sfumato plot``: pictures of a file of PDFs."""

from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli._console import console
from sfumato.cli._options import Overwrite, PDFs, numbers
from sfumato.errors import choose
from sfumato.io._files import check_output
from sfumato.io.pdfs import open_pdfs
from sfumato.report import PLOTS, draw


def plot(
    pdfs: PDFs,
    kind: Annotated[str, typer.Option(help="pdfs, pit, reliability, points or coverage.")] = "pdfs",
    rows: Annotated[
        str | None, typer.Option(help="Rows, from 0, for `--kind pdfs` [first six].")
    ] = None,
    truth: Annotated[str | None, typer.Option(help="Column of true values.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="PNG, PDF or SVG file [PDFS-KIND.png].")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Draw chosen objects (components, truth and statistics), PIT, points or coverage.

    Example:

        sfumato plot pdfs.parquet --kind pdfs --rows 0,10,20 --truth redshift
    """
    choose(kind, PLOTS, what="--kind")
    path = output or pdfs.with_name(f"{pdfs.stem}-{kind}.png")
    check_output(path, overwrite=overwrite)
    file = open_pdfs(pdfs)
    draw(file, kind, path, rows=_rows(rows, file.n_rows), truth=truth)
    console.print(f"Figure written to {path}")


def _rows(text: str | None, n_rows: int) -> list[int]:
    """Rows that were asked for, or the first six."""
    if text is None:
        return list(range(min(6, n_rows)))
    return [int(row) for row in numbers(text, option="--rows")]
