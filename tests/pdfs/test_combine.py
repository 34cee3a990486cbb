"""Sets of one kind are joined; others are told why not."""

import numpy as np
import pytest

from cases import make_pdfs
from sfumato import GridPDFs, concatenate
from sfumato.errors import IncompatibleError
from sfumato.pdfs.samples import SamplePDFs
from sfumato.recalibration.conformal import level_map, recalibrated


def test_sets_keep_their_order():
    grid = np.linspace(0, 1, 11)
    one, two = (GridPDFs(grid, np.random.default_rng(k).random((2, 11))) for k in (0, 1))
    joined = concatenate([two, one])
    np.testing.assert_allclose(joined.density, np.concatenate([two.density, one.density]))


def test_kinds_are_not_mixed():
    grid = np.linspace(0, 1, 11)
    draws = SamplePDFs(np.random.default_rng(0).random((2, 50)))
    with pytest.raises(IncompatibleError, match="All parts must be of one kind"):
        concatenate([draws, GridPDFs(grid, np.ones((2, 11)))])


def test_what_cannot_be_joined_says_so():
    pdfs = make_pdfs()
    levels = level_map(np.random.default_rng(0).random(100), np.zeros(100, int))
    changed = recalibrated(pdfs, levels, np.zeros(len(pdfs), int))
    with pytest.raises(IncompatibleError, match="RecalibratedPDFs cannot be joined"):
        concatenate([changed, changed])
