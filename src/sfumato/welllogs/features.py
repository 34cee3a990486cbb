"""What a network sees of a sample: the logs there, what lies around, how deep it is."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from sfumato._typing import Json
from sfumato.preprocessing import FeatureTransform
from sfumato.preprocessing.features import NewGaps
from sfumato.preprocessing.units import Units, fit_units
from sfumato.preprocessing.windows import surroundings
from sfumato.welllogs.curves import Logs

DEPTH = "TVD"
"""The input that is no log: vertical depth, which the weight of the rock above goes with."""

MATRIX_DENSITY, FLUID_DENSITY = 2.65, 1.0
"""Of quartz and of water, g/cm3: between them density is read as porosity."""


WINDOWS_M = (5.0, 50.0, 500.0)
"""From a bed to a group of formations."""


class LogFeatures(FeatureTransform):
    """Numbers as they come, then two flags for each input: not measured here, nor anywhere near.

    In training, inputs are taken away at random, so that one model answers for any subset of them.

    Attributes
    ----------
    inputs : names of logs, in order; ``TVD`` for the vertical depth.
    windows : widths in metres, over which means and deviations of logs are columns too.
    mask_rate : share of the rows in each pass of training that lose inputs; each input of such a
        row is lost by half.
    curves : TOML of names and units of logs, beside those that are known (see `known_logs`).
    ranges : lowest and highest value of each input in training; None before `fit`.
    gaps : whether each input was missing somewhere in training; None before `fit`.
    """

    inputs: tuple[str, ...] = eqx.field(static=True)
    windows: tuple[float, ...] = eqx.field(static=True, default=WINDOWS_M)
    mask_rate: float = eqx.field(static=True, default=0.0)
    curves: str = eqx.field(static=True, default="")
    ranges: tuple[tuple[float, float], ...] | None = eqx.field(static=True, default=None)
    gaps: tuple[bool, ...] | None = eqx.field(static=True, default=None)
    kind: ClassVar[str] = "welllog"

    @property
    def logs(self) -> tuple[str, ...]:
        """The inputs that are logs."""
        return tuple(name for name in self.inputs if name != DEPTH)

    @property
    def layout(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Every column: its name, and the inputs without which it is unknown."""
        base: list[tuple[str, tuple[str, ...]]] = [(name.lower(), (name,)) for name in self.logs]
        if {"NPHI", "RHOB"} <= set(self.logs):
            base.append(("neutron-density separation", ("NPHI", "RHOB")))
        columns = [(f"{name} here", needs) for name, needs in base]
        for width in self.windows:
            for what in ("mean", "deviation"):
                columns += [(f"{name} {what} {width:g} m", needs) for name, needs in base]
        if "GR" in self.logs:
            columns.append(("gr within its well", ("GR",)))
        if DEPTH in self.inputs:
            columns.append(("vertical depth here", (DEPTH,)))
        return tuple(columns)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(name for name, _ in self.layout)

    @property
    def n_columns(self) -> int:
        """How many columns there are."""
        return len(self.layout)

    def n_numeric(self, n_features: int) -> int:
        """All but the flags."""
        return self.n_columns

    def columns(
        self,
        values: Mapping[str, np.ndarray],
        depth_m: Float[np.ndarray, " n"],
        wells: np.ndarray,
        logs: Logs,
    ) -> Float[np.ndarray, "n c"]:
        """The columns of samples, from whole wells.

        Parameters
        ----------
        values : by input, (n,) in the units of `logs`, NaN for gaps; of an input that is not there,
            nothing.
        depth_m : measured depth in metres, along which windows are laid.
        wells : (n,) numbers of the wells.
        """
        n = depth_m.size
        nothing = np.full(n, np.nan)
        known = {name: np.asarray(values.get(name, nothing), float) for name in self.inputs}
        base = [_on_scale(known[name], logs, name) for name in self.logs]
        if {"NPHI", "RHOB"} <= set(self.logs):
            slope = MATRIX_DENSITY - FLUID_DENSITY
            base.append(known["NPHI"] - (MATRIX_DENSITY - known["RHOB"]) / slope)
        table = np.stack(base, axis=1) if base else np.empty((n, 0))
        parts = [table]
        for width in self.windows:
            parts += surroundings(table, depth_m, wells, width=width)
        if "GR" in self.logs:
            parts.append(_within(known["GR"], wells)[:, None])
        if DEPTH in self.inputs:
            parts.append(known[DEPTH][:, None])
        return np.concatenate(parts, axis=1)

    def units(self, x: np.ndarray) -> Units:
        """Median and spread of all columns."""
        return fit_units(x, tuple(range(self.n_columns)))

    def fit(self, x: np.ndarray) -> Self:
        """A copy that knows the ranges of the inputs in rows x (n, n_columns), in their units."""
        own = x[:, list(self._own)]
        finite = np.isfinite(own)
        low = np.min(np.where(finite, own, np.inf), axis=0, initial=np.inf)
        high = np.max(np.where(finite, own, -np.inf), axis=0, initial=-np.inf)
        ranges = tuple(zip(low.tolist(), high.tolist(), strict=True))
        return replace(self, ranges=ranges, gaps=tuple(map(bool, np.any(~finite, axis=0))))

    def new_gaps(self, x: np.ndarray) -> Sequence[NewGaps]:
        """Gaps in inputs that had none in training, nor lost any there."""
        if self.gaps is None or self.mask_rate > 0:
            return ()
        out = np.zeros(x.shape, bool)
        own, seen = list(self._own), np.array(self.gaps)
        out[:, own] = ~np.isfinite(x[:, own]) & ~seen
        return [NewGaps(out)]

    @property
    def _own(self) -> tuple[int, ...]:
        """The column of each input at the sample itself."""
        names = self.names
        own = {DEPTH: "vertical depth here"}
        return tuple(names.index(own.get(name, f"{name.lower()} here")) for name in self.inputs)

    @property
    def _widest(self) -> tuple[int, ...]:
        """The column of each log over the widest window."""
        names, width = self.names, max(self.windows, default=None)
        if width is None:
            return ()
        return tuple(names.index(f"{name.lower()} mean {width:g} m") for name in self.logs)

    def beyond(self, x: np.ndarray) -> np.ndarray:
        """Which inputs of rows x (n, n_columns), in their units, leave the range of training."""
        if self.ranges is None:
            raise ValueError("LogFeatures must be fitted first: use features.fit(X).")
        low, high = np.array(self.ranges).T
        own = x[:, list(self._own)]
        return ((own < low) | (own > high)) & self._had

    @property
    def _had(self) -> np.ndarray:
        """Which inputs some training row had; all of them before `fit`."""
        ranges = self.ranges or [(0.0, 0.0)] * len(self.inputs)
        return np.array([low <= high for low, high in ranges])

    @property
    def _unknown(self) -> np.ndarray:
        """Columns (c,) of inputs that no training row had: nothing was learnt of them."""
        never = {name for name, had in zip(self.inputs, self._had, strict=True) if not had}
        return np.array([not never.isdisjoint(needs) for _, needs in self.layout])

    def lacking(self, x: np.ndarray) -> np.ndarray:
        """Which inputs that training had were not measured in rows x, (n, number of inputs)."""
        return ~np.isfinite(x[:, list(self._own)]) & self._had

    def empty(self, x: np.ndarray) -> np.ndarray:
        """Rows x (n, n_columns) in which no log that training had was measured, (n,)."""
        are_logs = self._had & np.isin(self.inputs, self.logs)
        return ~np.any(np.isfinite(x[:, list(self._own)]) & are_logs, axis=1)

    def perturb(
        self, x: Float[Array, "c n"], *, key: PRNGKeyArray, noise: Array | float
    ) -> Float[Array, "c n"]:
        """Columns without some of the inputs, in a share `mask_rate` of the rows."""
        if self.mask_rate == 0:
            return x
        row_key, input_key = jax.random.split(key)
        n_rows = x.shape[1]
        chosen = jax.random.uniform(row_key, (n_rows,)) < self.mask_rate
        lost = chosen & (jax.random.uniform(input_key, (len(self.inputs), n_rows)) < 0.5)
        needs = np.array(
            [[name in needs for name in self.inputs] for _, needs in self.layout], np.float32
        )
        hidden = jnp.asarray(needs) @ lost.astype(jnp.float32) > 0
        return jnp.where(hidden, jnp.nan, x)

    def __call__(self, x: Float[Array, "c *n"]) -> Float[Array, "f *n"]:
        """Features of one sample or a batch."""
        x = jnp.where(self._unknown.reshape(-1, *(1,) * (x.ndim - 1)), jnp.nan, x)
        flags = x[jnp.asarray(self._own + self._widest)]
        return jnp.concatenate([x, 1.0 - jnp.isfinite(flags).astype(x.dtype)])

    def to_dict(self) -> dict[str, object]:
        """Constructor arguments, for a model file."""
        return {
            "inputs": self.inputs,
            "windows": self.windows,
            "mask_rate": self.mask_rate,
            "curves": self.curves,
            "ranges": self.ranges,
            "gaps": self.gaps,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Json]) -> Self:
        """The inverse of `to_dict`, from JSON's lists."""
        ranges, gaps = values["ranges"], values["gaps"]
        return cls(  # pyright: ignore[reportCallIssue] - n_columns is a property
            inputs=tuple(values["inputs"]),
            windows=tuple(values["windows"]),
            mask_rate=values["mask_rate"],
            curves=values["curves"],
            gaps=None if gaps is None else tuple(gaps),
            ranges=None if ranges is None else tuple((low, high) for low, high in ranges),
        )


