"""How strong the disturbances of training are as it goes on."""

from typing import NamedTuple, cast

import numpy as np
from jaxtyping import Array

Fade = tuple[float, float] | None
"""Shares of the run between which a strength falls from 1 to 0; None for a constant 1."""


class Strengths(NamedTuple):
    """Factors of the inputs' noise and of the rates of dropout, in [0, 1]."""

    noise: Array | float
    dropout: Array | float


NOISE_FADE: Fade = (0.4, 1.0)
"""Noise early regularises; without it at the end the members see the data as they are."""


def strengths_at(progress: float, *, dropout_fade: Fade = None) -> Strengths:
    """Strengths after this share of the run."""
    # in single precision, as the network is, and not yet on the device
    fallen = (np.float32(_falling(progress, fade)) for fade in (NOISE_FADE, dropout_fade))
    return Strengths(*cast(tuple[float, float], tuple(fallen)))


def _falling(progress: float, fade: Fade) -> float:
    if fade is None:
        return 1.0
    start, end = fade
    return float(np.clip((end - progress) / max(end - start, 1e-9), 0.0, 1.0))
