"""PDFs against the truth, as tables, figures and a page."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sfumato.errors import DataError
from sfumato.io._files import whole, write_json
from sfumato.io.pdfs import PDFsFile
from sfumato.io.tables import matrix
from sfumato.metrics.evaluation import (
    METRICS,
    REDSHIFT_METRICS,
    TOMOGRAPHIC_EDGES,
    ObjectScores,
    evaluate,
    evaluate_joint,
    in_bins,
    join,
    quantile_edges,
    score_objects,
)
from sfumato.metrics.joint import tarp_credibilities
from sfumato.pdfs import concatenate, summarise
from sfumato.plots.calibration import figure_coverage, figure_pit, figure_reliability
from sfumato.plots.page import Page, save
from sfumato.plots.pdfs import figure_pdfs
from sfumato.plots.points import figure_bins, figure_estimates, figure_points

METRICS_FILE = "metrics.json"

PLOTS = {
    "pdfs": None,
    "pit": figure_pit,
    "reliability": figure_reliability,
    "points": None,
    "coverage": figure_coverage,
}
"""Kinds of picture `draw` makes; those of chosen objects are drawn by themselves."""


BINNED = ("crps", "rmse", "pit_ks")
BINNED_REDSHIFT = ("bias", "sigma_mad", "pit_ks")
_SCATTER = "Mean against truth, and their difference."


def is_redshift(file: PDFsFile) -> bool:
    """Whether the PDFs were predicted from photometry."""
    return file.header.get("about", {}).get("features") == "photometry"


def _points(objects: ObjectScores, *, redshift: bool) -> Any:
    if redshift:
        return figure_points([("", objects.mode, objects.truth)])
    return figure_estimates(objects.mean, objects.truth)


def evaluate_vectors(
    file: PDFsFile, truth: Sequence[str], folder: Path
) -> dict[str, dict[str, float]]:
    """Write metrics.json, metrics.csv, a TARP figure and a page of vector targets; the metrics.

    Raises
    ------
    DataError
        A column is missing, a true value is, or their number is not that of the coordinates.
    """
    parts, values, first = [], [], 0
    for pdfs, table in file.chunks(truth, batch_rows=20_000):
        numbers = matrix(table, truth, path=file.table.path, first_row=first)
        if not np.isfinite(numbers).all():
            row = first + int(np.argmax(~np.isfinite(numbers).all(axis=1))) + 1
            raise DataError(f"{file.table.path}: a true value is missing in row {row}.")
        parts.append(pdfs)
        values.append(numbers)
        first += len(pdfs)
    pdfs, true = concatenate(parts), np.concatenate(values)
    if pdfs.event_size != len(truth):
        message = f"{file.table.path} holds PDFs of {pdfs.event_size} coordinates"
        raise DataError(f"{message}; --truth names {len(truth)} columns.")
    metrics = evaluate_joint(pdfs, true)
    figure = figure_reliability({"TARP": tarp_credibilities(pdfs.sample(200), true)})
    page = Page("Evaluation")
    page.table(("metric", "value", "error"), metric_rows(metrics))
    with whole(folder, mark=METRICS_FILE) as temporary:
        temporary.mkdir()
        save(figure, temporary / "tarp.png")
        page.figure(figure, "Expected coverage by random points; on the diagonal if calibrated.")
        write_json(temporary / METRICS_FILE, {"overall": metrics})
        _write_csv(temporary / "metrics.csv", {"overall": metrics})
        (temporary / "report.html").write_text(page.render(), encoding="utf-8")
    return metrics


def read_scores(
    file: PDFsFile,
    truth: str,
    *,
    magnitude: str | None = None,
    on_rows: Callable[[int], None] | None = None,
) -> tuple[ObjectScores, np.ndarray | None]:
    """Scores of all objects of a file, chunk by chunk, and the column to bin by.

    Raises
    ------
    DataError
        A column is missing, or a true value is.
    """
    columns = [truth] if magnitude is None else [truth, magnitude]
    parts, values, first = [], [], 0
    for pdfs, table in file.chunks(columns, batch_rows=20_000):
        numbers = matrix(table, columns, path=file.table.path, first_row=first)
        missing = ~np.isfinite(numbers[:, 0])
        if missing.any():
            row = first + int(np.argmax(missing)) + 1
            message = f"{file.table.path}: {truth!r} is missing in row {row}"
            raise DataError(f"{message}. Leave such rows out before predicting.")
        parts.append(score_objects(pdfs, numbers[:, 0]))
        values.append(numbers[:, -1])
        first += len(pdfs)
        if on_rows is not None:
            on_rows(len(pdfs))
    return join(parts), None if magnitude is None else np.concatenate(values)


def write_evaluation(
    objects: ObjectScores,
    folder: Path,
    *,
    redshift: bool = False,
    by: np.ndarray | None = None,
    by_name: str | None = None,
    n_bootstrap: int = 100,
) -> dict[str, Any]:
    """Write metrics.json, metrics.csv, figures and report.html into a folder; the metrics."""
    metrics = REDSHIFT_METRICS if redshift else METRICS
    edges = TOMOGRAPHIC_EDGES if redshift else quantile_edges(objects.truth)
    options: dict[str, Any] = {"metrics": metrics, "n_bootstrap": n_bootstrap}
    result: dict[str, Any] = {
        "overall": evaluate(objects, **options),
        "by_truth": in_bins(objects, objects.truth, edges, **options),
    }
    what = "redshift" if redshift else "value"
    scatter = "Mode against truth; dashed lines at 0.15 (1 + z)." if redshift else _SCATTER
    shown = BINNED_REDSHIFT if redshift else BINNED
    figures = {
        "pit": (figure_pit({"": objects.pit}), "PIT values; flat if calibrated."),
        "reliability": (
            figure_reliability({"": objects.pit}),
            "Share of PIT values up to each level; on the diagonal if calibrated.",
        ),
        "coverage": (figure_coverage({"": objects.pit}), "Coverage of central intervals."),
        "points": (_points(objects, redshift=redshift), scatter),
        "by_truth": (
            figure_bins(result["by_truth"], xlabel=f"true {what}", names=shown),
            f"Metrics in bins of the true {what}, with bootstrap errors.",
        ),
    }
    if by is not None and by_name is not None:
        edges = quantile_edges(by)
        result["by_magnitude"] = in_bins(objects, by, edges, **options)
        figures["by_magnitude"] = (
            figure_bins(result["by_magnitude"], xlabel=by_name, names=shown),
            f"Metrics in bins of {by_name}, with bootstrap errors.",
        )
    page = Page("Evaluation")
    page.table(("metric", "value", "error"), metric_rows(result["overall"]))
    with whole(folder, mark=METRICS_FILE) as temporary:
        temporary.mkdir()
        for name, (figure, caption) in figures.items():
            save(figure, temporary / f"{name}.png")
            page.figure(figure, caption)
        write_json(temporary / METRICS_FILE, result)
        _write_csv(temporary / "metrics.csv", result)
        (temporary / "report.html").write_text(page.render(), encoding="utf-8")
    return result


def metric_rows(metrics: dict[str, dict[str, float]]) -> list[tuple[str, str, str]]:
    """Table rows of one evaluation."""
    return [
        (name, f"{entry['value']:.5g}", f"{entry['error']:.2g}") for name, entry in metrics.items()
    ]


def _write_csv(path: Path, result: dict[str, Any]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("bins", "low", "high", "metric", "value", "error"))
        for name, entry in result["overall"].items():
            writer.writerow(("overall", "", "", name, entry["value"], entry["error"]))
        for bins in ("by_truth", "by_magnitude"):
            for row in result.get(bins, ()):
                for name, entry in row["metrics"].items():
                    cells = (row["low"], row["high"], name, entry["value"], entry["error"])
                    writer.writerow((bins, *cells))


def draw(file: PDFsFile, kind: str, path: Path, *, rows: Sequence[int], truth: str | None) -> None:
    """Draw one of `PLOTS` from a file of PDFs.

    Raises
    ------
    ValueError
        A row is out of range, or the kind needs a column of true values.
    """
    if file.is_vector:
        message = f"{file.table.path} holds PDFs of vectors, which `plot` does not draw"
        raise ValueError(f"{message}. Use `sfumato evaluate`, or marginal(i) in Python.")
    if kind == "pdfs":
        _draw_objects(file, path, rows=rows, truth=truth)
        return
    if truth is None:
        raise ValueError(f"--kind {kind} needs --truth, a column of true values.")
    objects, _ = read_scores(file, truth)
    if kind == "points":
        save(_points(objects, redshift=is_redshift(file)), path)
    else:
        save(PLOTS[kind]({"": objects.pit}), path)


def _draw_objects(file: PDFsFile, path: Path, *, rows: Sequence[int], truth: str | None) -> None:
    beyond = [row for row in rows if not 0 <= row < file.n_rows]
    if beyond or not rows:
        given = beyond[0] if beyond else "none"
        raise ValueError(f"--rows must lie in 0 to {file.n_rows - 1}; got {given}.")
    found, values, first = {}, {}, 0
    for pdfs, table in file.chunks([truth] if truth else []):
        for row in rows:
            if first <= row < first + len(pdfs):
                found[row] = pdfs[row - first]
                if truth:
                    values[row] = matrix(table, [truth])[row - first, 0]
        first += len(pdfs)
    chosen = concatenate([found[row] for row in rows])
    true = np.array([values[row] for row in rows]) if truth else None
    medians = summarise(chosen, ["median", "std"])
    labels = [
        f"row {row}: median {m:.3f}, std {s:.3f}"
        for row, m, s in zip(rows, medians["median"], medians["std"], strict=True)
    ]
    save(figure_pdfs(chosen, truth=true, labels=labels, target=truth or "target y"), path)
