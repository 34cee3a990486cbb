"""PDFs to and from Parquet: one fixed-size binary column of parameters beside ordinary columns.

The column ``pdf`` holds each object's parameters, densities or draws (see `sfumato.io.codecs`);
the file's metadata, under the key ``sfumato``, holds in JSON what they mean. Identifiers, truths
and statistics are plain columns that any Parquet reader understands.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import ArrayLike

from sfumato._typing import Json
from sfumato.errors import DataError
from sfumato.io._files import whole
from sfumato.io.codecs import CODECS, FORMAT, Storable, codec_of
from sfumato.io.tables import DEFAULT, Reading, TableFile, batches
from sfumato.io.tables.seal import header_of, sealed
from sfumato.pdfs import AbstractPDFs, JointPDFs, concatenate

COLUMN = "pdf"


def pdf_column(pdfs: Storable, *, precision: int) -> pa.Array:
    """The binary column of a set of PDFs."""
    rows = np.ascontiguousarray(codec_of(pdfs).rows(pdfs, precision=precision))
    buffer = pa.py_buffer(rows)
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(rows.shape[1]), len(rows), [None, buffer])


def write_pdfs(
    pdfs: Storable,
    path: str | Path,
    *,
    columns: Mapping[str, ArrayLike] | None = None,
    precision: int = 16,
    about: Mapping[str, object] | None = None,
) -> None:
    """Write PDFs to one Parquet file, whole or not at all.

    Weighted draws are stored as 500 of equal weight, systematically resampled, in float32; give
    ``pdfs.resampled(n)`` for another number. Draws of equal weight are stored as they are. What the
    draws were worth before, `effective_size`, becomes a column of that name unless `columns` has
    one.

    Parameters
    ----------
    path : the file, replaced if it exists.
    columns : further columns (n,), such as identifiers, truths or statistics.
    precision : of mixtures, 16 for two bytes a parameter, 32 for four; densities on a grid and
        draws are float32 with either.
    about : provenance, kept in the header.

    Raises
    ------
    ValueError
        `precision` is neither 16 nor 32, or a column is named ``pdf``.
    DataError
        The file cannot be written.
    """
    if precision not in (16, 32):
        raise ValueError(f"`precision` must be 16 or 32; got {precision!r}.")
    codec = codec_of(pdfs)
    pdfs, lost = codec.stored(pdfs)
    extra = dict(columns or {})
    extra |= {name: values for name, values in lost.items() if name not in extra}
    header = codec.header(pdfs, precision=precision)
    if COLUMN in extra:
        raise ValueError(f"A further column may not be named {COLUMN!r}. Rename it.")
    table = pa.table({**extra, COLUMN: pdf_column(pdfs, precision=precision)})
    with whole(Path(path)) as temporary:
        told = {**header, "about": dict(about or {})}
        schema = sealed(table.schema, told, n_rows=len(table))
        pq.write_table(table.cast(schema), temporary, write_page_checksum=True)


@dataclass(frozen=True)
class PDFsFile:
    """A file of PDFs: what it says of itself, and a way to read it in chunks."""

    table: TableFile
    header: dict[str, Json]

    @property
    def n_rows(self) -> int:
        """Number of objects."""
        return self.table.n_rows

    @property
    def is_vector(self) -> bool:
        """Whether the target has several coordinates."""
        return CODECS[self.header["object"]].is_vector(self.header)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the ordinary columns."""
        return tuple(name for name in self.table.columns if name != COLUMN)

    def chunks(
        self, columns: Sequence[str] = (), *, batch_rows: int = 1 << 17
    ) -> Iterator[tuple[Storable, pa.Table]]:
        """PDFs and ordinary columns, `batch_rows` objects at a time."""
        self.table.require(columns, cure="Columns of the table come along by predict --keep.")
        if COLUMN in columns:
            raise DataError(f"{self.table.path}: {COLUMN!r} holds PDFs, not numbers. Name another.")
        n_read = 0
        for batch in batches([self.table], [*columns, COLUMN], batch_rows=batch_rows):
            n_read += batch.num_rows
            yield self._pdfs(batch[COLUMN]), batch.select(list(columns))
        if n_read != self.table.n_rows:
            message = f"{self.table.path}: damaged: {n_read:,} of {self.table.n_rows:,} rows"
            raise DataError(f"{message} could be read.")

    def scalars(
        self, columns: Sequence[str] = (), *, batch_rows: int = 1 << 17
    ) -> Iterator[tuple[AbstractPDFs, pa.Table]]:
        """`chunks` of a file whose targets are single numbers.

        Raises
        ------
        DataError
            The targets are vectors.
        """
        for pdfs, table in self.chunks(columns, batch_rows=batch_rows):
            if isinstance(pdfs, JointPDFs):
                message = f"{self.table.path} holds PDFs of vectors; this is for single numbers"
                raise DataError(f"{message}. Use `sfumato evaluate`, or marginal(i) in Python.")
            yield pdfs, table

    def _pdfs(self, column: pa.ChunkedArray) -> Storable:
        if column.null_count:
            raise DataError(f"{self.table.path}: the column {COLUMN!r} has missing values.")
        parts = [_bytes_of(chunk) for chunk in column.chunks]
        rows = np.concatenate(parts) if parts else np.zeros((0, column.type.byte_width), np.uint8)
        return CODECS[self.header["object"]].read(self.header, rows)


