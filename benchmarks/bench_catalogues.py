"""Other catalogues, without a target: zCOSMOS, PHAT0, SDSS, and DC2 trained bright, tested faint.

The reference of the same run is a histogram gradient boosting of scikit-learn on the same columns
(point metrics alone).
"""

import argparse

import numpy as np

from _common import BANDS, DATA, dc2, environment, score

KEYS = ["log_score", "crps", "pit_ks", "bias", "sigma_mad", "outlier_fraction"]


def report(name, model, train, test, weight=None):
    from sklearn.ensemble import HistGradientBoostingRegressor

    from sfumato.photoz.metrics import outlier_fraction, scaled_errors, sigma_mad

    (x, z), (x_test, z_test) = train, test
    pdfs = model.fit(x, z, weight).predict_pdfs(x_test)
    values = score(pdfs, z_test)
    tree = HistGradientBoostingRegressor(random_state=0).fit(x, z, weight)
    delta = scaled_errors(tree.predict(x_test), z_test)
    cells = " | ".join(f"{values[key]:.4f}" for key in KEYS)
    peer = f"{sigma_mad(delta):.4f}, {outlier_fraction(delta):.4f}"
    print(f"| {name} | {len(z):,} | {len(z_test):,} | {cells} | {peer} |", flush=True)


def read(path, columns):
    from sfumato.io.tables import matrix, open_table, read_table

    return matrix(read_table(open_table(path), columns), columns)


def zcosmos():
    bands = ("u", "b", "v", "g", "r", "i", "z", "j", "k")
    names = [f"{b}_photzi25" for b in bands] + [f"e{b}_photzi25" for b in bands]
    flags = [f"flag_mask{b}_photzi25" for b in "bvizd"]
    values = read(
        DATA / "photoz_zcosmos" / "zcosmos_bright20k_even_ids.parquet",
        [*names, "zpec", "cc", "id_photzi25", *flags],
    )
    x, (z, cc, number), masks = values[:, :18], values[:, 18:21].T, values[:, 21:]
    good = (z > 0) & (cc >= 3) & (cc < 5) & (number != 9999999) & np.all(masks == 0, axis=1)
    rows = np.random.default_rng(0).permutation(np.flatnonzero(good))
    cut = int(0.8 * rows.size)
    return bands, x, z, rows[:cut], rows[cut:], x[:, bands.index("i")]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, default=5)
    options = parser.parse_args()
    environment()
    from sfumato.photoz import presets

    def model(bands, **settings):
        return presets.mdn(bands, n_members=options.members, random_state=0, **settings)

    print("| catalogue | train | test | " + " | ".join(KEYS) + " | trees: sigma_mad, outliers |")
    print("|---" * (len(KEYS) + 4) + "|")
    bands, x, z, train, test, i = zcosmos()
    report("zCOSMOS, random 80/20", model(bands), (x[train], z[train]), (x[test], z[test]))
    good = np.concatenate([train, test])
    bright, faint = good[i[good] < 21], good[i[good] >= 21.5]
    report(
        "zCOSMOS, i < 21 to i >= 21.5", model(bands), (x[bright], z[bright]), (x[faint], z[faint])
    )

    bands = ("up", "gp", "rp", "ip", "zp", "Y", "J", "H", "K", "IRAC_1", "IRAC_2")
    parts = [
        read(DATA / "photoz_phat0" / name, [*bands, "redshift"])
        for name in ("PHAT0train.parquet", "PHAT0test_even_rows.parquet")
    ]
    (a, b), (c, d) = ((p[:, :-1], p[:, -1]) for p in parts)
    report(
        "PHAT0", model(bands, has_errors=False, bounds=(0, float(d.max()) + 0.01)), (a, b), (c, d)
    )

    values = np.load(DATA / "photoz_sdss_small" / "sdss_photoz.npy")
    x, z = np.where(values[:, :5] < -90, -99.0, values[:, :5]), values[:, 5]
    _, group = np.unique(values[:, :5], axis=0, return_inverse=True)
    half = np.random.default_rng(0).permutation(group.max() + 1) % 2
    train, test = half[group] == 0, half[group] == 1
    report(
        "SDSS small, by galaxy",
        model("ugriz", has_errors=False),
        (x[train], z[train]),
        (x[test], z[test]),
    )

    (x, z), (x_test, z_test) = dc2("train"), dc2("test")
    report("DC2, all", model(BANDS, bounds=(0, 3.1)), (x, z), (x_test, z_test))
    bright, faint = x[:, 3] < 23.5, x_test[:, 3] >= 23.5
    pair = (x[bright], z[bright]), (x_test[faint], z_test[faint])
    report("DC2, i < 23.5 to fainter", model(BANDS, bounds=(0, 3.1)), *pair)
    weight = density_ratio(x[bright], x_test[faint])
    effective = weight.sum() ** 2 / np.sum(weight**2)
    report(
        f"the same with weights (effective rows {effective:.0f})",
        model(BANDS, bounds=(0, 3.1)),
        *pair,
        weight,
    )


def density_ratio(source, target):
    """Weights p_target(x) / p_source(x) of the source rows, from a classifier's odds, capped."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import cross_val_predict

    x = np.concatenate([source[:, :6], target[:, :6]])
    label = np.repeat([0, 1], [len(source), len(target)])
    classifier = HistGradientBoostingClassifier(max_iter=50, random_state=0)
    share = cross_val_predict(classifier, x, label, cv=5, method="predict_proba")[: len(source), 1]
    odds = share / np.maximum(1 - share, 1e-3)
    return np.clip(odds / odds.mean(), 0.05, 20)


if __name__ == "__main__":
    main()
