"""Flipped bits and cut files: the right answer or one line, none silent, none hangs."""

import contextlib
import hashlib
import shutil
import time
import warnings

import numpy as np
import pytest

from faults_cases import amount
from sfumato import read_model, read_pdfs
from sfumato.io.images import open_stamps
from sfumato.io.tables import open_table, read_table
from sfumato.photoz.tomography import stack_file

pytestmark = pytest.mark.slow
FLIPS = amount(1000, 60)
SECONDS = 5.0


def digest(*arrays):
    parts = [np.ascontiguousarray(array) for array in arrays]
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def of_model(path):
    rows = np.random.default_rng(0).normal(size=(20, 2))
    return digest(*read_model(path).predict_parameters(rows).values())


def of_wells(path):
    rows = np.random.default_rng(0).normal(size=(20, 60))
    model = read_model(path)
    rows = rows[:, : model.n_features_in_]
    return digest(*model.predict_parameters(rows).values(), model.novelty(rows))


def of_table(path):
    table = open_table(path)
    cells = [read_table(table, table.columns)[name].to_numpy() for name in table.columns]
    if not table.descriptions:
        raise ValueError("a file that says nothing of itself: its reader sees that")
    told = [*table.columns, repr(sorted(table.units.items())), repr(table.descriptions)]
    return digest(*(np.asarray(values).astype("U") for values in cells), np.array(told))


def of_pdfs(path):
    pdfs = read_pdfs(path)
    return digest(pdfs.mean(), pdfs.std(), np.array([len(pdfs)]))


def of_stamps(path):
    file = open_stamps(path)
    images = [file.read(slice(None), name) for name in file.names]
    columns = [file.column(name) for name in file.columns]
    told = [f"{key}={value}" for key, value in sorted(file.attributes.items())]
    texts = [np.array([*file.names, *file.columns, *told])]
    return digest(*images, *columns, *texts)


KINDS = {
    "model": ("model", of_model),
    "model of wells": ("sonic", of_wells),
    "bound in Parquet": ("bound.parquet", of_table),
    "bound in HDF5": ("bound.hdf5", of_table),
    "bound in FITS": ("bound.fits", of_table),
    "pdfs": ("p.parquet", of_pdfs),
    "stack": ("n.parquet", of_pdfs),
    "stamps in HDF5": ("s.hdf5", of_stamps),
    "stamps in FITS": ("s.fits", of_stamps),
}


@pytest.fixture(scope="module")
def kept(project, command, tmp_path_factory):
    """All kinds of files in one folder."""
    folder = tmp_path_factory.mktemp("kept")
    for model in ("model", "sonic"):
        shutil.copytree(project / model, folder / model)
    shutil.copy(project / "p.parquet", folder)
    stack_file(folder / "p.parquet", [-9.0, 0.0, 9.0], folder / "n.parquet", by="mean")
    simulate = "simulate galaxies --set v1 --number 5 --seed 1 --output"
    bounds = [f"bound --set snr60 --output bound.{s}" for s in ("parquet", "hdf5", "fits")]
    for words in (f"{simulate} s.hdf5", f"{simulate} s.fits", *bounds):
        (done,) = command({"words": words.split(), "folder": str(folder)})
        assert done["code"] == 0, done
    return folder


def answer_of(read, path):
    """What a file gives, or None if one line says what is wrong with it."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        began = time.monotonic()
        try:
            found = read(path)
        except (ValueError, MemoryError):
            found = None
        assert time.monotonic() - began < SECONDS
    return None if any("was it edited" in str(w.message) for w in told) else found


def files_of(path):
    return sorted(path.iterdir()) if path.is_dir() else [path]


@pytest.mark.parametrize("kind", KINDS)
def test_no_flipped_bit_is_silent(kept, tmp_path, kind):
    name, read = KINDS[kind]
    whole, rng = answer_of(read, kept / name), np.random.default_rng(1)
    assert whole is not None
    for _ in range(FLIPS):
        with damaged(kept / name, tmp_path / name) as path:
            file = files_of(path)[rng.integers(len(files_of(path)))]
            data = bytearray(file.read_bytes())
            place = int(rng.integers(8 * len(data)))
            data[place // 8] ^= 1 << (place % 8)
            file.write_bytes(data)
            assert answer_of(read, path) in (None, whole), (file.name, place)


@pytest.mark.parametrize("kind", KINDS)
def test_no_cut_is_silent(kept, tmp_path, kind):
    name, read = KINDS[kind]
    whole, rng = answer_of(read, kept / name), np.random.default_rng(2)
    for _ in range(FLIPS // 5):
        with damaged(kept / name, tmp_path / name) as path:
            file = files_of(path)[rng.integers(len(files_of(path)))]
            data = file.read_bytes()
            size = int(rng.integers(len(data)))
            file.write_bytes(data[:size])
            assert answer_of(read, path) in (None, whole), (file.name, size)


@contextlib.contextmanager
def damaged(source, path):
    """A copy that may be damaged."""
    shutil.copytree(source, path) if source.is_dir() else shutil.copy(source, path)
    yield path
    shutil.rmtree(path) if path.is_dir() else path.unlink()
