"""The header in the footer of a Parquet table of ours, and a digest of all that the footer says.

Pages have checksums of their own; names, types, units and descriptions of columns have not.
"""

import json
import warnings
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from sfumato._typing import Json
from sfumato.errors import DataError
from sfumato.io._files import digest_of

KEY = b"sfumato"
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
        message = f"{path} has not the columns and rows it was written with"
        warnings.warn(f"{message}: was it edited? It is read as it is.", stacklevel=3)
