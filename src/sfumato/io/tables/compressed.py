"""Tables inside gzip, bzip2 or xz: unpacked once into a temporary file."""

import bz2
import gzip
import lzma
import shutil
import tempfile
import weakref
from dataclasses import replace
from pathlib import Path

from sfumato.errors import DataError
from sfumato.io.tables.contract import Opener, TableFile

UNPACKERS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
"""From a suffix to what opens such a file."""


def open_compressed(path: Path, group: str | None, opener: Opener) -> TableFile:
    """A compressed table; its unpacked copy lies in the temporary folder while it is used."""
    folder = Path(tempfile.mkdtemp(prefix="sfumato-"))
    copy = folder / path.stem
    try:
        with UNPACKERS[path.suffix.lower()](path, "rb") as packed, copy.open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked, 1 << 22)
        table = replace(opener(copy, group), path=path)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, DataError):
            raise DataError(str(error).replace(str(copy), str(path))) from error
        raise
    # whoever reads holds the reader
    weakref.finalize(table.read, shutil.rmtree, folder, ignore_errors=True)
    return table
