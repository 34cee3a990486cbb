"""What is a measurement in the columns of features, and what may be a code."""

import numpy as np

from sfumato.preprocessing.features import FeatureTransform
from sfumato.preprocessing.missing import Code, codes_in


def codes_of(features: FeatureTransform | None, X: np.ndarray) -> dict[int, list[Code]]:
    """What looks like a code in each column (n, c), but for the codes that are read as such."""
    measured = measured_in(features, X).T
    if features is None:
        return {i: codes_in(values) for i, values in enumerate(measured)}
    low, high = features.likely
    return {i: codes_in(v, lowest=low[i], highest=high[i]) for i, v in enumerate(measured)}


def measured_in(features: FeatureTransform | None, X: np.ndarray) -> np.ndarray:
    """Features (n, c), NaN where the transform reads a code."""
    return X if features is None else features.measured(X)
