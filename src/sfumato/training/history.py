"""What happened during training, as arrays."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class History:
    """Losses by epoch and member, in nats per unit of the scaled target.

    Parameters
    ----------
    train_loss, valid_loss : (epochs, m) mean negative log-likelihood.
    best_epoch : (m,) epoch, from 0, whose weights were kept for each member.
    n_skipped_steps : (epochs, m) optimiser steps left out because a gradient was not finite.
    """

    train_loss: np.ndarray
    valid_loss: np.ndarray
    best_epoch: np.ndarray
    n_skipped_steps: np.ndarray

    @property
    def n_epochs(self) -> int:
        """Epochs that were run."""
        return self.train_loss.shape[0]
