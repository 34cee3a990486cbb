"""The course of training."""

import numpy as np
from matplotlib.figure import Figure

from sfumato.plots._style import CYCLE, new_figure, style
from sfumato.training import History


def plot_history(history: History) -> Figure:
    """Train and validation losses of every member by epoch, best epochs marked."""
    with style():
        figure, grid = new_figure(1, 1, width=5.6, height=3.2)
        axes = grid[0, 0]
        epochs = np.arange(1, history.n_epochs + 1)
        members = np.arange(history.best_epoch.size)
        axes.plot(epochs, history.train_loss, color=CYCLE[0], lw=0.9, alpha=0.7)
        axes.plot(epochs, history.valid_loss, color=CYCLE[1], lw=0.9, alpha=0.7)
        best = history.valid_loss[history.best_epoch, members]
        axes.plot(history.best_epoch + 1, best, "o", color=CYCLE[1], ms=4, label="best epoch")
        axes.plot([], [], color=CYCLE[0], label="training (with noise and dropout)")
        axes.plot([], [], color=CYCLE[1], label="validation")
        axes.set(xlabel="epoch", ylabel="negative log-likelihood [nats]")
        losses = np.concatenate([history.train_loss, history.valid_loss])
        axes.set_ylim(losses.min() - 0.1, np.quantile(losses, 0.97) + 0.2)
        axes.legend()
    return figure
