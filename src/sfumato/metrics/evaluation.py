"""Everything of a set of PDFs against the truth: per object, over any rows, with errors."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from sfumato.metrics import calibration, intervals, joint, point, scores
from sfumato.pdfs import AbstractPDFs, JointPDFs, summarise


@dataclass(frozen=True)
class ObjectScores:
    """What each object contributes, arrays (n,): the only thing averages are made of.

    `low` and `high` are the 5 and 95 % quantiles; for counts the CDE loss is the quadratic score
    and the PIT is randomised.

    Truths outside a PDF's support have ``log_score`` -inf; `n_outside` counts them and the mean
    log-score is over the others. A density with a pole (a Beta component with a
    parameter below 1) has an infinite ``cde_loss``; `n_poles` counts these, likewise.
    """

    truth: np.ndarray
    log_score: np.ndarray
    crps: np.ndarray
    cde_loss: np.ndarray
    pit: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    mode: np.ndarray
    median: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def __len__(self) -> int:
        return self.truth.size

    def __getitem__(self, rows: np.ndarray) -> "ObjectScores":
        return ObjectScores(*(getattr(self, field.name)[rows] for field in fields(self)))


def score_objects(pdfs: AbstractPDFs, truth: ArrayLike) -> ObjectScores:
    """Scores, PIT and point estimates of each object.

    A true value exactly on a bound has the log score of where training moves such values.
    """
    true = np.asarray(truth, float)
    crps, cde_loss = scores.crps_and_cde(pdfs, true)
    points = summarise(pdfs, ["mode", "median", "q5", "q95"])
    return ObjectScores(
        true,
        pdfs.log_prob(pdfs.moved_in(true)),
        crps,
        cde_loss,
        pdfs.pit(true),
        pdfs.mean(),
        pdfs.std(),
        *(np.asarray(points[name], float) for name in ("mode", "median", "q5", "q95")),
    )


def _pinball(objects: ObjectScores) -> float:
    """Mean pinball loss of the three quantiles that are kept."""
    quantiles = np.stack([objects.low, objects.median, objects.high], axis=1)
    return float(np.mean(intervals.pinball_losses(quantiles, [0.05, 0.5, 0.95], objects.truth)))


def _mean_of_finite(scores: np.ndarray) -> float:
    """Mean over the objects whose score is a number; minus infinity if there are none."""
    inside = scores[np.isfinite(scores)]
    return float(inside.mean()) if inside.size else -np.inf


METRICS: dict[str, Callable[[ObjectScores], float]] = {
    "log_score": lambda o: _mean_of_finite(o.log_score),
    "log_score_median": lambda o: float(np.median(o.log_score)),
    "crps": lambda o: float(o.crps.mean()),
    "cde_loss": lambda o: _mean_of_finite(o.cde_loss),
    "pinball": _pinball,
    "interval_score_90": lambda o: float(
        np.mean(intervals.interval_scores(o.low, o.high, o.truth, level=0.9))
    ),
    "pit_ks": lambda o: calibration.pit_ks(o.pit),
    "pit_cvm": lambda o: calibration.pit_cvm(o.pit),
    "pit_ad": lambda o: calibration.pit_ad(o.pit),
    "pit_outliers": lambda o: calibration.pit_outlier_rate(o.pit),
    "coverage_68": lambda o: calibration.coverage(o.pit, 0.68),
    "coverage_90": lambda o: calibration.coverage(o.pit, 0.90),
    "coverage_95": lambda o: calibration.coverage(o.pit, 0.95),
    "sharpness": lambda o: intervals.sharpness(o.std),
    "rmse": lambda o: point.rmse(o.mean, o.truth),
    "stack_mean_offset": lambda o: float(o.mean.mean() - o.truth.mean()),
}
"""What is reported of any target; point errors are of the mean, in the target's units."""


Metrics = Mapping[str, Callable[[ObjectScores], float]]

_MOST_RESAMPLED = 50_000


