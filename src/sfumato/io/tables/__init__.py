"""Tables in, of every kind of file there is an opener for, read in batches of chosen columns.

A batch is a `pyarrow.Table`. `matrix` turns named columns of one into numbers, and says which row
of which file is not a number.
"""

from sfumato.io.tables.contract import NOWHERE, Batches, Origin, TableFile, rebatched
from sfumato.io.tables.numbers import matrix
from sfumato.io.tables.opening import OPENERS, batches, common_schema, read_table
from sfumato.io.tables.reading import DEFAULT, Reading, open_table

__all__ = [
    "DEFAULT",
    "NOWHERE",
    "OPENERS",
    "Batches",
    "Origin",
    "Reading",
    "TableFile",
    "batches",
    "common_schema",
    "matrix",
    "open_table",
    "read_table",
    "rebatched",
]
