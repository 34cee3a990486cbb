"""Parquet and Arrow files."""

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sfumato.errors import DataError
from sfumato.io.tables.compute import pc
from sfumato.io.tables.contract import (
    Batches,
    TableFile,
    in_memory,
    of_elements,
    split_vector,
    vector_names,
)
from sfumato.io.tables.seal import check_seal


def open_parquet(path: Path, group: str | None) -> TableFile:
    """A Parquet file, row group by row group."""
    # not mapped: a file that is cut while it is read would end the process; and not buffered
    # ahead, which keeps every page until the last is read
    file = pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False)
    stored = file.schema_arrow
    _check_rows(file, path)
    check_seal(stored, file.metadata.num_rows, path)
    vectors = {f.name: f.type.list_size for f in stored if pa.types.is_fixed_size_list(f.type)}
    names = tuple(n for name in stored.names for n in vector_names(name, vectors.get(name)))

    def read(columns: Sequence[str], start: int, batch_rows: int) -> Batches:
        places = [_place(name, vectors) for name in columns]
        asked = list(dict.fromkeys(base for base, _ in places))
        # whole row groups before the start are never read
        groups, skip = [], start
        for index in range(file.num_row_groups):
            rows = file.metadata.row_group(index).num_rows
            if groups or skip < rows:
                groups.append(index)
            else:
                skip -= rows
        for batch in file.iter_batches(batch_rows, row_groups=groups, columns=asked):
            if skip >= batch.num_rows:
                skip -= batch.num_rows
                continue
            rows = batch.slice(skip)
            skip = 0
            yield pa.table([_element(rows[b], i) for b, i in places], names=list(columns))

    def schema(columns: Sequence[str]) -> pa.Schema:
        places = [(name, *_place(name, vectors)) for name in columns]
        return pa.schema(
            [
                stored.field(base).with_name(name)
                if index is None
                else pa.field(name, stored.field(base).type.value_type)
                for name, base, index in places
            ]
        )

    def stated(key: bytes) -> dict[str, str]:
        texts = {f.name: (f.metadata or {}).get(key, b"").decode() for f in stored}
        return of_elements(texts, vectors)

    return TableFile(
        path,
        names,
        file.metadata.num_rows,
        read,
        schema,
        group,
        units=stated(b"unit"),
        descriptions=stated(b"description"),
        others=_ranges(stored),
    )


def _check_rows(file: pq.ParquetFile, path: Path) -> None:
    """Refuse a footer that contradicts itself: rows would be left out without a word."""
    groups = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    if sum(groups) != file.metadata.num_rows:
        message = f"{path}: damaged: {file.metadata.num_rows:,} rows in all"
        raise DataError(f"{message}, and {sum(groups):,} in its parts.")


def _ranges(schema: pa.Schema) -> dict[str, str]:
    """Indices of pandas that are counted and not stored."""
    told = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
    cure = "is a counted index of pandas, and no column: write it after `reset_index()`."
    indices = [index for index in told.get("index_columns", []) if isinstance(index, dict)]
    return {index["name"]: cure for index in indices if index.get("name")}


def _place(name: str, vectors: dict[str, int]) -> tuple[str, int | None]:
    base, index = split_vector(name)
    return (base, index) if base in vectors else (name, None)


def _element(column: pa.Array, index: int | None) -> pa.Array:
    return column if index is None else pc.list_element(column, index)


def open_arrow(path: Path, group: str | None) -> TableFile:
    """An Arrow (Feather) file, mapped into memory."""
    with pa.memory_map(str(path)) as source:
        return in_memory(path, pa.ipc.open_file(source).read_all(), group)
