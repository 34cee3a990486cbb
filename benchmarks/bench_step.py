"""A network of 10-20-20-10 (tanh, 5 Betas) on 150,000 rows against PyTorch.

A full-batch step of both, and the time to the loss that 10,000 full-batch steps reach.

Needs PyTorch. Both take one core; CPU milliseconds a step, compile apart.
"""

import argparse
import contextlib
import itertools
import os
import time

from _common import PLAIN, cpu_seconds, environment, one_core

N, CHUNK, SIZES, K = 150_000, 6_000, (10, 20, 20, 10, 15), 5


def data():
    import numpy as np

    from sfumato.photoz import mock

    table = mock.train_table(N, seed=0)
    bands = "grizy"
    mag = np.stack([table[f"mag_{b}_lsst"].to_numpy() for b in bands], axis=1)
    err = np.stack([table[f"mag_err_{b}_lsst"].to_numpy() for b in bands], axis=1)
    x = np.concatenate([np.where(mag > 90, 30, mag), np.log(np.where(err > 90, 1.1, err))], axis=1)
    q25, centre, q75 = np.quantile(x, [0.25, 0.5, 0.75], axis=0)
    u = np.clip(table["redshift"].to_numpy() / 3.6, 1e-5, 1 - 1e-5)
    return ((x - centre) / (q75 - q25)).astype("float32"), u.astype("float32")


def ours(x, u):
    import jax
    import jax.numpy as jnp
    import numpy as np
    import optax

    from sfumato.engine.compiled import CPU_OPTIONS
    from sfumato.families import Beta, MixtureFamily
    from sfumato.networks.architecture import Architecture
    from sfumato.networks.members import make_members

    family = MixtureFamily(Beta(), K)
    import equinox as eqx

    members = make_members(
        family,
        Architecture(10, hidden_sizes=(20, 20, 10), activation="tanh"),
        n_members=1,
        initial_bias=np.zeros(15),
        seed=0,
    )
    arrays, static = eqx.partition(members, eqx.is_array)
    arrays = jax.tree.map(lambda leaf: leaf[0], arrays)
    chunks = (
        jnp.asarray(x.reshape(-1, CHUNK, 10).transpose(0, 2, 1)),
        jnp.asarray(u.reshape(-1, CHUNK)),
    )
    optimiser = optax.adam(1e-3)

    def loss(a, columns, target):
        return -jnp.sum(eqx.combine(a, static).log_prob(columns, target)) / N

    def step(a, state):
        def add(total, chunk):
            value, gradient = jax.value_and_grad(loss)(a, *chunk)
            return jax.tree.map(jnp.add, total, (value, gradient)), None

        zero = (jnp.zeros(()), jax.tree.map(jnp.zeros_like, a))
        (value, gradient), _ = jax.lax.scan(add, zero, chunks)
        updates, state = optimiser.update(gradient, state)
        return optax.apply_updates(a, updates), state, value

    program = jax.jit(step, compiler_options=CPU_OPTIONS)
    state = [arrays, optimiser.init(arrays)]

    def run():
        state[0], state[1], value = program(*state)
        return float(value)

    return run


def theirs(x, u):
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    layers = []
    for a, b in itertools.pairwise(SIZES):
        layers += [torch.nn.Linear(a, b), torch.nn.Tanh()]
    net = torch.nn.Sequential(*layers[:-1])
    optimiser = torch.optim.Adam(net.parameters(), 1e-3)
    tx, ty = torch.tensor(x), torch.tensor(u)[:, None]
    log_y, log_rest = torch.log(ty), torch.log1p(-ty)

    def run():
        optimiser.zero_grad()
        logits, first, second = net(tx).split(K, 1)
        a, b = torch.exp(first), torch.exp(second)
        log_norm = torch.lgamma(a + b) - torch.lgamma(a) - torch.lgamma(b)
        terms = torch.log_softmax(logits, 1) + (a - 1) * log_y + (b - 1) * log_rest + log_norm
        loss = -torch.logsumexp(terms, 1).mean()
        loss.backward()
        optimiser.step()
        return float(loss)

    return run


def time_to_loss(x, u, target, seconds_allowed):
    """CPU seconds, compile included, until minibatch training reaches the target loss."""
    from sfumato import MDNRegressor

    start = time.process_time()
    reached = []

    class ReachedError(Exception):
        pass

    def watch(epoch, _train, valid):
        reached.append((time.process_time() - start, epoch + 1, valid))
        if valid <= target:
            raise ReachedError

    model = MDNRegressor(
        hidden_sizes=(20, 20, 10),
        activation="tanh",
        family="beta",
        n_components=K,
        n_members=1,
        bounds=(0, 1),
        learning_rate=1e-2,
        batch_size=512,
        max_epochs=40,
        patience=None,
        x_scaler="none",
        random_state=0,
        on_epoch=watch,
        **PLAIN,
    )
    with contextlib.suppress(ReachedError):
        model.fit(x, u)
    seconds, epoch, valid = reached[-1]
    print(
        f"minibatch training: loss {valid:.4f} after {epoch} epochs, {seconds:.1f} CPU-s "
        f"(1/20 of the full-batch run: {seconds_allowed:.1f} CPU-s)"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument(
        "--full", type=int, default=10_000, help="full-batch steps for the target loss"
    )
    options = parser.parse_args()
    one_core()
    os.environ["SFUMATO_CACHE"] = "off"
    environment()
    x, u = data()
    step, peer = ours(x, u), theirs(x, u)
    start = time.process_time()
    step()
    print(f"compile and first step: {time.process_time() - start:.2f} CPU-s")
    mine, spread = cpu_seconds(step, repeats=options.repeats)
    other, other_spread = cpu_seconds(peer, repeats=options.repeats)
    print(
        f"sfumato {1e3 * mine:.1f} +- {1e3 * spread:.1f} CPU-ms a step, "
        f"PyTorch {1e3 * other:.1f} +- {1e3 * other_spread:.1f}, ratio {other / mine:.1f}"
    )
    if options.full:
        for _ in range(options.full):
            value = step()
        full = options.full * mine
        print(f"full batch: loss {value:.4f} after {options.full} steps, {full:.0f} CPU-s")
        time_to_loss(x, u, value, full / 20)


if __name__ == "__main__":
    main()
