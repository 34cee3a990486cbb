"""Outputs that appear whole or not at all, and the errors of files."""

import hashlib
import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from sfumato._typing import Json
from sfumato.errors import DataError, DiskError
from sfumato.io._locks import aside_of, locked, may_replace, real, remove, temporary_of

_UNFINISHED = ".sfumato-unfinished"


class Folder(NamedTuple):
    """What a folder that is written whole may hold.

    Parameters
    ----------
    mark : the file every such folder holds, without which one is somebody else's.
    others : patterns of the names of its other files.
    """

    mark: str
    others: tuple[str, ...]

    def strangers(self, path: Path) -> list[str]:
        """Names in a folder of this kind that did not come with it; hidden ones are left out."""
        own = (self.mark, *self.others, ".*")
        names = sorted(entry.name for entry in path.iterdir())
        return [name for name in names if not any(fnmatch(name, pattern) for pattern in own)]


@contextmanager
def reserved(path: Path, *, overwrite: bool, folder: Folder | None = None) -> Iterator[None]:
    """An output that nobody else writes meanwhile, checked before any work is done.

    Parameters
    ----------
    folder : what is to be written, where it is no file.

    Raises
    ------
    DataError
        The path exists and `overwrite` is not set, it may not be replaced (see
        `check_replaceable`), another run is writing it, or its own folder is missing or read-only.
    """
    with locked(path, overwrite=overwrite):
        _check_kind(path, folder)
        if path.exists() and not overwrite:
            raise DataError(f"{path} exists already. Pass --overwrite to replace it.")
        _check_strangers(path, folder)
        yield


@contextmanager
def all_reserved(paths: Sequence[Path], *, overwrite: bool) -> Iterator[None]:
    """Several files that one run writes, each `reserved`."""
    with ExitStack() as stack:
        for path in paths:
            stack.enter_context(reserved(path, overwrite=overwrite))
        yield


def check_folder(path: Path, *, overwrite: bool) -> bool:
    """Refuse, before any work is done, a folder for results that is a file or holds some.

    What a run left there that did not end (see `filling`) counts for nothing.

    Returns
    -------
    Whether there is such a run's work.

    Raises
    ------
    DataError
        It is a file, or not empty and `overwrite` is not set.
    """
    if path.exists() and not path.is_dir():
        raise DataError(f"{path} is a file. Give the name of a folder.")
    unfinished = (path / _UNFINISHED).exists()
    if path.is_dir() and any(path.iterdir()) and not overwrite and not unfinished:
        raise DataError(f"{path} is not empty. Pass --overwrite to write into it.")
    return unfinished


@contextmanager
def filling(folders: Iterable[Path]) -> Iterator[None]:
    """While it lasts, folders bear a mark that their results are not all there."""
    marks = [folder / _UNFINISHED for folder in folders]
    for mark in marks:
        try:
            mark.parent.mkdir(exist_ok=True, parents=True)
            mark.touch()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise DataError(f"Cannot write in {mark.parent} ({reason}). Choose another.") from error
    yield
    for mark in marks:
        mark.unlink(missing_ok=True)


def check_replaceable(path: Path, *, folder: Folder | None = None) -> None:
    """Refuse to replace what is of another kind, or holds what is not ours.

    Raises
    ------
    DataError
        A folder is in the place of a file, or a file in that of a folder; the folder is not of
        that kind, or holds other files too; there is a device or a pipe. It stays as it is.
    """
    _check_kind(path, folder)
    _check_strangers(path, folder)


def _check_strangers(path: Path, folder: Folder | None) -> None:
    """Refuse to replace a folder that holds other files too."""
    if folder is not None and path.is_dir() and (strangers := folder.strangers(path)):
        listed = ", ".join(strangers[:3]) + (" and others" if len(strangers) > 3 else "")
        message = f"{path} holds {listed} too, which would be lost"
        raise DataError(f"{message}. Move that elsewhere, or choose another --output.")


