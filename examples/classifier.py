"""A Bernoulli output: minus the log-likelihood is the cross-entropy, and it finds p(class | x).

python examples/classifier.py FOLDER
"""

import sys
from pathlib import Path

import numpy as np

from sfumato import MDNClassifier
from sfumato.plots.curves import plot_probability
from sfumato.plots.page import save


def truth(x):
    """Probability of class 1."""
    return 1 / (1 + np.exp(-3 * np.sin(2 * x) - x))


def main(folder):
    rng = np.random.default_rng(0)
    x = rng.uniform(-3, 3, 3000)
    y = (rng.random(3000) < truth(x)).astype(int)
    model = MDNClassifier(n_members=8, recalibrate=True, random_state=0)
    model.fit(x[:2000, None], y[:2000])
    p = model.predict_proba(x[2000:, None])[:, 1]
    entropy = -np.mean(np.where(y[2000:] == 1, np.log(p), np.log1p(-p)))
    q = truth(x[2000:])
    floor = -np.mean(np.where(y[2000:] == 1, np.log(q), np.log1p(-q)))
    print(f"cross-entropy of test rows {entropy:.4f}; of the true probabilities {floor:.4f}")
    places = np.linspace(-5, 5, 400)
    members = np.exp(model.predict_parameters(places[:, None])["log_weights"])[:, :, 1]
    figure = plot_probability(x[:2000], y[:2000], places, members, truth=truth)
    save(figure, folder / "classifier.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
