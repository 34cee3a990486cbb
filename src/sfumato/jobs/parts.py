"""Finished chunks of one job, in a folder beside its output: what an interruption does not cost."""

import itertools
import re
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from sfumato._typing import Json
from sfumato.errors import DataError
from sfumato.io._files import whole
from sfumato.io.pdfs import COLUMN
from sfumato.io.tables import TableFile
from sfumato.io.tables.contract import reason_of
from sfumato.io.tables.seal import sealed

_MARK = b"job"
_SHOWN = 12


@dataclass(frozen=True)
class Parts:
    """Chunks of the rows of one job, from the first on.

    Parameters
    ----------
    folder : where they lie; its name holds the job's fingerprint, so that no two jobs share it.
    fingerprint : of the job and its inputs; every chunk holds it, and its own place.
    n_rows : of all chunks together, once all are there.
    """

    folder: Path
    fingerprint: str
    n_rows: int

    @classmethod
    def beside(cls, output: Path, fingerprint: str, *, n_rows: int) -> Self:
        """Those of a job that writes `output`."""
        name = f"{output.name}.partial-{fingerprint[:_SHOWN]}"
        return cls(output.with_name(name), fingerprint, n_rows)

    def open(self) -> int:
        """Make the folder, drop chunks that are damaged; the number of rows that are finished.

        Raises
        ------
        DataError
            The folder cannot be made.
        """
        if self.folder.is_symlink():
            raise DataError(f"{self.folder} is a link, and no folder of ours. Remove it.")
        try:
            self.folder.mkdir(exist_ok=True)
        except OSError as error:
            raise DataError(f"Cannot create {self.folder} ({error.strerror}).") from error
        n_rows, is_sound = 0, True
        for index, path in enumerate(sorted(self.folder.glob("*.parquet"))):
            try:
                is_sound = is_sound and path == self._path(index)
                n_rows += self._read(path).num_rows if is_sound else 0
            except DataError:
                is_sound = False
            if not is_sound:
                warnings.warn(f"{path} is damaged, or behind one: it is made again.", stacklevel=3)
                path.unlink()
        return n_rows

    def write(self, table: pa.Table) -> None:
        """Add a chunk behind the others."""
        path = self._path(len(self.finished()))
        marked = table.replace_schema_metadata({_MARK: self._mark(path)})
        with whole(path) as temporary:
            pq.write_table(
                marked,
                temporary,
                compression="none",
                use_dictionary=False,
                write_statistics=False,
                write_page_checksum=True,
            )

    def finished(self) -> list[Path]:
        """The chunks, from the first on."""
        found = []
        while (path := self._path(len(found))).exists():
            found.append(path)
        return found

    def tables(self) -> Iterator[pa.Table]:
        """The chunks' rows, checked to be all there.

        Raises
        ------
        DataError
            Rows are missing or doubled, or a chunk is damaged.
        """
        n = 0
        for path in self.finished():
            table = self._read(path)
            n += table.num_rows
            yield table
        if n != self.n_rows:
            message = f"{self.folder} holds {n:,} rows; the tables have {self.n_rows:,}"
            raise DataError(f"{message}. Remove it, and run the command again.")

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def others(self, output: Path) -> list[Path]:
        """Folders of other jobs on the same output, which were not finished."""
        start = f"{output.name}.partial-"
        beside = (entry for entry in output.parent.iterdir() if entry.name.startswith(start))
        return [entry for entry in beside if entry != self.folder and _is_ours(entry)]

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.parquet"

    def _mark(self, path: Path) -> bytes:
        """What the chunk of this place bears, so that none passes for another."""
        return f"{self.fingerprint} {path.stem}".encode()

    def _read(self, path: Path) -> pa.Table:
        """One chunk, which has to be whole and of this job."""
        try:
            table = pq.read_table(path, page_checksum_verification=True)
        except (OSError, pa.ArrowException) as error:
            cure = "Run the command again: the other rows are kept"
            raise DataError(f"{path} is damaged ({reason_of(error)}). {cure}.") from error
        if (table.schema.metadata or {}).get(_MARK) != self._mark(path):
            message = f"{path} is of another job, or of another place in it"
            raise DataError(f"{message}. Remove it, and run the command again.")
        return table


def _is_ours(entry: Path) -> bool:
    """Whether a folder is named as ours are, and holds nothing but chunks, whole or not."""
    name = rf".*\.partial-[0-9a-f]{{{_SHOWN}}}"
    if entry.is_symlink() or not entry.is_dir() or not re.fullmatch(name, entry.name, re.DOTALL):
        return False
    return all(re.match(r"\d{6}\.parquet$|\.+\d{6}\.parquet\.", e.name) for e in entry.iterdir())


def _described(field: pa.Field, table: TableFile) -> pa.Field:
    """A column with the unit and the description that the first table states of it."""
    stated = {"unit": table.units, "description": table.descriptions}
    told = {key: texts[field.name] for key, texts in stated.items() if field.name in texts}
    return field.with_metadata(told) if told else field


def join(parts: Parts, output: Path, header: dict[str, Json], table: TableFile) -> None:
    """All chunks as the row groups of one file; columns that are kept stay described."""
    chunks = parts.tables()
    first = next(chunks)
    fields = [_described(field, table) for field in first.schema]
    schema = sealed(pa.schema(fields), header, n_rows=parts.n_rows)
    # codes look random: compressing them costs a third of the time and saves a twentieth;
    # the stubs know one word for all columns only
    compression: Any = {name: "none" if name == COLUMN else "zstd" for name in schema.names}
    with (
        whole(output) as temporary,
        pq.ParquetWriter(
            temporary,
            schema,
            compression=compression,
            use_dictionary=False,
            write_page_checksum=True,
        ) as writer,
    ):
        for chunk in itertools.chain([first], chunks):
            writer.write_table(chunk.cast(schema))
