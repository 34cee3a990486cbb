"""Bounded maximum likelihood by Levenberg–Marquardt steps: one galaxy, one compiled program."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from sfumato.galaxies.likelihood import Model, linearise

MAX_ITERATIONS = 60
_TOLERANCE = 1e-3  # of chi^2, promised by a step: a hundredth of a standard deviation is left
_DAMPING = (1e-3, 1e-6, 1e8)  # first, least and most


class Maximum(NamedTuple):
    """Where the likelihood is highest.

    Parameters
    ----------
    u : (p,) coordinates.
    chi2 : sum of squared residuals times weights.
    n_iterations : steps tried.
    converged : whether the last step promised nothing more.
    at_bound : (p,) which coordinates the bounds hold back.
    """

    u: Array
    chi2: Array
    n_iterations: Array
    converged: Array
    at_bound: Array


class _State(NamedTuple):
    u: Array
    pixels: Array
    jacobian: Array
    damping: Array
    n_iterations: Array
    converged: Array


def maximise(
    model: Model,
    data: Array,
    *,
    weight: Callable[[Array], Array],
    start: Array,
    bounds: tuple[Array, Array],
    max_iterations: int = MAX_ITERATIONS,
) -> Maximum:
    """Coordinates at which a model's pixels are closest to the data.

    Each step solves the damped normal equations among the coordinates that no bound holds back
    (Nocedal & Wright 2006, sections 10.3 and 16.7). Weights are those of the current model: for
    Poisson noise this is Fisher scoring, consistent where weights from noisy data are not.

    Parameters
    ----------
    model : from coordinates (p,) to pixels (m,).
    data : (m,) observed pixels.
    weight : from the model's pixels (m,) to inverse variances (m,); 0 leaves a pixel out.
    start : (p,) coordinates within the bounds.
    bounds : lowest and highest coordinates, (p,) each.
    max_iterations : steps tried at most.
    """
    low, high = bounds
    first, least, most = _DAMPING

    def step(state: _State) -> _State:
        w = weight(state.pixels)
        residual = data - state.pixels
        weighted = state.jacobian * w
        information, slope = weighted @ state.jacobian.T, weighted @ residual
        movable = ~_held(state.u, slope, low, high)
        move = _solve(information, slope, movable, state.damping)
        u = jnp.clip(state.u + move, low, high)
        move = u - state.u
        promised = 2 * move @ slope - move @ (information @ move)
        pixels, jacobian = linearise(model, u)
        # as a difference of squares: both sums are large, what matters is small
        gained = jnp.sum(w * (pixels - state.pixels) * (2 * data - pixels - state.pixels))
        better = gained > 0
        small = (promised < _TOLERANCE) & (state.damping < 1)
        damping = jnp.where(better, state.damping / 8, state.damping * 6)
        moved = _State(u, pixels, jacobian, damping, state.n_iterations, small)
        stayed = state._replace(damping=damping, converged=small)
        out = _choose(better, moved, stayed)
        return out._replace(
            damping=jnp.clip(out.damping, least, most), n_iterations=state.n_iterations + 1
        )

    def unfinished(state: _State) -> Array:
        going = ~state.converged & (state.n_iterations < max_iterations)
        return going & (state.damping < most)

    pixels, jacobian = linearise(model, start)
    begun = _State(start, pixels, jacobian, jnp.float32(first), jnp.int32(0), jnp.zeros((), bool))
    end = lax.while_loop(unfinished, step, begun)
    w = weight(end.pixels)
    residual = data - end.pixels
    slope = (end.jacobian * w) @ residual
    return Maximum(
        u=end.u,
        chi2=jnp.sum(w * residual**2),
        n_iterations=end.n_iterations,
        converged=end.converged & jnp.isfinite(end.u).all(),
        at_bound=_held(end.u, slope, low, high),
    )


def _held(u: Array, slope: Array, low: Array, high: Array) -> Array:
    """Coordinates that stand at a bound and would go further."""
    return ((u <= low) & (slope <= 0)) | ((u >= high) & (slope >= 0))


def _solve(information: Array, slope: Array, movable: Array, damping: Array) -> Array:
    """Damped step among the movable coordinates, in units that make the diagonal 1."""
    scale = jnp.sqrt(jnp.maximum(jnp.diagonal(information), 1e-30))
    both = movable[:, None] & movable
    identity = jnp.eye(slope.size)
    matrix = jnp.where(both, information / scale[:, None] / scale, 0.0)
    matrix = jnp.where(identity > 0, 1.0 + damping, matrix)
    return jnp.linalg.solve(matrix, jnp.where(movable, slope / scale, 0.0)) / scale


def _choose(condition: Array, yes: _State, no: _State) -> _State:
    return _State(*(jnp.where(condition, a, b) for a, b in zip(yes, no, strict=True)))
