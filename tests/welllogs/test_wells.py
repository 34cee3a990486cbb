"""From tables of samples to the columns of a model."""

import numpy as np
import pandas as pd
import pytest

from sfumato.errors import DataError
from sfumato.io.tables import matrix, open_table, read_table
from sfumato.welllogs.curves import known_logs
from sfumato.welllogs.features import LogFeatures
from sfumato.welllogs.wells import GROUP, MEASURED, Wells
from welllogs_cases import PLAIN, written

LOGS = known_logs()
FEATURES = LogFeatures(("GR", "RHOB", "TVD"), (2.0,))


def opened(path, **options):
    return Wells(FEATURES, "DTC", LOGS, **options).open(open_table(path))


def columns(table, *names):
    return matrix(read_table(table, names), names)


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    n = 60
    return pd.DataFrame(
        {
            "WELL": np.repeat(["a", "b"], n // 2),
            "DEPTH_MD": np.tile(1000 + 0.5 * np.arange(n // 2), 2),
            "GR": rng.normal(70, 10, n),
            "RHOB": rng.normal(2.3, 0.1, n),
            "Z_LOC": -np.tile(980 + 0.5 * np.arange(n // 2), 2),
            "DTC": rng.normal(100, 10, n),
        }
    )


def saved(frame, folder):
    frame.to_parquet(folder / "wells.parquet", index=False)
    return folder / "wells.parquet"


def test_windows_end_with_wells_whatever_the_order_of_rows(frame, tmp_path):
    order = np.random.default_rng(1).permutation(len(frame))
    with pytest.warns(UserWarning, match="TVD is Z_LOC"):
        table = opened(saved(frame.iloc[order], tmp_path))
    with pytest.warns(UserWarning, match="states no unit"):
        got = columns(table, "gr mean 2 m", "vertical depth here", "DTC")
    near = [frame.GR[max(0, i - 2) : min(30, i + 3)].mean() for i in range(30)]
    near += [frame.GR[30 + max(0, i - 2) : 33 + i].mean() for i in range(30)]
    np.testing.assert_allclose(got[:, 0], np.array(near)[order])
    np.testing.assert_allclose(got[:, 1], -frame.Z_LOC.to_numpy()[order])
    np.testing.assert_allclose(got[:, 2], frame.DTC.to_numpy()[order])
    words = read_table(table, [GROUP])[GROUP].to_pylist()
    assert words == frame.WELL.to_numpy()[order].tolist()
    depth = columns(table, MEASURED)[:, 0]
    np.testing.assert_allclose(depth, frame.DEPTH_MD.to_numpy()[order])
    assert table.columns == (
        "WELL", "DEPTH_MD", "Z_LOC", *FEATURES.names, GROUP, MEASURED, "GR", "RHOB", "DTC"
    )  # fmt: skip


def test_batches_are_parts_of_one_answer(frame, tmp_path):
    with pytest.warns(UserWarning, match="TVD is Z_LOC"):
        table = opened(saved(frame, tmp_path))
    with pytest.warns(UserWarning, match="states no unit"):
        whole = columns(table, *FEATURES.names)
    parts = [matrix(batch, FEATURES.names) for batch in table.read(FEATURES.names, 7, 13)]
    np.testing.assert_array_equal(np.concatenate(parts), whole[7:])


def test_blocks_of_one_well(frame, tmp_path):
    with pytest.warns(UserWarning, match="TVD is Z_LOC"):
        table = opened(saved(frame, tmp_path), block_m=5.0)
    with pytest.warns(UserWarning, match="states no unit"):
        words = read_table(table, [GROUP])[GROUP].to_pylist()
    assert words[:11] == ["a 1000 m"] * 10 + ["a 1005 m"]
    assert len(set(words)) == 6


def test_a_las_file_and_what_it_lacks(tmp_path):
    path = written(tmp_path, PLAIN.replace("DEPT.M", "DEPT.FT").replace(".M ", ".FT "))
    with pytest.warns(UserWarning, match="no vertical depth: measured depth is taken for it"):
        table = opened(path)
    got = columns(table, "vertical depth here", "gr here")
    np.testing.assert_allclose(got[:, 0], 0.3048 * np.array([100, 100.5, 101, 101.5, 102]))
    assert "DTC" not in table.columns
    assert read_table(table, [GROUP])[GROUP].to_pylist() == ["A-1"] * 5


def test_a_log_without_a_value_is_said(frame, tmp_path):
    empty = frame.assign(**{"GR": np.nan, "GR:2": 50.0})
    with pytest.warns(UserWarning, match=r"GR is GR \(not GR:2\)"):
        table = opened(saved(empty, tmp_path))
    with pytest.warns(UserWarning, match=r"GR holds no value \(GR:2 is not looked at\)"):
        assert np.isnan(columns(table, "gr here")).all()


def test_columns_may_be_named(frame, tmp_path):
    other = frame.rename(columns={"WELL": "hole", "DEPTH_MD": "along"})
    with pytest.warns(UserWarning, match="TVD is Z_LOC"):
        table = opened(saved(other, tmp_path), well="hole", depth="along")
    assert read_table(table, ["along"])["along"].to_pylist() == other["along"].tolist()


@pytest.mark.parametrize(
    ("rename", "options", "message"),
    [
        ({"GR": "A", "RHOB": "B"}, {}, "none of GR, RHOB is among WELL, DEPTH_MD, A, B"),
        ({"DEPTH_MD": "along"}, {}, "no column of depths. Name it by --depth"),
        ({}, {"depth": "DEPHT"}, "--depth names 'DEPHT', no column. Nearest: 'DEPTH_MD'"),
        ({}, {"well": "HOLE"}, "--well names 'HOLE', no column"),
    ],
)
def test_what_is_not_there_is_named(frame, tmp_path, rename, options, message):
    with pytest.raises(DataError, match=message):
        opened(saved(frame.rename(columns=rename), tmp_path), **options)


def test_a_target_among_the_inputs_is_refused(frame, tmp_path):
    path = saved(frame, tmp_path)
    with pytest.raises(DataError, match="'GR' is the target, and an input too"):
        Wells(FEATURES, "GR", LOGS).open(open_table(path))


def test_what_was_taken_and_left_out_is_said(frame, tmp_path):
    frame["SGR"], frame["RHOB"] = frame["GR"], 1000 * frame["RHOB"]
    frame.loc[3, "GR"] = 9000.0
    with pytest.warns(UserWarning, match=r"GR is GR \(not SGR\); TVD is Z_LOC"):
        table = opened(saved(frame, tmp_path))
    expected = "1 values of GR outside 0 to 400 .*RHOB states no unit: taken for kg/m3"
    with pytest.warns(UserWarning, match=expected):
        got = columns(table, "rhob here", "gr here")
    np.testing.assert_allclose(got[:, 0], frame.RHOB / 1000)
    assert np.isnan(got[3, 1])
