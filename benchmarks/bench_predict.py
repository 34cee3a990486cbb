"""Galaxies per core-second: parameters alone, and with mode and five quantiles.

The statistics are checked against the exact methods on a sample of the same objects.
"""

import argparse

from _common import PLAIN, cpu_seconds, dc2, environment, one_core

NAMES = ["mode", "q2.5", "q16", "median", "q84", "q97.5"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1 << 19)
    options = parser.parse_args()
    one_core()
    environment()
    import numpy as np

    from sfumato import MDNRegressor
    from sfumato.pdfs import ParametricPDFs, summarise

    x, z = dc2("train")
    x = np.nan_to_num(x)
    cases = {
        "10-20-20-10, K = 5": (
            dict(hidden_sizes=(20, 20, 10), activation="tanh", n_components=5),
            x[:, :10],
        ),
        "3 x 128, K = 8": (dict(hidden_sizes=(128, 128, 128), n_components=8), x),
    }
    for name, (settings, columns) in cases.items():
        model = MDNRegressor(
            family="beta",
            n_members=1,
            bounds=(0, 3.1),
            max_epochs=20,
            random_state=0,
            **PLAIN,
            **settings,
        ).fit(columns, z)
        many = np.resize(columns.astype(np.float32), (options.rows, columns.shape[1]))
        seconds, spread = cpu_seconds(lambda m=model, x=many: m.predict_parameters(x), repeats=3)
        print(
            f"{name}: parameters {options.rows / seconds:,.0f} a core-second "
            f"(+- {spread / seconds:.0%})"
        )

        def both(model=model, many=many):
            return summarise(ParametricPDFs(model.family_, model.predict_parameters(many)), NAMES)

        seconds, spread = cpu_seconds(both, repeats=3)
        rate = options.rows / seconds
        print(
            f"{name}: with mode and 5 quantiles {rate:,.0f} a core-second "
            f"(+- {spread / seconds:.0%})"
        )
        sample = model.predict_pdfs(columns)
        fast = summarise(sample, NAMES)
        exact = sample.quantiles([0.025, 0.16, 0.5, 0.84, 0.975])
        errors = np.abs(np.stack([fast[n] for n in NAMES[1:]], axis=1) - exact)
        drop = sample.log_prob(sample.mode()) - sample.log_prob(np.asarray(fast["mode"], float))
        mode = np.abs(fast["mode"] - sample.mode())
        wrong = int(np.sum((mode > 1e-3) & (drop > 1e-3)))
        print(
            f"  {len(z):,} objects: quantile errors at most {errors.max():.1e}, "
            f"{int(np.sum(errors > 1e-3))} above 1e-3; "
            f"modes off by more than 1e-3 and lower: {wrong}"
        )


if __name__ == "__main__":
    main()
