"""Compiled kernels for very many mixtures of a family, where there are some."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sfumato.families import MixtureFamily
from sfumato.pdfs._beta_statistics import stack_beta, summarise_beta
from sfumato.pdfs._normal_statistics import summarise_normal


class Kernel(NamedTuple):
    """The compiled programs of one family, on its standard scale.

    Parameters
    ----------
    summarise : log-weights and parameters (n, k), levels (q,) to mode (n,), or None where there is
        no kernel for it, and quantiles (n, q).
    stack : log-weights and parameters (n, k), grid (g,) to the sum of the densities (g,).
    reaches : whether `stack` is good at all points of a grid.
    """

    summarise: Callable[..., tuple[np.ndarray | None, np.ndarray]]
    stack: Callable[..., np.ndarray] | None = None
    reaches: Callable[[np.ndarray], bool] = lambda _u: False


KERNELS = {
    "beta": Kernel(summarise_beta, stack_beta, lambda u: bool(np.all((u > 0) & (u < 1)))),
    "normal": Kernel(summarise_normal),
}
"""The one table from the name of a component to its kernels."""


def kernel_of(family: MixtureFamily) -> Kernel | None:
    """The kernels of a family, or None."""
    return KERNELS.get(family.component.name)
