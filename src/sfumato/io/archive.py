"""A fitted estimator to and from a folder: ``model.json``, readable, and ``arrays.npz``.

The header holds a digest of every array and of itself, so that no part of another model, no edit
and no flipped bit passes for what was written. What a file states of its size is held against what
it has before anything is read.
"""

import hashlib
import json
import math
import tokenize
import zipfile
import zlib
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import IO

import numpy as np

from sfumato._typing import Json
from sfumato.errors import DataError
from sfumato.io._files import Folder, digest_of, read_json, whole
from sfumato.io._locks import recover

FORMAT = 2
HEADER, ARRAYS = "model.json", "arrays.npz"
FOLDER = Folder(HEADER, (ARRAYS,))
_PACKAGES = ("sfumato", "jax", "equinox", "optax", "numpyro", "numpy", "scikit-learn")

_SEAL, _LISTED = "sha256", "arrays"
_MOST_BYTES = 1 << 31
"""Of all arrays of a model together."""
_DAMAGE = (
    OSError,
    ValueError,
    TypeError,
    EOFError,
    MemoryError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What zipfile and NumPy raise at damaged archives."""


def versions() -> dict[str, str]:
    """Versions of the packages a result depends on."""
    return dict(_versions())


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    """Looked up once: 17 ms, and the same for every file of a run."""
    return tuple((name, version(name)) for name in _PACKAGES)


def write_archive(path: str | Path, header: dict[str, Json], arrays: dict[str, np.ndarray]) -> None:
    """Write a model folder, whole or not at all.

    Raises
    ------
    DataError
        The folder cannot be written.
    """
    path = Path(path)
    with whole(path, folder=FOLDER) as temporary:
        temporary.mkdir()
        text = json.dumps(_sealed(header, arrays), indent=2)
        (temporary / HEADER).write_text(text + "\n", encoding="utf-8")
        with zipfile.ZipFile(temporary / ARRAYS, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, values in arrays.items():
                with archive.open(f"{name}.npy", "w") as stream:
                    np.lib.format.write_array(stream, values, allow_pickle=False)


def _sealed(header: dict[str, Json], arrays: dict[str, np.ndarray]) -> dict[str, Json]:
    """The header as JSON gives it back, with the digests of the arrays and its own."""
    plain = json.loads(json.dumps(header))
    plain[_LISTED] = {name: _digest_of(values) for name, values in arrays.items()}
    return {**plain, _SEAL: digest_of(plain)}


def _digest_of(values: np.ndarray) -> str:
    shape = f"{values.dtype.str}{values.shape}".encode()
    return hashlib.sha256(shape + np.ascontiguousarray(values).tobytes()).hexdigest()


def read_archive(path: str | Path) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
    """Header and arrays of a model folder.

    Raises
    ------
    DataError
        The folder is missing, damaged, changed, not a model, or of a newer format.
    """
    path = Path(path)
    recover(path)
    if not (path / HEADER).is_file():
        reason = "is not a model: it holds no model.json" if path.exists() else "does not exist"
        raise DataError(f"{path} {reason}. Give the folder that `sfumato fit --output` wrote.")
    header = _checked_header(path / HEADER)
    listed = header.pop(_LISTED, None)
    try:
        arrays = _read_arrays(path / ARRAYS)
    except _DAMAGE as error:
        reason = str(error) or type(error).__name__
        raise DataError(
            f"{path / ARRAYS} cannot be read ({reason}). Fit the model again."
        ) from error
    if listed is not None:  # earlier versions wrote no digests
        _check_arrays(path, listed, arrays)
    return header, arrays


def _checked_header(path: Path) -> dict[str, Json]:
    header = read_json(path)
    if not isinstance(header, dict) or not isinstance(header.get("format"), int):
        raise DataError(f"{path} is not the header of a model.")
    if header["format"] < FORMAT:
        message = f"{path.parent} has model format {header['format']}; this version reads {FORMAT}"
        raise DataError(f"{message}. Fit the model again.")
    if header["format"] > FORMAT:
        written = header["format"]
        message = f"{path.parent} has model format {written}; this version reads up to {FORMAT}"
        raise DataError(f"{message}. Upgrade: pip install -U sfumato.")
    if (seal := header.pop(_SEAL, None)) is None:
        if _LISTED in header:
            raise DataError(f"{path} was changed: its digest is gone. Fit the model again.")
    elif seal != digest_of(header):
        raise DataError(f"{path} was changed since it was written. Fit the model again.")
    return header


def _check_arrays(path: Path, listed: dict[str, str], arrays: dict[str, np.ndarray]) -> None:
    if set(listed) != set(arrays):
        other = sorted(set(listed) ^ set(arrays))[0]
        what = "has no" if other in listed else "has in addition an"
        raise DataError(f"{path / ARRAYS} {what} array {other!r}. Fit the model again.")
    for name, values in arrays.items():
        if _digest_of(values) != listed[name]:
            message = (
                f"{path / ARRAYS}: the array {name!r} is not the one that {HEADER} was written"
            )
            raise DataError(f"{message} with. Fit the model again.")


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        total = sum(entry.file_size for entry in entries)
        if total > _MOST_BYTES:
            raise ValueError(f"it states arrays of {total / 1e9:.1f} GB")
        arrays = {}
        for entry in entries:
            with archive.open(entry) as stream:
                _check_size(stream, entry)
            with archive.open(entry) as stream:
                name = entry.filename.removesuffix(".npy")
                arrays[name] = np.lib.format.read_array(stream, allow_pickle=False)
        return arrays


def _check_size(stream: IO[bytes], entry: zipfile.ZipInfo) -> None:
    """Refuse an array whose header states another size than its entry has."""
    format_ = np.lib.format
    major, _ = format_.read_magic(stream)
    read = format_.read_array_header_1_0 if major == 1 else format_.read_array_header_2_0
    shape, _, kind = read(stream)
    if kind.hasobject:
        raise ValueError(f"{entry.filename} holds objects")
    if stream.tell() + math.prod(shape) * kind.itemsize != entry.file_size:
        raise ValueError(
            f"{entry.filename} states the shape {shape} and has {entry.file_size} bytes"
        )


def archive_digest(path: str | Path) -> str:
    """SHA-256 of a model's contents."""
    digest = hashlib.sha256()
    for name in (HEADER, ARRAYS):
        digest.update((Path(path) / name).read_bytes())
    return digest.hexdigest()
