"""PDFs for other programs: what ``sfumato export`` does."""

import re
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from sfumato.io._files import reserved
from sfumato.io.pdfs import PDFsFile, open_pdfs
from sfumato.io.qp import write_qp_parts
from sfumato.io.tables import DEFAULT, Reading, read_table
from sfumato.pdfs import CountPDFs

_COUNTED = re.compile(r"^([0-9]+) of [0-9]+ objects")
_NUMBER = re.compile(r"[-+]?[0-9][0-9.e+-]*")

_ROWS = 1 << 14
"""Objects of one part: of densities on 301 points, 40 MB."""


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
        file = open_pdfs(pdfs, reading=reading)
        points = None if grid is None else np.linspace(*grid)
        if points is None and kind == "interp":
            points = _common_grid(file, n_points or 301)
        table = read_table(file.table, keep) if keep else pa.table({})
        columns = {name: table[name] for name in keep}
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")  # parts that say the same are counted each
            parts = (part for part, _ in file.scalars(batch_rows=_ROWS))
            write_qp_parts(parts, file.n_rows, output, kind=kind, grid=points, columns=columns)
        _say(said, file.n_rows)
        return output


def _common_grid(file: PDFsFile, n_points: int) -> np.ndarray:
    """Points over the support, or over what all the sets of a file reach."""
    low, high, step = np.inf, -np.inf, 0.0
    for pdfs, _ in file.scalars(batch_rows=_ROWS):
        points = pdfs.default_grid(n_points)
        if np.isfinite(pdfs.support).all():
            return points
        low, high = min(low, points[0]), max(high, points[-1])
        step = max(step, points[1] - points[0]) if isinstance(pdfs, CountPDFs) else 0.0
    return np.arange(low, high + 1, step) if step else np.linspace(low, high, n_points)


def _say(said: Sequence[warnings.WarningMessage], n: int) -> None:
    """Pass on what was said of the parts of a file with `n` objects, each kind once."""
    kinds: dict[tuple, list[str]] = {}
    for warning in said:
        text = str(warning.message)
        kinds.setdefault((warning.category, _NUMBER.sub("", text)), []).append(text)
    for (category, _), texts in kinds.items():
        counts = [_COUNTED.match(text) for text in texts]
        total = sum(int(match[1]) for match in counts if match)
        text = _COUNTED.sub(f"{total} of {n} objects", texts[0])
        warnings.warn(text, category, stacklevel=3)
