"""PDFs against the truth, as tables, figures and a page."""

import csv
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from sfumato._typing import Json
from sfumato.errors import DataError
from sfumato.io._files import Folder, reserved, whole, write_json
from sfumato.io.pdfs import PDFsFile, open_pdfs
from sfumato.io.tables import DEFAULT, Reading, matrix
from sfumato.jobs.profiles import PLAIN, Profile, profile_for, profile_of
from sfumato.jobs.scoring import Drawn, read_scores
from sfumato.metrics.evaluation import (
    ObjectScores,
    evaluate,
    evaluate_joint,
    in_bins,
    in_groups,
)
from sfumato.metrics.joint import tarp_credibilities
from sfumato.pdfs import concatenate
from sfumato.plots.calibration import plot_coverage, plot_pit, plot_reliability
from sfumato.plots.page import Page, save
from sfumato.plots.points import plot_bins, plot_groups

METRICS_FILE = "metrics.json"
_PICTURES = ("pit", "reliability", "coverage", "points", "by_*", "tarp")
FOLDER = Folder(
    METRICS_FILE, ("metrics.csv", "report.html", *(f"{name}.png" for name in _PICTURES))
)

_MOST_COORDINATES = 100_000
_N_DRAWS = 200


class Evaluated(NamedTuple):
    """Where an evaluation lies, how many objects it is of, and their metrics with errors."""

    folder: Path
    n: int
    metrics: dict[str, dict[str, float]]


def evaluate_file(
    pdfs: Path | str,
    truth: str | Sequence[str],
    output: Path | str | None = None,
    *,
    by: str | None = None,
    group: str | None = None,
    profile: str | None = None,
    n_bootstrap: int | None = None,
    drop_missing: bool = False,
    reading: Reading = DEFAULT,
    overwrite: bool = False,
    on_start: Callable[[int], None] = lambda _n: None,
    on_rows: Callable[[int], None] | None = None,
) -> Evaluated:
    """Hold a file of PDFs against its true values: tables, figures and a page in a folder.

    Of more than 500,000 objects (100,000 coordinates of vectors) that many are drawn at random
    and scored, and a warning says so: memory stays below 1 GB at any number.

    Parameters
    ----------
    truth : the column of true values; of vectors, all columns.
    output : the folder; by default the file's name with "-evaluation".
    by : a column to bin by as well.
    group : a column of what objects belong to (wells, fields): each is reported by itself.
    profile : name of what is reported; by default what suits the model's features.
    n_bootstrap : resamplings for the errors, 100 if not said. Scores of vectors have none.
    drop_missing : leave out objects without a true value, or with an impossible one.
    reading : which objects, and under which names their columns.
    on_start, on_rows : called with the number of objects, and of those done since the last call.

    Raises
    ------
    DataError, ValueError
        The file or a column is missing or damaged, the folder is there already, or there is no
        such profile.
    """
    pdfs = Path(pdfs)
    truth = (truth,) if isinstance(truth, str) else truth
    folder = Path(output or pdfs.with_name(pdfs.stem + "-evaluation"))
    with reserved(folder, overwrite=overwrite, folder=FOLDER):
        file = open_pdfs(pdfs, reading=reading)
        on_start(file.n_rows)
        if file.is_vector:
            _refuse_idle(magnitude=by, group=group, profile=profile, bootstrap=n_bootstrap)
            return evaluate_vectors(file, truth, folder, drop_missing=drop_missing, on_rows=on_rows)
        chosen = profile_for(file) if profile is None else profile_of(profile)
        if len(truth) != 1:
            raise DataError(
                f"{pdfs} holds PDFs of single numbers; --truth names {len(truth)} columns."
            )
        scored = read_scores(
            file,
            truth[0],
            by=by,
            group=group,
            least=chosen.least,
            drop_missing=drop_missing,
            on_rows=on_rows,
        )
        result = write_evaluation(
            scored.objects,
            folder,
            profile=chosen,
            by=scored.by,
            by_name=by,
            groups=scored.groups,
            group_name=group,
            n_bootstrap=100 if n_bootstrap is None else n_bootstrap,
        )
        return Evaluated(folder, len(scored.objects), result["overall"])


