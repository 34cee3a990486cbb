"""n(z) in bins of a point estimate, accumulated over files of any length."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from sfumato.errors import DataError
from sfumato.io._files import all_reserved, whole
from sfumato.io.pdfs import PDFsFile, open_pdfs, write_pdfs
from sfumato.io.tables import DEFAULT, Reading, matrix
from sfumato.jobs.profiles import profile_for
from sfumato.jobs.truths import Truths
from sfumato.metrics.calibration import stacked_distance
from sfumato.pdfs import AbstractPDFs, GridPDFs, summarise
from sfumato.plots.page import png
from sfumato.plots.pdfs import plot_stacks

MOST_TRUTHS = 2_000_000
"""True values that are kept for the picture and the distance: every few-th of more."""


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
    truths : true values by bin, of `MOST_TRUTHS` objects at most, or None.
    true_mean : (bins,) mean of all true values.
    """

    edges: np.ndarray
    counts: np.ndarray
    pdfs: GridPDFs
    mean: np.ndarray
    error: np.ndarray
    truths: list[np.ndarray] | None
    true_mean: np.ndarray

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
                true = f"{self.true_mean[b]:.4f} (KS {distance:.3f})"
            yield label, f"{self.counts[b]:,}", f"{self.mean[b]:.4f}", f"{self.error[b]:.4f}", true


def stack_in_bins(
    file: PDFsFile,
    *,
    by: str,
    edges: Sequence[float],
    truth: str | None,
    drop_missing: bool = False,
    n_points: int = 301,
    on_rows: Callable[[int], None] | None = None,
) -> Stacks:
    """Stack a file's PDFs in bins of the statistic `by`, chunk by chunk.

    Parameters
    ----------
    by : a statistic's name; the file's column of that name is used if there is one.
    edges : increasing bin edges; objects outside them are left out.
    truth : column of true values, or None.
    drop_missing : leave out objects without a true value, or with an impossible one.
    on_rows : called with the number of objects done since the last call.

    Raises
    ------
    DataError
        No object falls inside the edges, or a column is missing.
    """
    columns = [name for name in (by if by in file.columns else None, truth) if name]
    bins: _Bins | None = None
    first = 0
    truths = Truths(truth or "", file.table, least=profile_for(file).least, drop=drop_missing)
    for pdfs, table in file.scalars(columns):
        if bins is None:
            grid = pdfs[:256].default_grid(n_points)
            bins = _Bins(np.asarray(edges, float), grid, file.n_rows)
        point = (
            matrix(table, [by])[:, 0] if by in columns else np.asarray(summarise(pdfs, [by])[by])
        )
        true = matrix(table, [truth], origin=file.table.origin(first))[:, 0] if truth else None
        first += len(pdfs)
        kept = slice(None) if true is None else np.flatnonzero(truths.kept(true))
        bins.n_without_truth += 0 if true is None else len(pdfs) - len(true[kept])
        bins.add(pdfs[kept], point[kept], None if true is None else true[kept])
        if on_rows is not None:
            on_rows(len(pdfs))
    if truth:
        truths.check()
    if bins is None or not bins.counts.any():
        raise DataError(f"{file.table.path}: no object has its {by} inside {list(edges)}.")
    _warn_of_left_out(bins, first, by=by)
    return bins.stacks(has_truths=truth is not None)


def _warn_of_left_out(bins: "_Bins", n_objects: int, *, by: str) -> None:
    """Say how many objects are in no bin, and which bins hold none."""
    if outside := n_objects - bins.n_without_truth - int(bins.counts.sum()):
        message = f"{outside:,} of {n_objects:,} objects have their {by} outside the edges"
        warnings.warn(f"{message} and are in no bin.", stacklevel=3)
    pairs = zip(bins.edges[:-1], bins.edges[1:], bins.counts, strict=True)
    if empty := [f"{low:g} to {high:g}" for low, high, n in pairs if not n]:
        warnings.warn(f"No object falls into the bins {', '.join(empty)}.", stacklevel=3)


