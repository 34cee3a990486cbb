"""Point statistics of very many PDFs by name: ``mean``, ``std``, ``mode``, ``median``, ``q16``.

`summarise` uses compiled kernels where there are some, good to 3e-4 of the target's range; the
methods of the PDFs themselves are exact and slower.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sfumato.pdfs._base import AbstractPDFs
from sfumato.pdfs.joint import JointPDFs

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
        return _summarise_vectors(pdfs, names)
    points = {"mean": pdfs.mean, "std": pdfs.std}
    out: dict[str, np.ndarray] = {}
    levels = np.array([s.level for s in wanted if s.level is not None])
    with_mode = any(s.name == "mode" for s in wanted)
    mode, quantiles = None, None
    if levels.size or with_mode:
        mode, quantiles = pdfs.mode_and_quantiles(levels, with_mode=with_mode)
    columns = iter(range(levels.size))
    for statistic in wanted:
        if statistic.level is not None and quantiles is not None:
            out[statistic.name] = quantiles[:, next(columns)]
        elif statistic.name == "mode" and mode is not None:
            out["mode"] = mode
        else:
            out[statistic.name] = points[statistic.name]()
    return out


def _summarise_vectors(pdfs: JointPDFs, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Statistics of every coordinate, the number of the coordinate behind the name."""
    out = {}
    for index in range(pdfs.event_size):
        marginal = summarise(pdfs.marginal(index), names)
        out |= {f"{name}_{index + 1}": values for name, values in marginal.items()}
    return out
