"""The course of training: every loss of every member, and where it was least."""

import numpy as np
import pytest

from sfumato.plots.training import plot_history
from sfumato.training import History

TRAIN = np.array([[2.0, 2.5], [1.0, 1.5], [0.5, 0.75], [0.25, 0.5]])
VALID = np.array([[2.2, 2.6], [1.2, 1.4], [1.5, 1.1], [1.6, 1.3]])
BEST = np.array([1, 2])
HISTORY = History(TRAIN, VALID, BEST, np.zeros((4, 2), int), np.ones((4, 2)))


def test_losses_are_drawn_by_epoch_and_the_best_is_marked():
    (axes,) = plot_history(HISTORY).axes
    expected = [*TRAIN.T, *VALID.T]
    for line, losses in zip(axes.lines[:4], expected, strict=True):
        np.testing.assert_array_equal(line.get_xydata(), np.c_[[1, 2, 3, 4], losses])
    marked = next(line for line in axes.lines if line.get_label() == "best epoch")
    np.testing.assert_array_equal(marked.get_xydata(), [[2, 1.2], [3, 1.1]])
    assert marked.get_linestyle() == "None"


def test_each_kind_of_loss_has_its_colour_in_the_legend():
    (axes,) = plot_history(HISTORY).axes
    by_label = {line.get_label(): line.get_color() for line in axes.lines}
    assert {line.get_color() for line in axes.lines[:2]} == {
        by_label["training (with noise and dropout)"]
    }
    assert {line.get_color() for line in axes.lines[2:4]} == {by_label["validation"]}
    low, high = axes.get_ylim()
    assert low == pytest.approx(0.25 - 0.1)
    assert high == pytest.approx(np.quantile([*TRAIN.ravel(), *VALID.ravel()], 0.97) + 0.2)
