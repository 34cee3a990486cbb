"""Parquet to Parquet: 5 million rows, all cores, a 10-20-20-10 network, against a pyarrow copy.

`sfumato predict` as a whole process and the copy take turns; wall seconds and peak memory.

The copy reads and writes the ten feature columns and the identifier with pyarrow's defaults.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from _common import PLAIN, environment, measured

COPY = """
import sys, pyarrow.parquet as pq
source, target = sys.argv[1:]
pq.write_table(pq.read_table(source), target)
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    environment()
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from sfumato import MDNRegressor
    from sfumato.jobs.columns import Columns
    from sfumato.jobs.model_files import TabularModel

    names = tuple(f"x{i}" for i in range(10))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(options.rows, 10)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in.parquet"), Path(folder, "out.parquet")
        columns = {name: x[:, i] for i, name in enumerate(names)}
        pq.write_table(pa.table({"id": np.arange(options.rows), **columns}), source)
        y = 1 / (1 + np.exp(-x[:20_000, 0])) + 0.05 * x[:20_000, 1]
        model = MDNRegressor(
            hidden_sizes=(20, 20, 10),
            activation="tanh",
            family="beta",
            n_components=5,
            n_members=1,
            max_epochs=3,
            random_state=0,
            **PLAIN,
        ).fit(x[:20_000], y)
        TabularModel(model, Columns(names, ("y",)), {}).write(Path(folder, "model"))
        program = "from sfumato.cli.main import run; run()"
        predict = [sys.executable, "-c", program, "predict", f"{folder}/model", str(source)]
        predict += ["--keep", "id", "--output", str(target), "--overwrite"]
        copy = [sys.executable, "-c", COPY, str(source), f"{folder}/copy.parquet"]
        measured(predict)  # compiles, once for ever
        for _ in range(options.repeats):
            wall, cpu, memory = measured(predict)
            copy_wall, copy_cpu, _ = measured(copy)
            print(
                f"predict {wall:.1f} s wall, {cpu:.1f} CPU-s, peak {memory:.2f} GB; "
                f"copy {copy_wall:.1f} s wall, {copy_cpu:.1f} CPU-s; ratio {wall / copy_wall:.2f}"
            )


if __name__ == "__main__":
    main()
