"""Predictions for tables of any length: streamed, restartable, one file at the end.

While it runs, finished chunks lie in a folder ``OUTPUT.partial-...`` beside the output, each
written under a temporary name and then renamed. The same call after any interruption continues
behind the last finished chunk; the output itself appears, whole, when all chunks are there.
"""

import hashlib
import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from sfumato import engine
from sfumato._typing import Json
from sfumato.engine.threads import n_threads
from sfumato.errors import DataError, DiskError, IncompatibleError
from sfumato.estimators._base import N_DRAWS
from sfumato.estimators.regressor import MDNRegressor
from sfumato.io._files import reserved, stamp_of
from sfumato.io._locks import locked, remove
from sfumato.io.archive import archive_digest, versions
from sfumato.io.codecs import family_header, prior_header
from sfumato.io.pdfs import COLUMN, pdf_column
from sfumato.io.tables import (
    DEFAULT,
    Origin,
    Reading,
    TableFile,
    batches,
    common_schema,
    matrix,
    rebatched,
)
from sfumato.jobs.columns import Columns, compare_units, say_unsuited
from sfumato.jobs.corrections import check_corrections, compare_corrections, say_corrected
from sfumato.jobs.model_files import TabularModel
from sfumato.jobs.parts import Parts, join
from sfumato.jobs.presets import Answers, derived, renamed
from sfumato.jobs.statistics import NOVELTY, check_statistics, columns_of, names_of, warn_of_novel
from sfumato.jobs.training_tables import feature_rows
from sfumato.pdfs import make_pdfs
from sfumato.preprocessing.unseen import unseen_together

CHUNK_ROWS = 131_072
"""Objects of one chunk: what an interruption can cost at most."""


_NAMED = "If it has another name here, use --rename OLD=NEW."
_GAPS = f"{_NAMED} If it was not measured, add it without values."


@dataclass(frozen=True)
class Job:
    """What to predict: everything that must agree for a run to be continued.

    Parameters
    ----------
    columns : the columns of these tables that stand for the model's.
    keep : columns carried over to the output.
    statistics : names of statistics to add (see `sfumato.pdfs.summarise`), or ``novelty``.
    precision : 16 or 32 bits a parameter.
    about : provenance for the header of the output.
    """

    columns: Columns
    keep: tuple[str, ...] = ()
    statistics: tuple[str, ...] = ()
    precision: int = 16
    about: dict[str, Json] | None = None

    def __post_init__(self) -> None:
        check_statistics(self.statistics)
        clash = sorted({COLUMN, *names_of(self.statistics)} & set(self.keep))
        if clash:
            message = f"Column {clash[0]!r} cannot be kept: the output writes one of that name"
            raise IncompatibleError(f"{message}. Leave it out of --keep, or --rename it.")

    def schema(self, tables: Sequence[TableFile]) -> pa.Schema:
        """Types of all columns that are read, for all rows of all tables.

        Raises
        ------
        DataError
            A column that is kept has types in two files that no type holds.
        """
        kept = list(dict.fromkeys([*self.keep, *self.columns.categorical]))
        wanted = dict.fromkeys([*self.columns.features, *self.columns.noise])
        return common_schema(tables, kept, numbers=[name for name in wanted if name not in kept])

    def fingerprint(self, tables: Sequence[TableFile]) -> str:
        """Digest of the job and of the inputs' names, sizes and times."""
        inputs = [(str(t.path.resolve()), repr(t.reading), *stamp_of(t.path)) for t in tables]
        options = [asdict(self.columns), self.keep, self.statistics, self.precision, self.about]
        values = [options, inputs, CHUNK_ROWS, versions()]
        return hashlib.sha256(json.dumps(values, default=str).encode()).hexdigest()


class LoadedModel(NamedTuple):
    """A model folder that was read: its path, its digest and what is in it."""

    path: Path
    digest: str
    fitted: TabularModel

    @classmethod
    def read(cls, path: Path | str) -> "LoadedModel":
        """Read a folder.

        Raises
        ------
        DataError
            As `TabularModel.read`.
        """
        fitted = TabularModel.read(path)
        return cls(Path(path), archive_digest(path), fitted)

    def about(self, tables: Sequence[Path | str], reading: Reading) -> dict[str, Json]:
        """Where predictions for these tables come from, for the header of their file."""
        features = self.fitted.regressor.features
        return {
            "model": str(self.path),
            "model_sha256": self.digest,
            "model_about": self.fitted.about,
            "tables": [str(table) for table in tables],
            "features": None if features is None else features.kind,
            "corrections": reading.corrections,
            "where": reading.where,
        }


