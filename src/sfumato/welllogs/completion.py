"""A missing log written into LAS files: what ``sfumato predict`` does where LAS is asked for."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import pyarrow.parquet as pq

from sfumato.errors import DataError, DiskError, IncompatibleError
from sfumato.estimators.regressor import MDNRegressor
from sfumato.io._files import check_folder, filling, reserved, stamp_of
from sfumato.io._locks import locked
from sfumato.io.pdfs import open_pdfs
from sfumato.io.tables import DEFAULT, Reading, TableFile, matrix, read_table
from sfumato.io.tables.contract import in_memory
from sfumato.jobs.prediction import Job, LoadedModel, predict_tables
from sfumato.jobs.presets import Answers, derived
from sfumato.jobs.statistics import NOVEL, NOVELTY, check_statistics
from sfumato.pdfs.statistics import parse_statistic
from sfumato.welllogs.curves import Found, convert, find, known_logs
from sfumato.welllogs.features import LogFeatures
from sfumato.welllogs.las import LasFile, NewCurve, check_names, read_las, write_las
from sfumato.welllogs.table import DEPTH as DEPTH_COLUMN
from sfumato.welllogs.table import WELL, las_table, say_notes

SUFFIX = ".las"
STATISTICS = ("median", "q5", "q95", "std")
"""What every completed file holds."""

PREDICTED, LACKING, BEYOND, EMPTY = 0, 1, 2, 3
"""Of the flag curve: all is well, an input was not measured, an input or all of them together were
never so in training, nothing was measured and nothing predicted."""


class Completed(NamedTuple):
    """What became of one file: samples by flag, and whether an earlier run had done it."""

    source: Path
    output: Path
    n_predicted: int
    n_lacking: int
    n_beyond: int
    n_empty: int
    before: bool


def is_las(path: Path) -> bool:
    """Whether a path is named as a LAS file."""
    return path.suffix.lower() == SUFFIX


def complete_files(
    model: Path | str,
    sources: Sequence[Path | str],
    output: Path | str,
    *,
    statistics: Sequence[str] = (),
    fill: bool = False,
    precision: int = 16,
    answers: Answers | None = None,
    reading: Reading = DEFAULT,
    overwrite: bool = False,
    on_start: Callable[[int], None] = lambda _n: None,
    on_file: Callable[[Completed], None] = lambda _c: None,
) -> list[Completed]:
    """Write LAS files again with the predicted log added, and the PDFs beside them as Parquet.

    Parameters
    ----------
    model : folder of a model of the preset ``welllog``.
    sources : LAS files.
    output : a LAS file, or a folder where several are to be completed. Files of a folder that an
        interrupted run finished are not done again.
    statistics : beside the median, 5 %, 95 % and standard deviation, as in ``q10``.
    fill : add the measured log with its gaps filled, and where it was.
    precision, answers, reading, overwrite : as in `predict_files`.
    on_start : called with the number of files.
    on_file : called with each that is finished.

    Raises
    ------
    DataError, IncompatibleError, ValueError
        A file is not as it has to be, or the model is none of logs; the other files are finished.
    """
    output, paths = Path(output), [Path(source) for source in sources]
    loaded = LoadedModel.read(model)
    if not isinstance(loaded.fitted.regressor.features, LogFeatures):
        raise IncompatibleError(f"{model} was not fitted with --preset welllog: it writes no LAS.")
    wanted = tuple(dict.fromkeys([*STATISTICS, *statistics]))
    check_statistics(wanted)
    if idle := sorted(reading.options.keys() - {"group"}):
        message = f"--{idle[0]} changes a table, and a LAS file is completed as it is"
        raise IncompatibleError(f"{message}. Leave it out; --curves of `fit` names logs.")
    targets = _targets(paths, output)
    on_start(len(paths))
    done, refused = [], []
    with _folder(output, overwrite=overwrite) as unfinished:
        for path, target in zip(paths, targets, strict=True):
            task = _Task(
                loaded, path, target, wanted, fill, precision, answers or {}, reading.group
            )
            try:
                done.append(task.done(overwrite=overwrite, unfinished=unfinished))
            except DiskError:
                raise
            except DataError as error:  # the others may be well
                refused.append(str(error))
                continue
            on_file(done[-1])
        if refused:
            told = f" ({len(refused)} of {len(paths)} files; the others are done)"
            raise DataError(f"{refused[0]}{told if len(paths) > 1 else ''}")
    return done


def _targets(sources: Sequence[Path], output: Path) -> list[Path]:
    """Where each file is written.

    Raises
    ------
    DataError
        A source is no LAS file, would be written over, or shares its name with another.
    """
    for source in sources:
        if not is_las(source):
            raise DataError(
                f"{source} is no LAS file. Its PDFs are written with --output .parquet."
            )
    if is_las(output):
        if len(sources) > 1:
            raise DataError(f"{len(sources)} files are not one: give a folder as --output.")
        targets = [output]
    else:
        targets = [output / source.name for source in sources]
    for source, target in zip(sources, targets, strict=True):
        if source.resolve() == target.resolve():
            raise DataError(f"{target} is one of the inputs. Choose another --output.")
        if targets.count(target) > 1:
            raise DataError(f"Two inputs are named {target.name}. Complete them one by one.")
    return targets


@contextmanager
def _folder(output: Path, *, overwrite: bool) -> Iterator[bool]:
    """The folder of several files; whether an earlier run left it unfinished."""
    if is_las(output):
        yield False
        return
    unfinished = check_folder(output, overwrite=overwrite)
    with filling([output]):
        yield unfinished


class _Task(NamedTuple):
    """One file that is to be completed."""

    loaded: LoadedModel
    source: Path
    output: Path
    statistics: tuple[str, ...]
    fill: bool
    precision: int
    answers: Answers
    group: str | None

    @property
    def pdfs(self) -> Path:
        """The PDFs beside the output."""
        return self.output.with_suffix(".parquet")

    @property
    def target(self) -> str:
        """The log that is predicted."""
        return self.loaded.fitted.columns.target

    def done(self, *, overwrite: bool, unfinished: bool) -> Completed:
        """Take over what an interrupted run finished, or run."""
        with locked(self.output), locked(self.pdfs):  # what it left there is cleared away
            result = self.found() if unfinished else None
        return result or self.run(overwrite=overwrite or unfinished)

    def found(self) -> Completed | None:
        """What an interrupted run made of the file, if it finished it with this model."""
        if not self.output.exists() or not self._pdfs_are_ours():
            return None
        las = read_las(self.output)
        present = {curve.name for curve in las.curves}
        newer = self.output.stat().st_mtime_ns >= max(stamp_of(self.source)[1:])
        filled = f"{self.target}_FILLED" in present
        if not newer or filled != self.fill or not set(self._names) <= present:
            return None
        return self._counted(las[f"{self.target}_FLAG"].values, before=True)

    @property
    def _names(self) -> list[str]:
        """Of the curves that are added."""
        names = [f"{self.target}_{_mnemonic(statistic)}" for statistic in self.statistics]
        names.append(f"{self.target}_FLAG")
        if self.fill:
            names += [f"{self.target}_FILLED", f"{self.target}_FILLED_FLAG"]
        return names

    def _pdfs_are_ours(self) -> bool:
        """Whether PDFs beside the output are of this model and this file."""
        if not self.pdfs.exists():
            return False
        about = open_pdfs(self.pdfs).header.get("about", {})
        source = about.get("tables") == [str(self.source)]
        return source and about.get("model_sha256") == self.loaded.digest

    def run(self, *, overwrite: bool) -> Completed:
        """Predict the file, then write both."""
        # PDFs without their LAS file are what a killed run left
        again = overwrite or (not self.output.exists() and self._pdfs_are_ours())
        with (
            reserved(self.output, overwrite=overwrite),
            reserved(self.pdfs, overwrite=again),
        ):
            las = read_las(self.source, group=self.group)
            check_names(las, self._names)
            found = self._measured(las) if self.fill else None
            say_notes(las)
            table = self._opened(las)
            own = (WELL, DEPTH_COLUMN, *self._features.logs, self.target)
            job = Job(
                self.loaded.fitted.columns,
                keep=tuple(name for name in own if name in table.columns),
                statistics=tuple(dict.fromkeys([*self.statistics, *self._of_rows])),
                precision=self.precision,
                about=self.loaded.about([self.source], DEFAULT),
            )
            predict_tables(self._regressor, [table], self.pdfs, job=job)
            flag = self._flags(table)
            write_las(las, self._curves(las, flag, found), self.output)
            return self._counted(flag, before=False)

    def _opened(self, las: LasFile) -> TableFile:
        """The columns of the model and of the file's own that the PDFs are kept with, read once."""
        columns = self.loaded.fitted.columns
        table = derived(las_table(las), columns, self._features, self.answers)
        wanted = [*self._features.names, WELL, DEPTH_COLUMN, *self._features.logs, self.target]
        rows = read_table(table, [name for name in wanted if name in table.columns])
        return in_memory(las.path, rows, units=table.units)

    @property
    def _regressor(self) -> MDNRegressor:
        return self.loaded.fitted.regressor

    @property
    def _features(self) -> LogFeatures:
        return cast(LogFeatures, self._regressor.network_.inputs.features)

    @property
    def _of_rows(self) -> tuple[str, ...]:
        """The novelty, but of models that were fitted before it was kept."""
        return () if self._regressor.novelty_ is None else (NOVELTY,)

    def _flags(self, table: TableFile) -> np.ndarray:
        """Flags (n,) of all samples."""
        names = list(self._features.names)
        x = matrix(read_table(table, names), names, origin=table.origin())
        beyond = self._features.beyond(self._regressor.units_(x)).any(axis=1)
        for name in self._of_rows:
            beyond |= pq.read_table(self.pdfs, columns=[name])[name].to_numpy() > NOVEL
        lacking = self._features.lacking(x).any(axis=1)
        cases = [self._features.empty(x), beyond, lacking]
        return np.select(cases, [EMPTY, BEYOND, LACKING], PREDICTED)

    def _curves(self, las: LasFile, flag: np.ndarray, measured: Found | None) -> list[NewCurve]:
        """The curves to add; where no log was measured there is nothing to predict from."""
        logs = known_logs(self._features.curves)
        unit = logs[self.target.upper()].unit if self.target.upper() in logs else ""
        rows = pq.read_table(self.pdfs, columns=list(self.statistics))
        name = self.target
        curves = [
            NewCurve(
                f"{name}_{_mnemonic(statistic)}",
                "" if statistic == NOVELTY else unit,
                f"{name} PREDICTED, {_told(statistic)}",
                np.where(flag == EMPTY, np.nan, rows[statistic].to_numpy()),
            )
            for statistic in self.statistics
        ]
        told = "0 PREDICTED, 1 INPUT MISSING, 2 OUTSIDE TRAINING RANGE, 3 NOTHING MEASURED"
        curves.append(NewCurve(f"{name}_FLAG", "", told, flag.astype(float), decimals=0))
        if measured is not None:
            median = curves[self.statistics.index("median")].values
            curves += self._filled(las, measured, median)
        return curves

    def _measured(self, las: LasFile) -> Found:
        """The curve of the measured log.

        Raises
        ------
        DataError
            There is none.
        """
        numbers = [curve.name for curve in las.curves if not curve.is_text]
        found = find(self.target, numbers, known_logs(self._features.curves))
        if found is None:
            raise DataError(f"{las.path}: no {self.target} to --fill. Leave the option out.")
        return found

    def _filled(self, las: LasFile, found: Found, median: np.ndarray) -> list[NewCurve]:
        """The measured log with the median in its gaps, and 1 where it is that; in its own unit."""
        curve = las[found.column]
        converted = convert(found, curve.values, curve.unit)
        gaps = ~np.isfinite(converted.values)
        values = np.where(gaps, median / converted.factor, curve.values)
        marks = np.where(np.isfinite(values), gaps.astype(float), np.nan)
        name = self.target
        return [
            NewCurve(f"{name}_FILLED", curve.unit, f"{curve.name}, GAPS PREDICTED", values),
            NewCurve(f"{name}_FILLED_FLAG", "", "0 MEASURED, 1 PREDICTED", marks, decimals=0),
        ]

    def _counted(self, flag: np.ndarray, *, before: bool) -> Completed:
        counts = (int(np.sum(flag == value)) for value in (PREDICTED, LACKING, BEYOND, EMPTY))
        return Completed(self.source, self.output, *counts, before=before)


def _mnemonic(statistic: str) -> str:
    """``P05`` of ``q5``, ``P50`` of the median, ``SD``, ``MEAN``, ``MODE``."""
    if statistic == NOVELTY:
        return NOVELTY.upper()
    level = parse_statistic(statistic).level
    if level is None:
        return {"std": "SD"}.get(statistic, statistic.upper())
    whole, _, rest = f"{100 * level:.4f}".rstrip("0").partition(".")
    return f"P{int(whole):02d}{'_' if rest else ''}{rest}"


def _told(statistic: str) -> str:
    if statistic == NOVELTY:
        return "SHARE OF TRAINING SAMPLES LESS UNLIKE THE OTHERS"
    level = parse_statistic(statistic).level
    if level is None:
        return {"std": "STANDARD DEVIATION"}.get(statistic, statistic.upper())
    return "MEDIAN" if level == 0.5 else f"{100 * level:g} PERCENT QUANTILE"
