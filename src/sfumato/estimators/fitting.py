"""Fitting without scikit-learn: arrays or a source of batches in, members and history out.

Nothing here knows columns: x is an array of examples (n, *shape) of any kind, or a simulator.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sfumato.engine.compiled import program
from sfumato.errors import IncompatibleError
from sfumato.families import MixtureFamily
from sfumato.families.start import Centres, initial_raw
from sfumato.networks.architecture import Builder
from sfumato.networks.density import ConditionalDensity, Inputs
from sfumato.networks.members import first_of, make_members
from sfumato.training.cycles import fit_cycles
from sfumato.training.folds import ALWAYS, make_folds, member_rows
from sfumato.training.history import History, convergence_note
from sfumato.training.loop import FitResult, OnEpoch, fit
from sfumato.training.losses import effective_components, negative_log_likelihood
from sfumato.training.optimisers import make_optimiser
from sfumato.training.priors import Prior, check_priors, prior_loss
from sfumato.training.schedules import Fade
from sfumato.training.sources import Rows, Source
from sfumato.uncertainty._base import Strategy, StrategyTask
from sfumato.uncertainty.ensembles import Ensemble

BATCHES_PER_EPOCH = 26
FEWEST_EPOCHS, MOST_EPOCHS, STEPS = 80, 600, 16_000


@dataclass(frozen=True)
class FittingPlan:
    """How networks are trained, whatever they are made of; the names are the options'."""

    strategy: Strategy = Ensemble()  # noqa: RUF009 - immutable
    n_members: int | None = None
    priors: Mapping[str, Prior] = field(default_factory=dict)
    centres: Centres = "quantiles"
    learning_rate: float = 4e-3
    weight_decay: float = 0.03
    averaging: float = 0.99
    dropout_fade: Fade = (0.05, 0.2)
    batch_size: int | None = None
    max_epochs: int | None = None
    max_steps: int | None = None
    patience: float | None = 0.25
    validation_fraction: float | None = None
    on_epoch: OnEpoch | None = None

    @property
    def members(self) -> int:
        """Members of a prediction."""
        return self.strategy.n_members(self.n_members)

    @property
    def n_networks(self) -> int:
        """Networks that are trained."""
        return self.members if self.strategy.trains_all else 1


class Data(NamedTuple):
    """Checked and scaled training data.

    Parameters
    ----------
    x : (n, *shape) examples, before `inputs`.
    u : (n,) or (n, d) targets on the family's scale.
    weight : (n,) at least 0.
    x_noise : factors of the examples' measurement errors, or None.
    groups : (n,) counted from 0, of rows that are held out together; or None.
    n_validation : how many of the last rows nobody trains on: every network holds out these.
    """

    x: np.ndarray
    u: np.ndarray
    weight: np.ndarray
    x_noise: np.ndarray | None = None
    groups: np.ndarray | None = None
    n_validation: int = 0

    @property
    def n_training(self) -> int:
        """Rows that some network trains on."""
        return len(self.u) - self.n_validation

    def holding_out(self, x: np.ndarray, u: np.ndarray) -> "Data":
        """With further rows, which are measured as they are and count all alike."""
        noise, n = self.x_noise, len(u)
        return Data(
            np.concatenate([self.x, x]),
            np.concatenate([self.u, u]),
            np.concatenate([self.weight, np.full(n, self.weight.mean())]),
            None if noise is None else np.concatenate([noise, np.zeros((n, *noise.shape[1:]))]),
            n_validation=n,
        )

    def training(self) -> "Data":
        """Those rows alone."""
        n, noise, groups = self.n_training, self.x_noise, self.groups
        return Data(
            self.x[:n],
            self.u[:n],
            self.weight[:n],
            None if noise is None else noise[:n],
            None if groups is None else groups[:n],
        )


class Fitted(NamedTuple):
    """What training leaves.

    Parameters
    ----------
    members : explicit networks, stacked.
    history : of the losses, with what went less well than it should.
    n_epochs_planned : epochs that would have been run without an early stop.
    folds : (n,) which part each row was in; None for a source without rows.
    """

    members: ConditionalDensity
    history: History
    n_epochs_planned: int
    folds: np.ndarray | None = None


