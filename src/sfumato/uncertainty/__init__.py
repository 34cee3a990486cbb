"""How many models there are, what each trains on, and what their spread is made to mean."""

from sfumato.uncertainty.batch_ensemble import BatchEnsemble as BatchEnsemble
from sfumato.uncertainty.dropout import MonteCarloDropout as MonteCarloDropout
from sfumato.uncertainty.laplace import Laplace as Laplace
from sfumato.uncertainty.sampling import NUTS as NUTS
from sfumato.uncertainty.sampling import SVI as SVI
from sfumato.uncertainty.single import Ensemble as Ensemble
from sfumato.uncertainty.single import Single as Single
from sfumato.uncertainty.variational import Variational as Variational
