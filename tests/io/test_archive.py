"""Model folders: digests of what was written, sizes held against what is there."""

import json
import shutil
import zipfile

import numpy as np
import pytest

from sfumato.errors import DataError
from sfumato.io.archive import ARRAYS, HEADER, read_archive, write_archive

HEAD = {"format": 2, "shift": 0.1, "names": ("a", "é"), "none": None}


def arrays(seed=0):
    rng = np.random.default_rng(seed)
    return {
        "w": rng.normal(size=(3, 4)).astype("f4"),
        "b": rng.normal(size=5),
        "s": np.array(["x"]),
    }


@pytest.fixture
def model(tmp_path):
    write_archive(tmp_path / "m", HEAD, arrays())
    return tmp_path / "m"


def edited(model, change):
    header = json.loads((model / HEADER).read_text())
    change(header)
    (model / HEADER).write_text(json.dumps(header))


def test_what_was_written_comes_back(model):
    header, found = read_archive(model)
    assert header == {**HEAD, "names": ["a", "é"]}
    for name, values in arrays().items():
        np.testing.assert_array_equal(found[name], values)
        assert found[name].dtype == values.dtype


def test_models_without_digests_are_read_as_they_are(model):
    edited(model, lambda header: [header.pop(name) for name in ("sha256", "arrays")])
    assert read_archive(model)[0]["shift"] == 0.1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda h: h.update(shift=0.2), "model.json was changed since it was written"),
        (lambda h: h.pop("none"), "model.json was changed since it was written"),
        (lambda h: h["arrays"].pop("w"), "model.json was changed since it was written"),
        (lambda h: h.pop("sha256"), "its digest is gone"),
        (lambda h: h.update(format="2"), "is not the header of a model"),
    ],
)
def test_an_edited_header_is_refused(model, change, said):
    edited(model, change)
    with pytest.raises(DataError, match=said):
        read_archive(model)


def test_arrays_of_another_fit_are_refused(model, tmp_path):
    write_archive(tmp_path / "other", HEAD, arrays(seed=1))
    shutil.copy(tmp_path / "other" / ARRAYS, model / ARRAYS)
    with pytest.raises(DataError, match=r"the array 'w' is not the one that model.json was"):
        read_archive(model)
    write_archive(tmp_path / "more", HEAD, {**arrays(), "z": np.ones(2)})
    shutil.copy(tmp_path / "more" / ARRAYS, model / ARRAYS)
    with pytest.raises(DataError, match="has in addition an array 'z'"):
        read_archive(model)


def stored(path, name, data, *, kind=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", kind) as archive:
        archive.writestr(name, data)


def npy(shape, data=b"", *, kind="<f8"):
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + data


ABSURD = {
    "a header of 8 TB": (npy((10**12,)), r"states the shape \(1000000000000,\) and has"),
    "more than is stated": (npy((1,), bytes(80)), "states the shape"),
    "a negative size": (npy((-1,)), "states the shape|cannot be read"),
    "objects": (npy((1,), bytes(8), kind="|O"), "holds objects"),
    "no array": (b"hello", "cannot be read"),
    "nothing": (b"", "cannot be read"),
    "another version": (b"\x93NUMPY\x09\x00" + bytes(60), "cannot be read"),
    "a page of brackets": (npy("(" * 5000), "cannot be read"),
}


@pytest.mark.parametrize("name", ABSURD)
def test_absurd_arrays_are_refused_before_they_are_read(model, name):
    data, said = ABSURD[name]
    stored(model / ARRAYS, "w.npy", data)
    with pytest.raises(DataError, match=said):
        read_archive(model)


def test_a_bomb_is_refused_by_what_it_states(model):
    with zipfile.ZipFile(model / ARRAYS, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("w.npy", "w", force_zip64=True) as stream:
            stream.write(npy((1 << 20,)))
        archive.infolist()[0].file_size = 5_000_000_000
    with pytest.raises(DataError, match=r"states arrays of 5.0 GB|cannot be read"):
        read_archive(model)


def test_deep_and_large_headers_are_refused(model):
    (model / HEADER).write_text("[" * 100_000)
    with pytest.raises(DataError, match="cannot be read as JSON"):
        read_archive(model)
    with (model / HEADER).open("wb") as stream:
        stream.truncate(1 << 29)
    with pytest.raises(DataError, match="holds 537 MB: it is no header of ours"):
        read_archive(model)


def answer_of(model):
    """What is read; None if it is refused in one line."""
    try:
        header, found = read_archive(model)
    except DataError as error:
        return None if "\n" not in str(error) else str(error)
    return header, {name: values.tolist() for name, values in found.items()}


@pytest.mark.parametrize("part", [HEADER, ARRAYS])
def test_no_flipped_bit_is_silent(model, part):
    header, found = read_archive(model)
    data, rng = (model / part).read_bytes(), np.random.default_rng(0)
    for place in rng.integers(0, 8 * len(data), 200):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << (place % 8)
        (model / part).write_bytes(flipped)
        answer = answer_of(model)
        # a flip that changes nothing that is read: a date of the archive, the case of an escape
        assert answer is None or answer == (header, {n: v.tolist() for n, v in found.items()})
