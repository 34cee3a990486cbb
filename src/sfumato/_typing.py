"""Names for the array types that recur, so that signatures read like the notation page."""

from typing import TypeAlias

import numpy as np
from jaxtyping import Array, Float

Vector: TypeAlias = Float[np.ndarray, " n"]
Grid: TypeAlias = Float[np.ndarray, " g"]
Curves: TypeAlias = Float[np.ndarray, "n g"]
Params: TypeAlias = dict[str, Array]
HostParams: TypeAlias = dict[str, np.ndarray]
