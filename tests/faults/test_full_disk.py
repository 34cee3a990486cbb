"""A disk or a quota that is full at any size: one line, exit code 2, nothing that looks whole."""

import os
import subprocess

import numpy as np
import pytest

from faults_cases import COMMANDS, FEW, OUTPUTS, amount, clear, contents, listing

pytestmark = pytest.mark.slow
SIZES = amount(20, 3)


@pytest.mark.parametrize("verb", FEW)
def test_a_limit_on_the_size_of_files_leaves_nothing(verb, copy, command):
    words = COMMANDS[verb].split()
    (done,) = command({"words": words, "folder": str(copy)})
    assert done["code"] == 0, done
    whole = contents(copy, OUTPUTS[verb])
    largest = max(path.stat().st_size for name in whole for path in [copy / name])
    clear(copy, OUTPUTS[verb])
    names = listing(copy)
    for size in np.geomspace(2048, 0.98 * largest, SIZES).astype(int):
        (done,) = command({"words": words, "folder": str(copy), "size": int(size)})
        said = " ".join(done["said"].split())
        assert done["code"] == 2, (size, done)
        assert said.count("Error: ") == 1, (size, said)
        assert "Traceback" not in said
        assert not contents(copy, OUTPUTS[verb]), size
        assert [n for n in listing(copy) if "partial" not in n] == names, size
        is_kept = any("partial" in name for name in listing(copy))
        assert is_kept == ("are kept" in said), said
        assert is_kept != ("Nothing was left" in said), said


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 3 MB, where the system lets us have one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("verb", FEW)
def test_a_full_disk_leaves_nothing(verb, project, small_disk, command):
    target = small_disk / "o"
    target.mkdir()
    words = COMMANDS[verb].split()
    place = words.index("--output") + 1
    words[place] = str(target / words[place])
    for free in np.geomspace(1 << 12, 1 << 21, SIZES).astype(int):
        filler = small_disk / "filler"
        room = os.statvfs(small_disk)
        with filler.open("wb") as stream:
            stream.write(bytes(max(room.f_bavail * room.f_frsize - int(free), 0)))
        (done,) = command({"words": words, "folder": str(project)})
        filler.unlink()
        said = " ".join(done["said"].split())
        assert "Traceback" not in said
        if done["code"] == 0:
            assert contents(target, OUTPUTS[verb])
            clear(target, OUTPUTS[verb])
        else:
            assert done["code"] == 2, (free, done)
            assert said.count("Error: ") == 1, (free, said)
            assert not contents(target, OUTPUTS[verb]), (free, said)
            left = [name for name in listing(target) if "partial" not in name]
            assert not left, (free, left)
