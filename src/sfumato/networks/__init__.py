"""Networks from any kind of x to the parameters of a distribution; the batch axis comes last."""

from sfumato.networks.backbone import Backbone as Backbone
from sfumato.networks.embeddings import TableFront as TableFront
from sfumato.networks.mlp import ACTIVATIONS as ACTIVATIONS
from sfumato.networks.mlp import MLP as MLP
