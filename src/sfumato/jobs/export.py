"""PDFs for other programs: what ``sfumato export`` does."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from sfumato.io._files import reserved
from sfumato.io.pdfs import open_pdfs
from sfumato.io.qp import write_qp
from sfumato.io.tables import DEFAULT, Reading
from sfumato.pdfs.combine import concatenate


def export_file(
    pdfs: Path | str,
    output: Path | str,
    *,
    kind: str = "interp",
    keep: Sequence[str] = (),
    n_points: int | None = None,
    grid: tuple[float, float, int] | None = None,
    reading: Reading = DEFAULT,
    overwrite: bool = False,
) -> Path:
    """Write all PDFs of a file, with some of its columns, as one file of ``qp``.

    Parameters
    ----------
    pdfs : a file written by `write_pdfs` or `predict_files`.
    output : ends in .hdf5.
    kind : as in `write_qp`.
    keep : columns for the ancillary table.
    n_points : points of the grid of ``"interp"``, which covers the support; 301 if not said.
    grid : its ends and number of points, instead.
    reading : which rows.
    overwrite : replace a file that exists.

    Raises
    ------
    DataError, ValueError
        A file, a column or the kind is not as it has to be; nothing is written.
    """
    output = Path(output)
    if kind == "mixmod" and (grid is not None or n_points is not None):
        raise ValueError("--grid and --points have no effect on --kind mixmod. Leave them out.")
    if grid is not None and n_points is not None:
        raise ValueError("--grid says the number of points too. Leave --points out.")
    with reserved(output, overwrite=overwrite):
        parts = list(open_pdfs(pdfs, reading=reading).scalars(keep))
        joined = concatenate([part for part, _ in parts])
        table = pa.concat_tables([rows for _, rows in parts])
        points = joined.default_grid(n_points or 301) if grid is None else np.linspace(*grid)
        columns = {name: table[name] for name in keep}
        write_qp(joined, output, kind=kind, grid=points, columns=columns)
        return output
