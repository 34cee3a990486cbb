"""Point statistics of very many PDFs by name: ``mean``, ``std``, ``mode``, ``median``, ``q16``.

`summarise` uses compiled kernels where there are some, good to 3e-4 of the target's range; the
methods of the PDFs themselves are exact and slower.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sfumato.pdfs._base import AbstractPDFs
from sfumato.pdfs._kernels import summarise_beta
from sfumato.pdfs.joint import JointPDFs
from sfumato.pdfs.parametric import ParametricPDFs

_QUANTILE = re.compile(r"q(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Statistic:
    """A named statistic; for quantiles, `level` is the probability."""

    name: str
    level: float | None = None


def parse_statistic(name: str) -> Statistic:
    """The statistic called `name`.

    Raises
    ------
    ValueError
        There is no such statistic.
    """
    if name in ("mean", "std", "mode"):
        return Statistic(name)
    if name == "median":
        return Statistic(name, 0.5)
    match = _QUANTILE.fullmatch(name)
    level = float(match.group(1)) / 100 if match else 0.0
    if not 0 < level < 1:
        known = "mean, std, mode, median, or q and a percentage such as q16 or q97.5"
        raise ValueError(f"Unknown statistic {name!r}; known are {known}.")
    return Statistic(name, level)


def summarise(pdfs: AbstractPDFs | JointPDFs, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Statistics (n,) by name, in units of the target; of vectors, as ``mean_1``, ``mean_2``, ...

    Raises
    ------
    ValueError
        A name is unknown.
    """
    wanted = [parse_statistic(name) for name in names]
    if isinstance(pdfs, JointPDFs):
        return _summarise_vectors(pdfs, wanted)
    out: dict[str, np.ndarray] = {}
    levels = np.array([s.level for s in wanted if s.level is not None])
    needs_density = levels.size or any(s.name == "mode" for s in wanted)
    mode, quantiles = _mode_and_quantiles(pdfs, levels) if needs_density else (None, None)
    columns = iter(range(levels.size))
    for statistic in wanted:
        if statistic.level is not None and quantiles is not None:
            out[statistic.name] = quantiles[:, next(columns)]
        elif statistic.name == "mode" and mode is not None:
            out["mode"] = mode
        else:
            out[statistic.name] = getattr(pdfs, statistic.name)()
    return out


def _summarise_vectors(pdfs: JointPDFs, wanted: Sequence[Statistic]) -> dict[str, np.ndarray]:
    """Statistics of every coordinate, the number of the coordinate behind the name."""
    out = {}
    for index in range(pdfs.event_size):
        marginal = summarise(pdfs.marginal(index), [statistic.name for statistic in wanted])
        out |= {f"{name}_{index + 1}": values for name, values in marginal.items()}
    return out


def _mode_and_quantiles(pdfs: AbstractPDFs, levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mode (n,) and quantiles (n, q)."""
    if isinstance(pdfs, ParametricPDFs) and pdfs.family.component.name == "beta" and len(pdfs):
        alpha, beta = (
            pdfs.params[name].reshape(len(pdfs), pdfs.n_components_total)
            for name in ("alpha", "beta")
        )
        asked = levels if levels.size else np.array([0.5])
        mode, quantiles = summarise_beta(pdfs.flat_log_weights(np.float32), alpha, beta, asked)
        shift, scale = np.float32(pdfs.family.shift), np.float32(pdfs.family.scale)
        return shift + scale * mode, shift + scale * quantiles[:, : levels.size]
    quantiles = pdfs.quantiles(levels) if levels.size else np.zeros((len(pdfs), 0))
    return pdfs.mode(), quantiles
