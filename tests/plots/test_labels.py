"""Round values and edges of axes."""

import numpy as np
import pytest

from sfumato.plots import _labels


def test_edges_lie_halfway_on_their_scale():
    np.testing.assert_allclose(_labels.prepare_edges([1, 2, 4]), [0.5, 1.5, 3, 5])
    edges = _labels.prepare_edges([1, 4, 16], scale="log")
    np.testing.assert_allclose(edges, [0.5, 2, 8, 32])
    with pytest.raises(ValueError, match="positive values; got -1"):
        _labels.prepare_edges([-1, 2], scale="log")
    with pytest.raises(ValueError, match="two or more increasing"):
        _labels.prepare_edges([2, 1])


def test_round_values_are_few():
    np.testing.assert_allclose(_labels.prepare_round(0.9, 11), [1, 2, 5, 10])
    np.testing.assert_allclose(_labels.prepare_round(0.02, 2), [0.03, 0.1, 0.3, 1])
    np.testing.assert_allclose(_labels.prepare_round(0.5, 2e4), [1, 10, 100, 1000, 10000])
    assert _labels.prepare_round(6, 9).size == 0
