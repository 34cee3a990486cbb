"""Bounded maximum likelihood by Levenberg–Marquardt steps: one galaxy, one compiled program."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from sfumato.galaxies.fit.model import Model, linearise

MAX_ITERATIONS = 60
_TOLERANCE = 1e-3  # of chi^2, promised by a step: a hundredth of a standard deviation is left
_DAMPING = (1e-3, 1e-6, 1e8)  # first, least and most


class Maximum(NamedTuple):
    """Where the likelihood is highest.

    Parameters
    ----------
    u : (p,) coordinates.
    pixels, jacobian : (m,) and (p, m) of the model there.
    chi2 : sum of squared residuals times weights.
    n_iterations : steps tried.
    converged : whether the last step promised nothing more.
    at_bound : (p,) which coordinates the bounds hold back.
    """

    u: Array
    pixels: Array
    jacobian: Array
    chi2: Array
    n_iterations: Array
    converged: Array
    at_bound: Array


class _Problem(NamedTuple):
    model: Model
    data: Array
    weight: Callable[[Array], Array]
    low: Array
    high: Array


class _State(NamedTuple):
    u: Array
    pixels: Array
    jacobian: Array
    trial: Array
    promised: Array
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
    problem = _Problem(model, data, weight, *bounds)

    def unfinished(state: _State) -> Array:
        going = ~state.converged & (state.n_iterations < max_iterations)
        return going & (state.damping < _DAMPING[2])

    begun = _State(
        u=start,
        pixels=jnp.zeros_like(data),
        jacobian=jnp.zeros((start.size, data.size)),
        trial=start,
        promised=jnp.float32(jnp.inf),
        damping=jnp.float32(_DAMPING[0]),
        n_iterations=jnp.int32(0),
        converged=jnp.zeros((), bool),
    )
    end = lax.while_loop(unfinished, partial(_step, problem), begun)
    w = weight(end.pixels)
    residual = data - end.pixels
    slope = (end.jacobian * w) @ residual
    return Maximum(
        u=end.u,
        pixels=end.pixels,
        jacobian=end.jacobian,
        chi2=jnp.sum(w * residual**2),
        n_iterations=end.n_iterations,
        converged=end.converged & jnp.isfinite(end.u).all(),
        at_bound=_held(end.u, slope, *bounds),
    )


def _step(problem: _Problem, state: _State) -> _State:
    """Look at the trial, keep it if it is better, and propose the next one."""
    model, data, weight, low, high = problem
    first, least, most = _DAMPING
    pixels, jacobian = linearise(model, state.trial)
    w = weight(state.pixels)
    # as a difference of squares: both sums are large, what matters is small
    gained = jnp.sum(w * (pixels - state.pixels) * (2 * data - pixels - state.pixels))
    is_first = state.n_iterations == 0
    better = (gained > 0) | is_first
    u = jnp.where(better, state.trial, state.u)
    pixels = jnp.where(better, pixels, state.pixels)
    jacobian = jnp.where(better, jacobian, state.jacobian)
    small = (state.promised < _TOLERANCE) & (state.damping < 1) & ~is_first
    damping = jnp.where(better, state.damping / 8, state.damping * 6)
    damping = jnp.clip(jnp.where(is_first, first, damping), least, most)
    w = weight(pixels)
    weighted = jacobian * w
    information, slope = weighted @ jacobian.T, weighted @ (data - pixels)
    move = _solve(information, slope, ~_held(u, slope, low, high), damping)
    trial = jnp.clip(u + move, low, high)
    move = trial - u
    promised = 2 * move @ slope - move @ (information @ move)
    n_iterations = state.n_iterations + 1
    return _State(u, pixels, jacobian, trial, promised, damping, n_iterations, small)


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
