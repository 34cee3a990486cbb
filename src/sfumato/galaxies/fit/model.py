"""A scene's model of the data, and its derivatives."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array

Model = Callable[[Array], Array]
"""From parameters (p,) to predicted pixels (m,)."""


def linearise(model: Model, theta: Array) -> tuple[Array, Array]:
    """Pixels (m,) and their derivatives (p, m) by each parameter, in forward mode.

    One pass per parameter, in which the others are constants: whatever does not depend on it is
    shared by all passes, and nothing is multiplied by zeros.
    """

    def along(i: int) -> tuple[Array, Array]:
        def of_one(value: Array) -> Array:
            return model([value if j == i else theta[j] for j in range(len(theta))])  # pyright: ignore

        return jax.jvp(of_one, (theta[i],), (jnp.ones_like(theta[i]),))

    passes = [along(i) for i in range(theta.shape[0])]
    return passes[0][0], jnp.stack([slope for _, slope in passes])
