"""What every benchmark prints first, and how it measures: CPU seconds of this process, medians."""

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

DATA = Path(os.environ.get("SFUMATO_DATA", Path(__file__).parents[2] / "shared" / "data"))
BANDS = tuple("ugrizy")

PLAIN = {"backbone": "mlp", "embedding": "none", "dropout_rate": 0.0, "averaging": 0.0}
"""Settings of a bare network, for timings that compare with one."""


def one_core() -> None:
    """Keep this process on one core; call before JAX is imported."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"


def environment() -> None:
    """Versions and machine, one line."""
    names = ("sfumato", "jax", "numpy", "scipy", "torch", "pyarrow")
    found = []
    for name in names:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"# {platform.python_implementation()} {platform.python_version()}, {', '.join(found)}")
    print(f"# {platform.machine()}, {cores} core(s)\n")


def cpu_seconds(function: Callable[[], object], *, repeats: int = 5) -> tuple[float, float]:
    """Median and spread (half the range) of CPU seconds; the first call is not counted."""
    function()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return statistics.median(times), 0.5 * (max(times) - min(times))


def measured(command: list[str]) -> tuple[float, float, float]:
    """Wall seconds, CPU seconds and peak memory [GB] of a process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status:
        raise SystemExit(f"{command[:6]} failed")
    cpu = usage.ru_utime + usage.ru_stime
    return wall, cpu, usage.ru_maxrss / 1e6


def magnitudes(table, mag: str, err: str | None, bands=BANDS) -> np.ndarray:
    """Columns of a table as the features of the photometric preset."""
    from sfumato.io.tables import matrix

    names = [mag.format(b) for b in bands] + ([err.format(b) for b in bands] if err else [])
    return matrix(table, names)


def dc2(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Magnitudes with errors and redshifts of LSST DC2: "train" or "test"."""
    from sfumato.io.tables import matrix, open_table, read_table

    names = {"train": "test_dc2_training_9816.hdf5", "test": "dc2_validation_even_rows.parquet"}
    file = open_table(DATA / "photoz_lsst_dc2" / names[part])
    table = read_table(file, file.columns)
    z = matrix(table, ["redshift"])[:, 0]
    return magnitudes(table, "mag_{}_lsst", "mag_err_{}_lsst"), z


def score(pdfs, z) -> dict[str, float]:
    """All metrics of `sfumato evaluate`, without errors."""
    from sfumato.metrics.evaluation import score_objects
    from sfumato.photoz.metrics import REDSHIFT_METRICS

    objects = score_objects(pdfs, z)
    return {name: metric(objects) for name, metric in REDSHIFT_METRICS.items()}


def row(name: str, values: dict[str, float], keys: list[str]) -> None:
    """One line of a Markdown table."""
    print(f"| {name} | " + " | ".join(f"{values[key]:.4f}" for key in keys) + " |")
