"""kill -9 at random moments: nothing lost, doubled or half, nothing left after the next run."""

import shutil

import numpy as np
import pytest

from faults_cases import COMMANDS, OUTPUTS, amount, clear, contents, listing

pytestmark = pytest.mark.slow
EACH = amount(15, 1)
"""Pairs of kills of each command: 270 kills in all in a whole campaign."""


@pytest.fixture(scope="module")
def expected(project, command, tmp_path_factory):
    """What each command leaves and how long it takes, if nobody disturbs it."""
    found = {}
    for verb, words in COMMANDS.items():
        folder = tmp_path_factory.mktemp("whole") / "p"
        shutil.copytree(project, folder)
        command({"words": words.split(), "folder": str(folder)})  # compiles
        (done,) = command({"words": [*words.split(), "--overwrite"], "folder": str(folder)})
        assert done["code"] == 0, done
        found[verb] = contents(folder, OUTPUTS[verb]), listing(folder), done["seconds"]
    return found


@pytest.mark.parametrize("verb", COMMANDS)
def test_a_killed_run_leaves_nothing_half_and_the_next_ends_it(verb, expected, copy, command):
    whole, names, seconds = expected[verb]
    words = COMMANDS[verb].split()
    rng = np.random.default_rng(len(verb))
    for kill in rng.uniform(0, 1.1 * seconds, EACH):
        told = f"killed after {kill:.3f} s of {seconds:.3f}"
        command({"words": words, "folder": str(copy), "kill": kill})
        for name, data in contents(copy, OUTPUTS[verb]).items():
            assert data == whole[name], f"{told}: {name} is not whole"
        again = {"words": [*words, "--overwrite"], "folder": str(copy)}
        (done,) = command(again)
        assert done["code"] == 0, (told, done)
        assert contents(copy, OUTPUTS[verb]) == whole, told
        assert listing(copy) == names, told
        # and killed while it replaces what is there
        command({**again, "kill": kill})
        for name, data in contents(copy, OUTPUTS[verb]).items():
            assert data == whole[name], f"{told}: {name} is not whole"
        (done,) = command(again)
        assert contents(copy, OUTPUTS[verb]) == whole, told
        assert listing(copy) == names, told
        clear(copy, OUTPUTS[verb])


def test_a_killed_measurement_is_ended_by_the_same_command(command, tmp_path):
    (tmp_path / "whole").mkdir()
    simulated = [
        "simulate",
        "galaxies",
        "--set",
        "v1",
        "--number",
        "12",
        "--seed",
        "1",
        "--output",
        "s.hdf5",
    ]
    (done,) = command({"words": simulated, "folder": str(tmp_path)})
    assert done["code"] == 0, done
    words = [
        "measure",
        "../s.hdf5",
        "--psf",
        "columns",
        "--noise",
        "noise_sigma",
        "--fix",
        "x=0,y=0",
    ]
    words += ["--output", "m.parquet", "--figures", "figures"]
    outputs = ["m.parquet", "figures"]
    whole = {"words": words, "folder": str(tmp_path / "whole")}
    command(whole)  # compiles
    (done,) = command({**whole, "words": [*words, "--overwrite"]})
    expected, seconds = contents(tmp_path / "whole", outputs), done["seconds"]
    rng = np.random.default_rng(0)
    # most of the time it measures: the last tenth is where it writes
    for i, kill in enumerate(rng.uniform(0.85 * seconds, 1.05 * seconds, amount(15, 2))):
        folder = tmp_path / f"run{i}"
        folder.mkdir()
        run = {"words": words, "folder": str(folder)}
        command({**run, "kill": kill})
        is_there = (folder / "m.parquet").exists()
        (done,) = command(run)
        assert done["code"] == (2 if is_there else 0), done
        found = contents(folder, outputs)
        assert found == expected, f"killed after {kill:.3f} s of {seconds:.3f}"