def fit_arrays(
    family: MixtureFamily,
    builder: Builder,
    inputs: Inputs,
    data: Data,
    *,
    plan: FittingPlan,
    rng: np.random.Generator,
) -> Fitted:
    """Train on rows in memory, each network with rows of its own to hold out.

    Parameters
    ----------
    builder : makes the networks, such as an `Architecture`.
    inputs : what stands before the networks, shared and not trained.

    Raises
    ------
    ValueError, IncompatibleError
        The strategy cannot work with these networks or data, a prior names no layer, or training
        diverged.
    """
    strategy = plan.strategy
    if data.x_noise is not None and not strategy.takes_noise:
        message = f"uncertainty={strategy.name!r} samples weights for fixed features"
        raise IncompatibleError(f"{message}. Give X_err to predict_pdfs, or another strategy.")
    training = data.training()
    folds = _folds(data, plan, rng)
    networks = _start(family, builder, training.u, plan=plan, rng=rng)
    train_rows, valid_rows = member_rows(folds, n_members=plan.n_networks)
    batch_size, max_epochs = _schedule(plan, train_rows.shape[1])
    noise = data.x_noise
    source = Rows(
        jnp.asarray(data.x, jnp.float32),
        jnp.asarray(data.u, jnp.float32),
        jnp.asarray(data.weight / data.weight.mean(), jnp.float32),
        None if noise is None else jnp.asarray(noise, jnp.float32),
        train_rows,
        valid_rows,
        batch_size,
    )
    trained, history = _trained(
        networks,
        source,
        inputs,
        plan=plan,
        n_rows=train_rows.shape[1],
        max_epochs=max_epochs,
        rng=rng,
    )
    members, history = _finished(trained, history, inputs, training, plan, rng)
    return Fitted(members, history, max_epochs, folds)


def _folds(data: Data, plan: FittingPlan, rng: np.random.Generator) -> np.ndarray:
    """Folds (n,) of all rows: drawn, or those that were given to hold out and the others.

    Raises
    ------
    IncompatibleError
        Rows were given to hold out, and the strategy learns from all of them.
    """
    if data.n_validation:
        if not plan.strategy.holds_out:
            message = f"uncertainty={plan.strategy.name!r} learns from all rows and holds out none"
            raise IncompatibleError(f"{message}. Leave `validation` out, or add its rows to X.")
        return np.where(np.arange(len(data.u)) < data.n_training, ALWAYS, 0)
    share = held_out_share(plan, len(data.u))
    return make_folds(data.x, fraction=share, rng=rng, groups=data.groups)


def fit_source(
    family: MixtureFamily,
    builder: Builder,
    inputs: Inputs,
    source: Source,
    *,
    plan: FittingPlan,
    rng: np.random.Generator,
    n_rows: int,
) -> Fitted:
    """Train on a source of batches, such as `Endless` draws of a simulator.

    Parameters
    ----------
    n_rows : rows that priors and divergences are divided by: how many examples all of training
        is worth.

    Raises
    ------
    ValueError, IncompatibleError
        As `fit_arrays`; or the strategy wants to look at rows, or `max_epochs` is not given, or
        the source feeds another number of members.
    """
    strategy = plan.strategy
    if strategy.needs_rows:
        message = f"uncertainty={strategy.name!r} looks at rows when training is over"
        raise IncompatibleError(f"{message}, and this source has none. Use another strategy.")
    if source.n_members != plan.n_networks:
        message = f"The source feeds {source.n_members} members; the plan trains {plan.n_networks}"
        raise IncompatibleError(f"{message} networks. Make them equal.")
    if plan.max_epochs is None:
        raise ValueError("`max_epochs` must be given for a source without an end.")
    seen = source.validation(jax.tree.map(lambda held: held[0], source.held_out()))
    u = np.moveaxis(np.asarray(seen.y, float), -1, 0)
    networks = _start(family, builder, u, plan=plan, rng=rng)
    trained, history = _trained(
        networks, source, inputs, plan=plan, n_rows=n_rows, max_epochs=plan.max_epochs, rng=rng
    )
    x = np.moveaxis(np.asarray(seen.x), -1, 0)
    data = Data(x, u, np.asarray(seen.weight, float))
    members, history = _finished(trained, history, inputs, data, plan, rng)
    return Fitted(members, history, plan.max_epochs)