def predict_files(
    model: Path | str,
    tables: Sequence[Path | str],
    output: Path | str,
    *,
    keep: Sequence[str] = (),
    statistics: Sequence[str] = (),
    precision: int = 16,
    answers: Answers | None = None,
    reading: Reading = DEFAULT,
    overwrite: bool = False,
    on_start: Callable[[int], None] = lambda _n_rows: None,
    on_rows: Callable[[int], None] | None = None,
) -> int:
    """Predict the rows of tables with the model of a folder; see `predict_tables`.

    Parameters
    ----------
    model : folder of the model.
    keep, statistics, precision : see `Job`.
    answers : how these tables name what the model's preset asks for.
    reading : which part of the files, which rows, under which names.
    overwrite : replace an output that exists.
    on_start : called with the number of rows before the work.

    Raises
    ------
    ValueError
        `precision` is neither 16 nor 32.
    DataError, IncompatibleError
        As `predict_tables`; or the model cannot be read, or was made for other columns.
    """
    output = Path(output)
    with reserved(output, overwrite=overwrite):
        if precision not in (16, 32):
            raise ValueError(f"--precision must be 16 or 32; got {precision}.")
        loaded = LoadedModel.read(model)
        fitted = loaded.fitted
        compare_corrections(fitted.about.get("corrections", {}), reading)
        features = fitted.regressor.features
        columns = renamed(fitted.columns, features, answers or {})
        opened = [reading.open(table) for table in tables]
        files = [derived(table, columns, features, answers or {}) for table in opened]
        check_corrections(reading, columns, features)
        names = dict(zip(fitted.columns.features, columns.features, strict=True))
        for file in files:
            compare_units(fitted.about.get("units", {}), names, file)
        if not fitted.about.get("units"):
            say_unsuited(files, columns, features)
        job = Job(
            columns=columns,
            keep=tuple(dict.fromkeys(keep)),
            statistics=tuple(dict.fromkeys(statistics)),
            precision=precision,
            about=loaded.about(tables, reading),
        )
        say_corrected(reading, keep)
        on_start(sum(file.n_rows for file in files))
        done = predict_tables(fitted.regressor, files, output, job=job, on_rows=on_rows)
        if NOVELTY in job.statistics:
            warn_of_novel(output)
        return done


def predict_tables(
    model: MDNRegressor,
    tables: Sequence[TableFile],
    output: Path,
    *,
    job: Job,
    on_rows: Callable[[int], None] | None = None,
) -> int:
    """Write the predicted PDFs of all rows of `tables`, in order, to one Parquet file.

    Parameters
    ----------
    on_rows : called with the number of rows that were finished since the last call.

    Returns
    -------
    Rows that an earlier, interrupted call had finished already.

    Raises
    ------
    DataError
        A table lacks a column, holds text where numbers are needed, or the output cannot be
        written.
    """
    for table in tables:
        read = [*job.columns.features, *job.columns.noise]
        table.require(read, cure=_GAPS if model.allows_gaps else _NAMED)
        table.require(job.keep)
        if table.path.resolve() == output.resolve():
            raise DataError(f"{output} is one of the input tables. Choose another --output.")
    if output.suffix not in (".parquet", ".pq"):
        raise DataError(f"{output}: PDFs are written as Parquet; the name must end in .parquet.")
    if NOVELTY in job.statistics:
        model.check_novelty()
    with locked(output):
        return _predict_locked(model, tables, output, job=job, report=on_rows or (lambda _n: None))


def _predict_locked(
    model: MDNRegressor,
    tables: Sequence[TableFile],
    output: Path,
    *,
    job: Job,
    report: Callable[[int], None],
) -> int:
    fingerprint = job.fingerprint(tables)
    parts = Parts.beside(output, fingerprint, n_rows=sum(table.n_rows for table in tables))
    done = parts.open()
    others = parts.others(output)
    report(done)
    try:
        _all_rows(model, tables, parts, job=job, done=done, report=report)
        join(parts, output, _header(model, job), tables[0])
    except DiskError as error:
        if not parts.finished():
            parts.remove()
            raise
        kept = "Rows that are finished are kept: the same command goes on behind them"
        raise DataError(f"{output} could not be written ({error.reason}). {kept}.") from error
    parts.remove()
    for folder in others:
        warnings.warn(f"Removed {folder}, unfinished work of another job on it.", stacklevel=2)
        remove(folder)
    return done


def _header(model: MDNRegressor, job: Job) -> dict[str, Json]:
    """What the file says of its PDFs."""
    header = family_header(
        model.family_,
        n_members=model.network_.n_members * (N_DRAWS if job.columns.noise else 1),
        precision=job.precision,
    )
    return header | {"about": job.about or {}} | prior_header(model.training_priors_)


