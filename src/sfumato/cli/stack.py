"""``sfumato stack``: n(z) in bins."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from sfumato.cli._bundles import takes
from sfumato.cli._console import console, progress
from sfumato.cli._options import ROWS, DropMissing, Overwrite, PDFs
from sfumato.cli._options import edges as parse_edges
from sfumato.io.tables import Reading
from sfumato.photoz.tomography import stack_file


@takes(reading=ROWS)
def stack(
    pdfs: PDFs,
    edges: Annotated[str, typer.Option(help="Bin edges, as in `0,0.4,0.7,1.0,1.4,3.0`.")],
    by: Annotated[
        str, typer.Option(help="Statistic that assigns a bin: mode, mean, median, q..")
    ] = "mode",
    truth: Annotated[str | None, typer.Option(help="Column of true values, to compare.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Parquet file of the stacks [PDFS-stack.parquet].")
    ] = None,
    points: Annotated[int, typer.Option(help="Points of the grid.")] = 301,
    drop_missing: DropMissing = False,
    *,
    reading: Reading,
    overwrite: Overwrite = False,
) -> None:
    """Stack the PDFs in bins of a point estimate: n(z) per bin, its mean and error, and a picture.

    Example:

        sfumato stack pdfs.parquet --by mode \\
        --edges 0,0.4,0.7,1.0,1.4,3.0 --truth redshift
    """
    with progress() as bar:
        task = bar.add_task("Stacking", total=None)
        stacks, path = stack_file(
            pdfs,
            parse_edges(edges),
            output,
            by=by,
            truth=truth,
            drop_missing=drop_missing,
            n_points=points,
            reading=reading,
            overwrite=overwrite,
            on_start=lambda n: bar.update(task, total=n),
            on_rows=lambda n: bar.advance(task, n),
        )
    table = Table("bin", "objects", "mean of n(z)", "error", "true mean", title=f"by {by}")
    for row in stacks.rows():
        table.add_row(*row)
    console.print(table)
    console.print(f"n(z) written to {path} and {path.with_suffix('.png')}")
