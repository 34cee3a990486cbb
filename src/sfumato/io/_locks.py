"""One process at a time writes one output; what a killed one left beside it is cleared away."""

import json
import os
import shutil
import socket
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

from sfumato.errors import DataError

try:
    import fcntl
except ImportError:  # no such locks on Windows
    fcntl = None

# a link may lead to a file of somebody's; Windows has no such links
_NO_LINK = vars(os).get("O_NOFOLLOW", 0)

_HELD: ContextVar[Mapping[Path, bool]] = ContextVar("held")
"""Outputs that this thread may write, and whether it may replace them."""


def real(path: Path) -> Path:
    """What a path stands for: where a symbolic link leads, there or not.

    Raises
    ------
    DataError
        No system can have it: a name that is too long or not UTF-8, a link to itself.
    """
    try:
        str(path).encode()
        return path.resolve() if path.is_symlink() else path.absolute()
    except UnicodeEncodeError:
        message = f"{str(path)!a} is no name in UTF-8. Choose another, or another locale."
        raise DataError(message) from None
    except (OSError, RuntimeError) as error:  # before Python 3.13, a circle is a RuntimeError
        reason = error.strerror if isinstance(error, OSError) else "a link to itself"
        name = path.name if len(path.name) < 100 else f"{path.name[:40]}…"
        raise DataError(f"{name}: {reason}. Choose another --output.") from error


def may_replace(path: Path) -> bool:
    """Whether whoever holds an output was allowed to replace one that exists."""
    return _HELD.get({}).get(real(path), True)


@contextmanager
def locked(path: Path, *, overwrite: bool = True) -> Iterator[None]:
    """The right to write an output; within it, for the same thread, it is there already.

    The lock is a file beside the output, held by the system: whoever dies lets go of it.

    Raises
    ------
    DataError
        Another process or thread holds it, or its folder is missing or cannot be written.
    """
    path, held = real(path), _HELD.get({})
    if path in held:
        yield
        return
    with _lock_file(path):
        _clear(path)
        token = _HELD.set({**held, path: overwrite})
        try:
            yield
        finally:
            _HELD.reset(token)


@contextmanager
def _lock_file(path: Path) -> Iterator[None]:
    if not path.parent.is_dir():
        raise DataError(f"The folder {path.parent} of the output does not exist. Create it first.")
    lock = path.with_name(f".{path.name}.lock")
    try:
        descriptor = _acquired(lock, path)
    except OSError as error:
        if lock.is_symlink() or lock.is_dir():
            message = f"{lock} is a link or a folder, and no lock of ours. Remove it."
            raise DataError(message) from error
        message = f"Cannot write in {path.parent} ({error.strerror}). Choose another --output."
        raise DataError(message) from error
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(descriptor)


def _acquired(lock: Path, path: Path) -> int:
    """Descriptor of the lock file, which names its owner."""
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | _NO_LINK, 0o666)
        try:
            if os.fstat(descriptor).st_nlink > 1:
                raise DataError(f"{lock} is another file too, by a link. Remove it.")
            if not _is_free(descriptor):
                owner = os.read(descriptor, 1000).decode(errors="replace")
                raise DataError(
                    f"{path} is being written by {_said(owner)}. Wait, or choose another."
                )
            if _is_named(descriptor, lock):
                owner = {
                    "process": os.getpid(),
                    "host": socket.gethostname(),
                    "since": time.strftime("%Y-%m-%d %H:%M:%S"),
                }
                with suppress(OSError):  # a full disk: the lock holds, only its owner is not told
                    os.ftruncate(descriptor, 0)
                    os.write(descriptor, json.dumps(owner).encode())
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its owner removed it meanwhile


def _is_free(descriptor: int) -> bool:
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        reason = error.strerror
        warnings.warn(
            f"This disk knows no locks ({reason}): start one run at a time.", stacklevel=2
        )
    return True


def _is_named(descriptor: int, lock: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), lock.stat())
    except FileNotFoundError:
        return False


def _said(owner: str) -> str:
    try:
        told = json.loads(owner)
        return f"process {told['process']} on {told['host']} since {told['since']}"
    except (ValueError, TypeError, KeyError):
        return "another run"


# -- what killed runs leave ------------------------------------------------------------------------

_WRITING, _OLD = "writing", "old"


def temporary_of(path: Path) -> Path:
    """Where an output is written before it takes its name."""
    return path.with_name(f".{path.name}.{_WRITING}-{os.getpid()}")


def aside_of(path: Path) -> Path:
    """Where a folder is that another one is just replacing."""
    return path.with_name(f".{path.name}.{_OLD}-{os.getpid()}")


def recover(path: Path) -> None:
    """Give a folder its name back whose replacement was interrupted between two renames."""
    if path.exists() or not path.parent.is_dir():
        return
    for left in _beside(path, _OLD):
        if not left.name.startswith(f".{path.name}."):  # a lock
            continue
        left.rename(path)
        warnings.warn(f"{path} was being replaced when a run was killed: it is back.", stacklevel=3)
        return


def _clear(path: Path) -> None:
    """Remove what runs that are dead left beside an output, whose lock is held."""
    recover(path)
    left = _beside(path, _WRITING) + _beside(path, _OLD)
    if not left:
        return
    size = sum(map(_size, left)) / 1e6
    for entry in left:
        remove(entry)
    what = f"Removed what a killed run left beside {path}: {len(left)} files or folders"
    warnings.warn(f"{what}, {size:.1f} MB.", stacklevel=4)


def _beside(path: Path, kind: str) -> list[Path]:
    # what is written beside an output may be locked itself: its lock has one point more
    start = f"{path.name.lstrip('.')}.{kind}-"
    hidden = (entry for entry in path.parent.iterdir() if entry.name.startswith("."))
    return [entry for entry in hidden if entry.name.lstrip(".").startswith(start)]


def _size(entry: Path) -> int:
    parts = entry.rglob("*") if entry.is_dir() else [entry]
    return sum(part.lstat().st_size for part in parts)


def remove(entry: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry, ignore_errors=True)
    else:
        entry.unlink(missing_ok=True)
