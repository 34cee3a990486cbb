"""Sets of PDFs put together along the object axis."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar, cast

import numpy as np

from sfumato.errors import IncompatibleError
from sfumato.pdfs.grid import GridPDFs
from sfumato.pdfs.joint import JointPDFs
from sfumato.pdfs.parametric import ParametricPDFs
from sfumato.pdfs.samples import SamplePDFs

Joinable = TypeVar("Joinable")


def concatenate(parts: Sequence[Joinable]) -> Joinable:
    """One set holding the objects of all `parts` in order.

    Raises
    ------
    ValueError
        `parts` is empty.
    IncompatibleError
        The parts differ in kind, family, grid, number of members, or number or bounds of draws.
    """
    if not parts:
        raise ValueError("`parts` must hold at least one set of PDFs; got none.")
    gridded = [part for part in parts if isinstance(part, GridPDFs)]
    mixtures = [part for part in parts if isinstance(part, ParametricPDFs | JointPDFs)]
    samples = [part for part in parts if isinstance(part, SamplePDFs)]
    if len(gridded) + len(mixtures) + len(samples) < len(parts):
        message = "Only mixtures, gridded PDFs and draws can be joined"
        raise IncompatibleError(f"{message}. Use to_grid(grid).")
    if len(parts) not in (len(gridded), len(mixtures), len(samples)):
        message = "All parts must be of one kind"
        raise IncompatibleError(f"{message}. Use to_grid(grid) on mixtures and draws.")
    if samples:
        joined = _join_samples(samples)
    else:
        joined = _join_gridded(gridded) if gridded else _join_mixtures(mixtures)
    return cast(Joinable, joined)


def _join_gridded(parts: list[GridPDFs]) -> GridPDFs:
    grid = parts[0].grid
    if any(not np.array_equal(part.grid, grid) for part in parts):
        raise IncompatibleError("All parts must share one grid. Use to_grid(grid) first.")
    return GridPDFs(grid, np.concatenate([part.density for part in parts]))


def _join_samples(parts: list[SamplePDFs]) -> SamplePDFs:
    first = parts[0]
    for part in parts:
        if (part.n_draws, part.bounds) != (first.n_draws, first.bounds):
            message = "All parts must share bounds and number of draws"
            given = f"{first!r} in {first.bounds} and {part!r} in {part.bounds}"
            raise IncompatibleError(f"{message}; got {given}. Use resampled(n_draws) first.")
    draws = np.concatenate([part.draws for part in parts])
    if all(part.log_weights is None for part in parts):
        return SamplePDFs(draws, None, first.bounds)
    return SamplePDFs(draws, np.concatenate([np.log(p.weights) for p in parts]), first.bounds)


def _join_mixtures(parts: list[ParametricPDFs | JointPDFs]) -> ParametricPDFs | JointPDFs:
    first = parts[0]
    for part in parts:
        if _kind(part) != _kind(first):
            message = "All parts must share family, members and components"
            raise IncompatibleError(f"{message}; got {first!r} and {part!r}.")
    params = {name: np.concatenate([part.params[name] for part in parts]) for name in first.params}
    members = None
    if any(part.member_log_weights is not None for part in parts):
        members = np.concatenate([_member_log_weights(part) for part in parts])
    return replace(first, params=params, member_log_weights=members)


def _kind(part: ParametricPDFs | JointPDFs) -> tuple:
    return part.family, part.n_members


def _member_log_weights(part: ParametricPDFs | JointPDFs) -> np.ndarray:
    if part.member_log_weights is not None:
        return part.member_log_weights
    return np.full((len(part), part.n_members), -np.log(part.n_members))
