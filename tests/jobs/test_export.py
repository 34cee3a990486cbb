"""A file for qp from a file of PDFs, called from Python."""

import shutil

import h5py
import numpy as np
import pytest

from cases import make_pdfs
from sfumato import write_pdfs
from sfumato.errors import DataError
from sfumato.io.tables import Reading
from sfumato.jobs.export import export_file

qp = pytest.importorskip("qp")


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
    write_to = qp.Ensemble.write_to

    def lose(ensemble, path):
        write_to(ensemble, path)
        with h5py.File(path, "r+") as file:
            file["data/yvals"][-1] = 0

    monkeypatch.setattr(qp.Ensemble, "write_to", lose)
    with pytest.raises(DataError, match=r"could not be written \('yvals' is not there as it was"):
        export_file(kept[1], tmp_path / "q.hdf5")
    assert [path.name for path in tmp_path.iterdir()] == ["p.parquet"]


def test_a_disk_without_room_is_said_before(kept, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=10_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage)
    with pytest.raises(DataError, match=r"has 0.0 MB left and \d+\.\d MB are to be written"):
        export_file(kept[1], tmp_path / "q.hdf5", n_points=5001)
    assert [path.name for path in tmp_path.iterdir()] == ["p.parquet"]
