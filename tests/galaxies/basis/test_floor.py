"""The Bayesian floor: calibrated, and reached by the posteriors of pixels."""

import numpy as np
import pytest
from scipy import stats

from galaxy_cases import SMALL, stamps_of
from sfumato.galaxies import (
    Scene,
    fit_stamps,
    sample_stamps,
)
from sfumato.galaxies.basis.floor import bayesian_floor
from sfumato.galaxies.posterior.prior import Prior


@pytest.fixture(scope="module")
def floor(basis):
    return bayesian_floor(SMALL, 200, basis=basis, random_state=1, least_effective_size=0.0)


@pytest.mark.slow
def test_the_floor_is_calibrated(floor):
    assert np.median(floor.effective_sizes) > 500
    # the error of posterior means on these galaxies is the floor, within 5 standard errors
    np.testing.assert_allclose(floor.achieved, floor.rmse, rtol=5 * 0.06)
    for level in (0.68, 0.95):
        error = 5 * np.sqrt(level * (1 - level) / 200)
        np.testing.assert_allclose(floor.coverage(level), level, atol=error)
    for pit in floor.pit.T:
        assert stats.kstest(pit, "uniform").pvalue > 1e-3


@pytest.mark.slow
def test_posteriors_of_pixels_are_as_close_to_the_truth_as_the_floor(floor, batch):
    images = np.asarray(batch.noisy)[:16, None]
    scene = Scene(SMALL.grid)
    stamps = stamps_of(images)
    found = sample_stamps(stamps, scene, Prior(scene, SMALL), fit_stamps(stamps, scene))
    weights = np.exp(found.log_weights)
    mean = np.einsum("nps,ns->np", found.theta, weights)
    truth = np.stack([np.asarray(v) for v in batch.labels.galaxy[:5]], axis=1)[:16]
    # 16 galaxies: their squared errors in units of the floor average to about 1
    scaled = np.mean(((mean - truth) / floor.rmse) ** 2, axis=0)
    assert np.all((scaled > 0.15) & (scaled < 3.0))
    assert np.all(found.effective_size > 50)
