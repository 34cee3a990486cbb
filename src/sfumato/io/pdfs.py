"""PDFs to and from Parquet: one fixed-size binary column of parameters beside ordinary columns.

The column ``pdf`` holds each object's parameters (see `sfumato.io.encoding`), for `GridPDFs` its
float32 densities, or for `SamplePDFs` its float32 draws; the file's metadata, under the key
``sfumato``, holds in JSON what they mean.
Identifiers, truths and statistics are plain columns that any Parquet reader understands.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sfumato.errors import DataError
from sfumato.families import MixtureFamily, family_from_dict
from sfumato.io._files import whole
from sfumato.io.encoding import decode, encode, row_bytes
from sfumato.io.tables import TableFile, open_table
from sfumato.pdfs import (
    GridPDFs,
    JointPDFs,
    ParametricPDFs,
    SamplePDFs,
    concatenate,
    make_pdfs,
)

FORMAT = 1
KEY = b"sfumato"
COLUMN = "pdf"
EFFECTIVE_SIZE = "effective_size"
STORED_DRAWS = 500
"""Draws of each object in a file, where they had weights; `SamplePDFs.resampled` gives others."""


def family_header(family: MixtureFamily, *, n_members: int, precision: int) -> dict[str, Any]:
    """What a file of mixtures says of itself."""
    return {
        "format": FORMAT,
        "object": "mixture",
        **family.to_dict(),
        "n_members": n_members,
        "precision": precision,
    }


def prior_header(prior: GridPDFs | None) -> dict[str, Any]:
    """The density of the training targets as a part of a header."""
    if prior is None:
        return {}
    density = np.round(prior.density[0], 9).tolist()
    return {"training_prior": {"grid": prior.grid.tolist(), "density": density}}


def samples_header(pdfs: SamplePDFs) -> dict[str, Any]:
    """What a file of draws says of itself; None in place of an infinite bound."""
    bounds = [bound if np.isfinite(bound) else None for bound in pdfs.bounds]
    return {"format": FORMAT, "object": "samples", "n_draws": pdfs.n_draws, "bounds": bounds}


def _equal_weights(pdfs: SamplePDFs) -> SamplePDFs:
    """The same distributions by draws that need no weights."""
    if pdfs.log_weights is None:
        return pdfs
    if np.all(np.ptp(pdfs.weights, axis=1) <= 1e-9 / pdfs.n_draws):
        return SamplePDFs(pdfs.draws, None, pdfs.bounds)
    return pdfs.resampled(STORED_DRAWS)


def _bounds(header: Mapping[str, Any]) -> tuple[float, float]:
    """Bounds of the draws in a file, None read as none."""
    low, high = header["bounds"]
    return -np.inf if low is None else float(low), np.inf if high is None else float(high)


def pdf_column(pdfs: Any, *, precision: int) -> pa.Array:
    """The binary column of a set of PDFs."""
    if isinstance(pdfs, GridPDFs):
        rows = np.ascontiguousarray(pdfs.density.astype("<f4")).view(np.uint8)
    elif isinstance(pdfs, SamplePDFs):
        if np.any(np.abs(pdfs.draws) > np.finfo(np.float32).max):
            message = "Draws beyond 3e38 do not fit in float32"
            raise ValueError(f"{message}; got {np.abs(pdfs.draws).max():g}. Choose other units.")
        rows = np.ascontiguousarray(pdfs.draws.astype("<f4")).view(np.uint8)
    else:
        if pdfs.member_log_weights is not None:
            raise ValueError("Unequal member weights cannot be stored. Use to_grid() first.")
        rows = encode(pdfs.family, pdfs.params, precision=precision)
    buffer = pa.py_buffer(np.ascontiguousarray(rows))
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(rows.shape[1]), len(rows), [None, buffer])


def write_pdfs(
    pdfs: ParametricPDFs | JointPDFs | GridPDFs | SamplePDFs,
    path: str | Path,
    *,
    columns: Mapping[str, Any] | None = None,
    precision: int = 16,
    about: Mapping[str, Any] | None = None,
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
    if not isinstance(pdfs, GridPDFs | ParametricPDFs | JointPDFs | SamplePDFs):
        raise ValueError(f"{type(pdfs).__name__} cannot be stored. Use to_grid() first.")
    extra = dict(columns or {})
    if isinstance(pdfs, GridPDFs):
        header = {"format": FORMAT, "object": "grid", "grid": pdfs.grid.tolist()}
    elif isinstance(pdfs, SamplePDFs):
        extra.setdefault(EFFECTIVE_SIZE, pdfs.effective_size)
        pdfs = _equal_weights(pdfs)
        header = samples_header(pdfs)
    else:
        header = family_header(pdfs.family, n_members=pdfs.n_members, precision=precision)
        prior = getattr(pdfs, "training_prior", None)
        header |= prior_header(prior if isinstance(prior, GridPDFs) else None)
    if COLUMN in extra:
        raise ValueError(f"A further column may not be named {COLUMN!r}. Rename it.")
    table = pa.table({**extra, COLUMN: pdf_column(pdfs, precision=precision)})
    with whole(Path(path)) as temporary:
        pq.write_table(with_header(table, {**header, "about": dict(about or {})}), temporary)


def with_header(table: pa.Table, header: Mapping[str, Any]) -> pa.Table:
    """The same table with a header in its metadata."""
    return table.replace_schema_metadata({KEY: json.dumps(header).encode()})


@dataclass(frozen=True)
class PDFsFile:
    """A file of PDFs: what it says of itself, and a way to read it in chunks."""

    table: TableFile
    header: dict[str, Any]

    @property
    def n_rows(self) -> int:
        """Number of objects."""
        return self.table.n_rows

    @property
    def is_vector(self) -> bool:
        """Whether the target has several coordinates."""
        if self.header["object"] in ("grid", "samples"):
            return False
        return family_from_dict(self.header).kind == "vector"

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the ordinary columns."""
        return tuple(name for name in self.table.columns if name != COLUMN)

    def chunks(
        self, columns: Sequence[str] = (), *, batch_rows: int = 1 << 17
    ) -> Iterator[tuple[Any, pa.Table]]:
        """PDFs and ordinary columns, `batch_rows` objects at a time."""
        self.table.require(columns)
        if COLUMN in columns:
            raise DataError(f"{self.table.path}: {COLUMN!r} holds PDFs, not numbers. Name another.")
        for batch in self.table.read([*columns, COLUMN], 0, batch_rows):
            yield self._pdfs(batch[COLUMN]), batch.select(list(columns))

    def _pdfs(self, column: pa.ChunkedArray) -> Any:
        if column.null_count:
            raise DataError(f"{self.table.path}: the column {COLUMN!r} has missing values.")
        parts = [_bytes_of(chunk) for chunk in column.chunks]
        rows = np.concatenate(parts) if parts else np.zeros((0, column.type.byte_width), np.uint8)
        if self.header["object"] == "grid":
            return GridPDFs(np.asarray(self.header["grid"]), rows.view("<f4").astype(float))
        if self.header["object"] == "samples":
            bounds = _bounds(self.header)
            # rounding to float32 may have carried a draw across a bound
            return SamplePDFs(np.clip(rows.view("<f4").astype(float), *bounds), None, bounds)
        family = family_from_dict(self.header)
        n_members, precision = self.header["n_members"], self.header["precision"]
        params = decode(family, rows, n_members=n_members, precision=precision)
        if "training_prior" not in self.header:
            return make_pdfs(family, params)
        grid, density = (np.asarray(self.header["training_prior"][k]) for k in ("grid", "density"))
        return make_pdfs(family, params, training_prior=GridPDFs(grid, density[None]))


