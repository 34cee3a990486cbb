"""Wells that never were, with a sonic log whose density given the other logs is known exactly.

Beds of sand, shale and lime follow each other; porosity falls with depth (Athy 1930). The logs of
a sample are drawn from its bed. Slowness is then drawn *given the logs*: time averages of matrix
and fluid (Wyllie et al. 1956) with the porosity that density and neutron log agree on, a clay term,
and noise that grows with porosity; in a share of the sands gas makes it slower by a third.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from sfumato.welllogs.features import FLUID_DENSITY, MATRIX_DENSITY

MATRIX_SLOWNESS, FLUID_SLOWNESS, CLAY_SLOWNESS = 55.5, 189.0, 30.0
"""us/ft; of quartz, of water, and what pure clay adds."""

CLEAN_GR, SHALE_GR = 25.0, 120.0
"""gAPI of rock without clay, and of pure shale."""

GAS_SHARE, GAS_FACTOR = 0.2, 1.33
STEP_M = 0.1524
"""Half a foot."""


@dataclass(frozen=True)
class MockWell:
    """A well.

    Parameters
    ----------
    name : of the well.
    depth_m : (n,) measured depth; the well is vertical.
    gr, rhob, nphi, rdep : (n,) logs in gAPI, g/cm3, m3/m3 and ohm.m.
    dtc : (n,) compressional slowness in us/ft.
    """

    name: str
    depth_m: np.ndarray
    gr: np.ndarray
    rhob: np.ndarray
    nphi: np.ndarray
    rdep: np.ndarray
    dtc: np.ndarray

    def log_prob(self, dtc: np.ndarray) -> np.ndarray:
        """True log-density (n,) of slownesses (n,) given the other logs, per us/ft."""
        mean, deviation, share = slowness_given(self.gr, self.rhob, self.nphi)
        plain = np.log1p(-share) + stats.norm.logpdf(dtc, mean, deviation)
        with np.errstate(divide="ignore"):
            gas = np.log(share) + stats.norm.logpdf(dtc, GAS_FACTOR * mean, deviation)
        return np.logaddexp(plain, gas)


def slowness_given(
    gr: np.ndarray, rhob: np.ndarray, nphi: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and deviation in us/ft of rock without gas, and the probability of gas; (n,) each."""
    clay = np.clip((gr - CLEAN_GR) / (SHALE_GR - CLEAN_GR), 0, 1)
    of_density = (MATRIX_DENSITY - rhob) / (MATRIX_DENSITY - FLUID_DENSITY)
    porosity = np.clip(0.5 * (of_density + nphi), 0.0, 0.6)
    mean = MATRIX_SLOWNESS + (FLUID_SLOWNESS - MATRIX_SLOWNESS) * porosity + CLAY_SLOWNESS * clay
    return mean, 1.0 + 8.0 * porosity, GAS_SHARE * (1 - clay) ** 2


def make_wells(n_wells: int, *, n_samples: int = 2000, seed: int = 0) -> list[MockWell]:
    """Wells of `n_samples` samples each, with names ``M-1``, ``M-2`` and so on."""
    streams = np.random.default_rng(seed).spawn(n_wells)
    return [_well(f"M-{i}", n_samples, rng) for i, rng in enumerate(streams, start=1)]


def _well(name: str, n: int, rng: np.random.Generator) -> MockWell:
    depth = np.round(rng.uniform(500, 1500) + STEP_M * np.arange(n), 4)
    thickness = rng.exponential(8.0, n)  # metres; more beds than there can be
    bed = np.searchsorted(np.cumsum(thickness), depth - depth[0])
    rock = rng.choice(3, size=n, p=[0.35, 0.5, 0.15])[bed]  # sand, shale, lime
    clay = np.clip(np.array([0.1, 0.8, 0.05])[rock] + rng.normal(0, 0.08, n), 0, 1)
    surface = np.array([0.42, 0.5, 0.3])[rock] * rng.uniform(0.9, 1.1, n)[bed]
    porosity = surface * np.exp(-depth / np.array([3500, 2000, 2500])[rock])
    gr = CLEAN_GR + (SHALE_GR - CLEAN_GR) * clay * rng.uniform(0.9, 1.1) + rng.normal(0, 4, n)
    grain = np.array([2.65, 2.68, 2.71])[rock]
    rhob = grain - (grain - FLUID_DENSITY) * porosity + rng.normal(0, 0.015, n)
    nphi = porosity + 0.18 * clay + rng.normal(0, 0.012, n)
    rdep = 10 ** (1.6 - 2.2 * porosity - 0.8 * clay + rng.normal(0, 0.05, n))
    gr = np.maximum(gr, 1.0)
    mean, deviation, share = slowness_given(gr, rhob, nphi)
    gas = rng.random(n) < share
    dtc = np.where(gas, GAS_FACTOR, 1.0) * mean + deviation * rng.normal(size=n)
    return MockWell(name, depth, gr, rhob, nphi, rdep, dtc)


_CURVES = (
    ("GR", "gAPI", "gamma ray"),
    ("RHOB", "g/cm3", "bulk density"),
    ("NPHI", "m3/m3", "neutron porosity"),
    ("RDEP", "ohm.m", "deep resistivity"),
    ("DTC", "us/ft", "compressional slowness"),
)


def write_wells(wells: list[MockWell], folder: str | Path) -> list[Path]:
    """Write wells as LAS 2.0 files in a folder that exists; their paths."""
    paths = []
    for well in wells:
        path = Path(folder) / f"{well.name}.las"
        path.write_text(_las(well), encoding="ascii")
        paths.append(path)
    return paths


def _las(well: MockWell) -> str:
    lines = [
        "~Version",
        "VERS.  2.0 : CWLS LOG ASCII STANDARD - VERSION 2.0",
        "WRAP.   NO : ONE LINE PER DEPTH STEP",
        "~Well",
        f"STRT.M {well.depth_m[0]:.4f} : FIRST DEPTH",
        f"STOP.M {well.depth_m[-1]:.4f} : LAST DEPTH",
        f"STEP.M {STEP_M:.4f} : STEP",
        "NULL.  -999.25 : NULL VALUE",
        f"WELL.  {well.name} : WELL",
        "~Curve",
        "DEPT.M : DEPTH",
        *(f"{name}.{unit} : {told.upper()}" for name, unit, told in _CURVES),
        "~Ascii",
    ]
    columns = [well.depth_m, well.gr, well.rhob, well.nphi, well.rdep, well.dtc]
    lines += [" ".join(f"{value:10.4f}" for value in row) for row in zip(*columns, strict=True)]
    return "\n".join([*lines, ""])
