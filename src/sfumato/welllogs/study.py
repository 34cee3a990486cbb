"""The report on a set of wells: every well predicted by models that have not seen it, on one page.

What is shown is what a user of the next well may expect: by well, with inputs missing, where rock
is unlike that of training, and beside it what samples held out at random would have promised.
"""

import itertools
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
from matplotlib.figure import Figure
from sklearn.base import clone
from sklearn.model_selection import GroupKFold

from sfumato.errors import DataError
from sfumato.estimators.regressor import MDNRegressor
from sfumato.io._files import reserved, whole
from sfumato.io.tables import DEFAULT, Reading, matrix, read_table
from sfumato.jobs.fitting import FittingTask, open_task
from sfumato.jobs.presets import Answers, Roles, Settings
from sfumato.jobs.statistics import NOVEL
from sfumato.metrics.scores import crps
from sfumato.pdfs import ParametricPDFs
from sfumato.plots.page import Page
from sfumato.plots.points import plot_groups
from sfumato.welllogs.curves import known_logs
from sfumato.welllogs.features import LogFeatures
from sfumato.welllogs.plots import plot_tracks
from sfumato.welllogs.profile import SHOWN, tracks_of
from sfumato.welllogs.tops import TableOfTops
from sfumato.welllogs.wells import MEASURED

STEPS = ("Wells", "Models", "By well", "Tracks", "Random samples", "Missing inputs", "Novelty")
N_FOLDS = 5
FEWEST_WELLS = 2
NOVELTY_EDGES = (0.0, 0.5, 0.9, NOVEL, 1.0)

_HEADER = ("RMSE", "CRPS", "inside 50 %", "inside 90 %", "width of 90 %")
_KEYS = ("rmse", "crps", "coverage_90")


class Scores(NamedTuple):
    """Of each sample (n,): error of the mean, CRPS, PIT, and how wide its 90 % interval is."""

    error: np.ndarray
    crps: np.ndarray
    pit: np.ndarray
    width: np.ndarray

    @classmethod
    def of(cls, pdfs: ParametricPDFs, y: np.ndarray) -> "Scores":
        """Scores of predictions of y (n,)."""
        _, ends = pdfs.mode_and_quantiles(np.array([0.05, 0.95]), with_mode=False)
        return cls(pdfs.mean() - y, crps(pdfs, y), pdfs.pit(y), ends[:, 1] - ends[:, 0])

    def at(self, rows: np.ndarray) -> "Scores":
        """Those of some samples."""
        return Scores(*(values[rows] for values in self))

    def inside(self, share: float) -> float:
        """Share of the samples in the central interval that should hold `share` of them."""
        return float(np.mean(np.abs(self.pit - 0.5) <= 0.5 * share))

    @property
    def rmse(self) -> float:
        """Root of the mean squared error of the mean."""
        return float(np.sqrt(np.mean(self.error**2)))

    def cells(self) -> tuple[str, ...]:
        """A row of a table, under `_HEADER`."""
        return (
            f"{self.rmse:.3g}",
            f"{self.crps.mean():.3g}",
            f"{self.inside(0.5):.3f}",
            f"{self.inside(0.9):.3f}",
            f"{self.width.mean():.3g}",
        )


def write_study(
    tables: Sequence[Path | str],
    output: Path | str,
    *,
    target: str,
    answers: Answers | None = None,
    settings: Settings | None = None,
    reading: Reading = DEFAULT,
    n_folds: int = N_FOLDS,
    tops: Path | str | None = None,
    overwrite: bool = False,
    on_step: Callable[[str], None] = lambda _step: None,
) -> Path:
    """Write the report as one self-contained HTML page; its path.

    Parameters
    ----------
    tables : LAS files, or tables of samples.
    target : the log to predict.
    answers, settings : of the preset ``welllog`` and of `MDNRegressor`, as in `fit_tables`.
    n_folds : parts the wells are held out in; each takes a training.
    tops : table of tops of formations, drawn beside the tracks (see `TableOfTops`).
    on_step : called with each of `STEPS` as it begins.

    Raises
    ------
    DataError, IncompatibleError, ValueError
        As `fit_tables` and `TableOfTops.read`; or there is one well, or the page is there already.
    """
    output = Path(output)
    surfaces = None if tops is None else TableOfTops.read(tops)
    with reserved(output, overwrite=overwrite):
        on_step(STEPS[0])
        task = open_task(
            tables,
            Roles((target,)),
            preset="welllog",
            answers=answers,
            settings={"random_state": 0, **(settings or {})},
            reading=reading,
            drop_missing=True,
        )
        study = _Study(task, target, n_folds=n_folds, surfaces=surfaces)
        page = Page(f"{target} predicted: {len(study.names)} wells")
        for step, section in zip(STEPS[1:], study.sections(page), strict=True):
            on_step(step)
            section()
        with whole(output) as temporary:
            temporary.write_text(page.render(), encoding="utf-8")
        return output