def _on_scale(values: np.ndarray, logs: Logs, name: str) -> np.ndarray:
    """Values of a log, or log10 of them."""
    limits = logs[name].logarithm if name in logs else None
    return values if limits is None else np.log10(np.clip(values, *limits))


def _within(values: np.ndarray, wells: np.ndarray) -> np.ndarray:
    """Values (n,) between the 5th and the 95th percentile of their well, as 0 and 1.

    Tools and muds differ from well to well; clean sand and shale are in nearly all.
    """
    out = np.full(values.size, np.nan)
    for well in np.unique(wells):
        rows = wells == well
        here = values[rows]
        if np.isfinite(here).sum() > 1:
            low, high = np.nanquantile(here, [0.05, 0.95])
            out[rows] = (here - low) / (high - low if high > low else 1.0)
    return out


def check_inputs(inputs: Sequence[str]) -> tuple[str, ...]:
    """Names of inputs in capitals where they are logs, each once.

    Raises
    ------
    ValueError
        There is none, or one twice.
    """
    names = tuple(name.strip() for name in inputs if name.strip())
    repeated = [name for name in names if names.count(name) > 1]
    if repeated or not names:
        what = f"names {repeated[0]!r} more than once" if repeated else "names no log"
        raise ValueError(f"--inputs {what}.")
    return names
