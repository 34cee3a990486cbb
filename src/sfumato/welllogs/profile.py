"""How predicted logs are judged and shown."""

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from sfumato.errors import DataError
from sfumato.io.pdfs import PDFsFile
from sfumato.io.tables import matrix
from sfumato.jobs.profiles import PLAIN, Picture, Profile, Wish
from sfumato.pdfs import AbstractPDFs, concatenate
from sfumato.preprocessing.table import words_of
from sfumato.welllogs.curves import find, known_logs
from sfumato.welllogs.features import LogFeatures
from sfumato.welllogs.interactive import tracks_page
from sfumato.welllogs.plots import LEVELS, MOST_ROWS, Tracks, plot_tracks
from sfumato.welllogs.table import WELL
from sfumato.welllogs.tops import TableOfTops, tops_of

SHOWN = ("GR", "RDEP", "RMED", "RHOB", "NPHI")
"""Logs of the first tracks, where they were kept beside the PDFs."""

_GRID = 160


def read_tracks(file: PDFsFile, truth: str | None = None, tops: str | None = None) -> Tracks:
    """What tracks show of the one well of a file of PDFs.

    Parameters
    ----------
    file : with a column of depths, and others that were kept: the well's name, logs.
    truth : column of the measured target; by default one of its name, if there is one.
    tops : column of the names of formations, or a table that `TableOfTops` reads.

    Raises
    ------
    DataError
        There is no column of depths, or the rows are of several wells.
    """
    about = file.header.get("about", {}).get("model_about", {})
    target = str(about.get("target", truth or "target"))
    logs = known_logs()
    named = {name: find(name, file.columns, logs) for name in SHOWN}
    depth, hole = (find(name, file.columns, logs) for name in ("DEPTH", WELL))
    if depth is None:
        cure = "Predict with --keep WELL,DEPTH_M,GR,RHOB,NPHI,RDEP"
        raise DataError(f"{file.table.path}: no column of depths. {cure}.")
    well = _well(file, None if hole is None else hole.column)
    measured = truth or (target if target in file.columns else None)
    shown = {name: found.column for name in SHOWN if (found := named[name]) is not None}
    columns = [depth.column, *shown.values(), *([measured] if measured else [])]
    beside = tops if tops in file.columns else None
    if tops is not None and beside is None and not Path(tops).exists():
        message = f"--tops {tops} is neither a table nor a column of {file.table.path}"
        raise DataError(f"{message}, which has {', '.join(file.columns)}. Check its name.")
    names = [beside] if beside is not None and beside not in columns else []
    parts, numbers, words = [], [], []
    for pdfs, table in file.scalars([*columns, *names], batch_rows=20_000):
        parts.append(pdfs)
        numbers.append(matrix(table, columns))
        words += table[beside].to_pylist() if beside else []
    pdfs, values = concatenate(parts), np.concatenate(numbers)
    order = np.argsort(values[:, 0], kind="stable")
    order = order[np.isfinite(values[order, 0])]
    surfaces = {}
    if tops is not None:
        zones = words_of(np.array(words, object)[order]) if beside else []
        surfaces = (
            tops_of(zones, values[order, 0], column=beside)
            if beside
            else TableOfTops.read(tops).of(well)
        )
    return tracks_of(
        pdfs[order],
        values[order, 0],
        {name: values[order, columns.index(column)] for name, column in shown.items()},
        well=well,
        target=target,
        unit=logs[target].unit if target in logs else "",
        measured=None if measured is None else values[order, -1],
        tops=surfaces,
    )


def tracks_of(
    pdfs: AbstractPDFs,
    depth_m: np.ndarray,
    logs: Mapping[str, np.ndarray],
    *,
    well: str,
    target: str,
    unit: str,
    measured: np.ndarray | None,
    tops: Mapping[str, float] = MappingProxyType({}),
) -> Tracks:
    """What tracks show of the predictions of one well, by increasing depth."""
    _, quantiles = pdfs.mode_and_quantiles(np.array(LEVELS), with_mode=False)
    rows = np.unique(np.linspace(0, len(depth_m) - 1, MOST_ROWS).round().astype(int))
    low, high = np.quantile(quantiles[:, 0], 0.001), np.quantile(quantiles[:, -1], 0.999)
    grid = np.linspace(low, high, _GRID)
    density = pdfs[rows].pdf(grid)
    return Tracks(
        well, depth_m, logs, target, unit, measured, quantiles, grid, depth_m[rows], density,
        _seen(tops, depth_m),
    )  # fmt: skip


def _well(file: PDFsFile, column: str | None) -> str:
    """The name of the only well."""
    if column is None:
        return file.table.path.stem
    names: dict[str, None] = {}
    for _, table in file.scalars([column], batch_rows=20_000):
        names.update(dict.fromkeys(map(str, table[column].to_pylist())))
    if len(names) > 1:
        some = ", ".join(list(names)[:4]) + (", ..." if len(names) > 4 else "")
        message = f"{file.table.path} holds {len(names)} wells ({some})"
        raise DataError(
            f"{message}. Choose one, as in --where '{column} == \"{next(iter(names))}\"'."
        )
    return next(iter(names))


def _seen(tops: Mapping[str, float], depth_m: np.ndarray) -> dict[str, float]:
    """The tops that lie among the samples; the others are said."""
    low, high = depth_m[0], depth_m[-1]
    seen = {name: where for name, where in tops.items() if low <= where <= high}
    if len(seen) < len(tops):
        far = next(name for name in tops if name not in seen)
        warnings.warn(
            f"{len(tops) - len(seen)} of {len(tops)} tops lie outside {low:.0f} to {high:.0f} m, "
            f"as {far} at {tops[far]:.0f} m, and are not drawn. Are their depths in metres?",
            stacklevel=4,
        )
    return seen


def _tracks(file: PDFsFile, wish: Wish) -> Tracks:
    return read_tracks(file, wish.truth, wish.marks)


PROFILE: Profile = replace(
    PLAIN,
    name="welllog",
    shown=("rmse", "crps", "coverage_90"),
    labels={**PLAIN.labels, "coverage_90": "share inside 90 % intervals"},
    features=(LogFeatures.kind,),
    pictures={
        "tracks": Picture(
            lambda file, wish: plot_tracks(_tracks(file, wish)),
            lambda file, wish: tracks_page(_tracks(file, wish)),
        )
    },
)
"""Errors of the mean in the log's unit, coverage of intervals, and tracks."""