class _Bins:
    """Sums over the objects of every bin."""

    def __init__(self, edges: np.ndarray, grid: np.ndarray, n_objects: int) -> None:
        n = edges.size - 1
        self.edges, self.grid = edges, grid
        self.counts = np.zeros(n, int)
        self.n_without_truth = 0
        self.densities = np.zeros((n, grid.size))
        self.means, self.variances = np.zeros(n), np.zeros(n)
        self.true_sums = np.zeros(n)
        self.truths: list[list[np.ndarray]] = [[] for _ in range(n)]
        self._step = -(-max(n_objects, 1) // MOST_TRUTHS)

    def add(
        self,
        pdfs: AbstractPDFs,
        point: np.ndarray,
        true: np.ndarray | None,
    ) -> None:
        """Add objects by their point estimates; those outside the edges are left out."""
        stacks, rows = bin_stacks(pdfs, point, self.edges, grid=self.grid)
        for b, inside in enumerate(rows):
            if not inside.size:
                continue
            part = pdfs[inside]
            self.densities[b] += len(part) * stacks[b]
            self.counts[b] += len(part)
            self.means[b] += part.mean().sum()
            self.variances[b] += part.variance().sum()
            if true is not None:
                self.true_sums[b] += true[inside].sum()
                self.truths[b].append(true[inside][:: self._step].copy())

    def stacks(self, *, has_truths: bool) -> Stacks:
        """What the sums come to."""
        filled = self.counts > 0
        with np.errstate(invalid="ignore", divide="ignore"):
            mean, error = self.means / self.counts, np.sqrt(self.variances) / self.counts
            true_mean = self.true_sums / self.counts
        joined = [np.concatenate(part) if part else np.zeros(0) for part in self.truths]
        stacked = GridPDFs(self.grid, self.densities[filled] / self.counts[filled, None])
        truths = joined if has_truths else None
        return Stacks(self.edges, self.counts, stacked, mean, error, truths, true_mean)


def stack_file(
    pdfs: Path | str,
    edges: Sequence[float],
    output: Path | str | None = None,
    *,
    by: str = "mode",
    truth: str | None = None,
    drop_missing: bool = False,
    n_points: int = 301,
    reading: Reading = DEFAULT,
    overwrite: bool = False,
    on_start: Callable[[int], None] = lambda _n: None,
    on_rows: Callable[[int], None] | None = None,
) -> tuple[Stacks, Path]:
    """Stack a file of PDFs in bins into a Parquet file and a picture; the stacks and the file.

    Parameters
    ----------
    output : .parquet; by default the file's name with "-stack". The picture lies beside it.
    edges, by, truth, drop_missing, n_points, on_rows : as in `stack_in_bins`.
    reading : which objects, and under which names their columns.
    on_start : called with the number of objects.

    Raises
    ------
    DataError, ValueError
        As `stack_in_bins`; or the output is there already or has another suffix, or the grid has
        fewer than two points.
    """
    pdfs = Path(pdfs)
    path = Path(output or pdfs.with_name(pdfs.stem + "-stack.parquet"))
    if path.suffix != ".parquet":
        raise ValueError(f"--output must end in .parquet; got {path}.")
    if n_points < 2:
        raise ValueError(f"--points must be at least 2; got {n_points}.")
    with all_reserved([path, path.with_suffix(".png")], overwrite=overwrite):
        file = open_pdfs(pdfs, reading=reading)
        on_start(file.n_rows)
        stacks = stack_in_bins(
            file,
            by=by,
            edges=edges,
            truth=truth,
            drop_missing=drop_missing,
            n_points=n_points,
            on_rows=on_rows,
        )
        write_stacks(stacks, path)
    return stacks, path


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
    panels = [("", stacks.pdfs.density, truths)]
    figure = plot_stacks(panels, stacks.pdfs.grid, labels=stacks.labels)
    picture = path.with_suffix(".png")
    with whole(picture) as drawn, whole(path) as table:
        write_pdfs(stacks.pdfs, table, columns=columns)
        drawn.write_bytes(png(figure))
        # an interruption between the two renames leaves no picture rather than an older one
        picture.unlink(missing_ok=True)


def bin_stacks(
    pdfs: AbstractPDFs, point: np.ndarray, edges: ArrayLike, *, grid: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Stacked densities (bins, g), zero for empty bins, and the rows of each bin."""
    bounds = np.asarray(edges, float)
    which = np.digitize(point, bounds) - 1
    which[np.asarray(point) == bounds[-1]] = bounds.size - 2  # as numpy.histogram has it
    rows = [np.flatnonzero(which == b) for b in range(bounds.size - 1)]
    stacks = [
        pdfs[chosen].stack(grid=grid).pdf(grid)[0] if chosen.size else np.zeros(grid.size)
        for chosen in rows
    ]
    return np.stack(stacks), rows
