"""Arrow's functions, which are made when it is imported: no checker sees them."""

import pyarrow.compute

from sfumato._typing import Foreign

pc: Foreign = pyarrow.compute