def _bytes_of(chunk: pa.FixedSizeBinaryArray) -> np.ndarray:
    """The fixed-size binaries of one chunk as rows of bytes, without a copy."""
    width = chunk.type.byte_width
    values = np.frombuffer(chunk.buffers()[1], np.uint8)
    start = chunk.offset * width
    return values[start : start + len(chunk) * width].reshape(len(chunk), width)


def open_pdfs(path: str | Path, *, reading: Reading = DEFAULT) -> PDFsFile:
    """Open a file written by `write_pdfs` or ``sfumato predict``.

    Parameters
    ----------
    reading : which objects, and under which names their columns.

    Raises
    ------
    DataError
        The file is missing, damaged, not one of ours, or of a newer format.
    """
    table = reading.open(path)
    file = as_pdfs(table)
    if file is None:
        message = f"{path} holds no PDFs of sfumato"
        raise DataError(f"{message}. Give a file written by `sfumato predict`.")
    return file


def as_pdfs(table: TableFile) -> PDFsFile | None:
    """A table as a file of PDFs; None where it holds none.

    Raises
    ------
    DataError
        Its header is damaged, or of a newer format.
    """
    path = table.path
    if path.suffix not in (".parquet", ".pq"):
        return None
    schema = pq.read_schema(path)
    header = header_of(schema, path)
    if header is None or COLUMN not in table.columns:
        return None
    _check(header, schema.field(COLUMN).type, path)
    return PDFsFile(table, header)


def _check(header: dict[str, Json], stored: pa.DataType, path: Path) -> None:
    """Refuse a header of a newer format, or one that does not fit the column it describes."""
    try:
        if header["format"] > FORMAT:
            message = f"{path} has format {header['format']}; this version reads up to {FORMAT}"
            raise DataError(f"{message}. Upgrade: pip install -U sfumato.")
        if header["object"] not in CODECS:
            raise ValueError(f"it holds {header['object']!r}")
        width = CODECS[header["object"]].width(header)
        if stored != pa.binary(width):
            raise ValueError(f"the column {COLUMN!r} is {stored}, not {width} bytes")
    except DataError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{path}: its header is damaged ({error}). Predict again.") from error


def read_pdfs(path: str | Path) -> Storable:
    """All PDFs of a file; for its other columns or for large files use `open_pdfs`.

    Raises
    ------
    DataError
        As `open_pdfs`.
    """
    parts = [pdfs for pdfs, _ in open_pdfs(path).chunks()]
    return parts[0] if len(parts) == 1 else concatenate(parts)
