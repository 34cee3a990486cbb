"""Evaluating a file of PDFs, called from Python; profiles decide what is reported."""

import json

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from sfumato import read_pdfs
from sfumato.errors import DataError
from sfumato.io.pdfs import open_pdfs
from sfumato.io.tables import Reading
from sfumato.jobs import scoring
from sfumato.jobs.evaluation import evaluate_file
from sfumato.jobs.scoring import read_scores


def test_one_column_of_truths_may_be_its_name(folder, pdfs):
    found = evaluate_file(pdfs, "y", str(folder / "judged"), by="id", n_bootstrap=5)
    table = np.loadtxt(folder / "table.csv", delimiter=",", skiprows=1)
    stored = read_pdfs(pdfs)
    assert found.n == 240
    log_score = float(np.mean(stored.log_prob(table[:, 3])))
    assert found.metrics["log_score"]["value"] == pytest.approx(log_score, rel=1e-6)
    result = json.loads((folder / "judged" / "metrics.json").read_text())
    # values about 70 and above 90 are numbers like any others: all rows are in a bin
    for bins in ("by_truth", "by_column"):
        assert sum(row["metrics"]["n"]["value"] for row in result[bins]) == 240
    assert (folder / "judged" / "by_column.png").exists()


def test_a_missing_column_is_named(folder, pdfs):
    with pytest.raises(DataError, match="'truth'"):
        evaluate_file(pdfs, "truth", folder / "never")
    assert not (folder / "never").exists()


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.filterwarnings("ignore:.*was it edited:UserWarning")
def test_a_handful_of_objects_is_judged_without_bins(folder, pdfs):
    few = folder / "few.parquet"
    parquet.write_table(parquet.read_table(pdfs).slice(0, 9), few)
    found = evaluate_file(few, "y", folder / "of-few", by="id", n_bootstrap=5)
    assert found.n == 9
    assert json.loads((folder / "of-few" / "metrics.json").read_text())["by_truth"] == []
    assert not list((folder / "of-few").glob("by_*.png"))
    assert (folder / "of-few" / "pit.png").exists()


def test_of_many_objects_some_are_drawn_and_their_number_said(folder, pdfs, monkeypatch):
    everything = read_scores(open_pdfs(pdfs), "y").objects
    monkeypatch.setattr(scoring, "MOST_SCORED", 60)
    with pytest.warns(UserWarning, match=r"of (\d+) objects, drawn at random from 240") as told:
        found = evaluate_file(pdfs, "y", folder / "drawn", n_bootstrap=5)
    assert f"of {found.n} objects" in str(told[0].message)
    assert 40 < found.n < 80
    with pytest.warns(UserWarning, match="drawn at random"):
        objects = read_scores(open_pdfs(pdfs), "y").objects
    assert found.metrics["crps"]["value"] == pytest.approx(objects.crps.mean())
    assert np.isin(objects.crps, everything.crps).all()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*was it edited:UserWarning")
def test_truths_that_cannot_be_are_refused_or_left_out(folder, pdfs):
    table = parquet.read_table(pdfs)
    truth = table["y"].to_numpy() / 100
    truth = np.where(np.arange(len(truth)) % 3 == 0, -99, truth)
    path = folder / "codes.parquet"
    parquet.write_table(table.append_column("z", [truth]), path)
    file = open_pdfs(path)
    with pytest.raises(DataError, match=r"'z' is missing or below -0.01 in 80 of 240 rows, first"):
        read_scores(file, "z", least=-0.01)
    with pytest.warns(UserWarning, match="Left out 80 rows: 'z' is missing or below -0.01"):
        objects = read_scores(file, "z", least=-0.01, drop_missing=True).objects
    np.testing.assert_array_equal(objects.truth, truth[truth > 0])
    with pytest.warns(UserWarning, match="z is -99 in 80 rows: taken as true values"):
        evaluate_file(path, "z", folder / "plain", n_bootstrap=5)
    # no error without resamplings: JSON knows no NaN
    evaluate_file(path, "id", folder / "plain-json", n_bootstrap=0)
    text = (folder / "plain-json" / "metrics.json").read_text()
    written = json.loads(text, parse_constant=pytest.fail)
    assert written["overall"]["crps"]["error"] is None
    where = Reading(where="z >= 0")
    assert evaluate_file(path, "z", folder / "some", reading=where, n_bootstrap=5).n == 160


@pytest.mark.filterwarnings("ignore:.*was it edited:UserWarning")
@pytest.mark.parametrize(
    ("lone", "message"),
    [
        (-9999.0, "z is -9999 in 1 rows: taken as true values. If it is a code, leave"),
        (5432.1, "True values of z far from all others: 1, 5432.1 farthest"),
    ],
)
def test_a_lone_code_among_the_truths_is_said(folder, pdfs, lone, message):
    table = parquet.read_table(pdfs)
    truth = table["y"].to_numpy().copy()
    truth[7] = lone
    path = folder / f"lone{lone:g}.parquet"
    parquet.write_table(table.append_column("z", [truth]), path)
    with pytest.warns(UserWarning, match=message):
        read_scores(open_pdfs(path), "z")


@pytest.mark.filterwarnings("ignore:.*was it edited:UserWarning")
def test_every_group_is_reported_by_itself(folder, pdfs):
    table = parquet.read_table(pdfs)
    words = np.array(["b", "a", None], object)[np.arange(240) % 3]
    path = folder / "groups.parquet"
    parquet.write_table(table.append_column("field", [pa.array(words, pa.string())]), path)
    output = folder / "by-group"
    evaluate_file(path, "y", output, group="field", n_bootstrap=5)
    rows = json.loads((output / "metrics.json").read_text())["by_group"]
    assert [row["group"] for row in rows] == ["", "a", "b"]
    stored, truth = read_pdfs(path), table["y"].to_numpy()
    for row, first in zip(rows, (2, 1, 0), strict=True):
        own = slice(first, None, 3)
        expected = np.mean(stored[own].log_prob(truth[own]))
        assert row["metrics"]["log_score"]["value"] == pytest.approx(expected, rel=1e-6)
        assert row["metrics"]["n"]["value"] == 80
    lines = (output / "metrics.csv").read_text().splitlines()
    assert any(line.startswith("by_group,a,,crps,") for line in lines)
    assert (output / "by_group.png").exists()
    assert "By field" in (output / "report.html").read_text()
    with pytest.raises(DataError, match="no column 'felt'"):
        evaluate_file(path, "y", folder / "never", group="felt")
