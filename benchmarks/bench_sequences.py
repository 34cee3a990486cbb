"""Do networks that read the log along depth beat features of windows? DTC of whole wells held out.

Every network is trained on the same road and rows: an MLP on the features of `LogFeatures`; dilated
convolutions, or a recurrent network from both sides, over what was logged within 19 m of each
sample, gaps masked; and convolutions beside the features.
"""

import argparse
import os
import time
from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from sklearn.model_selection import GroupKFold

from _common import environment
from bench_welllogs import judged, samples
from sfumato.estimators.fitting import Data, FittingPlan, fit_arrays
from sfumato.families import MixtureFamily, Normal
from sfumato.metrics.scores import crps
from sfumato.networks.backbone import Backbone, Unchanged
from sfumato.networks.density import ConditionalDensity, Inputs, Network
from sfumato.networks.head import Head
from sfumato.networks.layers import Dropout, Linear, fold
from sfumato.pdfs import make_pdfs
from sfumato.preprocessing import AffineScaler
from sfumato.welllogs import presets

DILATIONS = (1, 2, 4, 8, 16)
LENGTH = 1 + 2 * sum(DILATIONS)
"""Samples that the convolutions see; they end as one."""
STRIDE = 4
"""Every so manieth sample of the log, 0.152 m apart, is one of a sequence."""
WIDTH = 32
N_BINS = 12
BINNED = "binned"


class Convolutions(eqx.Module):
    """Dilated convolutions of width 3 without padding, each beside what it was given."""

    kernels: list[jax.Array]
    biases: list[jax.Array]

    def __init__(self, n_channels, *, key):
        sizes = [n_channels, *[WIDTH] * (len(DILATIONS) - 1)]
        keys = jax.random.split(key, len(DILATIONS))
        self.kernels = [
            jax.random.normal(k, (3, WIDTH, size)) / np.sqrt(3 * size)
            for k, size in zip(keys, sizes, strict=True)
        ]
        self.biases = [jnp.zeros((WIDTH, 1, 1)) for _ in DILATIONS]

    def __call__(self, x):
        """The middle sample (h, ...) of a sequence (c, t, ...)."""
        for kernel, bias, d in zip(self.kernels, self.biases, DILATIONS, strict=True):
            n = x.shape[1] - 2 * d
            parts = [
                jnp.einsum("hc,ct...->ht...", kernel[k], x[:, k * d :][:, :n]) for k in range(3)
            ]
            found = jax.nn.silu(sum(parts) + bias)
            x = found + x[:, d : d + n] if x.shape[0] == WIDTH else found
        return x[:, 0]


