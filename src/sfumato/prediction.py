"""Predictions for tables of any length: streamed, restartable, one file at the end.

While it runs, finished chunks lie in a folder ``OUTPUT.partial`` beside the output, each written
under a temporary name and then renamed. The same call after any interruption continues behind the
last finished chunk; the output itself appears, whole, when all chunks are there.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sfumato.errors import DataError, IncompatibleError
from sfumato.estimator import N_DRAWS
from sfumato.io._files import read_json, whole, write_json
from sfumato.io.models import versions
from sfumato.io.pdfs import COLUMN, family_header, pdf_column, prior_header, with_header
from sfumato.io.tables import TableFile, batches, matrix
from sfumato.pdfs import make_pdfs, summarise
from sfumato.pdfs.statistics import parse_statistic
from sfumato.regression import MDNRegressor
from sfumato.tabular import Columns, feature_rows

CHUNK_ROWS = 131_072
"""Objects of one chunk: what an interruption can cost at most."""

_N_THREADS = os.cpu_count() or 1


@dataclass(frozen=True)
class Job:
    """What to predict: everything that must agree for a run to be continued.

    Parameters
    ----------
    columns : the columns of these tables that stand for the model's.
    keep : columns carried over to the output.
    statistics : names of statistics to add (see `sfumato.pdfs.summarise`).
    precision : 16 or 32 bits a parameter.
    about : provenance for the header of the output.
    """

    columns: Columns
    keep: tuple[str, ...] = ()
    statistics: tuple[str, ...] = ()
    precision: int = 16
    about: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        for name in self.statistics:
            parse_statistic(name)
        clash = sorted({COLUMN, *self.statistics} & set(self.keep))
        if clash:
            message = f"Column {clash[0]!r} cannot be kept: the output writes one of that name"
            raise IncompatibleError(f"{message}. Leave it out of --keep.")

    def fingerprint(self, tables: Sequence[TableFile]) -> str:
        """Digest of the job and of the inputs' names, sizes and times."""
        inputs = [
            (str(t.path.resolve()), t.group, t.path.stat().st_size, t.path.stat().st_mtime_ns)
            for t in tables
        ]
        options = [asdict(self.columns), self.keep, self.statistics, self.precision, self.about]
        values = [options, inputs, CHUNK_ROWS, versions()]
        return hashlib.sha256(json.dumps(values, default=str).encode()).hexdigest()


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
        table.require([*job.columns.features, *job.columns.noise, *job.keep])
        if table.path.resolve() == output.resolve():
            raise DataError(f"{output} is one of the input tables. Choose another --output.")
    if output.suffix not in (".parquet", ".pq"):
        raise DataError(f"{output}: PDFs are written as Parquet; the name must end in .parquet.")
    parts = output.with_name(output.name + ".partial")
    done = _resume(parts, job.fingerprint(tables))
    report = on_rows or (lambda _rows: None)
    report(done)
    try:
        _run(model, tables, parts, job=job, done=done, report=report)
    except ValueError as error:
        # bad data will be no better next time; a full disk may be, and finished chunks are kept
        if not isinstance(error.__cause__, OSError):
            shutil.rmtree(parts)
        raise
    header = family_header(
        model.family_,
        n_members=model.network_.n_members * (N_DRAWS if job.columns.noise else 1),
        precision=job.precision,
    ) | {"about": job.about or {}}
    header |= prior_header(getattr(model, "training_prior_", None))
    _join(parts, output, header)
    shutil.rmtree(parts)
    return done


def _resume(parts: Path, fingerprint: str) -> int:
    """Prepare the folder of chunks; the number of rows that are finished."""
    mark = parts / "job.json"
    if parts.exists() and (not mark.exists() or read_json(mark)["fingerprint"] != fingerprint):
        shutil.rmtree(parts)
    if not parts.exists():
        try:
            parts.mkdir()
        except OSError as error:
            raise DataError(f"Cannot create {parts} ({error.strerror}).") from error
        write_json(mark, {"fingerprint": fingerprint})
    return sum(pq.read_metadata(part).num_rows for part in _finished(parts))


