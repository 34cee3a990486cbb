"""Peak memory of the verbs on tables of growing length: flat, if they stream.

Rows of LSST DC2 are repeated. Every verb is a process of its own.
"""

import argparse
import tempfile
from pathlib import Path

from _common import DATA, environment, measured

PRESET = [
    "--preset", "photoz", "--bands", "u,g,r,i,z,y", "--magnitude", "mag_{band}_lsst",
    "--error", "mag_err_{band}_lsst", "--target", "redshift", "--epochs", "2", "--members", "2",
]  # fmt: skip


def repeated(source: Path, target: Path, n_rows: int) -> None:
    """The rows of a Parquet file, again and again."""
    import pyarrow.parquet as pq

    table = pq.read_table(source)
    with pq.ParquetWriter(target, table.schema) as writer:
        left = n_rows
        while left:
            part = table.slice(0, min(left, table.num_rows))
            writer.write_table(part)
            left -= part.num_rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    options = parser.parse_args()
    environment()
    folder = DATA / "photoz_lsst_dc2"
    print("| rows | verb | wall s | CPU-s | peak GB |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        model, table, pdfs = (str(Path(place) / name) for name in ("m", "t.parquet", "p.parquet"))
        train = str(folder / "test_dc2_training_9816.hdf5")
        measured(["sfumato", "fit", train, *PRESET, "--output", model])
        for n_rows in options.rows:
            repeated(folder / "dc2_validation_even_rows.parquet", Path(table), n_rows)
            for verb in (
                ["predict", model, table, "--output", pdfs, "--keep", "redshift"],
                ["stack", pdfs, "--by", "redshift", "--edges", "0,0.5,1,3"],
                ["evaluate", pdfs, "--truth", "redshift", "--bootstrap", "20"],
                ["export", pdfs, "--points", "31", "--output", f"{place}/q.hdf5"],
            ):
                wall, cpu, memory = measured(["sfumato", *verb, "--overwrite"])
                print(
                    f"| {n_rows:,} | {verb[0]} | {wall:.0f} | {cpu:.0f} | {memory:.2f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
