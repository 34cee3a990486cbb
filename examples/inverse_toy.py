"""The inverse problem: for one x there are several y, and a mixture density network says so.

y is uniform, x = 7 sin(0.75 y) + 0.5 y + noise; 40,000 points, a tenth for training. Two layers of
15 and 20 Normals, maximum likelihood, 1,000 full-batch epochs.

    python examples/inverse_toy.py FOLDER
"""

import sys
from pathlib import Path

import numpy as np

from sfumato import MDNRegressor
from sfumato.plots.curves import plot_joint, plot_likelihood
from sfumato.plots.page import save
from sfumato.plots.pdfs import plot_pdfs

N, EPOCHS = 40_000, 1000


def toy(n=N, seed=42):
    """Rows x (n, 1) and targets y (n,)."""
    rng = np.random.default_rng(seed)
    y = rng.uniform(-10.5, 10.5, n)
    return (7 * np.sin(0.75 * y) + 0.5 * y + rng.normal(size=n))[:, None], y


def main(folder):
    x, y = toy()
    train = np.arange(N) < N // 10
    model = MDNRegressor(
        uncertainty="none",
        n_components=20,
        backbone="mlp",
        hidden_sizes=(15, 15),
        activation="relu",
        embedding="none",
        dropout_rate=0.0,
        weight_decay=0.0,
        averaging=0.0,
        learning_rate=1e-2,
        batch_size=N,
        max_epochs=EPOCHS,
        patience=None,
        random_state=0,
    ).fit(x[train], y[train])
    scale = np.log(model.family_.scale)
    curves = {
        "training rows": -model.history_.train_loss[:, 0] - scale,
        "rows held out": -model.history_.valid_loss[:, 0] - scale,
    }
    save(plot_likelihood(curves), folder / "inverse_likelihood.png")
    pdfs = model.predict_pdfs(x[~train])
    print(f"mean log-likelihood of {len(pdfs)} test rows: {pdfs.log_prob(y[~train]).mean():.3f}")
    few = np.array([0, 4, 6])
    labels = [f"x = {value:.2f}" for value in x[~train][few, 0]]
    figure = plot_pdfs(pdfs[few], truth=y[~train][few], labels=labels, target="target y")
    save(figure, folder / "inverse_examples.png")
    drawn = pdfs.sample(1)[0]
    figure = plot_joint((x[~train][:, 0], y[~train]), (x[~train][:, 0], drawn))
    save(figure, folder / "inverse_joint.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
