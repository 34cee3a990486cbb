"""Outputs that one run at a time writes, and what killed runs leave beside them."""

import os
import subprocess
import sys
import threading

import pytest

from sfumato.errors import DataError
from sfumato.io._files import Folder, all_reserved, check_folder, filling, reserved, whole
from sfumato.io._locks import locked, real, recover

HOLDER = """
import sys, time
from pathlib import Path
from sfumato.io._files import reserved
with reserved(Path(sys.argv[1]), overwrite=True):
    print("held", flush=True)
    sys.stdin.read()
"""


def write(path, text):
    with whole(path) as temporary:
        temporary.write_text(text)


def write_folder(path, text):
    with whole(path, folder=Folder("mark", ("*",))) as temporary:
        temporary.mkdir()
        (temporary / "mark").write_text(text)


def held_by_another(path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_told_who_writes(tmp_path):
    path = tmp_path / "out.txt"
    with held_by_another(path) as other:
        said = rf"out.txt is being written by process {other.pid} on .* since \d{{4}}-"
        with pytest.raises(DataError, match=said), reserved(path, overwrite=True):
            pass
        with pytest.raises(DataError, match=said), whole(path):
            pass
        other.stdin.close()
    with whole(path) as temporary:
        temporary.write_text("mine")
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.txt"]


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path):
    path = tmp_path / "out.txt"
    with held_by_another(path) as other:
        other.kill()
    assert (tmp_path / ".out.txt.lock").exists()
    with whole(path) as temporary:
        temporary.write_text("mine")
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.txt"]


def test_a_second_thread_is_refused_and_the_first_may_nest(tmp_path):
    path, refused = tmp_path / "out.txt", []

    def other():
        try:
            with whole(path):
                pass
        except DataError as error:
            refused.append(str(error))

    with reserved(path, overwrite=True), locked(path), whole(path) as temporary:
        temporary.write_text("mine")
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(refused) == 1
    assert path.read_text() == "mine"


def test_what_appears_meanwhile_is_not_replaced(tmp_path):
    path = tmp_path / "out.txt"

    def write():
        with reserved(path, overwrite=False), whole(path) as temporary:
            temporary.write_text("mine")
            path.write_text("somebody's")

    with pytest.raises(DataError, match="appeared while this run worked"):
        write()
    assert path.read_text() == "somebody's"
    with pytest.raises(DataError, match=r"exists already\. Pass --overwrite"):
        write()
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.txt"]


def test_what_killed_runs_left_is_removed_and_said(tmp_path):
    path = tmp_path / "out.hdf5"
    (tmp_path / ".out.hdf5.writing-17").write_bytes(bytes(1_500_000))
    (tmp_path / ".out.hdf5.writing-18.hdf5").write_bytes(bytes(500_000))
    (tmp_path / ".out.hdf5.writing-19").mkdir()
    (tmp_path / "..out.hdf5.writing-20.lock").touch()  # of what was being written there
    other = tmp_path / ".other.hdf5.writing-17"
    other.write_text("of another output")
    with pytest.warns(UserWarning, match=r"killed run left beside .*out.hdf5: 4 .*, 2.0 MB"):
        write(path, "mine")
    assert {entry.name for entry in tmp_path.iterdir()} == {"out.hdf5", other.name}


def test_a_folder_comes_back_whose_replacement_was_interrupted(tmp_path):
    path = tmp_path / "model"
    for name, text in ((".model.old-17", "old"), (".model.writing-17", "new")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mark").write_text(text)
    (tmp_path / "..model.old-16.lock").touch()
    with pytest.warns(UserWarning, match="was being replaced when a run was killed: it is back"):
        recover(path)
    assert (path / "mark").read_text() == "old"
    with pytest.warns(UserWarning, match="2 files or folders"):
        write_folder(path, "newer")
    assert (path / "mark").read_text() == "newer"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("is_there", [True, False])
def test_a_symbolic_link_stays_and_its_target_is_written(tmp_path, is_there):
    folder, link = tmp_path / "disk", tmp_path / "out.txt"
    folder.mkdir()
    if is_there:
        (folder / "real.txt").write_text("old")
    link.symlink_to(folder / "real.txt")
    with whole(link) as temporary:
        assert temporary.parent == folder
        temporary.write_text("new")
    assert link.is_symlink()
    assert (folder / "real.txt").read_text() == "new"
    assert [entry.name for entry in folder.iterdir()] == ["real.txt"]


def test_several_outputs_are_reserved_or_none(tmp_path):
    (tmp_path / "b").write_text("mine")
    with (
        pytest.raises(DataError, match="b exists already"),
        all_reserved([tmp_path / "a", tmp_path / "b"], overwrite=False),
    ):
        pass
    assert [entry.name for entry in tmp_path.iterdir()] == ["b"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("no/out.txt", "no of the output does not exist. Create it first"),
        ("/proc/out.txt", r"Cannot write in /proc \(.*\). Choose another --output"),
    ],
)
def test_a_folder_that_is_not_there_or_cannot_be_written_is_said(tmp_path, path, said):
    with pytest.raises(DataError, match=said), reserved(tmp_path / path, overwrite=False):
        pass


def test_names_that_no_system_can_have_are_said(tmp_path):
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(DataError, match=r"loop: .*Choose another --output"):
        real(loop)
    with pytest.raises(DataError, match=r"a{40}….*[Ff]ile name too long. Choose another"):
        real(tmp_path / ("a" * 300))
    with pytest.raises(DataError, match=r"\\udcff.* is no name in UTF-8"):
        real(tmp_path / "\udcff.parquet")


def test_a_name_with_room_for_itself_only_is_said(tmp_path):
    path = tmp_path / ("a" * 245)
    with pytest.raises(DataError, match="too long"), whole(path) as temporary:
        temporary.write_text("x")


def test_a_folder_whose_results_are_not_all_there_may_be_filled_again(tmp_path):
    folder = tmp_path / "figures"
    killed = filling([folder])
    killed.__enter__()
    (folder / "a.png").touch()
    check_folder(folder, overwrite=False)
    with filling([folder]):
        pass
    with pytest.raises(DataError, match=r"is not empty. Pass --overwrite"):
        check_folder(folder, overwrite=False)


@pytest.mark.parametrize("how", ["symlink", "hardlink", "dangling", "folder"])
def test_a_lock_that_leads_elsewhere_touches_nothing(tmp_path, how):
    mine, lock = tmp_path / "mine.txt", tmp_path / ".out.txt.lock"
    mine.write_text("precious")
    if how == "hardlink":
        os.link(mine, lock)
    elif how == "folder":
        lock.mkdir()
    else:
        lock.symlink_to(mine if how == "symlink" else tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"\.out\.txt\.lock is .* Remove it"):
        write(tmp_path / "out.txt", "text")
    assert mine.read_text() == "precious"
    assert sorted(e.name for e in tmp_path.iterdir()) == [".out.txt.lock", "mine.txt"]
