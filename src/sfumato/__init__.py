"""sfumato: noisy measurements in, full calibrated probability distributions out."""

import os
from importlib import import_module
from typing import TYPE_CHECKING

# XLA's log asks users to file a bug where a busy machine compiles slowly; its errors are raised too
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

if TYPE_CHECKING:
    from sfumato.estimators.classifier import MDNClassifier as MDNClassifier
    from sfumato.estimators.regressor import MDNRegressor as MDNRegressor
    from sfumato.io.pdfs import read_pdfs as read_pdfs
    from sfumato.io.pdfs import write_pdfs as write_pdfs
    from sfumato.jobs.model_files import read_model as read_model
    from sfumato.jobs.model_files import write_model as write_model
    from sfumato.jobs.search import tune as tune
    from sfumato.pdfs import CountPDFs as CountPDFs
    from sfumato.pdfs import GridPDFs as GridPDFs
    from sfumato.pdfs import JointPDFs as JointPDFs
    from sfumato.pdfs import ParametricPDFs as ParametricPDFs
    from sfumato.pdfs import SamplePDFs as SamplePDFs
    from sfumato.pdfs import concatenate as concatenate
    from sfumato.preprocessing.shift.weights import importance_weights as importance_weights
    from sfumato.recalibration.conformal import ConformalRecalibration as ConformalRecalibration

_HOMES = {
    "ConformalRecalibration": "sfumato.recalibration.conformal",
    "CountPDFs": "sfumato.pdfs",
    "GridPDFs": "sfumato.pdfs",
    "JointPDFs": "sfumato.pdfs",
    "MDNClassifier": "sfumato.estimators.classifier",
    "MDNRegressor": "sfumato.estimators.regressor",
    "ParametricPDFs": "sfumato.pdfs",
    "SamplePDFs": "sfumato.pdfs",
    "concatenate": "sfumato.pdfs",
    "importance_weights": "sfumato.preprocessing.shift.weights",
    "read_model": "sfumato.jobs.model_files",
    "read_pdfs": "sfumato.io.pdfs",
    "tune": "sfumato.jobs.search",
    "write_model": "sfumato.jobs.model_files",
    "write_pdfs": "sfumato.io.pdfs",
}

__all__ = [
    "ConformalRecalibration",
    "CountPDFs",
    "GridPDFs",
    "JointPDFs",
    "MDNClassifier",
    "MDNRegressor",
    "ParametricPDFs",
    "SamplePDFs",
    "concatenate",
    "importance_weights",
    "read_model",
    "read_pdfs",
    "tune",
    "write_model",
    "write_pdfs",
]


def __getattr__(name: str) -> object:
    """Import a public name on first use, so that ``import sfumato`` costs nothing."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name == "__version__":
        from importlib.metadata import version  # as slow as Python's own start

        return version("sfumato")
    raise AttributeError(f"module 'sfumato' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
