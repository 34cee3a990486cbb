"""Lines of a text file as they are, whatever its encoding and its ends of lines."""

import codecs
from collections.abc import Iterator
from pathlib import Path

from sfumato.errors import DataError
from sfumato.io._files import line_behind

_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
BOM = "\ufeff"
"""What a byte-order mark becomes: part of the first line, so that it can be written again."""


def encoding_of(path: Path) -> str:
    """UTF-8 or UTF-16 where the bytes say so, else Latin-1, in which every byte is a letter.

    Raises
    ------
    DataError
        The file does not exist, or is empty.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4)
            if not head:
                raise DataError(f"{path}: the file is empty.")
            for mark, encoding in _MARKS.items():
                if head.startswith(mark):
                    return encoding
            decoder, length = codecs.getincrementaldecoder("utf-8")(), 0
            while head:
                length = line_behind(head, length, path)
                decoder.decode(head)
                head = file.read(1 << 20)
            decoder.decode(b"", final=True)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist. Check the path.") from None
    except IsADirectoryError:
        raise DataError(f"{path} is a folder. Name the files in it.") from None
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def lines_of(path: Path, encoding: str) -> Iterator[str]:
    r"""Lines with their ends, be they ``\n``, ``\r\n`` or ``\r``."""
    with path.open(encoding=encoding, newline="") as file:
        yield from file
