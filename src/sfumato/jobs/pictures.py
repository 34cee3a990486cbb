"""Pictures of a file of PDFs: chosen objects, or all of them against the truth."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from sfumato.errors import choose
from sfumato.io._files import reserved, whole
from sfumato.io.pdfs import PDFsFile, open_pdfs
from sfumato.io.tables import DEFAULT, Reading, matrix
from sfumato.jobs.profiles import Picture, Wish, profile_for, profiles
from sfumato.jobs.scoring import read_scores
from sfumato.metrics.evaluation import ObjectScores
from sfumato.pdfs import concatenate, summarise
from sfumato.plots.calibration import plot_coverage, plot_pit, plot_reliability
from sfumato.plots.page import save
from sfumato.plots.pdfs import plot_pdfs

_OF_SOME = "pdfs"
"""The kind that is drawn of some objects."""

PLOTS: dict[str, Callable[[ObjectScores, PDFsFile], Figure]] = {
    "pit": lambda objects, _file: plot_pit({"": objects.pit}),
    "reliability": lambda objects, _file: plot_reliability({"": objects.pit}),
    "points": lambda objects, file: profile_for(file).plot(objects),
    "coverage": lambda objects, _file: plot_coverage({"": objects.pit}),
}
"""The one table from a kind of picture to what draws it from all objects against the truth."""


def kinds() -> tuple[str, ...]:
    """All kinds of pictures: those of any target, and those that domains bring."""
    return (_OF_SOME, *PLOTS, *_of_domains())


def _of_domains() -> dict[str, Picture]:
    return {
        kind: drawn for profile in profiles().values() for kind, drawn in profile.pictures.items()
    }


def draw_file(
    pdfs: Path | str,
    kind: str,
    output: Path | str | None = None,
    *,
    rows: Sequence[int] | None = None,
    truth: str | None = None,
    marks: str | None = None,
    reading: Reading = DEFAULT,
    overwrite: bool = False,
) -> Path:
    """Draw one of `kinds` from a file of PDFs; the path of the picture.

    Parameters
    ----------
    output : by default the file's name with the kind, as PNG.
    rows : objects of ``"pdfs"``; by default the first six.
    truth : column of true values.
    marks : places with names, for kinds of a domain that show such: a column, or a table's path.
    reading : which objects, and under which names their columns.

    Raises
    ------
    DataError, ValueError
        The file or a column is missing, the picture is there already, or as `draw`.
    """
    choose(kind, dict.fromkeys(kinds()), what="--kind")
    pdfs = Path(pdfs)
    path = Path(output or pdfs.with_name(f"{pdfs.stem}-{kind}.png"))
    if rows is not None and kind != _OF_SOME:
        raise ValueError(f"--rows has no effect on --kind {kind}. Leave it out.")
    if marks is not None and kind not in _of_domains():
        raise ValueError(f"--tops has no effect on --kind {kind}. Leave it out.")
    with reserved(path, overwrite=overwrite):
        file = open_pdfs(pdfs, reading=reading)
        chosen = range(min(6, file.n_rows)) if rows is None else rows
        draw(file, kind, path, rows=chosen, wish=Wish(truth, marks))
        return path


def draw(file: PDFsFile, kind: str, path: Path, *, rows: Sequence[int], wish: Wish) -> None:
    """Draw one of `kinds` from a file of PDFs.

    Raises
    ------
    ValueError
        A row is out of range, or the kind needs a column of true values.
    """
    if file.is_vector:
        message = f"{file.table.path} holds PDFs of vectors, which `plot` does not draw"
        raise ValueError(f"{message}. Use `sfumato evaluate`, or marginal(i) in Python.")
    if kind == _OF_SOME:
        _draw_objects(file, path, rows=rows, truth=wish.truth)
        return
    own = _of_domains()
    if kind in own:
        picture = own[kind]
        if picture.page is not None and path.suffix.lower() in (".html", ".htm"):
            with whole(path) as temporary:
                temporary.write_text(picture.page(file, wish), encoding="utf-8")
            return
        save(picture.draw(file, wish), path)
        return
    drawn = choose(kind, PLOTS, what="--kind")
    if wish.truth is None:
        raise ValueError(f"--kind {kind} needs --truth, a column of true values.")
    save(drawn(read_scores(file, wish.truth).objects, file), path)


def _target_of(file: PDFsFile) -> str:
    """What was predicted, where the file says so."""
    about = file.header.get("about", {}).get("model_about", {})
    return about.get("target", "target y")


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
        if first > max(rows):
            break
    chosen = concatenate([found[row] for row in rows])
    true = np.array([values[row] for row in rows]) if truth else None
    medians = summarise(chosen, ["median", "std"])
    labels = [
        f"row {row}: median {m:.3f}, std {s:.3f}"
        for row, m, s in zip(rows, medians["median"], medians["std"], strict=True)
    ]
    save(plot_pdfs(chosen, truth=true, labels=labels, target=truth or _target_of(file)), path)
