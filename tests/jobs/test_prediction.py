"""Predicting files, called from Python."""

import numpy as np
import pyarrow.parquet as pq

from sfumato import read_pdfs
from sfumato.jobs.prediction import predict_files


def test_files_hold_what_the_model_says(folder, fitted, pdfs):
    table = np.loadtxt(folder / "table.csv", delimiter=",", skiprows=1)
    expected = fitted[0].regressor.predict_pdfs(table[:, 1:3])
    # 16-bit codes: a step of the location's float32 and of weights
    np.testing.assert_allclose(read_pdfs(pdfs).mean(), expected.mean(), rtol=1e-3)
    np.testing.assert_array_equal(pq.read_table(pdfs)["id"].to_numpy(), table[:, 0])


def test_progress_adds_up_to_the_rows(folder, fitted):
    told = []
    done = predict_files(
        folder / "model",
        [folder / "table.csv"] * 2,
        folder / "twice.parquet",
        on_start=told.append,
        on_rows=told.append,
    )
    assert done == 0
    assert told[0] == 480
    assert sum(told[1:]) == 480
