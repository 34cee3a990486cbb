"""How weights move: losses, optimiser, the loop, its history."""

from sfumato.training.history import History as History
from sfumato.training.loop import FitResult as FitResult
from sfumato.training.loop import fit as fit
from sfumato.training.optimisers import make_optimiser as make_optimiser
