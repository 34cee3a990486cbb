"""LAS in, LAS out: the predicted log, its bands and its flags, and the PDFs beside it."""

import shutil

import lasio
import numpy as np
import pyarrow.parquet as pq
import pytest

from sfumato import read_pdfs
from sfumato.errors import DataError, IncompatibleError
from sfumato.io.tables import Reading
from sfumato.jobs.model_files import TabularModel
from sfumato.welllogs.completion import complete_files
from sfumato.welllogs.las import read_las

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*no vertical depth", "ignore:.*taken as measured", "ignore:.*are no measurements"
)


def interrupt(_file):
    raise KeyboardInterrupt


def blanked(path, folder, *, name="new.las", column=5, rows=slice(100, 200), text="-999.25"):
    """A copy of a file with a column blanked in some rows."""
    head, rest = path.read_text().split("~Ascii\n")
    lines = [line.split() for line in rest.splitlines()]
    for line in lines[rows]:
        line[column] = text
    out = folder / name
    out.write_text(head + "~Ascii\n" + "".join(f"{'  '.join(line)}\n" for line in lines))
    return out


def test_a_file_is_completed(model, files, wells, tmp_path):
    source = blanked(files[4], tmp_path)
    output = tmp_path / "out.las"
    (done,) = complete_files(model, [source], output, statistics=["q10"], fill=True)
    las, pdfs = read_las(output), read_pdfs(tmp_path / "out.parquet")
    names = [curve.name for curve in las.curves][6:]
    assert names == [
        "DTC_P50", "DTC_P05", "DTC_P95", "DTC_SD", "DTC_P10", "DTC_FLAG", "DTC_FILLED",
        "DTC_FILLED_FLAG",
    ]  # fmt: skip
    levels = {"DTC_P50": 0.5, "DTC_P05": 0.05, "DTC_P95": 0.95, "DTC_P10": 0.1}
    for name, level in levels.items():
        np.testing.assert_allclose(las[name].values, pdfs.quantiles([level])[:, 0], atol=0.02)
        assert las[name].unit == "us/ft"
    np.testing.assert_allclose(las["DTC_SD"].values, pdfs.std(), atol=0.01)
    measured = read_las(source)["DTC"].values
    gaps = np.isnan(measured)
    assert gaps.sum() == 100
    filled = np.where(gaps, las["DTC_P50"].values, measured)
    np.testing.assert_allclose(las["DTC_FILLED"].values, filled, atol=1e-4)
    np.testing.assert_array_equal(las["DTC_FILLED_FLAG"].values, gaps)
    assert done.n_predicted + done.n_lacking + done.n_beyond == 600
    assert done.n_empty == 0
    # it has learnt something: half the spread of all
    error = las["DTC_P50"].values - wells[4].dtc
    assert np.sqrt(np.mean(error**2)) < 0.75 * wells[4].dtc.std()
    assert lasio.read(output)["DTC_FLAG"].size == 600


def test_flags(model, files, tmp_path):
    lost = blanked(files[4], tmp_path, column=2, rows=slice(0, 50))
    odd = blanked(lost, tmp_path, name="odd.las", column=1, rows=slice(340, 360), text="390.0")
    complete_files(model, [odd], tmp_path / "out.las")
    flag = read_las(tmp_path / "out.las")["DTC_FLAG"].values
    assert set(flag[:50]) <= {1, 2}
    assert (flag[:50] == 1).mean() > 0.8
    assert (flag[340:360] == 2).all()
    # and so are samples beside, whose surroundings are as odd
    assert (flag[335:340] == 2).all()
    assert (flag[60:300] == 0).mean() > 0.9
    plain = complete_files(model, [files[0]], tmp_path / "own.las")[0]
    assert plain.n_beyond == plain.n_lacking == 0  # it was trained on


def test_where_nothing_was_measured_there_is_no_prediction(model, files, tmp_path):
    source = files[4]
    for column in (1, 2, 3, 4):
        source = blanked(source, tmp_path, name=f"b{column}.las", column=column, rows=slice(0, 30))
    complete_files(model, [source], tmp_path / "out.las")
    las = read_las(tmp_path / "out.las")
    assert np.isnan(las["DTC_P50"].values[:30]).all()
    assert np.isfinite(las["DTC_P50"].values[30:]).all()
    assert (las["DTC_FLAG"].values[:30] == 3).all()
    measured = blanked(source, tmp_path, name="gap.las", rows=slice(20, 40))
    (done,) = complete_files(model, [measured], tmp_path / "filled.las", fill=True)
    assert done.n_empty == 30
    las = read_las(tmp_path / "filled.las")
    filled, flag = las["DTC_FILLED"].values, las["DTC_FILLED_FLAG"].values
    np.testing.assert_array_equal(np.isnan(filled), [20 <= row < 30 for row in range(600)])
    np.testing.assert_array_equal(np.isnan(flag), np.isnan(filled))
    assert (flag[30:40] == 1).all()


def test_the_files_own_unit_is_kept_where_gaps_are_filled(model, files, tmp_path):
    head, rest = blanked(files[4], tmp_path).read_text().split("~Ascii\n")
    rows = [line.split() for line in rest.splitlines()]
    for row in rows:
        if row[5] != "-999.25":
            row[5] = f"{float(row[5]) / 0.3048:.4f}"
    text = head.replace("DTC.us/ft", "DT.us/m") + "~Ascii\n" + "\n".join(map(" ".join, rows))
    (tmp_path / "m.las").write_text(text + "\n")
    complete_files(model, [tmp_path / "m.las"], tmp_path / "out.las", fill=True)
    las = read_las(tmp_path / "out.las")
    assert (las["DTC_FILLED"].unit, las["DTC_P50"].unit) == ("us/m", "us/ft")
    np.testing.assert_allclose(
        las["DTC_FILLED"].values[150], las["DTC_P50"].values[150] / 0.3048, rtol=1e-4
    )
    np.testing.assert_allclose(las["DTC_FILLED"].values[300], las["DT"].values[300])


