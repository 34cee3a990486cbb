"""kill -9 at random moments: nothing lost, doubled or half, nothing left after the next run."""

import shutil

import numpy as np
import pytest

from faults_cases import COMMANDS, OUTPUTS, amount, clear, contents, listing

pytestmark = pytest.mark.slow
EACH = amount(15, 1)
"""Pairs of kills of each command: 210 kills in all in a whole campaign."""


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
