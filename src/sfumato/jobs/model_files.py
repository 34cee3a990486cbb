"""A fitted estimator, with the columns it was made for, to and from a folder."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import count, takewhile
from pathlib import Path
from typing import cast

import equinox as eqx
import jax
import numpy as np
from sklearn.utils.validation import check_is_fitted

from sfumato._typing import Json
from sfumato.errors import DataError
from sfumato.estimators.classifier import MDNClassifier
from sfumato.estimators.forms import has_lost
from sfumato.estimators.options import from_json, to_json
from sfumato.estimators.regressor import MDNRegressor
from sfumato.families import MixtureFamily, family_from_dict
from sfumato.io.archive import FORMAT, read_archive, versions, write_archive
from sfumato.io.tables.contract import reason_of
from sfumato.jobs.columns import Columns
from sfumato.networks.architecture import Architecture
from sfumato.networks.density import Inputs, Network
from sfumato.networks.embeddings import BinEmbedding
from sfumato.networks.members import skeleton
from sfumato.pdfs import GridPDFs
from sfumato.preprocessing import AffineScaler, feature_kind
from sfumato.preprocessing.novelty import Novelty
from sfumato.preprocessing.units import Units, no_units
from sfumato.recalibration.sharpening import Sharpening
from sfumato.training import History

Model = MDNRegressor | MDNClassifier


@dataclass(frozen=True)
class TabularModel:
    """A fitted estimator and the columns it reads."""

    regressor: MDNRegressor
    columns: Columns
    about: dict[str, Json]

    def write(self, path: str | Path) -> None:
        """Write the model folder, whole or not at all."""
        write_model(self.regressor, path, columns=self.columns, about=self.about)

    @classmethod
    def read(cls, path: str | Path) -> "TabularModel":
        """Read a model folder.

        Raises
        ------
        DataError
            The folder is missing, damaged, of a newer format, or was not fitted to a table.
        """
        header, arrays = read_archive(path)
        if header.get("columns", 0) is None:
            message = f"{path} was not written by `sfumato fit`"
            raise DataError(f"{message}: it does not say what columns are for. Use read_model.")
        regressor = _restored(path, header, arrays)
        with _damage(path):
            stored = header["columns"]
            lists: dict[str, Json] = {
                k: tuple(v) if isinstance(v, list) else v for k, v in stored.items()
            }
            columns = Columns(**lists)
            regressor.name_columns(columns.features, columns.targets)
            return cls(cast(MDNRegressor, regressor), columns, header["about"])


def write_model(
    regressor: Model,
    path: str | Path,
    *,
    columns: Columns | None = None,
    about: dict[str, Json] | None = None,
) -> None:
    """Write a fitted estimator to a folder of ``model.json`` and ``arrays.npz``; no pickle.

    Raises
    ------
    DataError
        The folder cannot be written.
    """
    check_is_fitted(regressor, "network_")
    options = regressor.get_params(deep=False)
    # the transform itself is among the arrays; the callback belongs to a session
    parameters = to_json({n: v for n, v in options.items() if n not in ("features", "on_epoch")})
    for name, value in options.items():
        if name in parameters and has_lost(value, parameters[name]):
            message = f"`{name}` holds an object of your own, which a model file cannot"
            warnings.warn(
                f"{message}: the model predicts as before, but pass `{name}` again to refit it.",
                stacklevel=2,
            )
    parameters["features"] = regressor.features is not None
    header, arrays = fitted_state(
        family=regressor.family_,
        architecture=regressor.architecture_,
        network=regressor.network_,
        sharpening=regressor.sharpening_,
        history=regressor.history_,
        parameters=parameters,
    )
    arrays |= {"units_centre": regressor.units_.centre, "units_scale": regressor.units_.scale}
    header["estimator"] = type(regressor).__name__
    header["n_parameters"] = len(parameters)
    header["columns"] = None if columns is None else asdict(columns)
    header["n_features_in"] = vars(regressor)["n_features_in_"]
    header["column_units"] = regressor.column_units_
    header["codes"] = [[column, values] for column, values in regressor.codes_.items()]
    header["levels"] = [[column, words] for column, words in regressor.levels_.items()]
    fitted = vars(regressor)
    names = fitted.get("feature_names_in_")
    header["feature_names_in"] = None if names is None else list(names)
    header |= {name: fitted.get(name) for name in _VALUES}
    for name in _ARRAYS:
        values = fitted.get(name)
        if values is not None:
            # words of a data frame are objects, which only pickling could store
            arrays[name] = values.astype(str) if values.dtype == object else values
    if regressor.novelty_ is not None:
        arrays |= {_of_novelty(n): v for n, v in regressor.novelty_._asdict().items()}
    for index, prior in enumerate(fitted.get("training_priors_", ())):
        grid, density = _prior_names(index)
        arrays |= {grid: prior.grid, density: prior.density}
    made = datetime.now(UTC).isoformat(timespec="seconds")
    header["about"] = {"made": made, "versions": versions(), **(about or {})}
    write_archive(path, header, arrays)


def _of_novelty(name: str) -> str:
    return f"novelty_{name}"


def _prior_names(index: int) -> tuple[str, str]:
    """Names of the arrays that hold the density of the training targets of a coordinate."""
    number = str(index) if index else ""
    return f"prior{number}_grid", f"prior{number}_density"


ESTIMATORS = {kind.__name__: kind for kind in (MDNRegressor, MDNClassifier)}
"""The one table from the name in a header to the class of the estimator."""

_ARRAYS = ("classes_", "noise_covariance_")
_VALUES = ("n_clipped_", "family_reason_")
"""Fitted attributes that some estimators have, kept as arrays and in the header."""


def read_model(path: str | Path) -> Model:
    """A fitted estimator from the folder that `write_model` or ``sfumato fit`` wrote.

    Raises
    ------
    DataError
        The folder is missing, damaged, not a model, or of a newer format.
    """
    return _restored(path, *read_archive(path))


_DAMAGE = (
    LookupError,
    TypeError,
    AttributeError,
    ValueError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
)


@contextmanager
def _damage(path: str | Path) -> Iterator[None]:
    """Turn what an edited or damaged header raises into one clear error."""
    try:
        yield
    except _DAMAGE as error:
        reason = f"no {error}" if isinstance(error, KeyError) else reason_of(error)
        message = f"{path} is damaged: model.json and arrays.npz do not fit ({reason})"
        raise DataError(f"{message}. Fit the model again.") from error


def _restored(path: str | Path, header: dict[str, Json], arrays: dict[str, np.ndarray]) -> Model:
    with _damage(path):
        return _restore(header, arrays)


def _restore(header: dict[str, Json], arrays: dict[str, np.ndarray]) -> Model:
    family, architecture, network, sharpening, history = restored_state(header, arrays)
    stored = dict(header["parameters"])
    # a file of an earlier version lacks the options that came later; an edited one is not trusted
    if len(stored) != header.get("n_parameters", len(stored)):
        raise ValueError(
            f"{header['n_parameters']} parameters were written, {len(stored)} are there"
        )
    features = network.inputs.features if stored.pop("features") else None
    parameters: dict[str, Json] = from_json(stored)  # arguments of every kind
    model = ESTIMATORS[header["estimator"]](features=features, **parameters)
    model.family_, model.architecture_, model.network_ = family, architecture, network
    model.sharpening_, model.history_ = sharpening, history
    # a file of an earlier version has no units: its columns are taken as they are
    model.units_ = no_units(header["n_features_in"])
    if "units_centre" in arrays:
        model.units_ = Units(arrays["units_centre"], arrays["units_scale"])
    _check_affine("units", *model.units_, size=header["n_features_in"])
    model.column_units_ = dict(header.get("column_units", {}))
    model.codes_ = {int(column): list(values) for column, values in header.get("codes", [])}
    model.levels_ = {int(column): list(words) for column, words in header["levels"]}
    fitted = vars(model)
    fitted["n_features_in_"] = header["n_features_in"]
    fitted |= {name: header[name] for name in _VALUES}
    for name in _ARRAYS:
        fitted[name] = arrays.get(name)
    model.novelty_ = _restored_novelty(arrays, n_columns=header["n_features_in"])
    pairs = takewhile(lambda pair: pair[0] in arrays, map(_prior_names, count()))
    priors = (GridPDFs(arrays[grid], arrays[density]) for grid, density in pairs)
    fitted["training_priors_"] = tuple(priors)
    if header["feature_names_in"] is not None:
        fitted["feature_names_in_"] = np.array(header["feature_names_in"], object)
    return model


def _restored_novelty(arrays: dict[str, np.ndarray], *, n_columns: int) -> Novelty | None:
    """What a file says of its training rows; one of an earlier version says nothing."""
    if _of_novelty("metric") not in arrays:
        return None
    novelty = Novelty(*(arrays[_of_novelty(name)] for name in Novelty._fields))
    metric, reference, distances, ranges = novelty
    if reference.shape[1:] != metric.shape[1:] or ranges.shape != (2, n_columns):
        raise ValueError(f"novelty of {reference.shape[1:]} features, {metric.shape}")
    rising = distances.ndim == 2 and len(distances) == 2 and np.all(np.diff(distances) > 0)
    if not (rising and np.all(np.isfinite(metric)) and np.all(np.isfinite(reference))):
        raise ValueError("novelty is not of numbers")
    return novelty


def fitted_state(
    *,
    family: MixtureFamily,
    architecture: Architecture,
    network: Network,
    sharpening: Sharpening,
    history: History,
    parameters: dict[str, object],
) -> tuple[dict[str, object], dict[str, np.ndarray]]:
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


_TINY = 1e-150
"""Scales beyond have no square."""
_LARGEST = 1e15
"""Weights beyond overflow in single precision a few layers on."""


def _check_affine(
    name: str, centre: np.ndarray, scale: np.ndarray, *, size: int | None = None
) -> None:
    """Refuse a map of columns that is none: of another length, not finite, not rising."""
    if centre.shape != scale.shape or (size is not None and centre.shape != (size,)):
        raise ValueError(f"{name} of {centre.shape} and {scale.shape} for {size} columns")
    if not (np.all(np.isfinite(centre)) and np.all(scale > 0)):
        raise ValueError(f"{name} are not numbers")


def restored_state(
    header: dict[str, Json], arrays: dict[str, np.ndarray]
) -> tuple[MixtureFamily, Architecture, Network, Sharpening, History]:
    """The inverse of `fitted_state`."""
    family = family_from_dict(header["family"])
    architecture = Architecture.from_dict(header["architecture"])
    features = None
    if header["features"] is not None:
        options = dict(header["features"])
        features = feature_kind(options.pop("kind")).from_dict(options)
    scaler = AffineScaler(
        *(jax.device_put(arrays[name]) for name in ("scaler_centre", "scaler_scale"))
    )
    _check_affine("scaler", arrays["scaler_centre"], arrays["scaler_scale"])
    if any(np.any(np.diff(own) <= 0) for own in architecture.edges):
        raise ValueError("edges of the piecewise-linear embedding do not increase")
    bins = BinEmbedding.between(architecture.edges) if architecture.edges else None
    if len(architecture.hidden_sizes) > len(arrays):
        raise ValueError(f"{len(architecture.hidden_sizes)} layers and {len(arrays)} arrays")
    if header["n_members"] != len(arrays["member_00"]):
        raise ValueError(f"{header['n_members']} members, of {len(arrays['member_00'])} networks")
    # the shapes come from the architecture, the values from the file
    empty = skeleton(family, architecture, n_members=header["n_members"])
    dynamic, static = eqx.partition(empty, lambda leaf: isinstance(leaf, jax.ShapeDtypeStruct))
    leaves, structure = jax.tree.flatten(dynamic)
    stored = [arrays[f"member_{index:02d}"] for index in range(len(leaves))]
    for expected, leaf in zip(leaves, stored, strict=True):
        if expected.shape != leaf.shape or not np.all(np.abs(leaf) < _LARGEST):
            raise ValueError(f"an array is {leaf.shape}, not {expected.shape}, or not finite")
    scale = np.asarray(family.scale, float)
    if not (np.all(np.isfinite(family.shift)) and np.all((scale > _TINY) & (scale < 1 / _TINY))):
        raise ValueError("the family's shift and scale are not numbers")
    if not all(np.isfinite(value) for value in header["sharpening"].values()):
        raise ValueError("the sharpening is not of numbers")
    # put there as they are, which compiles nothing
    members = eqx.combine(jax.tree.unflatten(structure, jax.device_put(stored)), static)
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
        Network(Inputs(features, scaler, bins), members),
        Sharpening(**header["sharpening"]),
        history,
    )