def test_a_folder_goes_on_where_it_was(model, files, tmp_path):
    output, seen = tmp_path / "out", []

    with pytest.raises(KeyboardInterrupt):
        complete_files(model, files[:2], output, on_file=interrupt)
    first = (output / "M-1.las").stat().st_mtime_ns
    done = complete_files(model, files[:2], output, on_file=seen.append)
    assert [file.before for file in done] == [True, False]
    assert done == seen
    assert (output / "M-1.las").stat().st_mtime_ns == first
    assert sorted(path.name for path in output.iterdir()) == [
        "M-1.las",
        "M-1.parquet",
        "M-2.las",
        "M-2.parquet",
    ]
    with pytest.raises(DataError, match="is not empty"):
        complete_files(model, files[:2], output)
    again = complete_files(model, files[:2], output, overwrite=True)
    assert [file.before for file in again] == [False, False]
    assert [file[2:6] for file in again] == [file[2:6] for file in done]
    with pytest.raises(KeyboardInterrupt):
        complete_files(model, files[:2], output, overwrite=True, on_file=interrupt)
    filled = complete_files(model, files[:2], output, fill=True)  # not what was asked before
    assert [file.before for file in filled] == [False, False]
    assert "DTC_FILLED" in [curve.name for curve in read_las(output / "M-1.las").curves]


def test_a_file_that_cannot_be_read_does_not_stop_the_others(model, files, tmp_path):
    (tmp_path / "bad.las").write_text("no LAS")
    seen = []
    with pytest.raises(DataError, match=r"bad\.las: no line .*\(1 of 3 files; the others are done"):
        complete_files(
            model, [files[0], tmp_path / "bad.las", files[1]], tmp_path / "out", on_file=seen.append
        )
    assert [file.output.name for file in seen] == ["M-1.las", "M-2.las"]
    done = complete_files(model, files[:2], tmp_path / "out")
    assert [file.before for file in done] == [True, True]


def test_what_an_interrupted_run_did_with_another_model_is_done_again(model, files, tmp_path):
    output = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        complete_files(
            model, files[:1], output, on_file=lambda _f: (_ for _ in ()).throw(KeyboardInterrupt)
        )
    other = TabularModel.read(model)
    other.about["note"] = "another"
    other.write(tmp_path / "other")
    (done,) = complete_files(tmp_path / "other", files[:1], output)
    assert not done.before


def test_what_a_killed_run_left_of_one_file_is_no_obstacle(model, files, tmp_path):
    output = tmp_path / "out.las"
    complete_files(model, files[:1], output)
    whole = output.read_bytes()
    output.unlink()  # as if it was killed before
    complete_files(model, files[:1], output)
    assert output.read_bytes() == whole
    output.unlink()
    with pytest.raises(DataError, match=r"out\.parquet exists already. Pass --overwrite"):
        complete_files(model, files[1:2], output)  # the PDFs of another file
    assert not output.exists()


def test_what_cannot_be_completed(model, files, tmp_path):
    out = tmp_path / "out.las"
    with pytest.raises(DataError, match="2 files are not one: give a folder as --output"):
        complete_files(model, files[:2], out)
    with pytest.raises(DataError, match="is one of the inputs"):
        complete_files(model, [files[0]], files[0], overwrite=True)
    shutil.copy(files[0], tmp_path / "M-1.las")
    with pytest.raises(DataError, match=r"Two inputs are named M-1\.las"):
        complete_files(model, [files[0], tmp_path / "M-1.las"], tmp_path / "folder")
    with pytest.raises(DataError, match=r"t\.csv is no LAS file"):
        complete_files(model, [tmp_path / "t.csv"], out)
    with pytest.raises(IncompatibleError, match="--where changes a table, and a LAS file"):
        complete_files(model, files[:1], out, reading=Reading(where="GR > 3"))
    with pytest.raises(ValueError, match="q200"):
        complete_files(model, files[:1], out, statistics=["q200"])
    complete_files(model, files[:1], out)
    with pytest.raises(DataError, match=r"out\.las exists already. Pass --overwrite"):
        complete_files(model, files[:1], out)
    with pytest.raises(DataError, match="a curve 'DTC_P50' is in the file already"):
        complete_files(model, [out], tmp_path / "twice.las")
    head, rest = files[0].read_text().split("~Ascii\n")
    rows = "".join(f"{line.rpartition(' ')[0]}\n" for line in rest.splitlines())
    (tmp_path / "no.las").write_text(head.replace("DTC.", "#DTC.") + "~Ascii\n" + rows)
    with pytest.raises(DataError, match=r"no DTC to --fill\. Leave the option out"):
        complete_files(model, [tmp_path / "no.las"], tmp_path / "twice.las", fill=True)
    assert not list(tmp_path.glob("twice*"))


def test_a_model_that_knows_no_novelty_yet_completes_files_as_before(model, files, tmp_path):
    fitted = TabularModel.read(model)
    fitted.regressor.novelty_ = None
    fitted.write(tmp_path / "older")
    (done,) = complete_files(tmp_path / "older", [files[0]], tmp_path / "out.las")
    assert done.n_predicted == 600
    assert "novelty" not in pq.read_table(tmp_path / "out.parquet").column_names
