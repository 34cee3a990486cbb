"""n(z) in bins of a point estimate, accumulated over files of any length."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sfumato.errors import DataError
from sfumato.io.pdfs import PDFsFile, write_pdfs
from sfumato.io.tables import matrix
from sfumato.metrics.calibration import stacked_distance
from sfumato.pdfs import GridPDFs, ParametricPDFs, summarise
from sfumato.plots.page import save
from sfumato.plots.pdfs import plot_stacks


@dataclass(frozen=True)
class Stacks:
    """Stacked densities of bins.

    Parameters
    ----------
    edges : (bins + 1,).
    counts : (bins,) objects in each.
    pdfs : `GridPDFs` of the bins that hold objects, in order.
    mean, error : (bins,) mean of each n(z), and by how much the true mean of the same objects
        should differ from it: ``sqrt(sum of variances) / n``, if the PDFs are calibrated.
    truths : true values by bin, or None.
    """

    edges: np.ndarray
    counts: np.ndarray
    pdfs: GridPDFs
    mean: np.ndarray
    error: np.ndarray
    truths: list[np.ndarray] | None

    @property
    def labels(self) -> list[str]:
        """Names of the bins that hold objects."""
        pairs = zip(self.edges[:-1], self.edges[1:], strict=True)
        return [f"{a:g} to {b:g}" for (a, b), n in zip(pairs, self.counts, strict=True) if n]

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Table rows: bin, objects, mean, error, true mean with the KS distance."""
        filled = np.flatnonzero(self.counts)
        for index, (b, label) in enumerate(zip(filled, self.labels, strict=True)):
            true = "-"
            if self.truths is not None:
                distance, _ = stacked_distance(self.pdfs[index], self.truths[b])
                true = f"{self.truths[b].mean():.4f} (KS {distance:.3f})"
            yield label, f"{self.counts[b]:,}", f"{self.mean[b]:.4f}", f"{self.error[b]:.4f}", true


def stack_in_bins(
    file: PDFsFile,
    *,
    by: str,
    edges: Sequence[float],
    truth: str | None,
    n_points: int = 301,
    on_rows: Callable[[int], None] | None = None,
) -> Stacks:
    """Stack a file's PDFs in bins of the statistic `by`, chunk by chunk.

    Parameters
    ----------
    by : a statistic's name; the file's column of that name is used if there is one.
    edges : increasing bin edges; objects outside them are left out.
    truth : column of true values, or None.
    on_rows : called with the number of objects done since the last call.

    Raises
    ------
    DataError
        No object falls inside the edges, or a column is missing.
    """
    bounds = np.asarray(edges, float)
    n_bins = bounds.size - 1
    columns = [name for name in (by if by in file.columns else None, truth) if name]
    grid = None
    counts, means, variances = np.zeros(n_bins, int), np.zeros(n_bins), np.zeros(n_bins)
    truths: list[list[np.ndarray]] = [[] for _ in range(n_bins)]
    for pdfs, table in file.scalars(columns):
        if grid is None:
            grid = pdfs[:256].default_grid(n_points)
            totals = np.zeros((n_bins, n_points))
        point = (
            matrix(table, [by])[:, 0] if by in columns else np.asarray(summarise(pdfs, [by])[by])
        )
        which = np.digitize(point, bounds) - 1
        true = matrix(table, [truth], path=file.table.path)[:, 0] if truth else None
        if true is not None and not np.all(np.isfinite(true)):
            raise DataError(f"{file.table.path}: {truth!r} is missing in some rows. Remove them.")
        for b in range(n_bins):
            inside = which == b
            if inside.any():
                part = pdfs[inside]
                n = len(part)
                totals[b] += n * part.stack(grid=grid).pdf(grid)[0]
                counts[b] += n
                means[b] += part.mean().sum()
                variances[b] += part.variance().sum()
                if true is not None:
                    truths[b].append(true[inside])
        if on_rows is not None:
            on_rows(len(pdfs))
    if not counts.any() or grid is None:
        raise DataError(f"{file.table.path}: no object has its {by} inside {list(edges)}.")
    filled = counts > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, error = means / counts, np.sqrt(variances) / counts
    joined = [np.concatenate(part) if part else np.zeros(0) for part in truths]
    stacked = GridPDFs(grid, totals[filled] / counts[filled, None])
    return Stacks(bounds, counts, stacked, mean, error, joined if truth else None)


def write_stacks(stacks: Stacks, path: Path) -> None:
    """The stacks as a file of PDFs with their bins, and a picture beside it."""
    filled = stacks.counts > 0
    columns = {
        "low": stacks.edges[:-1][filled],
        "high": stacks.edges[1:][filled],
        "n": stacks.counts[filled],
        "mean": stacks.mean[filled],
        "error": stacks.error[filled],
    }
    truths = None
    if stacks.truths is not None:
        truths = [values for values, keep in zip(stacks.truths, filled, strict=True) if keep]
        columns["true_mean"] = np.array([values.mean() for values in truths])
    write_pdfs(stacks.pdfs, path, columns=columns)
    panels = [("", stacks.pdfs.density, truths)]
    save(plot_stacks(panels, stacks.pdfs.grid, labels=stacks.labels), path.with_suffix(".png"))


def bin_stacks(
    pdfs: ParametricPDFs, point: np.ndarray, edges: Sequence[float], *, grid: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Stacked densities (bins, g), zero for empty bins, and the rows of each bin."""
    which = np.digitize(point, np.asarray(edges, float)) - 1
    rows = [np.flatnonzero(which == b) for b in range(len(edges) - 1)]
    stacks = [
        pdfs[chosen].stack(grid=grid).pdf(grid)[0] if chosen.size else np.zeros(grid.size)
        for chosen in rows
    ]
    return np.stack(stacks), rows