def evaluate(
    objects: ObjectScores,
    *,
    metrics: Metrics = METRICS,
    n_bootstrap: int = 100,
    random_state: int = 0,
) -> dict[str, dict[str, float]]:
    """Every metric with its bootstrap standard error.

    Each resampling is of at most 50,000 objects, and the error that of so many times
    ``sqrt(m / n)``: the m out of n bootstrap (Bickel, Götze & van Zwet 1997), whose time and memory
    do not grow with the objects.

    Parameters
    ----------
    metrics : a table such as `METRICS` or `REDSHIFT_METRICS`.
    n_bootstrap : resamplings of the objects; 0 leaves the errors out (NaN).

    Returns
    -------
    By metric, ``{"value": ..., "error": ...}``; plus ``n``, ``n_outside`` and ``n_poles``.
    """
    rng, n = np.random.default_rng(random_state), len(objects)
    size = min(n, _MOST_RESAMPLED)
    draws: dict[str, list[float]] = {name: [] for name in metrics}
    for _ in range(n_bootstrap):
        sample = objects[rng.integers(n, size=size)]
        for name, metric in metrics.items():
            draws[name].append(metric(sample))
    out: dict[str, dict[str, float]] = {}
    for name, metric in metrics.items():
        with np.errstate(invalid="ignore"):  # of values that are -inf in every draw
            spread = np.std(draws[name], ddof=1) if n_bootstrap > 1 else np.nan
        out[name] = {"value": metric(objects), "error": float(spread * np.sqrt(size / n))}
    counts = {
        "n": n,
        "n_outside": np.sum(np.isneginf(objects.log_score)),
        "n_poles": np.sum(~np.isfinite(objects.cde_loss)),
    }
    return out | {name: {"value": float(c), "error": 0.0} for name, c in counts.items()}


def in_bins(
    objects: ObjectScores,
    by: ArrayLike,
    edges: ArrayLike,
    *,
    metrics: Metrics = METRICS,
    n_bootstrap: int = 100,
) -> list[dict]:
    """`evaluate` within bins of a quantity (n,); bins with fewer than 10 objects are left out."""
    values, bounds = np.asarray(by, float), np.asarray(edges, float)
    rows = []
    for low, high in itertools.pairwise(bounds):
        inside = (values >= low) & (values < high)
        if inside.sum() >= 10:
            result = evaluate(objects[inside], metrics=metrics, n_bootstrap=n_bootstrap)
            rows.append({"low": float(low), "high": float(high), "metrics": result})
    return rows


def in_groups(
    objects: ObjectScores,
    groups: np.ndarray,
    *,
    metrics: Metrics = METRICS,
    n_bootstrap: int = 100,
) -> list[dict]:
    """`evaluate` of every group of objects, of words (n,), in the order of the words."""
    return [
        {
            "group": str(word),
            "metrics": evaluate(objects[groups == word], metrics=metrics, n_bootstrap=n_bootstrap),
        }
        for word in np.unique(groups.astype(str))
    ]


def quantile_edges(values: ArrayLike, *, n_bins: int = 5) -> np.ndarray:
    """Edges of bins with equal numbers of the finite values."""
    finite = np.asarray(values, float)
    finite = finite[np.isfinite(finite)]
    edges = np.unique(np.quantile(finite, np.linspace(0, 1, n_bins + 1)))
    edges[-1] = np.nextafter(edges[-1], np.inf)
    return edges


def evaluate_joint(
    pdfs: JointPDFs, truth: ArrayLike, *, n_draws: int = 200, random_state: int = 0
) -> dict[str, dict[str, float]]:
    """Metrics of vector targets from their density and from joint draws.

    Parameters
    ----------
    truth : (n, d) true values.
    n_draws : draws of each object.

    Returns
    -------
    By metric, ``{"value": ..., "error": ...}``: log-score, energy and variogram scores with their
    standard errors; the TARP distance and the p-value of the ranks of each coordinate without.
    """
    true = np.asarray(truth, float)
    draws = pdfs.sample(n_draws, random_state=random_state)
    each = {
        "log_score": pdfs.log_prob(true),
        "energy_score": joint.energy_scores(draws, true),
        "variogram_score": joint.variogram_scores(draws, true),
    }
    out = {
        name: {"value": float(v.mean()), "error": float(v.std(ddof=1) / np.sqrt(v.size))}
        for name, v in each.items()
    }
    pvalues = joint.sbc_pvalues(joint.sbc_ranks(draws, true), n_draws)
    single = {
        "tarp_distance": joint.tarp_distance(draws, true),
        **{f"sbc_pvalue_{index + 1}": float(p) for index, p in enumerate(pvalues)},
        "rmse": float(np.sqrt(np.mean((pdfs.mean() - true) ** 2))),
        "n": float(len(pdfs)),
    }
    return out | {name: {"value": v, "error": float("nan")} for name, v in single.items()}