def _finished(parts: Path) -> list[Path]:
    """Finished chunks, from the first on."""
    found = []
    while (path := parts / f"{len(found):06d}.parquet").exists():
        found.append(path)
    return found


def _run(
    model: MDNRegressor,
    tables: Sequence[TableFile],
    parts: Path,
    *,
    job: Job,
    done: int,
    report: Callable[[int], None],
) -> None:
    """Predict the chunks that are missing, one after another, each on all cores.

    The next chunk is read while one is predicted; only one at a time is unfinished.
    """
    wanted = [*dict.fromkeys([*job.columns.features, *job.columns.noise, *job.keep])]
    names = ", ".join(str(table.path) for table in tables)
    chunks = _chunks(tables, wanted, start=done)
    row, index = done, len(_finished(parts))
    with ThreadPoolExecutor(_N_THREADS) as pool, ThreadPoolExecutor(1) as reader:
        following = reader.submit(next, chunks, None)
        while (batch := following.result()) is not None:
            following = reader.submit(next, chunks, None)
            size = -(-batch.num_rows // _N_THREADS)
            pieces = [
                pool.submit(_predict, model, batch.slice(start, size), job, (names, row + start))
                for start in range(0, batch.num_rows, size)
            ]
            table = pa.concat_tables([piece.result() for piece in pieces])
            with whole(parts / f"{index:06d}.parquet") as temporary:
                pq.write_table(table, temporary, compression="none", use_dictionary=False)
            report(batch.num_rows)
            row, index = row + batch.num_rows, index + 1


def _chunks(
    tables: Sequence[TableFile], columns: Sequence[str], *, start: int
) -> Iterator[pa.Table]:
    """Batches of exactly `CHUNK_ROWS` rows (the last may have fewer), across files."""
    kept: list[pa.Table] = []
    n_kept = 0
    for batch in batches(tables, columns, batch_rows=CHUNK_ROWS, start=start):
        kept.append(batch)
        n_kept += batch.num_rows
        if n_kept >= CHUNK_ROWS:
            joined = pa.concat_tables(kept, promote_options="permissive")
            yield joined.slice(0, CHUNK_ROWS)
            kept = [joined.slice(CHUNK_ROWS)]
            n_kept -= CHUNK_ROWS
    if n_kept:
        yield pa.concat_tables(kept, promote_options="permissive")


def _predict(model: MDNRegressor, rows: pa.Table, job: Job, where: tuple[str, int]) -> pa.Table:
    """The output's columns for some rows; `where` names files and first row for messages."""
    values = feature_rows(rows, job.columns, path=where[0], first_row=where[1])
    noise = None
    if job.columns.noise:
        noise = matrix(rows, job.columns.noise, path=where[0], first_row=where[1])
    pdfs = make_pdfs(model.family_, model.predict_parameters(values, X_err=noise))
    columns = {name: rows[name] for name in job.keep} | summarise(pdfs, job.statistics)
    return pa.table({**columns, COLUMN: pdf_column(pdfs, precision=job.precision)})


def _join(parts: Path, output: Path, header: dict[str, Any]) -> None:
    """All chunks as the row groups of one file."""
    finished = _finished(parts)
    schema = with_header(pq.read_schema(finished[0]).empty_table(), header).schema
    # codes look random: compressing them costs a third of the time and saves a twentieth
    compression: Any = {name: "none" if name == COLUMN else "zstd" for name in schema.names}
    with (
        whole(output) as temporary,
        pq.ParquetWriter(
            temporary, schema, compression=compression, use_dictionary=False
        ) as writer,
    ):
        for path in finished:
            writer.write_table(pq.read_table(path).cast(schema))
