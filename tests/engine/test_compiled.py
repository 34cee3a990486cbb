"""Compiled programs and processes."""

import subprocess
import sys

import pytest

FORKED = """
import os, warnings
warnings.simplefilter("ignore")
from sfumato.engine.compiled import use_compilation_cache
if {before}:
    use_compilation_cache()
child = os.fork()
if child == 0:
    try:
        use_compilation_cache()
        os._exit(0)
    except RuntimeError as error:
        print(error, flush=True)
        os._exit(3)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize(("before", "code"), [(True, 3), (False, 0)])
def test_a_fork_of_a_process_that_has_run_programs_is_told_so(before, code):
    done = subprocess.run(
        [sys.executable, "-c", FORKED.format(before=before)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.split()[-1] == str(code)
    assert ("get_context('spawn')" in done.stdout) == before