@contextmanager
def _quiet() -> Iterator[None]:
    """Where the same rows are met again: what there is to say of them was said."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@dataclass
class _Fold:
    """A model and the rows of the wells that it has not seen."""

    model: MDNRegressor
    rows: np.ndarray


class _Study:
    """The sections of the page, each from the results the earlier ones needed too."""

    scores: Scores

    def __init__(
        self, task: FittingTask, target: str, *, n_folds: int, surfaces: TableOfTops | None
    ) -> None:
        data = task.data
        self.task, self.target, self.surfaces = task, target, surfaces
        self.X, self.y = data.X.astype(float), data.y
        self.wells = np.asarray(data.groups, str)
        self.names, self.counts = np.unique(self.wells, return_counts=True)
        if len(self.names) < FEWEST_WELLS:
            message = f"{data.sources[0]}: all samples are of one well ({self.names[0]})"
            raise DataError(
                f"{message}, and none would be left to judge by. Add wells, or --blocks."
            )
        self.n_folds = min(n_folds, len(self.names))
        self.features = cast(LogFeatures, task.regressor.features)
        logs = known_logs(self.features.curves)
        self.unit = logs[target.upper()].unit if target.upper() in logs else ""
        self.folds: list[_Fold] = []
        self.novelty = np.zeros(len(self.y))

    def sections(self, page: Page) -> Iterator[Callable[[], None]]:
        """One callable for each of `STEPS` but the first."""
        for section in (
            self.models,
            self.by_well,
            self.tracks,
            self.at_random,
            self.missing,
            self.novel,
        ):
            yield lambda section=section: section(page)

    def _fresh(self) -> MDNRegressor:
        return cast(MDNRegressor, clone(self.task.regressor))

    def _predict(self, model: MDNRegressor, X: np.ndarray) -> ParametricPDFs:
        return cast(ParametricPDFs, model.predict_pdfs(X))

    def models(self, page: Page) -> None:
        """A model for each set of wells that is held out, and what it says of these."""
        n = len(self.y)
        page.text(
            f"{n:,} samples of {len(self.names)} wells in which {self.target} was measured. Every "
            f"well is predicted by a model that has seen none of its samples ({self.n_folds} "
            f"models), from {', '.join(self.features.inputs)}. Errors are in {self._in_unit()}."
        )
        split = GroupKFold(self.n_folds, shuffle=True, random_state=0)
        for train, test in split.split(self.X, groups=self.wells):
            model = self._fresh()
            few = len(np.unique(self.wells[train])) < FEWEST_WELLS
            groups = None if few else self.wells[train]
            model.fit(self.X[train], self.y[train], groups=groups)
            model.name_columns(self.features.names, (self.target,))
            self.folds.append(_Fold(model, test))
        self.scores = self._scored(self.X)
        for fold in self.folds:
            self.novelty[fold.rows] = fold.model.beside_prediction(self.X[fold.rows])[0]

    def _scored(self, X: np.ndarray) -> Scores:
        """Scores (n,) of all samples, by the models that have not seen their wells."""
        out = Scores(*(np.zeros(len(X)) for _ in Scores._fields))
        for fold in self.folds:
            found = Scores.of(self._predict(fold.model, X[fold.rows]), self.y[fold.rows])
            for mine, theirs in zip(out, found, strict=True):
                mine[fold.rows] = theirs
        return out

    def _in_unit(self) -> str:
        return self.unit or "its own unit"

    def by_well(self, page: Page) -> None:
        """The numbers of every well."""
        page.heading("Every well by itself")
        rows = [("all", f"{len(self.y):,}", *self.scores.cells())]
        shown = []
        for name, count in zip(self.names, self.counts, strict=True):
            own = self.scores.at(self.wells == name)
            rows.append((str(name), f"{count:,}", *own.cells()))
            values = (own.rmse, float(own.crps.mean()), own.inside(0.9))
            metrics = {k: {"value": v, "error": 0.0} for k, v in zip(_KEYS, values, strict=True)}
            shown.append({"group": str(name), "metrics": metrics})
        page.table(("well", "samples", *_HEADER), rows)
        labels = {"rmse": f"RMSE [{self.unit}]", "crps": f"CRPS [{self.unit}]"}
        labels["coverage_90"] = "share inside 90 % intervals"
        page.figure(
            plot_groups(shown, names=_KEYS, labels=labels),
            "Every well when it was held out. Intervals of 90 % should hold 0.9 of the samples.",
        )

    def tracks(self, page: Page) -> None:
        """The wells that were predicted best and worst."""
        page.heading("The best and the worst well")
        errors = [self.scores.at(self.wells == name).rmse for name in self.names]
        order = np.argsort(errors)
        for place, what in ((order[0], "smallest"), (order[-1], "largest")):
            name = str(self.names[place])
            page.figure(
                self._drawn(name),
                f"{name}, the well with the {what} error (RMSE {errors[place]:.3g} "
                f"{self._in_unit()}), predicted by a model that has not seen it.",
            )

    def _drawn(self, name: str) -> Figure:
        rows = np.flatnonzero(self.wells == name)
        rows = rows[np.argsort(self.columns[MEASURED][rows], kind="stable")]
        fold = next(fold for fold in self.folds if np.isin(rows[0], fold.rows))
        with _quiet():
            pdfs = self._predict(fold.model, self.X[rows])
        found = tracks_of(
            pdfs,
            self.columns[MEASURED][rows],
            {log: values[rows] for log, values in self.columns.items() if log != MEASURED},
            well=name,
            target=self.target,
            unit=self.unit,
            measured=self.y[rows],
            tops=self._tops(name),
        )
        return plot_tracks(found)

    def _tops(self, name: str) -> dict[str, float]:
        """Tops of a well that is drawn; none where the table does not know it, which is said."""
        if self.surfaces is None:
            return {}
        if not self.surfaces.knows(name):
            message = f"{self.surfaces.path}: no tops of the well {name}"
            warnings.warn(f"{message}: it is drawn without.", stacklevel=2)
            return {}
        return self.surfaces.of(name)

    @cached_property
    def columns(self) -> dict[str, np.ndarray]:
        """Measured depth and logs (n,) of all samples."""
        files, kept = self.task.files, self.task.data.origin.kept
        names = [MEASURED, *(log for log in SHOWN if all(log in f.columns for f in files))]
        parts = [matrix(read_table(f, names), names, origin=f.origin()) for f in files]
        values = np.concatenate(parts)
        values = values if kept is None else values[kept]
        return dict(zip(names, values.T, strict=True))

    def at_random(self, page: Page) -> None:
        """What samples held out at random would have promised."""
        page.heading("What random samples would have promised")
        rng = np.random.default_rng(0)
        held = rng.permutation(len(self.y)) < len(self.y) // self.n_folds
        with _quiet():
            model = self._fresh().fit(self.X[~held], self.y[~held])
            promised = Scores.of(self._predict(model, self.X[held]), self.y[held])
        rows = [
            ("whole wells held out", *self.scores.cells()),
            ("random samples held out", *promised.cells()),
        ]
        page.table(("", *_HEADER), rows)
        page.text(
            "Samples lie so close that a random one has neighbours in training on both sides. A "
            f"model judged by such samples promises an error of {promised.rmse:.3g} "
            f"{self._in_unit()}; a new well meets {self.scores.rmse:.3g}."
        )

    def missing(self, page: Page) -> None:
        """The same models without each of the inputs."""
        page.heading("When inputs are missing")
        inputs = self.features.inputs
        rows = [("all inputs", *self.scores.cells())]
        for name in inputs:
            if np.isfinite(self.X[:, self._places({name})]).any():
                rows.append((f"without {name}", *self._without({name}).cells()))
        least = {"GR", "RDEP", "TVD"} & set(inputs)
        if least and least != set(inputs):
            told = f"nothing but {', '.join(n for n in inputs if n in least)}"
            rows.append((told, *self._without(set(inputs) - least).cells()))
        page.table(("", *_HEADER), rows)
        page.text("The same models, without training anew: less is known, and intervals widen.")

    def _places(self, lost: set[str]) -> list[int]:
        """Columns that are not known without some inputs."""
        return [i for i, (_, needs) in enumerate(self.features.layout) if lost & set(needs)]

    def _without(self, lost: set[str]) -> Scores:
        """Scores of all samples where some inputs are taken away."""
        X = self.X.copy()
        X[:, self._places(lost)] = np.nan
        with _quiet():
            return self._scored(X)

    def novel(self, page: Page) -> None:
        """Errors and widths by novelty, and where the rock is unlike that of training."""
        page.heading("Where the rock is unlike that of training")
        rows = []
        for low, high in itertools.pairwise(NOVELTY_EDGES):
            own = (self.novelty >= low) & ((self.novelty < high) | (high == NOVELTY_EDGES[-1]))
            if own.any():
                told = f"{low:g} to {high:g}"
                rows.append((told, f"{own.sum():,}", *self.scores.at(own).cells()))
        page.table(("novelty", "samples", *_HEADER), rows)
        page.text(
            "Novelty is the share of training samples that are less unlike those of other wells. "
            "An honest model is wider where it is high."
        )
        if places := self._intervals():
            page.table(("well", "from [m]", "to [m]", "samples", *_HEADER), places)

    def _intervals(self, most: int = 12) -> list[tuple[object, ...]]:
        """The longest stretches of novel samples, with their numbers."""
        depth = self.columns[MEASURED]
        found: list[tuple[int, tuple[object, ...]]] = []
        for name in self.names:
            own = np.flatnonzero(self.wells == name)
            own = own[np.argsort(depth[own], kind="stable")]
            novel = np.concatenate([[False], self.novelty[own] > NOVEL, [False]])
            starts, ends = (np.flatnonzero(np.diff(novel.astype(int)) == s) for s in (1, -1))
            for start, end in zip(starts, ends, strict=True):
                rows = own[start:end]
                places = f"{depth[rows[0]]:.1f}", f"{depth[rows[-1]]:.1f}", f"{rows.size:,}"
                found.append((rows.size, (name, *places, *self.scores.at(rows).cells())))
        found.sort(key=lambda pair: -pair[0])
        return [row for _, row in found[:most]]
