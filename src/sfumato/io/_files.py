"""Outputs that appear whole or not at all, and the errors of files."""

import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sfumato._typing import Json
from sfumato.errors import DataError


def check_output(path: Path, *, overwrite: bool, mark: str | None = None) -> None:
    """Refuse, before any work is done, an output that exists or cannot be written.

    Parameters
    ----------
    mark : None if a file is to be written; for a folder, the file every such folder holds, without
        which an existing one is somebody else's and is not replaced.

    Raises
    ------
    DataError
        The path exists and `overwrite` is not set, it is a folder that is not ours, or its own
        folder is missing or read-only.
    """
    check_replaceable(path, mark=mark)
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


def check_folder(path: Path, *, overwrite: bool) -> None:
    """Refuse, before any work is done, a folder for results that is a file or holds some.

    Raises
    ------
    DataError
        It is a file, or not empty and `overwrite` is not set.
    """
    if path.exists() and not path.is_dir():
        raise DataError(f"{path} is a file. Give the name of a folder.")
    if path.is_dir() and any(path.iterdir()) and not overwrite:
        raise DataError(f"{path} is not empty. Pass --overwrite to write into it.")


def check_replaceable(path: Path, *, mark: str | None) -> None:
    """Refuse to replace a folder by a file, or a folder that does not hold `mark`.

    Raises
    ------
    DataError
        The folder stays as it is.
    """
    if not path.is_dir():
        return
    if mark is None:
        raise DataError(f"{path} is a folder. Give the name of a file.")
    if any(path.iterdir()) and not (path / mark).exists():
        raise DataError(
            f"{path} is a folder without {mark}, so it is not replaced. Choose another."
        )


@contextmanager
def whole(path: Path, *, mark: str | None = None) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name when the block ends well.

    If the block fails, nothing is left behind, and what was there before is still there.

    Parameters
    ----------
    mark : as in `check_output`.

    Raises
    ------
    DataError
        The disk is full, the folder cannot be written, or `path` may not be replaced.
    """
    check_replaceable(path, mark=mark)
    # threads of one process may write at once, to different names
    temporary = path.with_name(f".{path.name}.writing-{os.getpid()}")
    old = path.with_name(f".{path.name}.old-{os.getpid()}")
    try:
        yield temporary
        if path.is_dir():
            path.replace(old)
        temporary.replace(path)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"{path} could not be written ({reason}). Nothing was left.") from error
    finally:
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


def write_json(path: Path, values: Json) -> None:
    """Readable JSON, whole or not at all; null for what is not finite, as JSON knows none."""
    text = json.dumps(_finite(values), indent=2, allow_nan=False)
    with whole(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def _finite(values: Json) -> Json:
    """Nested values with None in the place of NaN and infinities."""
    if isinstance(values, Mapping):
        return {name: _finite(value) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return [_finite(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values


def read_json(path: Path) -> Json:
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
