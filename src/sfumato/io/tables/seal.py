"""What a table of ours says of itself, and a digest of that.

Values have checksums by their formats; names, types, units and descriptions of columns have not.
In Parquet the digest is part of the header in the footer, in FITS and HDF5 it is `MARK`.
"""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from sfumato._typing import Json
from sfumato.errors import DataError
from sfumato.io._files import digest_of
from sfumato.io.tables.contract import TableFile

KEY = b"sfumato"
MARK = "sfumato"
"""Card of a FITS header, or attribute of an HDF5 group, that holds `mark_of` its table."""

_SEAL, _WRITTEN = "sha256", "written"


def sealed(schema: pa.Schema, header: Mapping[str, Json], *, n_rows: int) -> pa.Schema:
    """The schema of a table with its header and a digest of both."""
    told = json.loads(json.dumps({**header, _WRITTEN: _written(schema, n_rows)}))
    text = json.dumps({**told, _SEAL: digest_of(told)})
    return schema.with_metadata({KEY: text.encode()})


def _written(schema: pa.Schema, n_rows: int) -> dict[str, Json]:
    """What a table is that nobody has edited."""
    stated = {
        field.name: {key.decode(): text.decode() for key, text in field.metadata.items()}
        for field in schema
        if field.metadata
    }
    columns = [[field.name, str(field.type)] for field in schema]
    return {"columns": columns, "n_rows": n_rows, "stated": stated}


def header_of(schema: pa.Schema, path: Path) -> dict[str, Json] | None:
    """The header of a table of ours, without its seal; None where there is none.

    Raises
    ------
    DataError
        It was changed since it was written.
    """
    told = _told(schema, path)
    return None if told is None else {k: v for k, v in told.items() if k != _WRITTEN}


def _told(schema: pa.Schema, path: Path) -> dict[str, Json] | None:
    """The header with what was written."""
    text = (schema.metadata or {}).get(KEY)
    if text is None:
        return None
    try:
        header = json.loads(text)
        seal = header.pop(_SEAL, None)
        if seal is None and _WRITTEN in header:
            raise ValueError("its digest is gone")
        if seal not in (None, digest_of(header)):
            raise ValueError("it was changed since it was written")
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{path}: its header is damaged ({error}). Write it again.") from error
    return header


def check_seal(schema: pa.Schema, n_rows: int, path: Path) -> None:
    """Warn where a table of ours is not what it was when it was written.

    Raises
    ------
    DataError
        Its header was changed since it was written.
    """
    # earlier versions did not say, or said less
    written = (_told(schema, path) or {}).get(_WRITTEN, {})
    found = _written(schema, n_rows)
    if any(found.get(key) != value for key, value in written.items()):
        _say_edited(path)


def mark_of(stated: Mapping[str, tuple[str, str]], n_rows: int) -> str:
    """Digest of the columns' names, units and descriptions, in any order, and of how many rows."""
    return digest_of({"columns": {name: list(told) for name, told in stated.items()}, "n": n_rows})


def check_mark(mark: str | None, table: TableFile) -> None:
    """Warn where a table that holds a mark is not what it was when it was written."""
    stated = {
        name: (table.units.get(name) or "", table.descriptions.get(name) or "")
        for name in (*table.columns, *table.others)
    }
    if mark not in (None, mark_of(stated, table.n_rows)):
        _say_edited(table.path)


def _say_edited(path: Path) -> None:
    message = f"{path} has not the columns and rows it was written with"
    warnings.warn(f"{message}: was it edited? It is read as it is.", stacklevel=4)
