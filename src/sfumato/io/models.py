"""A fitted estimator to and from a folder: ``model.json``, readable, and ``arrays.npz``."""

import hashlib
import json
import zipfile
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from sfumato.errors import DataError
from sfumato.families import MixtureFamily, family_from_dict
from sfumato.io._files import read_json, whole
from sfumato.models import Architecture, Inputs, Network
from sfumato.preprocessing import AffineScaler, feature_kind
from sfumato.training import History
from sfumato.uncertainty.ensemble import make_members
from sfumato.uncertainty.recalibration import Sharpening

FORMAT = 2
HEADER, ARRAYS = "model.json", "arrays.npz"
_PACKAGES = ("sfumato", "jax", "equinox", "optax", "numpyro", "numpy", "scikit-learn")


def versions() -> dict[str, str]:
    """Versions of the packages a result depends on."""
    return {name: version(name) for name in _PACKAGES}


def fitted_state(
    *,
    family: MixtureFamily,
    architecture: Architecture,
    network: Network,
    sharpening: Sharpening,
    history: History,
    parameters: dict[str, Any],
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """A fitted model as readable values and named arrays.

    Parameters
    ----------
    parameters : the estimator's constructor arguments, in JSON's types.
    """
    features = network.inputs.features
    header = {
        "format": FORMAT,
        "family": family.to_dict(),
        "architecture": asdict(architecture),
        "n_members": network.n_members,
        "features": None if features is None else {"kind": features.kind} | features.to_dict(),
        "sharpening": {k: float(v) for k, v in vars(sharpening).items()},
        "parameters": parameters,
        "best_epoch": history.best_epoch.tolist(),
        "warnings": list(history.warnings),
    }
    leaves = jax.tree.leaves(eqx.filter(network.members, eqx.is_array))
    arrays = {f"member_{index:02d}": np.asarray(leaf) for index, leaf in enumerate(leaves)}
    arrays |= {
        "scaler_centre": np.asarray(network.inputs.scaler.centre),
        "scaler_scale": np.asarray(network.inputs.scaler.scale),
        "train_loss": history.train_loss,
        "valid_loss": history.valid_loss,
        "n_skipped_steps": history.n_skipped_steps,
        "n_effective": history.n_effective,
    }
    return header, arrays


def write_archive(path: str | Path, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
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


def read_archive(path: str | Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
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


def restored_state(
    header: dict[str, Any], arrays: dict[str, np.ndarray]
) -> tuple[MixtureFamily, Architecture, Network, Sharpening, History]:
    """The inverse of `fitted_state`."""
    family = family_from_dict(header["family"])
    architecture = Architecture.from_dict(header["architecture"])
    features = None
    if header["features"] is not None:
        options = dict(header["features"])
        features = feature_kind(options.pop("kind")).from_dict(options)
    scaler = AffineScaler(jnp.asarray(arrays["scaler_centre"]), jnp.asarray(arrays["scaler_scale"]))
    # the shapes come from the architecture, the values from the file
    skeleton = eqx.filter_eval_shape(
        lambda: make_members(
            family,
            architecture,
            n_members=header["n_members"],
            initial_bias=np.zeros(family.n_raw),
            seed=0,
        )
    )
    dynamic, static = eqx.partition(skeleton, lambda leaf: isinstance(leaf, jax.ShapeDtypeStruct))
    leaves, structure = jax.tree.flatten(dynamic)
    stored = [jnp.asarray(arrays[f"member_{index:02d}"]) for index in range(len(leaves))]
    for expected, leaf in zip(leaves, stored, strict=True):
        if expected.shape != leaf.shape or not np.all(np.isfinite(leaf)):
            raise ValueError(f"an array is {leaf.shape}, not {expected.shape}, or not finite")
    if not (np.all(np.isfinite(family.shift)) and np.all(np.asarray(family.scale) > 0)):
        raise ValueError("the family's shift and scale are not numbers")
    members = eqx.combine(jax.tree.unflatten(structure, stored), static)
    history = History(
        arrays["train_loss"],
        arrays["valid_loss"],
        np.asarray(header["best_epoch"]),
        arrays["n_skipped_steps"],
        arrays["n_effective"],
        tuple(header["warnings"]),
    )
    return (
        family,
        architecture,
        Network(Inputs(features, scaler), members),
        Sharpening(**header["sharpening"]),
        history,
    )
