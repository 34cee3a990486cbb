"""Two branches, two Normals: weights, means and deviations along x, the collapse and its remedies.

python examples/lab_b.py FOLDER
"""

import sys
from pathlib import Path

import numpy as np
from lab_a import LABORATORY

from sfumato import MDNRegressor
from sfumato.plots.curves import (
    plot_components,
    plot_effective,
    plot_image,
    plot_samples,
)
from sfumato.plots.page import save


def data(n=2048, seed=2):
    """Rows x (n, 1), targets y (n,): one of two lines, the steep one rarer as x grows."""
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 1, n)
    score = np.sin(x) + 3 * x * np.cos(x) + rng.random(n)
    flat = np.round(score / score.max()) == 1
    return x[:, None], np.where(flat, 2 * x, 8 * x) + 0.5 * rng.random(n)


def true_weight(x, top):
    """Probability of the flat line: that of a uniform variable above half the highest score."""
    return np.clip(1 - (top / 2 - np.sin(x) - 3 * x * np.cos(x)), 0, 1)


def main(folder):
    x, y = data()
    order = np.random.default_rng(0).permutation(len(y))
    train, rest = order[::2], order[1::2]
    options = {**LABORATORY, "n_components": 2, "max_epochs": 200, "random_state": 0}
    model = MDNRegressor(**options).fit(x[train], y[train])
    for name, rows in (("training", train), ("validation", rest)):
        loss = -model.predict_pdfs(x[rows]).log_prob(y[rows]).mean()
        print(f"{name} negative log-likelihood {loss:.3f}")
    save(
        plot_samples(x[rest, 0], y[rest], model.predict_pdfs(x[rest])),
        folder / "lab_b_samples.png",
    )
    places = np.linspace(0.002, 1, 300)
    pdfs = model.predict_pdfs(places[:, None])
    scores = np.sin(x[:, 0]) + 3 * x[:, 0] * np.cos(x[:, 0])
    top = scores.max() + 1.0
    truths = {
        "weight": [lambda t: true_weight(t, top), lambda t: 1 - true_weight(t, top)],
        "mean": [lambda t: 2 * t + 0.25, lambda t: 8 * t + 0.25],
        "deviation": [lambda t: np.full_like(t, 0.5 / 12**0.5)],
    }
    save(plot_components(places, pdfs, truths=truths), folder / "lab_b_parameters.png")
    grid = np.linspace(-0.5, 4.0, 400)
    figure = plot_image(places, pdfs, grid, slices=(1 / 3, 1 / 2), data=(x[rest, 0], y[rest]))
    save(figure, folder / "lab_b_image.png")
    far = [float(y.mean()), float(y.mean() + 60 * y.std())]
    starts = {
        "one component far away": {"centres": far},
        "quantiles": {},
        "k-means": {"centres": "kmeans"},
        "given centres": {"centres": [1.0, 4.0]},
        "quantiles, L2 on the head": {"priors": {"head": ("l2", 1e-4)}},
    }
    histories = {
        name: MDNRegressor(**options, **change).fit(x[train], y[train]).history_
        for name, change in starts.items()
    }
    save(plot_effective(histories), folder / "lab_b_collapse.png")
    for name, history in histories.items():
        loss, used = history.valid_loss.min(), history.n_effective[-1].mean()
        print(f"{name}: {used:.2f} components in use, best loss {loss:.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
