"""Runs at once on one output: one wins, the others say so, nothing is mixed."""

import numpy as np
import pytest

from faults_cases import COMMANDS, FEW, OTHER, OUTPUTS, amount, clear, contents, listing

pytestmark = pytest.mark.slow
EACH = amount(8, 1)
"""Overlaps of each command: 72 in all in a whole campaign."""


def run(command, folder, *jobs):
    return command(*({"words": words, "folder": str(folder), **when} for words, when in jobs))


@pytest.mark.parametrize("verb", FEW)
def test_one_of_several_wins_and_the_others_say_so(verb, copy, command):
    words, other = COMMANDS[verb].split(), [*COMMANDS[verb].split(), *OTHER[verb].split()]
    alone = []
    for job in (words, other):
        run(command, copy, (job, {}))
        clear(copy, OUTPUTS[verb])
        (done,) = run(command, copy, (job, {}))
        assert done["code"] == 0, done
        alone.append(contents(copy, OUTPUTS[verb]))
        clear(copy, OUTPUTS[verb])
    names, seconds = listing(copy), done["seconds"]
    assert alone[0] != alone[1]
    rng = np.random.default_rng(len(verb))
    for _ in range(EACH):
        delays = rng.uniform(0, seconds, 2)
        jobs = [(words, {}), (other, {"start": delays[0]}), (words, {"start": delays[1]})]
        results = run(command, copy, *jobs)
        won = [result for result in results if result["code"] == 0]
        assert won, results
        for result in results:
            if result["code"]:
                said = " ".join(result["said"].split())
                assert result["code"] == 2, results
                assert "is being written by process" in said or "exists" in said, results
        assert contents(copy, OUTPUTS[verb]) in alone, results
        clear(copy, OUTPUTS[verb])
        assert listing(copy) == names
