"""The training loop: a scan inside the epoch, all members at once, Python between epochs."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, PRNGKeyArray

from sfumato._compilation import CPU_OPTIONS
from sfumato.preprocessing.measurement import disturbed
from sfumato.training.history import History
from sfumato.training.schedules import Fade, Strengths, strengths_at

Loss = Callable[[Any, Any, Array, Array, PRNGKeyArray | None, Strengths], Array]
Penalty = Callable[[Any], Array]


class Data(NamedTuple):
    """Training rows: columns (n, c), scaled targets (n,) or (n, d), weights of mean about 1.

    `inputs` is what turns columns into features; it is shared by all members and not trained.
    `x_noise` holds factors of the measurement errors (see `sfumato.preprocessing.measurement`).
    """

    inputs: Any
    x: Array
    y: Array
    weight: Array
    x_noise: Array | None = None


class FitResult(NamedTuple):
    """The members at their best epochs, stacked, and the history of the run."""

    members: Any
    history: History


class _State(NamedTuple):
    """Arrays of all members, each with a leading member axis."""

    arrays: Any
    optimiser: Any
    mean: Any
    count: Array
    best: Any
    best_loss: Array


class _EpochReport(NamedTuple):
    train_loss: Any
    valid_loss: Any
    n_skipped: Any
    n_effective: Any


def fit(
    members: Any,
    data: Data,
    *,
    train_rows: np.ndarray,
    valid_rows: np.ndarray,
    loss: Loss,
    optimiser: optax.GradientTransformation,
    batch_size: int,
    max_epochs: int,
    patience: int | None,
    rng: np.random.Generator,
    dropout_fade: Fade = None,
    averaging: float = 0.0,
    penalty: Penalty | None = None,
    diagnose: Callable[[Any, Any, Array], Array] | None = None,
    on_epoch: Callable[[int, float, float], None] | None = None,
) -> FitResult:
    """Train all members together and keep each one's best epoch.

    Every epoch is one call of one compiled program: under `vmap` over the members, a scan over
    that member's own shuffled batches, then its validation loss. Stopping is decided in Python
    between epochs, when no member has improved for `patience` epochs. The same arguments give the
    same result; the clock is not read, and `on_epoch` only looks.

    Parameters
    ----------
    members : module whose arrays have a leading member axis m.
    data : all rows; each member trains on its own.
    train_rows, valid_rows : (m, ...) indices into `data`; the last batch is filled with rows of
        weight 0.
    loss : ``loss(member, inputs, x, y, key, strengths) -> (n,)`` for columns x (c, n); a key means
        training, with disturbances of these strengths (see `sfumato.training.schedules`).
    dropout_fade : shares of the run between which dropout fades to nothing, or None.
    averaging : decay of the running mean of the weights that is validated and kept; 0 for the
        weights themselves (Polyak & Juditsky 1992).
    penalty : of a member's weights, added to the mean loss of every training step.
    diagnose : ``diagnose(member, inputs, x)``, one number of the validation rows for the history.
    on_epoch : called with the epoch and the members' mean train and validation losses.
    """
    n_members = train_rows.shape[0]
    # plain lists of arrays cross the border of the program: modules take long to take apart
    arrays, rebuild = _flattened(members)
    data_arrays, rebuild_data = _flattened(data)
    opt_state = jax.vmap(optimiser.init)(arrays)
    mean, best = (jax.tree.map(jnp.copy, arrays) for _ in range(2))
    count = jnp.zeros(n_members, jnp.float32)
    worst = jnp.full(n_members, jnp.inf, jnp.float32)
    state = _State(arrays, opt_state, mean, count, best, worst)
    epoch_program = _make_epoch(
        rebuild,
        rebuild_data,
        loss=loss,
        optimiser=optimiser,
        averaging=averaging,
        penalty=penalty,
        diagnose=diagnose,
    )
    valid = jnp.asarray(valid_rows)
    mask = jnp.asarray(_filling_mask(train_rows.shape[1], batch_size))
    reports: list[_EpochReport] = []
    best_loss, best_epoch = np.full(n_members, np.inf), np.zeros(n_members, int)
    for epoch in range(max_epochs):
        rows = _batches(train_rows, batch_size=batch_size, rng=rng)
        seeds = rng.integers(2**31, size=n_members, dtype=np.uint32)
        strengths = strengths_at(epoch / max_epochs, dropout_fade=dropout_fade)
        state, report = epoch_program(data_arrays, state, rows, mask, valid, seeds, strengths)
        report = _EpochReport(*(np.asarray(values) for values in report))
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


def _flattened(tree: Any) -> tuple[list[Array], Callable[[list[Array]], Any]]:
    """The arrays of a tree, and what puts others in their places."""
    arrays, static = eqx.partition(tree, eqx.is_array)
    leaves, structure = jax.tree.flatten(arrays)
    return leaves, lambda values: eqx.combine(jax.tree.unflatten(structure, values), static)


def _batch_shape(n: int, batch_size: int) -> tuple[int, int]:
    """Batches of an epoch, and rows of each: as equal as they can be."""
    n_batches = -(-n // batch_size)
    return n_batches, -(-n // n_batches)


def _filling_mask(n: int, batch_size: int) -> np.ndarray:
    """1 for rows and 0 for the filling of the last batch, (batches, size)."""
    shape = _batch_shape(n, batch_size)
    return (np.arange(shape[0] * shape[1]) < n).astype(np.float32).reshape(shape)


def _batches(rows: np.ndarray, *, batch_size: int, rng: np.random.Generator) -> np.ndarray:
    """Shuffled rows (m, batches, size) of each member, the last batch filled with its first."""
    n_members, n = rows.shape
    n_batches, size = _batch_shape(n, batch_size)
    shuffled = rng.permuted(rows, axis=1)
    padded = np.concatenate([shuffled, shuffled[:, : n_batches * size - n]], axis=1)
    return padded.reshape(n_members, n_batches, size)


def _columns(data: Data, rows: Array, key: PRNGKeyArray | None) -> Array:
    """Columns (c, b) of some rows, with measurement noise; without a key always the same noise."""
    x = data.x[rows].T
    if data.x_noise is None:
        return x
    noise_key = jax.random.key(0) if key is None else jax.random.fold_in(key, 2)
    return disturbed(x, data.x_noise[rows], key=noise_key)


def _make_epoch(
    rebuild: Callable[[list[Array]], Any],
    rebuild_data: Callable[[list[Array]], Data],
    *,
    loss: Loss,
    optimiser: optax.GradientTransformation,
    averaging: float,
    penalty: Penalty | None,
    diagnose: Callable | None,
) -> Callable:
    """The compiled program of one epoch of all members."""

    def mean_loss(
        arrays: Any,
        data: Data,
        rows: Array,
        mask: Array,
        key: PRNGKeyArray | None,
        strengths: Strengths,
    ) -> Array:
        member = rebuild(arrays)
        weight = data.weight[rows] * mask
        targets = jnp.moveaxis(data.y[rows], 0, -1)
        values = loss(member, data.inputs, _columns(data, rows, key), targets, key, strengths)
        mean = jnp.sum(weight * values) / jnp.maximum(jnp.sum(weight), 1e-12)
        return mean if penalty is None or key is None else mean + penalty(member)

    def step(
        data: Data, strengths: Strengths, carry: tuple, batch: tuple
    ) -> tuple[tuple, tuple[Array, Array]]:
        arrays, opt_state, mean, count = carry
        value, gradient = jax.value_and_grad(mean_loss)(arrays, data, *batch, strengths)
        updates, new_state = optimiser.update(gradient, opt_state, arrays)
        # one gradient that is not finite would poison Adam's moments for ever: leave it out
        fine = jnp.isfinite(optax.tree.norm(gradient)) & jnp.isfinite(value)
        moved = optax.apply_updates(arrays, updates)
        # the first steps hardly belong to the mean: its decay rises to the one that is asked for
        decay = jnp.minimum(averaging, (1.0 + count) / (10.0 + count))
        new_mean = jax.tree.map(lambda m, a: decay * m + (1 - decay) * a, mean, moved)
        moved = (moved, new_state, new_mean if averaging else moved, count + 1.0)
        carry = jax.tree.map(lambda new, old: jnp.where(fine, new, old), moved, carry)
        return carry, (jnp.where(fine, value, 0.0), ~fine)

    def one_member(
        data_arrays: list[Array],
        state: _State,
        rows: Array,
        mask: Array,
        valid: Array,
        seed: Array,
        strengths: Strengths,
    ) -> tuple[_State, _EpochReport]:
        data = rebuild_data(data_arrays)
        keys = jax.random.split(jax.random.key(seed), rows.shape[0])
        start = (state.arrays, state.optimiser, state.mean, state.count)
        (arrays, opt_state, mean, count), (losses, skipped) = jax.lax.scan(
            partial(step, data, strengths), start, (rows, mask, keys)
        )
        n_skipped = jnp.sum(skipped)
        train_loss = jnp.sum(losses) / jnp.maximum(rows.shape[0] - n_skipped, 1)
        valid_loss = mean_loss(mean, data, valid, jnp.ones(valid.shape[0]), None, strengths)
        better = valid_loss < state.best_loss
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), mean, state.best)
        best_loss = jnp.where(better, valid_loss, state.best_loss)
        member = rebuild(mean)
        n_effective = (
            jnp.ones(())
            if diagnose is None
            else diagnose(member, data.inputs, _columns(data, valid, None))
        )
        report = _EpochReport(train_loss, valid_loss, n_skipped, n_effective)
        return _State(arrays, opt_state, mean, count, best, best_loss), report

    members = jax.vmap(one_member, in_axes=(None, 0, 0, None, 0, 0, None))
    return jax.jit(members, donate_argnums=1, compiler_options=CPU_OPTIONS)
