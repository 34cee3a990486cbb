"""Tables inside gzip, bzip2 or xz: unpacked once into a temporary file."""

import bz2
import gzip
import lzma
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from sfumato.errors import DataError
from sfumato.io.tables.contract import Opener, TableFile

UNPACKERS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
"""From a suffix to what opens such a file."""


def open_compressed(path: Path, group: str | None, opener: Opener) -> TableFile:
    """A compressed table; its unpacked copy lies in the temporary folder while it is used."""
    folder = tempfile.TemporaryDirectory(prefix="sfumato-")
    copy = Path(folder.name) / path.stem
    with UNPACKERS[path.suffix.lower()](path, "rb") as packed, copy.open("wb") as unpacked:
        shutil.copyfileobj(packed, unpacked, 1 << 22)
    try:
        table = opener(copy, group)
    except DataError as error:
        raise DataError(str(error).replace(str(copy), str(path))) from error

    def read(columns, start, batch_rows, _held=folder):  # noqa: ANN001, ANN202 - a `Reader`
        return table.read(columns, start, batch_rows)

    return replace(table, path=path, read=read)
