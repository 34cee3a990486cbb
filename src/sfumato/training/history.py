"""What happened during training, as arrays."""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True)
class History:
    """Losses by epoch and member, in nats per unit of the scaled target.

    Parameters
    ----------
    train_loss, valid_loss : (epochs, m) mean negative log-likelihood.
    best_epoch : (m,) epoch, from 0, whose weights were kept for each member.
    n_skipped_steps : (epochs, m) optimiser steps left out because a gradient was not finite.
    n_effective : (epochs, m) effective number of components on the validation rows,
        ``exp(entropy)`` of their mean weights: near 1 where a mixture has collapsed.
    warnings : what went less well than it should, in sentences.
    """

    train_loss: np.ndarray
    valid_loss: np.ndarray
    best_epoch: np.ndarray
    n_skipped_steps: np.ndarray
    n_effective: np.ndarray
    warnings: tuple[str, ...] = ()

    @property
    def n_epochs(self) -> int:
        """Epochs that were run."""
        return self.train_loss.shape[0]

    @property
    def lowest(self) -> np.ndarray:
        """Lowest validation loss of each member, (m,)."""
        return self.valid_loss.min(axis=0)

    def followed_by(self, later: "History", *, won: np.ndarray) -> "History":
        """The epochs of both; the best are the later one's for the members (m,) that won there."""
        best = np.where(won, self.n_epochs + later.best_epoch, self.best_epoch)
        return History(
            np.concatenate([self.train_loss, later.train_loss]),
            np.concatenate([self.valid_loss, later.valid_loss]),
            best,
            np.concatenate([self.n_skipped_steps, later.n_skipped_steps]),
            np.concatenate([self.n_effective, later.n_effective]),
            self.warnings + later.warnings,
        )

    def with_warnings(self, notes: tuple[str, ...]) -> "History":
        """The same history with these warnings."""
        return replace(self, warnings=notes)


FEWEST_EPOCHS, LARGEST_GAIN = 20, 0.05


def convergence_note(history: History) -> str | None:
    """A sentence with a cure if the validation loss was still falling fast at the end."""
    if history.n_epochs < FEWEST_EPOCHS:
        return None
    last = history.n_epochs // 4
    loss = history.valid_loss.mean(axis=1)
    gain = float(np.min(loss[:-last]) - np.min(loss[-last:]))
    if not gain > LARGEST_GAIN:
        return None
    return (
        f"Training was still gaining {gain:.3f} nats over its last {last} epochs: "
        "raise max_epochs or the learning rate."
    )
