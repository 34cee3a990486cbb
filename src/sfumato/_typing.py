"""Names for the array types that recur, so that signatures read like the notation page."""

from typing import TypeAlias

import numpy as np
from jaxtyping import Array

Params: TypeAlias = dict[str, Array]
HostParams: TypeAlias = dict[str, np.ndarray]
