"""A fitted estimator to and from a folder: ``model.json``, readable, and ``arrays.npz``."""

import hashlib
import json
import zipfile
from importlib.metadata import version
from pathlib import Path

import numpy as np

from sfumato._typing import Json
from sfumato.errors import DataError
from sfumato.io._files import read_json, whole

FORMAT = 2
HEADER, ARRAYS = "model.json", "arrays.npz"
_PACKAGES = ("sfumato", "jax", "equinox", "optax", "numpyro", "numpy", "scikit-learn")


def versions() -> dict[str, str]:
    """Versions of the packages a result depends on."""
    return {name: version(name) for name in _PACKAGES}


def write_archive(path: str | Path, header: dict[str, Json], arrays: dict[str, np.ndarray]) -> None:
    """Write a model folder, whole or not at all.

    Raises
    ------
    DataError
        The folder cannot be written.
    """
    path = Path(path)
    with whole(path, mark=HEADER) as temporary:
        temporary.mkdir()
        (temporary / HEADER).write_text(json.dumps(header, indent=2) + "\n", encoding="utf-8")
        with zipfile.ZipFile(temporary / ARRAYS, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, values in arrays.items():
                with archive.open(f"{name}.npy", "w") as stream:
                    np.lib.format.write_array(stream, values, allow_pickle=False)


def read_archive(path: str | Path) -> tuple[dict[str, Json], dict[str, np.ndarray]]:
    """Header and arrays of a model folder.

    Raises
    ------
    DataError
        The folder is missing, damaged, not a model, or of a newer format.
    """
    path = Path(path)
    if not (path / HEADER).is_file():
        reason = "is not a model: it holds no model.json" if path.exists() else "does not exist"
        raise DataError(f"{path} {reason}. Give the folder that `sfumato fit --output` wrote.")
    header = read_json(path / HEADER)
    if not isinstance(header, dict) or not isinstance(header.get("format"), int):
        raise DataError(f"{path / HEADER} is not the header of a model.")
    if header["format"] < FORMAT:
        message = f"{path} has model format {header['format']}; this version reads {FORMAT}"
        raise DataError(f"{message}. Fit the model again.")
    if header["format"] > FORMAT:
        message = f"{path} has model format {header['format']}; this version reads up to {FORMAT}"
        raise DataError(f"{message}. Upgrade: pip install -U sfumato.")
    try:
        with (path / ARRAYS).open("rb") as stream:
            file = np.load(stream, allow_pickle=False)
            return header, {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path / ARRAYS} cannot be read ({error}). Fit the model again."
        ) from error


def archive_digest(path: str | Path) -> str:
    """SHA-256 of a model's contents."""
    digest = hashlib.sha256()
    for name in (HEADER, ARRAYS):
        digest.update((Path(path) / name).read_bytes())
    return digest.hexdigest()
