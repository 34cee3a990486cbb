"""NGBoost, skpro's mixture density network and a Laplace approximation on one UCI split.

    python peers.py FOLDER SET SPLIT

Runs in an environment of its own (see `bench_uci.py`) and prints a JSON line for each peer.
Features and target are standardised on the training part; scores are in the target's own units.
"""

import json
import os
import sys
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
import torch
from ngboost import NGBRegressor
from ngboost.distns import Normal
from scipy.special import logsumexp
from scipy.stats import norm
from torch import nn

EPOCHS = 300


def load(folder, name, split):
    """Rows of one split: training and test features and targets."""
    folder = Path(folder, name)
    meta = json.loads((folder / "meta.json").read_text())
    table = pd.read_parquet(folder / "data.parquet")
    test = pd.read_parquet(folder / "splits.parquet")[f"test_{split}"].to_numpy(bool)
    X, y = table[meta["features"]].to_numpy(float), table[meta["target"]].to_numpy(float)
    return X[~test], y[~test], X[test], y[test]


def ngboost(X, y, X_test, seed):
    """NGBoost with its defaults: 500 trees, Normal, log score."""
    model = NGBRegressor(Dist=Normal, n_estimators=500, verbose=False, random_state=seed).fit(X, y)
    found = model.pred_dist(X_test).params
    return np.ones((len(X_test), 1)), found["loc"][:, None], found["scale"][:, None]


def skpro_mdn(X, y, X_test, seed):
    """Skpro's MDNRegressor with the noise regularisation it advises (Rothfuss et al. 2019)."""
    from skpro.regression.mdn import MDNRegressor

    names = [f"x{i}" for i in range(X.shape[1])]
    model = MDNRegressor(
        random_state=seed, device="cpu", input_noise_std=0.2, target_noise_std=0.1
    ).fit(pd.DataFrame(X, columns=names), pd.DataFrame({"y": y}))
    found = model.predict_proba(pd.DataFrame(X_test, columns=names))
    return found.pi, found.mu[:, :, 0], found.sigma[:, :, 0]


def laplace(X, y, X_test, seed):
    """An MLP of 2 x 64, all weights, Kronecker factors, prior and noise by the evidence."""
    from laplace import Laplace

    torch.manual_seed(seed)
    rows = torch.tensor(X, dtype=torch.float32), torch.tensor(y[:, None], dtype=torch.float32)
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(*rows), batch_size=min(256, len(y)), shuffle=True
    )
    layers = [nn.Linear(X.shape[1], 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1)]
    net = nn.Sequential(*layers)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, EPOCHS)
    for _ in range(EPOCHS):
        for batch, target in loader:
            optimiser.zero_grad()
            nn.functional.mse_loss(net(batch), target).backward()
            optimiser.step()
        schedule.step()
    model = Laplace(net, "regression", subset_of_weights="all", hessian_structure="kron")
    model.fit(loader)
    log_prior, log_noise = (torch.zeros(1, requires_grad=True) for _ in range(2))
    tuner = torch.optim.Adam([log_prior, log_noise], lr=1e-1)
    for _ in range(100):
        tuner.zero_grad()
        (-model.log_marginal_likelihood(log_prior.exp(), log_noise.exp())).backward()
        tuner.step()
    mean, variance = model(torch.tensor(X_test, dtype=torch.float32))
    width = variance.detach().numpy().reshape(-1, 1) + float(model.sigma_noise.detach()) ** 2
    return np.ones_like(width), mean.detach().numpy().reshape(-1, 1), np.sqrt(width)


def scores(weights, mean, width, y):
    """Mean NLL, CRPS, RMSE and coverage of the central 90 % of Normal mixtures (n, K)."""
    with np.errstate(divide="ignore"):
        terms = np.log(weights) + norm.logpdf(y[:, None], mean, width)

    def distance(shift, scale):
        z = shift / scale
        return 2 * scale * norm.pdf(z) + shift * (2 * norm.cdf(z) - 1)

    first = (weights * distance(y[:, None] - mean, width)).sum(1)
    pairs = distance(mean[:, :, None] - mean[:, None], np.hypot(width[:, :, None], width[:, None]))
    pit = (weights * norm.cdf((y[:, None] - mean) / width)).sum(1)
    return {
        "nll": -logsumexp(terms, axis=1).mean(),
        "crps": (first - 0.5 * np.einsum("ni,nj,nij->n", weights, weights, pairs)).mean(),
        "rmse": np.sqrt(np.mean(((weights * mean).sum(1) - y) ** 2)),
        "coverage_90": np.mean(np.abs(pit - 0.5) < 0.45),
    }


def main(folder, name, split):
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    X, y, X_test, y_test = load(folder, name, split)
    centre, scale, shift, unit = X.mean(0), X.std(0), y.mean(), y.std()
    scale[scale == 0] = 1
    X, X_test = (X - centre) / scale, (X_test - centre) / scale
    for peer in (ngboost, skpro_mdn, laplace):
        start = time.process_time()
        weights, mean, width = peer(X, (y - shift) / unit, X_test, split)
        seconds = time.process_time() - start
        found = scores(weights.astype(float), shift + unit * mean, unit * width, y_test)
        row = {"peer": peer.__name__, "set": name, "split": split, "fit_s": seconds}
        print(json.dumps(row | {key: float(value) for key, value in found.items()}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
