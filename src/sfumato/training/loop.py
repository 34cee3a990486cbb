"""The training loop: a scan inside the epoch, all members at once, Python between epochs."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, PRNGKeyArray, PyTree

from sfumato.engine.compiled import CPU_OPTIONS
from sfumato.training.history import History
from sfumato.training.schedules import Fade, Strengths, strengths_at
from sfumato.training.sources import Batch, Source

Member: TypeAlias = PyTree
"""A module: the loop asks nothing of it but its arrays."""

Loss = Callable[[Member, PyTree, Batch, PRNGKeyArray | None, Strengths], Array]
Penalty = Callable[[Member], Array]
Diagnosis = Callable[[Member, PyTree, Batch], Array]
OnEpoch = Callable[[int, float, float], None]


class FitResult(NamedTuple):
    """The members at their best epochs, stacked, and the history of the run."""

    members: Member
    history: History


class _State(NamedTuple):
    """Arrays of all members, each with a leading member axis."""

    arrays: PyTree[Array]
    optimiser: PyTree
    mean: PyTree[Array]
    count: Array
    best: PyTree[Array]
    best_loss: Array


class _EpochReport(NamedTuple):
    train_loss: Array | np.ndarray
    valid_loss: Array | np.ndarray
    n_skipped: Array | np.ndarray
    n_effective: Array | np.ndarray


class _Program(NamedTuple):
    """What an epoch is made of besides its arrays."""

    rebuild: Callable[[list[Array]], Member]
    rebuild_shared: Callable[[list[Array]], tuple[PyTree, Source]]
    loss: Loss
    optimiser: optax.GradientTransformation
    averaging: float
    penalty: Penalty | None
    diagnose: Diagnosis | None


def fit(
    members: Member,
    source: Source,
    *,
    inputs: PyTree = None,
    loss: Loss,
    optimiser: optax.GradientTransformation,
    max_epochs: int,
    patience: int | None,
    rng: np.random.Generator,
    dropout_fade: Fade = None,
    averaging: float = 0.0,
    penalty: Penalty | None = None,
    diagnose: Diagnosis | None = None,
    on_epoch: OnEpoch | None = None,
) -> FitResult:
    """Train all members together and keep each one's best epoch.

    Every epoch is one call of one compiled program: under `vmap` over the members, a scan over
    that member's own batches, then its validation loss. Stopping is decided in Python between
    epochs, when no member has improved for `patience` epochs. The same arguments give the same
    result; the clock is not read, and `on_epoch` only looks.

    Parameters
    ----------
    members : module whose arrays have a leading member axis m.
    source : of the batches: `Rows` in memory, or `Endless` draws.
    inputs : what stands before the members, shared by all and not trained.
    loss : ``loss(member, inputs, batch, key, strengths) -> (b,)``; a key means training, with
        disturbances of these strengths (see `sfumato.training.schedules`).
    dropout_fade : shares of the run between which dropout fades to nothing, or None.
    averaging : decay of the running mean of the weights that is validated and kept; 0 for the
        weights themselves (Polyak & Juditsky 1992).
    penalty : of a member's weights, added to the mean loss of every training step.
    diagnose : ``diagnose(member, inputs, batch)``, one number of the validation for the history.
    on_epoch : called with the epoch and the members' mean train and validation losses.
    """
    n_members = source.n_members
    # plain lists of arrays cross the border of the program: modules take long to take apart
    arrays, rebuild = _flattened(members)
    shared, rebuild_shared = _flattened((inputs, source))
    mean, best = (jax.tree.map(jnp.copy, arrays) for _ in range(2))
    worst = jnp.full(n_members, jnp.inf, jnp.float32)
    count = jnp.zeros(n_members, jnp.float32)
    state = _State(arrays, jax.vmap(optimiser.init)(arrays), mean, count, best, worst)
    parts = _Program(rebuild, rebuild_shared, loss, optimiser, averaging, penalty, diagnose)
    program = _compiled(parts)
    held_out = source.held_out()
    reports: list[_EpochReport] = []
    best_loss, best_epoch = np.full(n_members, np.inf), np.zeros(n_members, int)
    for epoch in range(max_epochs):
        steps = source.steps(rng)
        seeds = rng.integers(2**31, size=n_members, dtype=np.uint32)
        strengths = strengths_at(epoch / max_epochs, dropout_fade=dropout_fade)
        state, on_device = program(shared, state, steps, held_out, seeds, strengths)
        report = _EpochReport(*(np.asarray(values) for values in on_device))
        reports.append(report)
        better = report.valid_loss < best_loss
        best_loss = np.where(better, report.valid_loss, best_loss)
        best_epoch = np.where(better, epoch, best_epoch)
        if on_epoch is not None:
            on_epoch(epoch, float(report.train_loss.mean()), float(report.valid_loss.mean()))
        if patience is not None and np.all(epoch - best_epoch >= patience):
            break
    columns = (np.stack(column) for column in zip(*reports, strict=True))
    train_loss, valid_loss, skipped, n_effective = columns
    history = History(train_loss, valid_loss, best_epoch, skipped, n_effective)
    return FitResult(rebuild(state.best), history)


def _flattened(tree: PyTree) -> tuple[list[Array], Callable[[list[Array]], PyTree]]:
    """The arrays of a tree, and what puts others in their places."""
    arrays, static = eqx.partition(tree, eqx.is_array)
    leaves, structure = jax.tree.flatten(arrays)
    return leaves, lambda values: eqx.combine(jax.tree.unflatten(structure, values), static)


def _compiled(parts: _Program) -> Callable:
    """The program of one epoch of all members."""
    members = jax.vmap(partial(_one_member, parts), in_axes=(None, 0, 0, 0, 0, None))
    return jax.jit(members, donate_argnums=1, compiler_options=CPU_OPTIONS)


def _mean_loss(
    arrays: list[Array],
    parts: _Program,
    inputs: PyTree,
    batch: Batch,
    key: PRNGKeyArray | None,
    strengths: Strengths,
) -> Array:
    """Weighted mean of the loss of a batch; with a key, in training, and the penalty."""
    member = parts.rebuild(arrays)
    values = parts.loss(member, inputs, batch, key, strengths)
    mean = jnp.sum(batch.weight * values) / jnp.maximum(jnp.sum(batch.weight), 1e-12)
    return mean if parts.penalty is None or key is None else mean + parts.penalty(member)


def _step(
    parts: _Program,
    shared: tuple[PyTree, Source],
    strengths: Strengths,
    carry: tuple[list[Array], PyTree, list[Array], Array],
    step: tuple[PyTree, PRNGKeyArray],
) -> tuple[tuple, tuple[Array, Array]]:
    """One step of one member: new weights, moments and running mean; loss, and whether skipped."""
    arrays, opt_state, mean, count = carry
    (inputs, source), (which, key) = shared, step
    batch = source.batch(which, key)
    loss = jax.value_and_grad(_mean_loss)
    value, gradient = loss(arrays, parts, inputs, batch, key, strengths)
    updates, new_state = parts.optimiser.update(gradient, opt_state, arrays)
    # one gradient that is not finite would poison Adam's moments for ever: leave it out
    fine = jnp.isfinite(optax.tree.norm(gradient)) & jnp.isfinite(value)
    moved = optax.apply_updates(arrays, updates)
    # the first steps hardly belong to the mean: its decay rises to the one that is asked for
    decay = jnp.minimum(parts.averaging, (1.0 + count) / (10.0 + count))
    new_mean = jax.tree.map(lambda m, a: decay * m + (1 - decay) * a, mean, moved)
    moved = (moved, new_state, new_mean if parts.averaging else moved, count + 1.0)
    carry = jax.tree.map(lambda new, old: jnp.where(fine, new, old), moved, carry)
    return carry, (jnp.where(fine, value, 0.0), ~fine)


def _one_member(
    parts: _Program,
    shared_arrays: list[Array],
    state: _State,
    steps: PyTree,
    held_out: PyTree,
    seed: Array,
    strengths: Strengths,
) -> tuple[_State, _EpochReport]:
    """One epoch of one member: its steps, then its validation."""
    inputs, source = shared = parts.rebuild_shared(shared_arrays)
    keys = jax.random.split(jax.random.key(seed), source.n_batches)
    start = (state.arrays, state.optimiser, state.mean, state.count)
    (arrays, opt_state, mean, count), (losses, skipped) = jax.lax.scan(
        partial(_step, parts, shared, strengths), start, (steps, keys)
    )
    n_skipped = jnp.sum(skipped)
    train_loss = jnp.sum(losses) / jnp.maximum(source.n_batches - n_skipped, 1)
    batch = source.validation(held_out)
    valid_loss = _mean_loss(mean, parts, inputs, batch, None, strengths)
    better = valid_loss < state.best_loss
    best = jax.tree.map(lambda new, old: jnp.where(better, new, old), mean, state.best)
    best_loss = jnp.where(better, valid_loss, state.best_loss)
    nothing = jnp.ones(())
    member = parts.rebuild(mean)
    n_effective = nothing if parts.diagnose is None else parts.diagnose(member, inputs, batch)
    report = _EpochReport(train_loss, valid_loss, n_skipped, n_effective)
    return _State(arrays, opt_state, mean, count, best, best_loss), report