def _refuse_idle(**options: object) -> None:
    """Refuse what the scores of vectors have no use for."""
    for name, value in options.items():
        if value is not None:
            raise ValueError(f"--{name} has no effect on PDFs of vectors. Leave it out.")


def evaluate_vectors(
    file: PDFsFile,
    truth: Sequence[str],
    folder: Path,
    *,
    drop_missing: bool = False,
    on_rows: Callable[[int], None] | None = None,
) -> Evaluated:
    """Write metrics.json, metrics.csv, a TARP figure and a page of vector targets.

    Raises
    ------
    DataError
        A column is missing, a true value is, or their number is not that of the coordinates.
    """
    parts, values, first, n_missing = [], [], 0, 0
    drawn = Drawn(file.n_rows, most=_MOST_COORDINATES // len(truth))
    for pdfs, table in file.chunks(truth, batch_rows=20_000):
        numbers = matrix(table, truth, origin=file.table.origin(first))
        known = np.isfinite(numbers).all(axis=1)
        n_missing += int(np.sum(~known))
        if not known.all() and not drop_missing:
            path, number = file.table.origin(first).of(int(np.argmin(known)))
            message = f"{path}: a true value is missing in row {number}"
            raise DataError(f"{message}. Fill it, or pass --drop-missing.")
        known &= drawn(len(pdfs))
        parts.append(pdfs[np.flatnonzero(known)])
        values.append(numbers[known])
        first += len(pdfs)
        if on_rows is not None:
            on_rows(len(pdfs))
    pdfs, true = concatenate(parts), np.concatenate(values)
    if pdfs.event_size != len(truth):
        message = f"{file.table.path} holds PDFs of {pdfs.event_size} coordinates"
        raise DataError(f"{message}; --truth names {len(truth)} columns.")
    metrics = evaluate_joint(pdfs, true, n_draws=_N_DRAWS)
    figure = plot_reliability({"TARP": tarp_credibilities(pdfs.sample(_N_DRAWS), true)})
    page = Page("Evaluation")
    page.table(("metric", "value", "error"), metric_rows(metrics))
    with whole(folder, folder=FOLDER) as temporary:
        temporary.mkdir()
        save(figure, temporary / "tarp.png")
        page.figure(figure, "Expected coverage by random points; on the diagonal if calibrated.")
        _write_results(temporary, {"overall": metrics}, page)
    if n_missing:
        message = f"Left out {n_missing:,} of {first:,} objects without a true value"
        warnings.warn(f"{message}.", stacklevel=3)
    drawn.warn(len(true))
    return Evaluated(folder, len(true), metrics)


def write_evaluation(
    objects: ObjectScores,
    folder: Path,
    *,
    profile: Profile = PLAIN,
    by: np.ndarray | None = None,
    by_name: str | None = None,
    groups: np.ndarray | None = None,
    group_name: str | None = None,
    n_bootstrap: int = 100,
) -> dict[str, Json]:
    """Write metrics.json, metrics.csv, figures and report.html into a folder; the metrics.

    Parameters
    ----------
    profile : what is reported of such a target.
    by, by_name : values (n,) of a column to bin by as well, and its name.
    groups, group_name : words (n,) of what objects belong to, and the name of their column.
    n_bootstrap : resamplings for the errors.
    """
    scored = partial(in_bins, objects, metrics=profile.metrics, n_bootstrap=n_bootstrap)
    edges = profile.edges(objects.truth)
    result: dict[str, Json] = {
        "overall": evaluate(objects, metrics=profile.metrics, n_bootstrap=n_bootstrap),
        "by_truth": scored(objects.truth, edges),
    }
    if by is not None and by_name is not None:
        other_edges = profile.other_edges(by)
        result[profile.other] = scored(by, other_edges)
        _say_outside(by, other_edges, by_name)
    page = Page("Evaluation")
    page.table(("metric", "value", "error"), metric_rows(result["overall"]))
    if groups is not None:
        result["by_group"] = in_groups(
            objects, groups, metrics=profile.metrics, n_bootstrap=n_bootstrap
        )
        page.heading(f"By {group_name}")
        page.table(*_group_table(result["by_group"], str(group_name), profile))
    with whole(folder, folder=FOLDER) as temporary:
        temporary.mkdir()
        for name, (figure, caption) in _figures(objects, result, profile, by_name).items():
            save(figure, temporary / f"{name}.png")
            page.figure(figure, caption)
        _write_results(temporary, result, page)
    return result


_IN_GROUPS = ("coverage_90", "log_score")


def _group_table(
    rows: Sequence[dict], name: str, profile: Profile
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and rows of a table with a line for each group."""
    shown = dict.fromkeys(["n", *profile.shown, *_IN_GROUPS])
    lines = [(r["group"], *(f"{r['metrics'][key]['value']:.4g}" for key in shown)) for r in rows]
    return (name, *shown), lines


def _say_outside(values: np.ndarray, edges: np.ndarray, name: str) -> None:
    """Say how many objects are in no bin of a quantity (n,)."""
    n = int(np.sum(~((values >= edges[0]) & (values < edges[-1]))))
    if n:
        message = f"{n:,} of {len(values):,} objects are in no bin of {name}"
        where = f"{name} is missing there, or not within {edges[0]:g} to {edges[-1]:g}"
        warnings.warn(f"{message}: {where}.", stacklevel=4)


def _figures(
    objects: ObjectScores, result: dict[str, Json], profile: Profile, by_name: str | None
) -> dict[str, tuple[Figure, str]]:
    """The pictures of an evaluation with their captions, by the name of their file."""
    drawn = partial(plot_bins, names=profile.shown, labels=profile.labels)
    pits = {"": objects.pit}
    figures = {
        "pit": (plot_pit(pits), "PIT values; flat if calibrated."),
        "reliability": (
            plot_reliability(pits),
            "Share of PIT values up to each level; on the diagonal if calibrated.",
        ),
        "coverage": (plot_coverage(pits), "Coverage of central intervals."),
        "points": (profile.plot(objects), profile.caption),
    }
    for key, label in (("by_truth", f"true {profile.value}"), (profile.other, by_name)):
        if label is not None and result.get(key):  # a handful of objects fills no bin
            figures[key] = (
                drawn(result[key], xlabel=label),
                f"Metrics in bins of {label}, with bootstrap errors.",
            )
    if "by_group" in result:
        figures["by_group"] = (
            plot_groups(result["by_group"], names=profile.shown, labels=profile.labels),
            "Metrics of every group, with bootstrap errors.",
        )
    return figures


def _write_results(folder: Path, result: dict[str, Json], page: Page) -> None:
    write_json(folder / METRICS_FILE, result)
    _write_csv(folder / "metrics.csv", result)
    (folder / "report.html").write_text(page.render(), encoding="utf-8")


def metric_rows(metrics: dict[str, dict[str, float]]) -> list[tuple[str, str, str]]:
    """Table rows of one evaluation."""
    return [
        (name, f"{entry['value']:.5g}", f"{entry['error']:.2g}") for name, entry in metrics.items()
    ]


def _write_csv(path: Path, result: dict[str, Json]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("bins", "low", "high", "metric", "value", "error"))
        for name, entry in result["overall"].items():
            writer.writerow(("overall", "", "", name, entry["value"], entry["error"]))
        for bins in (name for name in result if name != "overall"):
            for row in result[bins]:
                place = (row["group"], "") if "group" in row else (row["low"], row["high"])
                for name, entry in row["metrics"].items():
                    writer.writerow((bins, *place, name, entry["value"], entry["error"]))
