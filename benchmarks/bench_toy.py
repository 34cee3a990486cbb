"""The inverse toy (4,000 rows, 2 hidden layers of 15, 20 Normals): an epoch against PyTorch.

Full-batch Adam on maximum likelihood, 1,000 epochs, one core; CPU milliseconds an epoch, compile
apart. Needs PyTorch.
"""

import argparse
import time

from _common import environment, one_core

HIDDEN, K = 15, 20


def data(n=40_000, seed=42):
    """The rows of `examples/inverse_toy.py`: a tenth for training."""
    import numpy as np

    rng = np.random.default_rng(seed)
    y = rng.uniform(-10.5, 10.5, n)
    x = 7 * np.sin(0.75 * y) + 0.5 * y + rng.normal(size=n)
    return x[: n // 10, None].astype("float32"), y[: n // 10].astype("float32")


def ours(x, y, epochs):
    from sfumato import MDNRegressor

    marks, losses = [], []

    def note(_epoch, train, _valid):
        marks.append(time.process_time())
        losses.append(train)

    MDNRegressor(
        uncertainty="none",
        n_components=K,
        hidden_sizes=(HIDDEN, HIDDEN),
        backbone="mlp",
        activation="relu",
        embedding="none",
        dropout_rate=0.0,
        weight_decay=0.0,
        averaging=0.0,
        batch_size=len(y),
        max_epochs=epochs,
        patience=None,
        learning_rate=1e-2,
        random_state=0,
        on_epoch=note,
    ).fit(x, y)
    return 1e3 * (marks[-1] - marks[0]) / (len(marks) - 1), losses[-1]


def theirs(x, y, epochs):
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(0)
    x = torch.tensor((x - x.mean()) / x.std())
    u = torch.tensor((y - y.mean()) / y.std())
    net = nn.Sequential(
        nn.Linear(1, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, 3 * K),
    )
    with torch.no_grad():
        net[-1].bias[K : 2 * K] = torch.quantile(u, (torch.arange(K) + 0.5) / K)
    optimiser = torch.optim.Adam(net.parameters(), lr=5e-3)
    start, loss = time.process_time(), None
    for _ in range(epochs):
        optimiser.zero_grad()
        logits, loc, raw = net(x).split(K, dim=1)
        scale = nn.functional.softplus(raw) + 0.01
        terms = torch.log_softmax(logits, 1) - 0.5 * ((u[:, None] - loc) / scale) ** 2
        loss = -torch.logsumexp(terms - torch.log(scale) - 0.9189385, 1).mean()
        loss.backward()
        optimiser.step()
    return 1e3 * (time.process_time() - start) / epochs, loss.item()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    one_core()
    environment()
    x, y = data()
    print("| | CPU-ms an epoch | training NLL of the scaled target at the end |")
    print("|---|---|---|")
    results = {"sfumato": [], "PyTorch": []}
    for _ in range(options.repeats):
        results["sfumato"].append(ours(x, y, options.epochs))
        results["PyTorch"].append(theirs(x, y, options.epochs))
    times = {name: sorted(r[0] for r in runs)[len(runs) // 2] for name, runs in results.items()}
    for name, runs in results.items():
        spread = (max(r[0] for r in runs) - min(r[0] for r in runs)) / 2
        print(f"| {name} | {times[name]:.2f} ± {spread:.2f} | {runs[0][1]:.3f} |")
    print(f"\nPyTorch / sfumato: {times['PyTorch'] / times['sfumato']:.2f}")


if __name__ == "__main__":
    main()
