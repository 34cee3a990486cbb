"""Networks from features to an embedding, features first, with an optional batch axis behind."""

from sfumato.backbones.embeddings import EMBEDDINGS as EMBEDDINGS
from sfumato.backbones.embeddings import Front as Front
from sfumato.backbones.mlp import ACTIVATIONS as ACTIVATIONS
from sfumato.backbones.mlp import MLP as MLP
from sfumato.backbones.mlp import ResidualMLP as ResidualMLP

BACKBONES = {"mlp": MLP, "residual": ResidualMLP}
"""The one table from the name of a backbone to its class."""
