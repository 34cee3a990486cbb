"""LAS 1.2, 2.0 and 3.0 files: read with every doubt said, written with every byte kept."""

from sfumato.welllogs.las.layout import Item, Layout
from sfumato.welllogs.las.reading import Curve, LasFile, read_las
from sfumato.welllogs.las.writing import NewCurve, check_names, write_las

__all__ = ["Curve", "Item", "LasFile", "Layout", "NewCurve", "check_names", "read_las", "write_las"]
