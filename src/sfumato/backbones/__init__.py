"""Networks from features to an embedding, features first, with an optional batch axis behind."""

from functools import partial

from sfumato.backbones.embeddings import EMBEDDINGS as EMBEDDINGS
from sfumato.backbones.embeddings import Front as Front
from sfumato.backbones.mlp import ACTIVATIONS as ACTIVATIONS
from sfumato.backbones.mlp import MLP as MLP

BACKBONES = {"mlp": MLP, "residual": partial(MLP, skips=True)}
"""The one table from the name of a backbone to what builds it."""