def _all_rows(
    model: MDNRegressor,
    tables: Sequence[TableFile],
    parts: Parts,
    *,
    job: Job,
    done: int,
    report: Callable[[int], None],
) -> None:
    """Predict the rows that are missing, from tables that stay as they were."""
    try:
        with unseen_together():
            _run(model, tables, parts, job=job, done=done, report=report)
        if job.fingerprint(tables) != parts.fingerprint:
            raise DataError("A table changed while it was read. Run the command again.")
    except DiskError:  # a full disk may have room next time, and finished chunks are kept
        raise
    except ValueError:  # bad data will be no better
        parts.remove()
        raise


def _run(
    model: MDNRegressor,
    tables: Sequence[TableFile],
    parts: Parts,
    *,
    job: Job,
    done: int,
    report: Callable[[int], None],
) -> None:
    """Predict the chunks that are missing, one after another, each on all cores.

    The next chunk is read while one is predicted.
    """
    chunks = _chunks(tables, job.schema(tables), start=done)
    pieces = _pieces(_looked_at(chunks, model, job.columns), first=done)
    kept: list[pa.Table] = []
    for table in engine.map(
        lambda piece: (piece.last, _predict(model, piece, job, tables)), pieces
    ):
        last, columns = table
        kept.append(columns)
        if last:
            chunk = pa.concat_tables(kept)
            parts.write(chunk)
            report(chunk.num_rows)
            kept = []


class _Piece(NamedTuple):
    """Rows that one thread predicts: where they begin, and whether they end their chunk."""

    rows: pa.Table
    first: int
    last: bool


def _looked_at(
    chunks: Iterator[pa.Table], model: MDNRegressor, columns: Columns
) -> Iterator[pa.Table]:
    """The chunks; codes that training did not have are named, each column's once, and doubts."""
    numeric = {i: n for i, n in enumerate(columns.features) if n not in columns.categorical}
    left, doubted = numeric, False
    for chunk in chunks:
        values = np.full((chunk.num_rows, len(columns.features)), np.nan)
        values[:, list(numeric)] = matrix(chunk, list(numeric.values()))
        said = model.warn_of_new_codes(values, left)
        left = {place: name for place, name in left.items() if place not in said}
        doubt = None if doubted else model.doubt(values)
        if doubt is not None:
            doubted = True
            warnings.warn(doubt, stacklevel=2)
        yield chunk


def _pieces(chunks: Iterator[pa.Table], *, first: int) -> Iterator[_Piece]:
    """Every chunk in as many pieces as there are threads."""
    for chunk in chunks:
        size = -(-chunk.num_rows // n_threads())
        for start in range(0, chunk.num_rows, size):
            rows = chunk.slice(start, size)
            yield _Piece(rows, first + start, start + size >= chunk.num_rows)
        first += chunk.num_rows


def _chunks(tables: Sequence[TableFile], schema: pa.Schema, *, start: int) -> Iterator[pa.Table]:
    """Batches of exactly `CHUNK_ROWS` rows (the last may have fewer), across files."""
    rows = batches(tables, schema.names, batch_rows=CHUNK_ROWS, start=start, schema=schema)
    return rebatched(rows, CHUNK_ROWS)


def _predict(model: MDNRegressor, piece: _Piece, job: Job, tables: Sequence[TableFile]) -> pa.Table:
    """The output's columns for some rows of the tables."""
    origin = Origin(tuple(tables), piece.first)
    values = feature_rows(piece.rows, job.columns, origin=origin)
    if not model.allows_gaps:
        _check_gaps(values, job.columns, origin)
    noise = matrix(piece.rows, job.columns.noise, origin=origin) if job.columns.noise else None
    pdfs = make_pdfs(model.family_, model.predict_parameters(values, X_err=noise))
    kept = {name: piece.rows[name] for name in job.keep}
    added = columns_of(job.statistics, pdfs, model, values, job.columns.features)
    return pa.table({**kept, **added, COLUMN: pdf_column(pdfs, precision=job.precision)})


def _check_gaps(values: np.ndarray, columns: Columns, origin: Origin) -> None:
    """Refuse numbers that are missing or infinite, where the model has no place for such."""
    for index, name in enumerate(columns.features):
        if name in columns.categorical:
            continue
        gaps = ~np.isfinite(values[:, index].astype(float))
        if gaps.any():
            row = int(np.argmax(gaps))
            path, number = origin.of(row)
            what = f"{name!r} is {values[row, index]} in row {number}"
            cure = (
                f"Leave such rows out (--where 'abs({name}) < 1e300'), or fit with --missing flag"
            )
            raise DataError(f"{path}: {what}, and the model knows no gaps. {cure}.")
