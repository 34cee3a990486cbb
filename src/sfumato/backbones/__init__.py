"""Networks from features to an embedding, features first, with an optional batch axis behind."""

from sfumato.backbones.mlp import ACTIVATIONS as ACTIVATIONS
from sfumato.backbones.mlp import MLP as MLP