def _bytes_of(chunk: pa.FixedSizeBinaryArray) -> np.ndarray:
    """The fixed-size binaries of one chunk as rows of bytes, without a copy."""
    width = chunk.type.byte_width
    values = np.frombuffer(chunk.buffers()[1], np.uint8)
    start = chunk.offset * width
    return values[start : start + len(chunk) * width].reshape(len(chunk), width)


def open_pdfs(path: str | Path) -> PDFsFile:
    """Open a file written by `write_pdfs` or ``sfumato predict``.

    Raises
    ------
    DataError
        The file is missing, damaged, not one of ours, or of a newer format.
    """
    path = Path(path)
    table = open_table(path)
    metadata = (pq.read_schema(path).metadata or {}) if path.suffix in (".parquet", ".pq") else {}
    if KEY not in metadata or COLUMN not in table.columns:
        message = f"{path} holds no PDFs of sfumato"
        raise DataError(f"{message}. Give a file written by `sfumato predict`.")
    header = _header(metadata[KEY], path)
    theirs = header["format"]
    if theirs > FORMAT:
        message = f"{path} has format {theirs}; this version reads up to {FORMAT}"
        raise DataError(f"{message}. Upgrade: pip install -U sfumato.")
    return PDFsFile(table, header)


def _header(text: bytes, path: Path) -> dict[str, Any]:
    """The header, checked against the width of the column it describes where it is known."""
    try:
        header = json.loads(text)
        if header["format"] > FORMAT:
            return header
        if header["object"] == "grid":
            width = 4 * len(header["grid"])
        elif header["object"] == "samples":
            width = 4 * header["n_draws"]
            low, high = _bounds(header)
            if not low < high:
                raise ValueError(f"its bounds are {header['bounds']}")
        else:
            count, precision = header["n_members"], header["precision"]
            width = row_bytes(family_from_dict(header), n_members=count, precision=precision)
        stored = pq.read_schema(path).field(COLUMN).type
        if stored != pa.binary(width):
            raise ValueError(f"the column {COLUMN!r} is {stored}, not {width} bytes")
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: its header is damaged ({error}). Predict again.") from error
    return header


def read_pdfs(path: str | Path) -> Any:
    """All PDFs of a file; for its other columns or for large files use `open_pdfs`.

    Raises
    ------
    DataError
        As `open_pdfs`.
    """
    parts = [pdfs for pdfs, _ in open_pdfs(path).chunks()]
    return parts[0] if len(parts) == 1 else concatenate(parts)
