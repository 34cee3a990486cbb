"""A line whose noise grows: y = 5 x + N(0, x^4), one Normal, against the true mean and deviation.

2,048 points, half held out; hidden layers of 20 and 10, Adam's rate 0.005, batches of 128, 300
epochs, as in the laboratory this follows.

    python examples/lab_a.py FOLDER
"""

import sys
from pathlib import Path

import numpy as np

from sfumato import MDNRegressor
from sfumato.plots.curves import plot_components, plot_samples
from sfumato.plots.page import save

LABORATORY = {
    "uncertainty": "none",
    "backbone": "mlp",
    "hidden_sizes": (20, 10),
    "activation": "relu",
    "embedding": "none",
    "dropout_rate": 0.0,
    "learning_rate": 5e-3,
    "batch_size": 128,
    "patience": None,
}


def data(n=2048, seed=1):
    """Rows x (n, 1) and targets y (n,)."""
    rng = np.random.default_rng(seed)
    x = rng.random(n)
    return x[:, None], 5 * x + x**2 * rng.normal(size=n)


def main(folder):
    x, y = data()
    half = len(y) // 2
    model = MDNRegressor(n_components=1, max_epochs=300, random_state=0, **LABORATORY)
    model.fit(x[:half], y[:half])
    for name, rows in (("training", slice(half)), ("validation", slice(half, None))):
        loss = -model.predict_pdfs(x[rows]).log_prob(y[rows]).mean()
        print(f"{name} negative log-likelihood {loss:.3f}")
    # what the true density reaches on the same rows
    rest = slice(half, None)
    z = (y[rest] - 5 * x[rest, 0]) / x[rest, 0] ** 2
    best = np.mean(0.5 * z**2 + np.log(x[rest, 0] ** 2) + 0.5 * np.log(2 * np.pi))
    print(f"the true density on the validation rows {best:.3f}")
    save(
        plot_samples(x[rest, 0], y[rest], model.predict_pdfs(x[rest])),
        folder / "lab_a_samples.png",
    )
    places = np.linspace(0, 1, 300)
    truths = {"mean": [lambda t: 5 * t], "deviation": [lambda t: t**2]}
    figure = plot_components(places, model.predict_pdfs(places[:, None]), truths=truths)
    save(figure, folder / "lab_a_parameters.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
