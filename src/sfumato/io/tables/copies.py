"""Tables that are read from a copy in another form, in the temporary folder while it is used."""

import bz2
import gzip
import lzma
import shutil
import tempfile
import warnings
import weakref
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sfumato.errors import DataError
from sfumato.io.tables.contract import Opener, TableFile

UNPACKERS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
"""From a suffix to what opens such a file."""


def open_copy(
    path: Path, name: str, write: Callable[[Path], None], opener: Callable[[Path], TableFile]
) -> TableFile:
    """The table of a copy that `write` makes; it is the original's in name and messages."""
    folder = Path(tempfile.mkdtemp(prefix="sfumato-"))
    copy = folder / name
    try:
        write(copy)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            table = replace(opener(copy), path=path)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, DataError):
            raise DataError(str(error).replace(str(copy), str(path))) from error
        raise
    for warning in said:
        text = str(warning.message).replace(str(copy), str(path))
        warnings.warn(text, warning.category, stacklevel=2)
    # whoever reads holds the reader
    weakref.finalize(table.read, shutil.rmtree, folder, ignore_errors=True)
    return table


def open_compressed(path: Path, group: str | None, opener: Opener) -> TableFile:
    """A table inside gzip, bzip2 or xz."""

    def unpack(copy: Path) -> None:
        with UNPACKERS[path.suffix.lower()](path, "rb") as packed, copy.open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked, 1 << 22)

    return open_copy(path, path.stem, unpack, lambda copy: opener(copy, group))
