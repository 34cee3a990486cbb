"""Missing well logs: DTC and DTS of whole wells held out, beside boosted trees; LAS to LAS.

Wells of FORCE 2020 are held out by sixths (DTC, preset `welllog`), or one by one (DTS of the five
that have it, `few_wells`). Trees see the same features.
"""

import argparse
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

from _common import DATA, environment, measured

LEVELS = (0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.95)
TREES = {"max_iter": 300, "learning_rate": 0.05, "l2_regularization": 1.0, "random_state": 0}


def samples(inputs, target, windows):
    """Features, target and wells of all rows; and which have the logs that references need."""
    import numpy as np

    from sfumato.io.tables import matrix, open_table, read_table
    from sfumato.welllogs.curves import known_logs
    from sfumato.welllogs.features import LogFeatures
    from sfumato.welllogs.wells import GROUP, Wells

    table = open_table(DATA / "well_logs_force2020" / "force2020_wells.parquet")
    features = LogFeatures(inputs, windows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of units that the table does not state
        opened = Wells(features, target, known_logs()).open(table)
        rows = read_table(opened, [*features.names, target, GROUP])
    x = matrix(rows, features.names)
    y = matrix(rows, [target])[:, 0]
    words = np.array(rows[GROUP].to_pylist())
    needed = [features.names.index(f"{name.lower()} here") for name in inputs[:4]]
    whole = np.isfinite(x[:, needed]).all(axis=1) & np.isfinite(y)
    return x, y, words, whole


def judged(y, mean, crps, loss, low, high):
    import numpy as np

    inside = (y >= low) & (y <= high)
    rmse = float(np.sqrt(np.mean((mean - y) ** 2)))
    return rmse, float(crps.mean()), float(inside.mean()), float(loss.mean())


def ours(x, y, words, train, seed, inputs, windows, **settings):
    from sfumato.welllogs import presets

    model = presets.mdn(inputs, windows=windows, random_state=seed, **settings)
    return model.fit(x[train], y[train], groups=words[train])


def told(model, x, y):
    from sfumato.metrics.scores import crps

    pdfs = model.predict_pdfs(x)
    _, quantiles = pdfs.mode_and_quantiles(_array(LEVELS), with_mode=False)
    return pdfs.mean(), crps(pdfs, y), pinball(quantiles, y), quantiles[:, 0], quantiles[:, -1]


def pinball(quantiles, y):
    """CRPS (n,) by the midpoint rule over quantiles (n, q) of LEVELS, the same for everyone."""
    import numpy as np

    excess, levels = y[:, None] - quantiles, np.array(LEVELS)
    return 2 * np.maximum(levels * excess, (levels - 1) * excess).mean(axis=1)


def _array(values):
    import numpy as np

    return np.array(values)


def trees(x, y, x_test, y_test):
    """Mean, CRPS by pinball losses (twice), and the 5 and 95 % quantiles of boosted trees."""
    import numpy as np
    from sklearn.ensemble import HistGradientBoostingRegressor as Trees

    mean = Trees(**TREES).fit(x, y).predict(x_test)
    found = [
        Trees(loss="quantile", quantile=level, **TREES).fit(x, y).predict(x_test)
        for level in LEVELS
    ]
    quantiles = np.sort(np.stack(found, axis=1), axis=1)
    loss = pinball(quantiles, y_test)
    return mean, loss, loss, quantiles[:, 0], quantiles[:, -1]


def cross_validate(options):
    """DTC, sixths of the wells held out."""
    import numpy as np
    from sklearn.model_selection import GroupKFold

    from sfumato.welllogs import presets

    inputs, windows = presets.INPUTS, presets.WINDOWS_M
    x, y, words, whole = samples(inputs, "DTC", windows)
    rows = np.flatnonzero(whole)
    parts = {name: [] for name in ("ours", "cut", "trees")}
    held, seconds = [], 0.0
    folds = GroupKFold(6, shuffle=True, random_state=options.fold_seed)
    for train, test in folds.split(rows, groups=words[rows]):
        train, test = rows[train][:: options.thin], rows[test][:: options.thin]
        start = time.process_time()
        model = ours(x, y, words, train, options.seed, inputs, windows)
        seconds += time.process_time() - start
        parts["ours"].append(told(model, x[test], y[test]))
        only = np.where(_known(model, ("GR", "RDEP", "TVD")), x[test], np.nan)
        parts["cut"].append(told(model, only, y[test]))
        if options.trees:
            parts["trees"].append(trees(x[train], y[train], x[test], y[test]))
        held.append(test)
    test = np.concatenate(held)
    found = {k: [np.concatenate(v) for v in zip(*p, strict=True)] for k, p in parts.items() if p}
    print(f"DTC, {test.size:,} samples of whole wells held out, {seconds / 6:.0f} CPU-s a training")
    print("| | RMSE [us/ft] | CRPS | CRPS by ten quantiles | inside 90 % |\n|---|---|---|---|---|")
    for name, values in found.items():
        rmse, crps, inside, loss = judged(y[test], *values)
        exact = "" if name == "trees" else f"{crps:.3f}"
        print(f"| {NAMES[name]} | {rmse:.2f} | {exact} | {loss:.3f} | {inside:.3f} |")
    if "trees" in found:
        ratio = judged(y[test], *found["ours"])[3] / judged(y[test], *found["trees"])[3]
        print(f"CRPS by ten quantiles, ours to trees: {ratio:.3f} (target 0.92)")
    print("\n| well | samples | RMSE | CRPS | inside 90 % |\n|---|---|---|---|---|")
    for well in np.unique(words[test]):
        own = words[test] == well
        rmse, crps, inside, _ = judged(y[test][own], *(v[own] for v in found["ours"]))
        n = int(np.sum(words[rows] == well))
        print(f"| {well} | {n:,} | {rmse:.2f} | {crps:.2f} | {inside:.3f} |")


NAMES = {
    "ours": "sfumato, preset welllog",
    "cut": "the same, with nothing but GR, resistivity and depth",
    "trees": "boosted trees and their quantiles, same features",
}


def _known(model, inputs):
    """Which columns are known from some inputs alone."""
    return _array([set(needs) <= set(inputs) for _, needs in model.features.layout])


def leave_one_out(options):
    """DTS from DTC and others, every well by itself."""
    import numpy as np

    from sfumato.welllogs import presets

    inputs, windows = presets.FEW_INPUTS, presets.FEW_WINDOWS_M
    x, y, words, whole = samples(inputs, "DTS", windows)
    whole &= np.isfinite(x[:, [n for n, _ in _layout(inputs, windows)].index("dtc here")])
    print("\n| DTS | samples | RMSE | inside 90 % | trees, RMSE | inside 90 % |")
    print("|---|---|---|---|---|---|")
    for well in np.unique(words[whole]):
        train = np.flatnonzero(whole & (words != well))
        test = np.flatnonzero(whole & (words == well))
        model = presets.few_wells(inputs, random_state=options.seed)
        model.fit(x[train], y[train], groups=words[train])
        mine = judged(y[test], *told(model, x[test], y[test]))
        peer = judged(y[test], *trees(x[train], y[train], x[test], y[test]))
        print(
            f"| {well} | {test.size:,} | {mine[0]:.1f} | {mine[2]:.3f} "
            f"| {peer[0]:.1f} | {peer[2]:.3f} |"
        )


def _layout(inputs, windows):
    from sfumato.welllogs.features import LogFeatures

    return LogFeatures(inputs, windows).layout


def las_to_las(options):
    """Wells of the mock, LAS to LAS, beside lasio's reading and writing: a process each."""
    from sfumato.welllogs.mock import make_wells, write_wells

    print(
        "\n| curves | | CPU-s | wall s | peak GB | ratio (target 1.5) |\n|---|---|---|---|---|---|"
    )
    for more in (0, N_CURVES):
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            paths = write_wells(make_wells(options.wells, n_samples=15_000), folder)
            for path in paths:
                _with_curves(path, more)
            model, names = Path(folder) / "model", [str(path) for path in paths]
            wish = ["--preset", "welllog", "--target", "DTC", "--output", str(model)]
            measured(["sfumato", "fit", *names[:3], *wish])
            out = str(Path(folder) / "out")
            peer = measured([sys.executable, "-c", LASIO, *names])
            mine = measured(["sfumato", "predict", str(model), *names, "--output", out])
        for name, (wall, cpu, memory) in (("lasio, read and write", peer), ("sfumato", mine)):
            ratio = cpu / peer[1]
            print(f"| {more + 6} | {name} | {cpu:.0f} | {wall:.0f} | {memory:.2f} | {ratio:.2f} |")
    print(f"{options.wells} wells x 15,000 samples; sfumato with start, compilation and prediction")


LASIO = """
import sys, lasio
for path in sys.argv[1:]:
    with open(path + ".out", "w") as file:
        lasio.read(path).write(file)
"""


def _with_curves(path, n_curves):
    """As many curves more as a logging company writes: a well of FORCE 2020 has about 20."""
    head, rows = path.read_text().split("~Ascii\n")
    more = "".join(f"X{i:02d}.gAPI : CURVE {i}\n" for i in range(n_curves))
    words = [(line, line.split()[1]) for line in rows.splitlines()]
    lines = [line + "".join(f" {i}{word}" for i in range(n_curves)) for line, word in words]
    path.write_text(f"{head}{more}~Ascii\n" + "\n".join(lines) + "\n")


N_CURVES = 14


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fold-seed", type=int, default=0)
    parser.add_argument("--thin", type=int, default=1, help="every so manieth sample")
    parser.add_argument("--wells", type=int, default=100, help="of LAS to LAS; 0 for none")
    parser.add_argument("--no-trees", dest="trees", action="store_false")
    parser.add_argument("--no-dtc", dest="dtc", action="store_false")
    parser.add_argument("--no-dts", dest="dts", action="store_false")
    options = parser.parse_args()
    os.environ["SFUMATO_CACHE"] = "off"
    environment()
    if options.dtc:
        cross_validate(options)
    if options.dts:
        leave_one_out(options)
    if options.wells:
        las_to_las(options)


if __name__ == "__main__":
    main()
