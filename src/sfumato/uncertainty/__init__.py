"""How many models there are, what each trains on, and what their spread is made to mean."""

from sfumato.uncertainty._base import Strategy as Strategy
from sfumato.uncertainty.batch_ensemble import BatchEnsemble as BatchEnsemble
from sfumato.uncertainty.dropout import MonteCarloDropout as MonteCarloDropout
from sfumato.uncertainty.ensembles import Ensemble as Ensemble
from sfumato.uncertainty.ensembles import Single as Single
from sfumato.uncertainty.laplace import Laplace as Laplace
from sfumato.uncertainty.variational import Variational as Variational
from sfumato.uncertainty.weight_posterior import NUTS as NUTS
from sfumato.uncertainty.weight_posterior import SVI as SVI
