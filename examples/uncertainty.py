"""One problem, every strategy: what the network does not know grows where there are no data.

python examples/uncertainty.py FOLDER
"""

import sys
import warnings
from pathlib import Path

import numpy as np

from sfumato import MDNRegressor
from sfumato.plots.curves import plot_bands
from sfumato.plots.page import save

STRATEGIES = {
    "MAP": "none",
    "variational": "variational",
    "concrete dropout": "dropout",
    "last-layer Laplace": "laplace",
    "ensemble": "ensemble",
    "batch ensemble": "batch-ensemble",
    "NUTS": "nuts",
    "SVI": "svi",
}


def truth(x):
    """The curve without noise."""
    return np.sin(2.5 * x) + 0.3 * x


def main(folder):
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(4)
    x = np.concatenate([rng.uniform(-2, -0.4, 120), rng.uniform(0.6, 2, 120)])
    y = truth(x) + 0.12 * rng.normal(size=240)
    places = np.linspace(-3.5, 3.5, 300)
    panels = {}
    for name, strategy in STRATEGIES.items():
        small = strategy in ("nuts", "svi")
        model = MDNRegressor(
            uncertainty=strategy,
            n_components=1,
            backbone="mlp",
            hidden_sizes=(16,) if small else (48, 48),
            activation="silu",
            embedding="none",
            dropout_rate=0.0,
            learning_rate=1e-2,
            batch_size=60,
            max_epochs=400,
            patience=None,
            priors={"all": ("normal", 1.0)},
            random_state=1,
        ).fit(x[:, None], y)
        pdfs = model.predict_pdfs(places[:, None])
        inside, outside = pdfs[np.isin(places, places[110:120])], pdfs[np.abs(places) > 2.8]
        sizes = [np.sqrt(part.decompose()[1].mean()) for part in (inside, outside)]
        print(f"{name:20s} epistemic deviation inside {sizes[0]:.3f}, outside {sizes[1]:.3f}")
        panels[name] = pdfs
    save(plot_bands(places, panels, data=(x, y), truth=truth), folder / "strategies.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
