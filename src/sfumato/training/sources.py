"""Where batches come from: rows of arrays in memory, or a simulator without end.

A source answers three questions: what goes to the device once, what each step of an epoch needs,
and how the two become a batch. The last is pure and runs inside the compiled program of an epoch,
for one member under `vmap`; the loop knows neither rows nor columns.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray, PyTree

from sfumato.preprocessing.measurement import disturbed


class Batch(NamedTuple):
    """Examples x (*shape, b) with targets y, (b,) or (d, b), and weights (b,); the batch last."""

    x: PyTree[Array]
    y: Array
    weight: Array


@runtime_checkable
class Source(Protocol):
    """What the loop asks of a source of batches."""

    @property
    def n_members(self) -> int:
        """Members that it feeds."""
        ...

    @property
    def n_batches(self) -> int:
        """Steps of an epoch."""
        ...

    def steps(self, rng: np.random.Generator) -> PyTree:
        """What the steps of one epoch need, arrays with axes (m, n_batches, ...) in front."""
        ...

    def held_out(self) -> PyTree:
        """What each member is validated on, arrays with an axis m in front."""
        ...

    def batch(self, step: PyTree, key: PRNGKeyArray) -> Batch:
        """One member's examples of one step; JAX."""
        ...

    def validation(self, held_out: PyTree) -> Batch:
        """One member's validation examples, always the same; JAX."""
        ...


class Rows(eqx.Module):
    """Rows of arrays in memory, shuffled in every epoch; each member has rows of its own.

    Parameters
    ----------
    x : (n, *shape) examples, one behind the other.
    y : (n,) or (n, d) targets.
    weight : (n,) of mean about 1.
    x_noise : factors of measurement errors (see `sfumato.preprocessing.measurement`), drawn anew
        in every step, or None.
    train_rows, valid_rows : (m, a) and (m, b), places in these arrays.
    batch_size : rows of a step; batches of an epoch are as equal as they can be.
    """

    x: Array
    y: Array
    weight: Array
    x_noise: Array | None
    train_rows: np.ndarray
    valid_rows: np.ndarray
    batch_size: int = eqx.field(static=True)

    @property
    def n_members(self) -> int:
        """Members that have rows."""
        return self.train_rows.shape[0]

    @property
    def n_batches(self) -> int:
        """Steps that see every training row once."""
        return -(-self.train_rows.shape[1] // self.batch_size)

    def steps(self, rng: np.random.Generator) -> np.ndarray:
        """Shuffled rows (m, batches, size) of each member; the last batch is filled with -1."""
        n = self.train_rows.shape[1]
        size = -(-n // self.n_batches)
        shuffled = rng.permuted(self.train_rows, axis=1)
        filled = np.pad(shuffled, ((0, 0), (0, self.n_batches * size - n)), constant_values=-1)
        return filled.reshape(self.n_members, self.n_batches, size)

    def held_out(self) -> Array:
        """The validation rows (m, b)."""
        return jnp.asarray(self.valid_rows)

    def batch(self, step: Array, key: PRNGKeyArray) -> Batch:
        """Rows of one step, with fresh measurement noise; the filling has no weight."""
        weight = jnp.where(step < 0, 0.0, self.weight[step])
        return Batch(self._examples(step, jax.random.fold_in(key, 2)), self._targets(step), weight)

    def validation(self, held_out: Array) -> Batch:
        """The validation rows, always with the same noise."""
        x = self._examples(held_out, jax.random.key(0))
        return Batch(x, self._targets(held_out), self.weight[held_out])

    def _examples(self, rows: Array, key: PRNGKeyArray) -> Array:
        x = jnp.moveaxis(self.x[rows], 0, -1)
        return x if self.x_noise is None else disturbed(x, self.x_noise[rows], key=key)

    def _targets(self, rows: Array) -> Array:
        return jnp.moveaxis(self.y[rows], 0, -1)


class Endless(eqx.Module):
    """Fresh draws of a simulator in every step, on the device; no example is seen twice.

    Parameters
    ----------
    draw : ``draw(key, n, fixed) -> Batch`` of n examples, pure: the same key, the same examples.
    fixed : whatever arrays `draw` needs, such as a basis; they go to the device once.
    n_members : members, each of which sees draws of its own.
    batch_size, n_batches : examples of a step, steps of an epoch.
    n_valid : examples of the validation, the same for every member and epoch.
    valid_seed : of the validation; training never draws with it.
    """

    draw: Callable[[PRNGKeyArray, int, PyTree], Batch] = eqx.field(static=True)
    fixed: PyTree = None
    n_members: int = eqx.field(static=True, default=1)
    batch_size: int = eqx.field(static=True, default=256)
    n_batches: int = eqx.field(static=True, default=100)
    n_valid: int = eqx.field(static=True, default=4096)
    valid_seed: int = eqx.field(static=True, default=0)

    def steps(self, rng: np.random.Generator) -> np.ndarray:
        """A seed for each step of each member."""
        shape = (self.n_members, self.n_batches)
        return rng.integers(2**31, size=shape, dtype=np.uint32)

    def held_out(self) -> np.ndarray:
        """The same seed for all members."""
        return np.full(self.n_members, self.valid_seed, np.uint32)

    def batch(self, step: Array, key: PRNGKeyArray) -> Batch:
        """The draws of one step."""
        return self.draw(_key_of(step, training=1), self.batch_size, self.fixed)

    def validation(self, held_out: Array) -> Batch:
        """The draws that every epoch is judged by."""
        return self.draw(_key_of(held_out, training=0), self.n_valid, self.fixed)


def _key_of(seed: Array, *, training: int) -> PRNGKeyArray:
    """A key that no other use of the same seed has."""
    return jax.random.fold_in(jax.random.key(seed), training)
