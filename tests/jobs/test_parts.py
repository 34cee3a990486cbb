"""Chunks of an interrupted job: which are taken over, which are made again."""

import os
import shutil

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sfumato.errors import DataError
from sfumato.io.tables import open_table
from sfumato.jobs.columns import Columns
from sfumato.jobs.parts import Parts
from sfumato.jobs.prediction import Job


@pytest.fixture
def parts(tmp_path):
    parts = Parts.beside(tmp_path / "o.parquet", "f" * 64, n_rows=6)
    assert parts.open() == 0
    for start in (0, 2, 4):
        parts.write(pa.table({"a": [start, start + 1]}))
    return parts


def values(parts):
    return [cell for table in parts.tables() for cell in table["a"].to_pylist()]


def test_finished_chunks_are_found_in_order(parts):
    assert parts.open() == 6
    assert values(parts) == [0, 1, 2, 3, 4, 5]
    parts.remove()
    assert not parts.folder.exists()


@pytest.mark.parametrize("damage", ["empty", "flipped", "of another job", "missing"])
def test_chunks_from_a_damaged_one_on_are_made_again(parts, damage):
    path = parts.folder / "000001.parquet"
    data = bytearray(path.read_bytes())
    if damage == "flipped":
        data[data.index((3).to_bytes(8, "little"))] ^= 1
    if damage == "missing":
        path.unlink()
    elif damage == "of another job":
        table = pq.read_table(path)
        pq.write_table(table.replace_schema_metadata({b"job": b"e" * 64}), path)
    else:
        path.write_bytes(b"" if damage == "empty" else data)
    said = {"of another job": "is of another job", "missing": "holds 2 rows; the tables have 6"}
    with pytest.raises(DataError, match=said.get(damage, r"000001.parquet is damaged \(")):
        values(parts)
    with pytest.warns(UserWarning, match="is damaged, or behind one: it is made again"):
        assert parts.open() == 2
    parts.write(pa.table({"a": [2, 3, 4, 5]}))
    assert values(parts) == [0, 1, 2, 3, 4, 5]


def test_a_chunk_in_the_place_of_another_is_made_again(parts):
    shutil.copy(parts.folder / "000000.parquet", parts.folder / "000001.parquet")
    with pytest.raises(DataError, match=r"000001.parquet is of another job, or of another place"):
        values(parts)
    with pytest.warns(UserWarning, match="is damaged, or behind one") as said:
        assert parts.open() == 2
    assert [str(w.message).split(" is ")[0][-14:] for w in said] == [
        "000001.parquet",
        "000002.parquet",
    ]


def test_rows_that_are_missing_or_doubled_are_refused(parts):
    parts.write(pa.table({"a": [6]}))
    with pytest.raises(DataError, match="holds 7 rows; the tables have 6"):
        values(parts)


def test_other_jobs_on_the_output_are_told_apart(parts, tmp_path):
    other = Parts.beside(tmp_path / "o.parquet", "e" * 64, n_rows=6)
    assert other.open() == 0
    assert parts.others(tmp_path / "o.parquet") == [other.folder]
    assert values(parts) == [0, 1, 2, 3, 4, 5]


def test_what_is_in_the_way_is_said(tmp_path):
    parts = Parts.beside(tmp_path / "o.parquet", "f" * 64, n_rows=6)
    parts.folder.write_text("a file")
    with pytest.raises(DataError, match=r"Cannot create .*partial-ffffffffffff \(File exists\)"):
        parts.open()


@pytest.mark.parametrize("how", ["rewritten", "replaced"])
def test_an_input_with_the_old_size_and_time_is_another_one(tmp_path, how):
    path, other = tmp_path / "t.csv", tmp_path / "other.csv"
    path.write_text("x\n1\n")
    job, before = Job(Columns(("x",), ("y",))), path.stat()
    first = job.fingerprint([open_table(path)])
    assert job.fingerprint([open_table(path)]) == first
    other.write_text("x\n2\n")
    if how == "rewritten":
        path.write_bytes(other.read_bytes())
    else:
        other.replace(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # as cp -p and rsync -t do
    assert path.stat().st_size == before.st_size
    assert job.fingerprint([open_table(path)]) != first


def test_folders_of_others_with_such_a_name_are_left_alone(parts, tmp_path):
    output = tmp_path / "o.parquet"
    mine, named, link = (
        tmp_path / f"o.parquet.partial-{end}" for end in ("backup", "0123456789ab", "ba9876543210")
    )
    for folder in (mine, named):
        folder.mkdir()
        (folder / "mine.txt").write_text("precious")
    link.symlink_to(mine)
    old = Parts.beside(output, "e" * 64, n_rows=2)
    old.open()
    old.write(pa.table({"a": [0, 1]}))
    assert parts.others(output) == [old.folder]
    linked = Parts.beside(output, "ba9876543210" + "0" * 52, n_rows=2)
    with pytest.raises(DataError, match="is a link, and no folder of ours"):
        linked.open()
