"""Names for types that recur, so that signatures read like the notation page.

Where a type checker can say nothing, the name says why.
"""

from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Array

Params: TypeAlias = dict[str, Array]
HostParams: TypeAlias = dict[str, np.ndarray]

Json: TypeAlias = Any
"""A value of JSON or TOML read from a file: nested, and checked by whoever takes it apart."""

Foreign: TypeAlias = Any
"""An object of a package that brings no types, or whose stubs say less than it does."""

Given: TypeAlias = Any
"""What a user passed, before it has been checked: array, data frame, list, number, word."""

Either: TypeAlias = Any
"""Arrays of NumPy or of JAX, whichever came in, where a checker would weigh every combination."""
