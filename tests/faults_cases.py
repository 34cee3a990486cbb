"""Commands that are killed, crowded and starved, and what they leave."""

import json
import os
import shutil

WHOLE = os.environ.get("SFUMATO_CAMPAIGNS") == "whole"
"""Set by ``make test-all``; elsewhere a sample runs."""

SONIC = (
    "fit M-1.las M-2.las --preset welllog --target DTC --epochs 2 --members 2 --hidden 8 --seed 1"
)
FIT = "fit t.csv --features a,b --target y --epochs 3 --members 2 --seed 1"
COMMANDS = {
    "fit": f"{FIT} --output new-model",
    "predict": "predict model big.parquet --output out.parquet --keep id --statistics mean",
    "complete": "predict sonic M-3.las --output completed.las",
    "evaluate": "evaluate p.parquet --truth y --bootstrap 3 --output scores",
    "stack": "stack p.parquet --by mean --edges=-9,0,9 --truth y --output n.parquet",
    "export": "export p.parquet --output q.hdf5",
    "plot": "plot p.parquet --kind pdfs --rows 0,1 --output picture.png",
    "simulate": "simulate galaxies --set v1 --number 40 --seed 1 --output s.hdf5",
}
"""What is killed; all begin in a copy of the project."""

OTHER = {
    "fit": "--seed 2",
    "predict": "--precision 32",
    "complete": "--statistics q10",
    "evaluate": "--magnitude id",
    "stack": "--points 101",
    "export": "--grid=-9,9,51",
    "plot": "--rows 2,3",
    "simulate": "--set v2",
}
"""What makes another job of each command."""

OUTPUTS = {
    "fit": ["new-model"],
    "predict": ["out.parquet"],
    "complete": ["completed.las", "completed.parquet"],
    "evaluate": ["scores"],
    "stack": ["n.parquet", "n.png"],
    "export": ["q.hdf5"],
    "plot": ["picture.png"],
    "simulate": ["s.hdf5"],
}

if WHOLE:  # a quarter of a minute each time
    COMMANDS["study"] = (
        "study welllog M-1.las M-2.las --target DTC --folds 2 --epochs 2 --members 2 --hidden 8"
        " --seed 1 --output study.html"
    )
    OTHER["study"] = "--seed 2"
    OUTPUTS["study"] = ["study.html"]

FEW = list(COMMANDS) if WHOLE else ["predict", "stack", "export"]
"""Commands that every run tries."""


def amount(whole, sample):
    """Size of a campaign: all of it, or what every run does."""
    return whole if WHOLE else sample


def contents(folder, names):
    """What files and those in folders hold, by path."""
    found = {}
    for name in names:
        entry = folder / name
        for path in sorted(entry.rglob("*")) if entry.is_dir() else [entry]:
            if path.is_file():
                found[str(path.relative_to(folder))] = _timeless(path)
    return found


def _timeless(path):
    """Bytes of a file, without the seconds that a training took and the digest over them."""
    if path.name != "model.json":
        return path.read_bytes()
    header = json.loads(path.read_text())
    return {key: value for key, value in header.items() if key not in ("sha256", "about")}


def listing(folder):
    """Names of all that lies in a folder, hidden or not."""
    return sorted(entry.name for entry in folder.iterdir())


def clear(folder, names):
    """Remove what a command left."""
    for name in names:
        entry = folder / name
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.exists():
            entry.unlink()
