"""Tabular regression on the standard UCI splits, with the estimator's default settings.

    python benchmarks/bench_uci.py                        # all sets: 20 splits, protein 5
    python benchmarks/bench_uci.py --sets concrete,energy --peers .peers/bin/python

With ``--peers`` the packages of ``benchmarks/peers.py`` are fitted to the same splits by the Python
given, whose environment holds them (ngboost, skpro, laplace-torch, torch); they are no dependency
of sfumato. Each process takes one core; CPU seconds are of one fit of eight members.
"""

import argparse
import json
import os
import subprocess
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from _common import DATA, environment

SETS = {
    "bostonHousing": 2.25,
    "concrete": 2.60,
    "energy": -0.15,
    "kin8nm": -1.38,
    "protein-tertiary-structure": 1.90,
    "wine-quality-red": -1.20,
}
"""Sets and the test NLL to reach; Boston is kept as a historic row only."""

SHOWN = ("nll", "crps", "rmse", "coverage_90", "fit_s")


def load(name):
    import pyarrow.parquet as pq

    folder = DATA / "uci_regression" / name
    meta = json.loads((folder / "meta.json").read_text())
    table = pq.read_table(folder / "data.parquet")
    X = np.column_stack([table[column].to_numpy() for column in meta["features"]]).astype(float)
    splits = pq.read_table(folder / "splits.parquet")
    tests = [splits[f"test_{k}"].to_numpy() for k in range(len(splits.column_names))]
    return X, table[meta["target"]].to_numpy().astype(float), tests


def run(job):
    """One split: scores and CPU seconds, compile included in `total_s` and not in `fit_s`."""
    import time
    import warnings

    from sfumato import MDNRegressor
    from sfumato.metrics.evaluation import METRICS, score_objects

    name, split, seed = job
    warnings.simplefilter("ignore")
    X, y, tests = load(name)
    test = tests[split]
    marks = []
    model = MDNRegressor(random_state=seed, on_epoch=lambda *_: marks.append(time.process_time()))
    start = time.process_time()
    model.fit(X[~test], y[~test])
    total = time.process_time() - start
    objects = score_objects(model.predict_pdfs(X[test]), y[test])
    loop = marks[-1] - marks[0]
    return {
        "set": name,
        "split": split,
        "nll": -METRICS["log_score"](objects),
        **{key: METRICS[key](objects) for key in ("crps", "rmse", "coverage_90")},
        "fit_s": loop * len(marks) / (len(marks) - 1),
        "total_s": total,
    }


def peers(python, name, split):
    """The peers' lines for one split."""
    script = Path(__file__).with_name("peers.py")
    command = [python, str(script), str(DATA / "uci_regression"), name, str(split)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def table_row(label, rows):
    cells = []
    for key in SHOWN:
        values = np.array([row[key] for row in rows])
        error = values.std(ddof=1) / np.sqrt(values.size) if values.size > 1 else np.nan
        cells.append(f"{values.mean():.4g} ± {error:.2g}")
    print(f"| {label} | {len(rows)} | " + " | ".join(cells) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--splits", type=int, default=20, help="most splits of a set")
    parser.add_argument("--peers", help="a Python that has the peers")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--output", type=Path, help="JSON lines of every split")
    options = parser.parse_args()
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    environment()
    print("| set | splits | NLL | CRPS | RMSE | 90 % coverage | CPU-s a fit |")
    print("|---|---|---|---|---|---|---|")
    lines = []
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        for name in options.sets.split(","):
            count = min(options.splits, len(load(name)[2]))
            rows = list(pool.map(run, [(name, split, split) for split in range(count)]))
            table_row(f"{name} (NLL to reach {SETS[name]})", rows)
            lines += rows
            others = [peers(options.peers, name, k) for k in range(count)] if options.peers else []
            for index in range(len(others[0]) if others else 0):
                column = [split[index] for split in others]
                table_row(f"{name}: {column[0]['peer']}", column)
                lines += column
    if options.output:
        options.output.write_text("".join(json.dumps(line) + "\n" for line in lines))


if __name__ == "__main__":
    main()
