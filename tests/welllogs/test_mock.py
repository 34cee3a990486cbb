"""The mock's slowness has the density it says it has."""

import lasio
import numpy as np
from scipy import stats

from sfumato.welllogs.las import read_las
from sfumato.welllogs.mock import GAS_FACTOR, make_wells, slowness_given


def test_slowness_has_the_density_that_is_told():
    (well,) = make_wells(1, n_samples=20_000, seed=3)
    mean, deviation, share = slowness_given(well.gr, well.rhob, well.nphi)
    pit = (1 - share) * stats.norm.cdf(well.dtc, mean, deviation)
    pit += share * stats.norm.cdf(well.dtc, GAS_FACTOR * mean, deviation)
    assert stats.kstest(pit, "uniform").pvalue > 0.01
    (well,) = make_wells(1, n_samples=500, seed=4)
    grid = np.linspace(20, 400, 4001)
    density = np.exp([well.log_prob(np.full(well.dtc.size, y)) for y in grid])
    np.testing.assert_allclose(np.trapezoid(density, grid, axis=0), 1, atol=1e-6)


def test_wells_are_like_rock_and_differ_by_seed():
    first, second = make_wells(2, n_samples=3000, seed=0)
    assert first.name == "M-1"
    assert not np.array_equal(first.gr, second.gr)
    again = make_wells(1, n_samples=3000, seed=0)[0]
    np.testing.assert_array_equal(first.dtc, again.dtc)
    for well in (first, second):
        for values, low, high in (
            (well.gr, 0, 200), (well.rhob, 1.5, 3), (well.nphi, -0.1, 0.8), (well.dtc, 40, 240)
        ):  # fmt: skip
            assert low < values.min() < values.max() < high


def test_files_hold_the_wells(wells, files):
    for well, path in zip(wells, files, strict=True):
        las, peer = read_las(path), lasio.read(path)
        assert las.notes == ()
        assert las.well == well.name
        for name in ("gr", "rhob", "nphi", "rdep", "dtc"):
            values = las[name.upper()].values
            np.testing.assert_allclose(values, vars(well)[name], atol=6e-5)
            np.testing.assert_array_equal(values, peer[name.upper()])
        np.testing.assert_allclose(las.depth_m, well.depth_m, atol=6e-5)
