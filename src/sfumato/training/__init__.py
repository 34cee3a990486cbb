"""How weights move: losses, sources of batches, optimiser, the loop, its history."""

from sfumato.training.history import History as History
from sfumato.training.loop import FitResult as FitResult
from sfumato.training.loop import fit as fit
from sfumato.training.optimisers import make_optimiser as make_optimiser
from sfumato.training.sources import Batch as Batch
from sfumato.training.sources import Endless as Endless
from sfumato.training.sources import Rows as Rows
from sfumato.training.sources import Source as Source
