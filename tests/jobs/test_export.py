"""A file for qp from a file of PDFs, called from Python."""

import shutil
import warnings

import numpy as np
import pyarrow as pa
import pytest

from cases import bound, make_pdfs
from sfumato import read_pdfs, write_pdfs
from sfumato.errors import DataError
from sfumato.families import MixtureFamily, Normal
from sfumato.io.tables import Reading
from sfumato.jobs.export import export_file
from sfumato.pdfs import make_pdfs as make_family_pdfs

qp = pytest.importorskip("qp")


def normals():
    family = MixtureFamily(Normal(), 1, 0.0, 1.0)
    loc = np.linspace(-3, 9, 11)[:, None, None]
    values = {"log_weights": np.zeros((11, 1, 1)), "loc": loc, "scale": np.full_like(loc, 0.05)}
    return make_family_pdfs(family, values)


def counts():
    family = MixtureFamily(bound("poisson"), 1, 0.0, 1.0)
    rate = np.linspace(1, 30, 11)[:, None, None]
    return make_family_pdfs(family, {"log_weights": np.zeros((11, 1, 1)), "rate": rate})


@pytest.fixture
def kept(tmp_path):
    pdfs = make_pdfs(n=5)
    write_pdfs(pdfs, tmp_path / "p.parquet", columns={"id": np.arange(5) + 100})
    return pdfs, tmp_path / "p.parquet"


def test_densities_on_a_grid_with_chosen_rows_and_columns(kept, tmp_path):
    pdfs, path = kept
    low, high = pdfs.support
    grid = (low + 0.1, high - 0.1, 401)
    told = export_file(
        path, tmp_path / "q.hdf5", keep=("id",), grid=grid, reading=Reading(where="id >= 102")
    )
    found = qp.read(str(told))
    np.testing.assert_array_equal(found.ancil["id"], [102, 103, 104])
    points = np.linspace(*grid)
    wanted = pdfs[2:].to_grid(points).density
    np.testing.assert_allclose(found.pdf(points), wanted, rtol=0.02, atol=0.02)


def test_a_file_is_not_replaced_unasked(kept, tmp_path):
    _, path = kept
    (tmp_path / "q.hdf5").write_text("mine")
    with pytest.raises(DataError, match="exists"):
        export_file(path, tmp_path / "q.hdf5")
    assert (tmp_path / "q.hdf5").read_text() == "mine"
    export_file(path, tmp_path / "q.hdf5", kind="mixmod", overwrite=True)
    assert qp.read(str(tmp_path / "q.hdf5")).npdf == 5


def test_no_column_need_be_kept(kept, tmp_path):
    pdfs, path = kept
    export_file(path, tmp_path / "q.hdf5")
    found = qp.read(str(tmp_path / "q.hdf5"))
    assert not found.ancil
    grid = pdfs.default_grid(301)
    np.testing.assert_allclose(found.metadata["xvals"].ravel(), grid)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kind": "mixmod", "n_points": 5}, "no effect on --kind mixmod"),
        ({"kind": "mixmod", "grid": (0, 1, 5)}, "no effect on --kind mixmod"),
        ({"n_points": 5, "grid": (0, 1, 5)}, "Leave --points out"),
    ],
)
def test_options_without_effect_are_refused(kept, tmp_path, options, said):
    with pytest.raises(ValueError, match=said):
        export_file(kept[1], tmp_path / "q.hdf5", **options)


def test_what_the_disk_lost_is_no_output(kept, tmp_path, monkeypatch):
    finalize = qp.Ensemble.finalizeHdf5Write

    def lose(ensemble, file):
        file["data/yvals"][-1] = 0
        finalize(ensemble, file)

    monkeypatch.setattr(qp.Ensemble, "finalizeHdf5Write", lose)
    said = r"could not be written \('data/yvals' is not there as it was"
    with pytest.raises(DataError, match=said):
        export_file(kept[1], tmp_path / "q.hdf5")
    assert [path.name for path in tmp_path.iterdir()] == ["p.parquet"]


@pytest.mark.parametrize("kind", ["interp", "mixmod"])
def test_a_file_in_parts_is_the_file_at_once(tmp_path, monkeypatch, kind):
    pdfs = make_pdfs(n=11, members=1, k=3)
    words = ["a", "bb", None, "dddddd", *"efghijk"]
    columns = {"id": np.arange(11) + 2**60, "word": pa.array(words)}
    write_pdfs(pdfs, tmp_path / "p.parquet", columns=columns)
    found = {}
    for rows in (100, 4):
        monkeypatch.setattr("sfumato.jobs.export._ROWS", rows)
        path = tmp_path / f"{rows}.hdf5"
        with pytest.warns(UserWarning, match="1 missing words of 'word'"):
            export_file(tmp_path / "p.parquet", path, kind=kind, keep=("id", "word"))
        found[rows] = qp.read(str(path))
    whole, parts = found.values()
    grid = np.linspace(0.6, 3.4, 301)
    np.testing.assert_array_equal(whole.pdf(grid), parts.pdf(grid))
    np.testing.assert_array_equal(parts.ancil["id"], columns["id"])
    np.testing.assert_array_equal(whole.ancil["word"], parts.ancil["word"])


def test_objects_of_every_part_are_counted_in_one_warning(tmp_path, monkeypatch):
    monkeypatch.setattr("sfumato.jobs.export._ROWS", 4)
    family = MixtureFamily(Normal(), 1, 0.0, 1.0)
    loc = np.tile([4.98, 9.0], 6)[:, None, None]  # each part has two that the grid cuts
    values = {"log_weights": np.zeros((12, 1, 1)), "loc": loc, "scale": np.full_like(loc, 0.05)}
    write_pdfs(make_family_pdfs(family, values), tmp_path / "p.parquet")
    with pytest.warns(UserWarning, match="^6 of 12 objects lie outside") as said:
        export_file(tmp_path / "p.parquet", tmp_path / "q.hdf5", grid=(5.0, 12.0, 2001))
    assert len(said) == 1


@pytest.mark.parametrize("make", [normals, counts])
def test_parts_of_unbounded_pdfs_share_one_grid(tmp_path, monkeypatch, make):
    monkeypatch.setattr("sfumato.jobs.export._ROWS", 4)
    write_pdfs(make(), tmp_path / "p.parquet")
    pdfs = read_pdfs(tmp_path / "p.parquet")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        export_file(tmp_path / "p.parquet", tmp_path / "q.hdf5", n_points=201)
    grid = pdfs.default_grid(201)
    found = qp.read(str(tmp_path / "q.hdf5"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = pdfs.to_grid(grid).density
    np.testing.assert_allclose(found.metadata["xvals"].ravel(), grid, atol=1e-4)
    np.testing.assert_allclose(found.objdata["yvals"], expected, rtol=1e-3, atol=1e-3)
    assert len(said) <= 1


def test_a_disk_without_room_is_said_before(kept, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=10_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage)
    with pytest.raises(DataError, match=r"has 0.0 MB left and \d+\.\d MB are to be written"):
        export_file(kept[1], tmp_path / "q.hdf5", n_points=5001)
    assert [path.name for path in tmp_path.iterdir()] == ["p.parquet"]