def _check_kind(path: Path, folder: Folder | None) -> None:
    """Refuse to replace a folder by a file, a file by a folder, or what is neither."""
    if not path.exists():
        return
    if not path.is_dir() and not path.is_file():
        raise DataError(f"{path} is a device or a pipe, and no file. Choose another --output.")
    if path.is_file():
        if folder is not None:
            raise DataError(f"{path} is a file. Give the name of a folder.")
        return
    if folder is None:
        raise DataError(f"{path} is a folder. Give the name of a file.")
    if any(path.iterdir()) and not (path / folder.mark).exists():
        message = f"{path} is a folder without {folder.mark}, so it is not replaced"
        raise DataError(f"{message}. Choose another.")


@contextmanager
def whole(path: Path, *, folder: Folder | None = None) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name when the block ends well.

    If the block fails, nothing is left behind, and what was there before is still there. A symbolic
    link stays: what it leads to is written.

    Parameters
    ----------
    folder : as in `reserved`.

    Raises
    ------
    DiskError
        The disk is full, or the folder cannot be written.
    DataError
        `path` may not be replaced.
    """
    with locked(path):
        check_replaceable(path, folder=folder)
        target = real(path)
        temporary = temporary_of(target)
        try:
            yield temporary
            _on_disk(temporary)
            if target.exists() and not may_replace(path):
                raise DataError(f"{path} appeared while this run worked. Choose another --output.")
            _place(temporary, target)
        except OSError as error:
            reason = error.strerror or str(error)
            raise DiskError(path, reason) from error
        finally:
            with suppress(OSError):  # the first error is the one to be told
                remove(temporary)


def check_room(folder: Path, n_bytes: int) -> None:
    """Refuse to write what the disk has no room for, where the library that writes does not.

    Raises
    ------
    DataError
        Less is free.
    """
    free = shutil.disk_usage(folder).free
    if free < n_bytes:
        message = f"The disk of {folder} has {free / 1e6:.1f} MB left and {n_bytes / 1e6:.1f} MB"
        raise DataError(f"{message} are to be written. Make room, or choose another --output.")


def claim_room(path: Path, n_bytes: int) -> None:
    """Claim room for a file that is there, where the system can: a full disk is known at once."""
    with path.open("r+b") as stream, suppress(AttributeError):  # not on every system
        os.posix_fallocate(stream.fileno(), 0, n_bytes)


def _on_disk(written: Path) -> None:
    """Wait until the disk has it: what it has no room for, it may say only now."""
    for part in [*written.rglob("*")] if written.is_dir() else [written]:
        if part.is_file():
            with part.open("rb") as stream:
                os.fsync(stream.fileno())


def _place(temporary: Path, target: Path) -> None:
    aside = aside_of(target)
    if target.is_dir():
        target.replace(aside)
    temporary.replace(target)
    remove(aside)


def write_json(path: Path, values: object) -> None:
    """Readable JSON, whole or not at all; null for what is not finite, as JSON knows none."""
    text = json.dumps(_finite(values), indent=2, allow_nan=False)
    with whole(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def _finite(values: object) -> object:
    """Nested values with None in the place of NaN and infinities."""
    if isinstance(values, Mapping):
        return {name: _finite(value) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return [_finite(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values


LONGEST_LINE = 1 << 26


def line_behind(block: bytes, before: int, path: Path) -> int:
    """Bytes of the line that a block of a text ends in, of which so many came before the block.

    Raises
    ------
    DataError
        It is longer than lines of tables are, and reading it would take its size of memory.
    """
    end = max(block.rfind(b"\n"), block.rfind(b"\r")) + 1
    length = len(block) - end + (0 if end else before)
    if length > LONGEST_LINE:
        raise DataError(f"{path}: a line has more than {LONGEST_LINE >> 20} MB: it is no table.")
    return length


def stamp_of(path: Path) -> tuple[int, int, int]:
    """Size of a file in bytes, and its times in ns: of its content, and of its last change.

    Programs that copy files set the first time to what they like, the second they cannot.
    """
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def digest_of(values: object) -> str:
    """SHA-256 of nested values, whatever the order of their names."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


_MOST_TEXT = 1 << 28


def read_json(path: Path) -> Json:
    """Contents of a JSON file.

    Raises
    ------
    DataError
        The file is missing or is not JSON.
    """
    try:
        if (size := path.stat().st_size) > _MOST_TEXT:
            raise DataError(f"{path} holds {size / 1e6:.0f} MB: it is no header of ours.")
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist.") from error
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} cannot be read as JSON ({error}).") from error