def _start(
    family: MixtureFamily,
    builder: Builder,
    u: np.ndarray,
    *,
    plan: FittingPlan,
    rng: np.random.Generator,
) -> ConditionalDensity:
    """Fresh networks, stacked, with what the strategy needs in training."""
    centres = plan.centres
    if not isinstance(centres, str):
        centres = family.to_unit(np.asarray(centres, float))
    networks = make_members(
        family,
        builder,
        n_members=plan.n_networks,
        initial_bias=initial_raw(family, u, centres=centres),
        seed=int(rng.integers(2**31)),
    )
    one = first_of(networks)
    plan.strategy.check(one)
    check_priors(plan.priors, one)
    keys = jax.random.split(jax.random.key(rng.integers(2**31)), plan.n_networks)
    prepare = eqx.filter_vmap(
        lambda member, key: plan.strategy.prepare(member, key=key, n_members=plan.members)
    )
    return program(prepare)(networks, keys)


def _trained(
    networks: ConditionalDensity,
    source: Source,
    inputs: Inputs,
    *,
    plan: FittingPlan,
    n_rows: int,
    max_epochs: int,
    rng: np.random.Generator,
) -> tuple[ConditionalDensity, History]:
    """Networks at their best epochs."""
    strategy = plan.strategy

    def penalty(member: ConditionalDensity) -> jax.Array:
        own = strategy.penalty(member, n_rows=n_rows)
        return own + prior_loss(plan.priors, member, n_rows=n_rows)

    optimiser = make_optimiser(
        learning_rate=plan.learning_rate,
        weight_decay=plan.weight_decay if strategy.decays else 0.0,
        n_steps=source.n_batches * max_epochs,
    )

    def cycle(networks: ConditionalDensity, first_epoch: int) -> FitResult:
        on_epoch = plan.on_epoch
        return fit(
            networks,
            source,
            inputs=inputs,
            loss=negative_log_likelihood,
            optimiser=optimiser,
            max_epochs=max_epochs,
            patience=_patience(plan.patience, max_epochs),
            rng=rng,
            dropout_fade=None if strategy.keeps_dropout else plan.dropout_fade,
            averaging=plan.averaging,
            penalty=penalty,
            diagnose=effective_components,
            on_epoch=on_epoch
            and (lambda epoch, train, valid: on_epoch(first_epoch + epoch, train, valid)),
        )

    # what was asked for is the budget; the usual number of epochs is a first guess
    asked = plan.max_epochs or plan.max_steps
    result = cycle(networks, 0) if asked else fit_cycles(cycle, networks)
    if not np.all(np.isfinite(result.history.valid_loss.min(axis=0))):
        raise ValueError("Training diverged: no finite loss. Lower `learning_rate`.")
    return result.members, result.history


def _finished(
    trained: ConditionalDensity,
    history: History,
    inputs: Inputs,
    data: Data,
    plan: FittingPlan,
    rng: np.random.Generator,
) -> tuple[ConditionalDensity, History]:
    """Explicit members, and the history with warnings about what went less well than it should."""
    seed = int(rng.integers(2**31))
    task = StrategyTask(inputs, data.x, data.u, data.weight, plan.members, seed, plan.priors)
    finished = plan.strategy.finish(trained, task)
    note = convergence_note(history)
    notes = (*finished.warnings, *([note] if note else []))
    for text in notes:
        warnings.warn(text, ConvergenceWarning, stacklevel=5)
    return finished.members, history.with_warnings(notes)


def _schedule(plan: FittingPlan, n_rows: int) -> tuple[int, int]:
    """Rows of a batch and epochs: those asked for, or what suits so many rows."""
    batch = plan.batch_size or int(np.clip(n_rows // BATCHES_PER_EPOCH, 32, 256))
    n_batches = -(-n_rows // batch)
    if plan.max_epochs:
        return int(batch), int(plan.max_epochs)
    if plan.max_steps:
        return int(batch), -(-plan.max_steps // n_batches)
    return int(batch), int(np.clip(STEPS // n_batches, FEWEST_EPOCHS, MOST_EPOCHS))


def _patience(patience: float | None, max_epochs: int) -> int | None:
    """Epochs without improvement; a number below 1 is a share of all."""
    if patience is None or np.isinf(patience):
        return None
    return max(1, round(patience * max_epochs)) if patience < 1 else int(patience)


def held_out_share(plan: FittingPlan, n_rows: int) -> float:
    """Share of the rows a network holds out: what was asked for, or about 30 rows, or a 30th."""
    if plan.validation_fraction is not None:
        return plan.validation_fraction
    return float(np.clip(30 / max(n_rows, 1), 1 / 30, 1 / 10))
