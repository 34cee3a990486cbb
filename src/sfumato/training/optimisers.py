"""The optimiser and its learning-rate schedule."""

import jax
import optax


def make_optimiser(
    *,
    learning_rate: float,
    weight_decay: float,
    n_steps: int,
    clip_norm: float = 1.0,
    warm_up: float = 0.1,
) -> optax.GradientTransformation:
    """AdamW with clipped gradients under a one-cycle cosine schedule.

    (Loshchilov & Hutter 2019; Smith & Topin 2018.) Weight decay acts on matrices alone, since
    pulling a bias to zero would pull the predictions away from the targets' own scale.

    Parameters
    ----------
    learning_rate : peak rate, reached after `warm_up` of the steps.
    weight_decay : decoupled decay per step, times the rate.
    n_steps : length of the schedule.
    clip_norm : largest norm of the gradient of one step.
    """
    schedule = optax.cosine_onecycle_schedule(
        max(n_steps, 2), learning_rate, warm_up, div_factor=25.0, final_div_factor=1e3
    )
    return optax.chain(
        optax.clip_by_global_norm(clip_norm),
        optax.adamw(
            schedule,
            b2=0.99,
            weight_decay=weight_decay,
            mask=lambda tree: jax.tree.map(lambda leaf: leaf.ndim >= 2, tree),
        ),
    )
