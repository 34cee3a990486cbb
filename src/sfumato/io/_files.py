"""Outputs that appear whole or not at all, and the errors of files."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sfumato.errors import DataError


def check_output(path: Path, *, overwrite: bool) -> None:
    """Refuse, before any work is done, an output that exists or cannot be written.

    Raises
    ------
    DataError
        The path exists and `overwrite` is not set, or its folder is missing or read-only.
    """
    if path.exists() and not overwrite:
        raise DataError(f"{path} exists already. Pass --overwrite to replace it.")
    folder = path.parent
    if not folder.is_dir():
        raise DataError(f"The folder {folder} of the output does not exist. Create it first.")
    probe = folder / f".{path.name}.probe-{os.getpid()}"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        message = f"Cannot write in {folder} ({error.strerror}). Choose another --output."
        raise DataError(message) from error


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name when the block ends well.

    Works for a file or a folder. If the block fails, nothing is left behind.

    Raises
    ------
    DataError
        The disk is full or the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.writing-{os.getpid()}")
    try:
        yield temporary
        if path.is_dir():
            shutil.rmtree(path)
        temporary.replace(path)
    except OSError as error:
        if isinstance(error, DataError):
            raise
        reason = error.strerror or str(error)
        raise DataError(f"{path} could not be written ({reason}). Nothing was left.") from error
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


def write_json(path: Path, values: Any) -> None:
    """Readable JSON, whole or not at all; infinities and NaN become null."""
    with whole(path) as temporary:
        temporary.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Contents of a JSON file.

    Raises
    ------
    DataError
        The file is missing or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist.") from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{path} cannot be read as JSON ({error}).") from error
