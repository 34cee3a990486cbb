r"""The Laplace approximation of the last layer.

Around the trained weights of the head the posterior is taken as Normal, with the generalised
Gauss-Newton matrix as precision, in the Kronecker form :math:`A \otimes B + \tau 1`: A the second
moment of the embeddings, summed over rows, and B the mean Fisher information of the head's outputs
(Ritter, Botev & Barber 2018; Daxberger et al. 2021, Laplace redux). The prior precision tau is the
one of highest evidence.
"""

from dataclasses import dataclass
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from sfumato._typing import Params
from sfumato.networks.density import ConditionalDensity
from sfumato.networks.members import broadcast, first_of
from sfumato.pdfs import make_pdfs
from sfumato.uncertainty._base import Finished, Strategy, StrategyTask

_CHUNK_ROWS = 4096
_TAUS = np.logspace(-4, 6, 201)


@dataclass(frozen=True)
class Laplace(Strategy):
    """Last-layer Laplace approximation, fitted after ordinary training.

    Parameters
    ----------
    n_draws : targets drawn from the model for each row, for the Fisher information.
    prior_precision : tau, or None to maximise the evidence.
    """

    n_draws: int = 4
    prior_precision: float | None = None
    name: ClassVar[str] = "laplace"
    default_members: ClassVar[int] = 30
    needs_rows: ClassVar[bool] = True

    def finish(self, members: ConditionalDensity, task: StrategyTask) -> Finished:
        """Draws of the head's weights around the trained ones."""
        member = first_of(members)
        a, b = curvature(member, task, n_draws=self.n_draws)
        linear = member.head.linear
        weights = np.concatenate([np.asarray(linear.weight), np.asarray(linear.bias)[:, None]], 1)
        (values_a, vectors_a), (values_b, vectors_b) = np.linalg.eigh(a), np.linalg.eigh(b)
        joint = np.outer(np.maximum(values_b, 0), np.maximum(values_a, 0))
        tau = self.prior_precision or most_evident(joint, weights)
        rng = np.random.default_rng(task.seed)
        noise = rng.normal(size=(task.n_members, *joint.shape)) / np.sqrt(joint + tau)
        drawn = weights + vectors_b @ noise @ vectors_a.T
        values = tuple(jnp.asarray(v, jnp.float32) for v in (drawn[..., :-1], drawn[..., -1]))
        stacked = broadcast(member, task.n_members)
        return Finished(
            eqx.tree_at(lambda m: (m.head.linear.weight, m.head.linear.bias), stacked, values)
        )


def curvature(
    member: ConditionalDensity, task: StrategyTask, *, n_draws: int
) -> tuple[np.ndarray, np.ndarray]:
    """A (h + 1, h + 1), summed over rows, and B (r, r), their mean, in double precision."""
    family = member.head.family

    @jax.jit
    def embed(x: Array) -> tuple[Array, Params]:
        h = member.embed(task.inputs(jnp.moveaxis(x, 0, -1)))
        return h, family.constrain(member.head.linear(h))

    @jax.jit
    def slopes(h: Array, u: Array) -> Array:
        def total(raw: Array) -> Array:
            return jnp.sum(family.log_prob(family.constrain(raw), u))

        return jax.grad(total)(member.head.linear(h))

    a, b = 0.0, 0.0
    rng = np.random.default_rng(task.seed)
    for start in range(0, len(task.x), _CHUNK_ROWS):
        rows = slice(start, start + _CHUNK_ROWS)
        h, params = embed(jnp.asarray(task.x[rows]))
        host = {n: np.moveaxis(np.asarray(v), -1, 0)[:, None] for n, v in params.items()}
        weight = task.weight[rows]
        drawn = make_pdfs(family, host).sample(n_draws, random_state=rng)
        for y in drawn:
            u = np.asarray(family.component.clip(family.to_unit(y)), np.float32)
            g = np.asarray(slopes(h, jnp.moveaxis(jnp.asarray(u), 0, -1)), float)
            b = b + (g * weight) @ g.T / (n_draws * task.weight.sum())
        features = np.concatenate([np.asarray(h, float), np.ones((1, h.shape[1]))])
        a = a + (features * weight) @ features.T
    return np.asarray(a), np.asarray(b)


def most_evident(curvatures: np.ndarray, weights: np.ndarray) -> float:
    """Prior precision that maximises the Laplace evidence (Daxberger et al. 2021, equation 6)."""
    square = float(np.sum(weights**2))
    log_det = np.array([np.sum(np.log(curvatures + tau)) for tau in _TAUS])
    evidence = 0.5 * (curvatures.size * np.log(_TAUS) - log_det - _TAUS * square)
    return float(_TAUS[np.argmax(evidence)])
