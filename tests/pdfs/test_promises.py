"""What is promised of a density holds on every road that it can take to a user.

Every family, from whatever a network may put out; as it is, sharpened, stored, averaged,
recalibrated: finite on a closed grid over the whole support, and of integral 1.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import SCALAR, bound, predicted
from sfumato import read_pdfs, write_pdfs
from sfumato.pdfs import CountPDFs, make_pdfs
from sfumato.recalibration.conformal import level_map, recalibrated
from sfumato.recalibration.sharpening import Sharpening

CONTINUOUS = [name for name in SCALAR if bound(name).kind == "continuous"]
COUNTS = [name for name in SCALAR if bound(name).kind == "count"]

SHAPED = {"gamma": 3.0, "weibull": 3.0, "chi-squared": 3.0}
"""Raw outputs about which the shape is above 1: below, a density has no bound at 0."""


def sharpened(pdfs, level):
    family = pdfs.family
    if not family.component.sharpens or not family.component.parameters:
        return pdfs
    own = [pdfs.params[name] for name in family.component.parameters]
    pivot = float(np.mean(family.component.log_precision(*own)))
    params = Sharpening(level, float(np.copysign(0.3, level)), pivot)(family, pdfs.params)
    return make_pdfs(family, {name: np.asarray(v) for name, v in params.items()})


def stored(pdfs, path, precision):
    write_pdfs(pdfs, path / "pdfs.parquet", precision=precision)
    return read_pdfs(path / "pdfs.parquet")


def conformal(pdfs):
    pit = np.random.default_rng(0).beta(0.6, 1.4, 200)
    return recalibrated(pdfs, level_map(pit, np.zeros(200, int)), np.zeros(len(pdfs), int))


ROADS = {
    "as predicted": lambda pdfs, _: pdfs,
    "narrower": lambda pdfs, _: sharpened(pdfs, 1.5),
    "wider": lambda pdfs, _: sharpened(pdfs, -1.5),
    "16 bits": lambda pdfs, path: stored(pdfs, path, 16),
    "32 bits": lambda pdfs, path: stored(pdfs, path, 32),
    "wider, 16 bits": lambda pdfs, path: stored(sharpened(pdfs, -1.5), path, 16),
    "half precision": lambda pdfs, _: make_pdfs(
        pdfs.family,
        {n: np.clip(v, -6e4, 6e4).astype(np.float16) for n, v in pdfs.params.items()},
    ),
    "averaged": lambda pdfs, _: pdfs.stack(),
    "recalibrated": lambda pdfs, _: conformal(pdfs),
}


def closed_grid(pdfs):
    """301 points from one end to the other, both included where the support has one."""
    ends = zip(pdfs.support, (pdfs.nodes().min(), pdfs.nodes().max()), strict=True)
    low, high = (bound if np.isfinite(bound) else reach for bound, reach in ends)
    return np.linspace(low, high, 301)


@pytest.mark.filterwarnings("ignore:.*lies? outside or between:UserWarning")
@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("name", CONTINUOUS)
@given(seed=st.integers(0, 2**31), size=st.sampled_from([0.0, 0.5, 1.5]))
@settings(max_examples=3)
def test_densities_are_finite_on_closed_grids(tmp_path_factory, name, road, seed, size):
    pdfs = ROADS[road](predicted(name, seed, size), tmp_path_factory.mktemp("road"))
    grid = closed_grid(pdfs)
    density = pdfs.pdf(grid)
    assert np.all(np.isfinite(density))
    assert np.all(density >= 0)
    assert np.all(np.isfinite(pdfs.stack(grid=grid).pdf(grid)))


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("name", ["beta", "truncated-normal", "spline", "histogram", "normal"])
def test_outputs_however_large_give_finite_densities(tmp_path, name, road):
    pdfs = ROADS[road](predicted(name, 3, 30.0), tmp_path)
    assert np.all(np.isfinite(pdfs.pdf(closed_grid(pdfs))))


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("name", CONTINUOUS)
def test_densities_integrate_to_one(tmp_path, name, road):
    pdfs = ROADS[road](predicted(name, 5, 0.7, SHAPED.get(name, 0.0)), tmp_path)
    nodes = pdfs.nodes()
    for row in range(len(pdfs)):
        fine = np.unique(np.concatenate([nodes[row], 0.5 * (nodes[row][1:] + nodes[row][:-1])]))
        mass = np.trapezoid(pdfs[row : row + 1].pdf(fine)[0], fine)
        assert mass == pytest.approx(1, abs=5e-3)


@pytest.mark.parametrize("road", ["as predicted", "16 bits", "32 bits", "averaged", "recalibrated"])
@pytest.mark.parametrize("name", COUNTS)
def test_probabilities_of_counts_sum_to_one(tmp_path, name, road):
    pdfs = ROADS[road](predicted(name, 5, 1.0), tmp_path)
    assert isinstance(pdfs, CountPDFs)
    numbers = np.arange(int(pdfs.default_grid()[-1]) + 2000.0)
    probabilities = pdfs.pdf(numbers)
    assert np.all(np.isfinite(probabilities))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
