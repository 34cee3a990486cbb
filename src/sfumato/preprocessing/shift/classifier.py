"""The density ratio from the odds of a classifier."""

import warnings
from typing import cast

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from sfumato.preprocessing.shift.samples import _Samples


def _by_classifier(samples: _Samples, rng: np.random.Generator) -> np.ndarray:
    """Odds of "target" against "training", by the better of two classifiers; (n_train,).

    The odds are the ratio up to ``n_train / n_target`` (Bickel, Brückner & Scheffer 2009), which
    the normalisation takes out. Every row is judged by a classifier that has not seen it, of five;
    logistic regression on values and squares, exact for independent normals, stands against
    boosted trees, which can follow a ratio that levels off; the lower held-out log loss wins.
    """
    train = np.hstack([samples.train, samples.train_missing])
    target = np.hstack([samples.target, samples.target_missing])
    is_target = np.repeat([0, 1], [len(train), len(target)])
    plain = np.concatenate([train, target])
    squares = np.concatenate([samples.train, samples.target]) ** 2
    seed = int(rng.integers(2**31))
    candidates = [
        (LogisticRegression(max_iter=1000), np.hstack([plain, squares])),
        (_boosted_trees(seed), plain),
    ]
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # a regression that stopped early is judged like one that did not: by what it says
        warnings.simplefilter("ignore", ConvergenceWarning)
        logits = [
            np.asarray(cross_val_predict(model, x, is_target, cv=folds, method="decision_function"))
            for model, x in candidates
        ]
    losses = [np.mean(np.logaddexp(0, np.where(is_target == 1, -z, z))) for z in logits]
    best = logits[int(np.argmin(losses))][: len(train)]
    return np.exp(best - best.max())


def _boosted_trees(seed: int) -> HistGradientBoostingClassifier:
    """Small trees, many rows per leaf: the odds are wanted, and not the label."""
    return HistGradientBoostingClassifier(
        early_stopping=cast("str", True),  # noqa: FBT003 - "auto" is one
        max_iter=500,
        learning_rate=0.05,
        max_leaf_nodes=7,
        min_samples_leaf=50,
        l2_regularization=1.0,
        random_state=seed,
    )
