"""The report on wells: its numbers are those of models that have not seen them."""

import re
import warnings

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold

from sfumato.errors import DataError
from sfumato.io.tables import DEFAULT
from sfumato.jobs.fitting import open_task
from sfumato.jobs.presets import Roles
from sfumato.welllogs.plots import plot_tracks
from sfumato.welllogs.study import STEPS, Scores, write_study

SETTINGS = {"n_members": 2, "hidden_sizes": (8,), "max_epochs": 2, "random_state": 0}
ANSWERS = {"windows": "5", "inputs": "GR,RHOB,CALI"}
pytestmark = pytest.mark.filterwarnings("ignore:.*predicted without")


def table(page, heading):
    """Cells of the first table behind a heading."""
    text = page[page.index(heading) :]
    text = text[: text.index("</table>")]
    rows = [re.findall(r"<t[dh]>(.*?)</t[dh]>", row) for row in text.split("<tr>")[1:]]
    return {cells[0]: cells[1:] for cells in rows}


@pytest.fixture(scope="module")
def written(files, wells, tmp_path_factory):
    """The page, the tracks that were drawn on it and what was said."""
    folder = tmp_path_factory.mktemp("study")
    lines = [f"M-{i},Sand,{well.depth_m[100]:.1f}" for i, well in enumerate(wells[:2], start=1)]
    (folder / "tops.csv").write_text("\n".join(["WELL,SURFACE,MD", *lines]))
    steps, drawn = [], []

    def draw(tracks):
        drawn.append(tracks)
        return plot_tracks(tracks)

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        patch.setattr("sfumato.welllogs.study.plot_tracks", draw)
        write_study(
            files[:3],
            folder / "report.html",
            target="DTC",
            answers=ANSWERS,
            settings=SETTINGS,
            n_folds=2,
            tops=folder / "tops.csv",
            on_step=steps.append,
        )
    assert steps == list(STEPS)
    return (folder / "report.html").read_text(), drawn, [str(w.message) for w in said]


@pytest.fixture(scope="module")
def page(written):
    return written[0]


@pytest.mark.slow
def test_tops_are_drawn_in_the_wells_that_have_them(written, wells):
    _, drawn, said = written
    assert len(drawn) == 2
    for tracks in drawn:
        number = int(tracks.well[2:])
        known = {"Sand": wells[number - 1].depth_m[100]} if number <= 2 else {}
        assert tracks.tops == pytest.approx(known, abs=0.06)
        assert np.all(np.diff(tracks.depth_m) > 0)
        assert any(f"no tops of the well {tracks.well}: it is drawn" in s for s in said) != bool(
            known
        )


@pytest.mark.slow
def test_every_well_is_predicted_by_a_model_that_has_not_seen_it(page, files):
    task = open_task(
        files[:3],
        Roles(("DTC",)),
        preset="welllog",
        answers=ANSWERS,
        settings=SETTINGS,
        reading=DEFAULT,
        drop_missing=True,
    )
    X, y, wells = task.data.X, task.data.y, task.data.groups
    split = GroupKFold(2, shuffle=True, random_state=0).split(X, groups=wells)
    train, test = next(pair for pair in split if len(np.unique(wells[pair[0]])) > 1)
    model = task.regressor.fit(X[train], y[train], groups=wells[train])
    pdfs = model.predict_pdfs(X[test])
    shown = table(page, "Every well by itself")
    for well in np.unique(wells[test]):
        own = wells[test] == well
        error = pdfs.mean()[own] - y[test][own]
        low, high = pdfs.quantiles([0.05, 0.95])[own].T
        inside = np.mean((y[test][own] >= low) & (y[test][own] <= high))
        cells = shown[well]
        assert int(cells[0].replace(",", "")) == own.sum()
        assert float(cells[1]) == pytest.approx(np.sqrt(np.mean(error**2)), rel=5e-3)
        assert float(cells[4]) == pytest.approx(inside, abs=5e-3)
        assert float(cells[5]) == pytest.approx(np.mean(high - low), rel=1e-2)
    assert int(shown["all"][0].replace(",", "")) == len(y)


@pytest.mark.slow
def test_missing_inputs_and_random_samples_stand_beside(page):
    missing = table(page, "When inputs are missing")
    assert missing["all inputs"] == table(page, "Every well by itself")["all"][1:]
    assert "without RHOB" in missing
    assert "without CALI" not in missing  # no well has it
    assert float(missing["without RHOB"][4]) > 0
    random = table(page, "What random samples would have promised")
    assert random["whole wells held out"] == missing["all inputs"]
    assert float(random["random samples held out"][0]) > 0


@pytest.mark.slow
def test_all_samples_have_a_novelty(page):
    shown = table(page, "Where the rock is unlike")
    counts = [int(cells[0].replace(",", "")) for name, cells in shown.items() if name != "novelty"]
    assert sum(counts) == 3 * 600
    assert page.count("data:image/png") == 3


def test_scores_of_a_known_distribution(pdfs):
    y = pdfs.median()
    scores = Scores.of(pdfs, y)
    np.testing.assert_allclose(scores.pit, 0.5, atol=1e-3)
    assert scores.inside(0.5) == 1.0
    assert scores.at(np.arange(3)).crps.shape == (3,)
    far = Scores.of(pdfs, pdfs.quantiles([0.99])[:, 0])
    assert far.inside(0.9) == 0.0


def test_one_well_is_refused_and_nothing_is_left(files, tmp_path):
    with pytest.raises(DataError, match=r"NOPE.csv does not exist"):
        write_study(files[:2], tmp_path / "r.html", target="DTC", tops=tmp_path / "NOPE.csv")
    with pytest.raises(DataError, match=r"all samples are of one well \(M-1\).*Add wells"):
        write_study(files[:1], tmp_path / "r.html", target="DTC", answers=ANSWERS)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DataError, match="DTX"):
        write_study(files[:2], tmp_path / "r.html", target="DTX", answers=ANSWERS)