class BothSides(eqx.Module):
    """A gated recurrent unit from above and one from below, to the sample in the middle."""

    cells: list[eqx.nn.GRUCell]

    def __init__(self, n_channels, *, key):
        keys = jax.random.split(key)
        self.cells = [eqx.nn.GRUCell(n_channels, WIDTH // 2, key=k) for k in keys]

    def __call__(self, x):
        """The middle sample (h, n) of sequences (c, t, n)."""
        half = LENGTH // 2 + 1
        rows = jnp.moveaxis(x, 0, -1)  # (t, n, c)
        states = []
        for cell, side in zip(self.cells, (rows[:half], rows[::-1][:half]), strict=True):
            step = jax.vmap(cell)
            start = jnp.zeros((rows.shape[1], WIDTH // 2))
            states.append(jax.lax.scan(lambda s, r, f=step: (f(r, s), None), start, side)[0].T)
        return jnp.concatenate(states)


class Reader(Backbone):
    """What reads the sequence, if anything, beside the features, through two dense layers."""

    reader: eqx.Module | None
    dense: tuple[Linear, ...]
    drops: tuple[Dropout, ...]
    n_channels: int = eqx.field(static=True)

    def __init__(self, reader, n_channels, n_features, *, key):
        first, second = jax.random.split(key)
        size = n_features + (0 if reader is None else WIDTH)
        self.reader, self.n_channels = reader, n_channels
        self.dense = (Linear(size, 128, key=first), Linear(128, 128, key=second))
        self.drops = (Dropout(0.2), Dropout(0.2))

    @property
    def out_size(self):
        """Numbers of the embedding."""
        return 128

    def __call__(self, x, *, key=None, strength=1.0):
        """Embedding of sequences and features, one behind the other."""
        n = self.n_channels * LENGTH
        h = x[n:]
        if self.reader is not None:
            sequence = x[:n].reshape(self.n_channels, LENGTH, -1)
            h = jnp.concatenate([h, self.reader(sequence).reshape(WIDTH, *x.shape[1:])])
        for i, (layer, drop) in enumerate(zip(self.dense, self.drops, strict=True)):
            h = drop(jax.nn.silu(layer(h)), key=fold(key, i), strength=strength)
        return h

    def dense_layers(self):
        """Those behind the reader."""
        return self.dense


@dataclass(frozen=True)
class Builder:
    """Networks of one kind."""

    reader: type | None
    n_channels: int
    n_features: int

    def build(self, family, *, bias, key):
        """A fresh network."""
        keys = jax.random.split(key, 3)
        reader = None if self.reader is None else self.reader(self.n_channels, key=keys[0])
        body = Reader(reader, self.n_channels, self.n_features, key=keys[1])
        head = Head(body.out_size, family, bias=bias, key=keys[2])
        return ConditionalDensity(Unchanged(), body, head)


def sequences(here, words, rows):
    """Of some rows, what was logged around them, and where it was: (n, 2 c LENGTH)."""
    offsets = STRIDE * (np.arange(LENGTH) - LENGTH // 2)
    places = rows[:, None] + offsets
    inside = (places >= 0) & (places < len(words))
    places = np.clip(places, 0, len(words) - 1)
    inside &= words[places] == words[rows][:, None]
    values = np.where(inside[..., None], here[places], np.nan)
    there = np.isfinite(values)
    both = np.concatenate([np.where(there, values, 0.0), there], axis=2)
    return np.moveaxis(both, 1, 2).reshape(len(rows), -1).astype(np.float32)


def scaled(x, train):
    """Columns by their median and spread in training, gaps in the middle and flagged."""
    centre = np.nanmedian(x[train], axis=0)
    spread = np.nanquantile(x[train], 0.84, axis=0) - np.nanquantile(x[train], 0.16, axis=0)
    return np.clip((x - centre) / np.where(spread > 0, spread, 1.0), -6, 6)


def binned(z, train):
    """Columns piecewise linearly over quantiles of training, as in the preset; 0 in gaps."""
    edges = np.nanquantile(z[train], np.linspace(0, 1, N_BINS + 1), axis=0)
    widths = np.maximum(np.diff(edges, axis=0), 1e-3)
    found = np.clip((z[:, None, :] - edges[None, :-1]) / widths[None], 0.0, 1.0)
    return np.nan_to_num(found.reshape(len(z), -1)).astype(np.float32)


def with_flags(z):
    return np.concatenate([np.nan_to_num(z), ~np.isfinite(z)], axis=1).astype(np.float32)


def predicted(builder, family, x, y, groups, x_test, *, steps, seed):
    """PDFs of the test rows, and CPU seconds of training."""
    plan = FittingPlan(
        n_members=2, weight_decay=0.1, averaging=0.98, dropout_fade=None, batch_size=256,
        max_steps=steps, patience=None, validation_fraction=0.25,
    )  # fmt: skip
    n = x.shape[1]
    inputs = Inputs(None, AffineScaler(jnp.zeros(n), jnp.ones(n)))
    data = Data(x, family.to_unit(y), np.ones(len(y)), groups=groups)
    start = time.process_time()
    fitted = fit_arrays(family, builder, inputs, data, plan=plan, rng=np.random.default_rng(seed))
    seconds = time.process_time() - start
    network = Network(inputs, fitted.members)
    parts = [
        jax.tree.map(np.asarray, network.parameters(jnp.asarray(part)))
        for part in np.array_split(x_test, -(-len(x_test) // 2000))
    ]
    params = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return make_pdfs(family, params), seconds


def of_preset(x, y, words, train, test, options, mask_rate):
    """The same from the preset, with as many networks and steps."""
    settings = {} if mask_rate is None else {"mask_rate": mask_rate}
    model = presets.mdn(
        n_members=2,
        recalibrate=False,
        max_steps=options.steps,
        random_state=options.seed,
        **settings,
    )
    start = time.process_time()
    model.fit(x[train], y[train], groups=words[train])
    seconds = time.process_time() - start
    return model.predict_pdfs(x[test]), seconds


def scored(pdfs, y):
    """Mean, CRPS, and the ends of the 90 % interval."""
    _, quantiles = pdfs.mode_and_quantiles(np.array([0.05, 0.95]), with_mode=False)
    return pdfs.mean(), crps(pdfs, y), *quantiles.T


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--thin", type=int, default=8, help="every so manieth sample")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="kinds whose names begin so")
    options = parser.parse_args()
    os.environ["SFUMATO_CACHE"] = "off"
    environment()
    x, y, words, whole = samples(presets.INPUTS, "DTC", presets.WINDOWS_M)
    layout = presets.mdn().features.names
    here = [i for i, name in enumerate(layout) if name.endswith(" here") and "depth" not in name]
    few = [layout.index(name) for name in ("gr within its well", "vertical depth here")]
    kinds = {
        "bins of features": (None, BINNED),
        "bins of features, and convolutions": (Convolutions, BINNED),
        "preset welllog": (None, None),
        "preset welllog, no input taken away": (None, 0.0),
        "features of windows, no bins": (None, slice(None)),
        "convolutions": (Convolutions, few),
        "recurrent": (BothSides, few),
        "convolutions and features": (Convolutions, slice(None)),
    }
    kinds = {n: k for n, k in kinds.items() if n.startswith(options.only or "")}
    wells = np.unique(words, return_inverse=True)[1]
    rows = np.flatnonzero(whole)
    found = {name: [] for name in kinds}
    held, seconds = [], dict.fromkeys(kinds, 0.0)
    folds = GroupKFold(options.folds, shuffle=True, random_state=options.seed)
    for train, test in folds.split(rows, groups=words[rows]):
        train, test = rows[train][:: options.thin], rows[test][:: options.thin]
        z = scaled(x, train)
        around = {
            key: sequences(z[:, here], words, own) for key, own in (("a", train), ("b", test))
        }
        bins = binned(z, train)
        groups = np.unique(wells[train], return_inverse=True)[1]
        family = MixtureFamily(Normal(), 3, float(y[train].mean()), float(y[train].std()))
        for name, (reader, columns) in kinds.items():
            if columns in (None, 0.0):
                pdfs, spent = of_preset(x, y, words, train, test, options, columns)
                found[name].append(scored(pdfs, y[test]))
                seconds[name] += spent / options.folds
                continue
            wide = z if columns == BINNED else z[:, columns]
            parts = [with_flags(wide), *([bins] if columns == BINNED else [])]
            one, other = (
                np.concatenate([around[key], *(part[own] for part in parts)], axis=1)
                for key, own in (("a", train), ("b", test))
            )
            n_features = one.shape[1] - around["a"].shape[1]
            builder = Builder(reader, 2 * len(here), n_features)
            pdfs, spent = predicted(
                builder,
                family,
                one,
                y[train],
                groups,
                other,
                steps=options.steps,
                seed=options.seed,
            )
            found[name].append(scored(pdfs, y[test]))
            seconds[name] += spent / options.folds
        held.append(test)
    test = np.concatenate(held)
    print(f"DTC, {test.size:,} samples of whole wells held out by {options.folds}")
    print("| | RMSE [us/ft] | CRPS | inside 90 % | CPU-s a training |\n|---|---|---|---|---|")
    for name, parts in found.items():
        values = [np.concatenate(part) for part in zip(*parts, strict=True)]
        rmse, score, inside = judged(y[test], *values)
        print(f"| {name} | {rmse:.2f} | {score:.2f} | {inside:.3f} | {seconds[name]:.0f} |")


if __name__ == "__main__":
    main()
