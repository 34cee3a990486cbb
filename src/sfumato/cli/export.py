"""``sfumato export``: PDFs for other programs."""

from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli._bundles import takes
from sfumato.cli._console import console
from sfumato.cli._options import ROWS, Overwrite, PDFs, split
from sfumato.cli._options import grid as parse_grid
from sfumato.io.tables import Reading
from sfumato.jobs.export import export_file


@takes(reading=ROWS)
def export(
    pdfs: PDFs,
    output: Annotated[Path, typer.Option(help="File ending in .hdf5.", show_default=False)],
    kind: Annotated[str, typer.Option(help="`interp` (grid) or `mixmod` (Gaussians).")] = "interp",
    keep: Annotated[str | None, typer.Option(help="Columns for the ancillary table.")] = None,
    points: Annotated[
        int | None, typer.Option(help="Points of the grid of `interp` [301].")
    ] = None,
    grid: Annotated[
        str | None, typer.Option(help="The grid itself, as in `0,3,301` [over the support].")
    ] = None,
    *,
    reading: Reading,
    overwrite: Overwrite = False,
) -> None:
    """Write a file of `qp`, which `qp.read` opens.

    Example:

        sfumato export pdfs.parquet --kind mixmod \\
        --keep id,redshift --output pdfs_qp.hdf5
    """
    export_file(
        pdfs,
        output,
        kind=kind,
        keep=split(keep),
        n_points=points,
        grid=None if grid is None else parse_grid(grid),
        reading=reading,
        overwrite=overwrite,
    )
    console.print(f"qp file written to {output}")
