"""Arrow's functions, which are made when it is imported: no checker sees them."""

from types import ModuleType

import pyarrow.compute

pc: ModuleType = pyarrow.compute
