"""LSST DC2: accuracy on the even validation rows, and CPU seconds of training.

Every choice is made inside the training file: `--select` compares the candidates by
cross-validation there. The reference of the same run is five quick networks: the same architecture
with dropout 0.1, a learning rate of 1e-3 and no noise in training.
"""

import argparse
import os
import time

from _common import dc2, environment, row, score

KEYS = [
    "cde_loss",
    "log_score",
    "crps",
    "pit_ks",
    "sigma_mad",
    "outlier_fraction",
    "tomographic_rms",
]
CANDIDATES = {
    "preset": {},
    "preset without error features": {"error_features": False},
    "12 networks without error features": {"error_features": False, "n_members": 12},
}


def quick(seed):
    from sfumato.photoz import presets
    from sfumato.photoz.features import PhotometryFeatures

    features = PhotometryFeatures(tuple("ugrizy"), jitter=0.0, drop_fraction=0.0)
    return presets.mdn(
        "ugrizy",
        features=features,
        dropout_rate=0.1,
        learning_rate=1e-3,
        recalibrate=False,
        bounds=(0, 3.1),
        random_state=seed,
    )


def chosen(seed, **settings):
    from sfumato.photoz import presets

    return presets.mdn("ugrizy", bounds=(0, 3.1), random_state=seed, **settings)


def select(seed):
    """Three of five folds of the training file, pooled, for every candidate."""
    import numpy as np

    from sfumato import concatenate

    x, z = dc2("train")
    fold = np.random.default_rng(seed).permutation(z.size) % 5
    print("| in cross-validation | " + " | ".join(KEYS) + " |")
    print("|---" * (len(KEYS) + 1) + "|")
    for name, settings in CANDIDATES.items():
        parts = [
            chosen(seed, **settings).fit(x[fold != i], z[fold != i]).predict_pdfs(x[fold == i])
            for i in range(3)
        ]
        truth = np.concatenate([z[fold == i] for i in range(3)])
        row(name, score(concatenate(parts), truth), KEYS)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--select", action="store_true", help="cross-validate the candidates")
    options = parser.parse_args()
    os.environ["SFUMATO_CACHE"] = "off"  # compile time counts
    environment()
    if options.select:
        select(options.seed)
    x, z = dc2("train")
    x_test, z_test = dc2("test")
    best = CANDIDATES["12 networks without error features"]
    print("\n| on the validation rows | " + " | ".join(KEYS) + " | CPU-s of training |")
    print("|---" * (len(KEYS) + 2) + "|")
    for name, model in {
        "5 quick networks (reference)": quick(options.seed),
        "preset (5 networks)": chosen(options.seed),
        "chosen: 12 networks, no error features": chosen(options.seed, **best),
    }.items():
        start = time.process_time()
        model.fit(x, z)
        seconds = time.process_time() - start
        values = score(model.predict_pdfs(x_test), z_test)
        cells = " | ".join(f"{values[key]:.4f}" for key in KEYS)
        print(f"| {name} | {cells} | {seconds:.0f} |", flush=True)
        if model.recalibrate:
            model.sharpening_ = type(model.sharpening_)()
            plain = score(model.predict_pdfs(x_test), z_test)
            row(f"{name}, before recalibration", plain, KEYS)


if __name__ == "__main__":
    main()
