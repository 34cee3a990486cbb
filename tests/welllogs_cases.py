"""LAS files as the world writes them, made on the spot."""

import numpy as np

WELL = """~Version information
VERS.   2.0 : CWLS LOG ASCII STANDARD
WRAP.   NO  : One line per depth step
~Well
STRT.M  100.0 : first
STOP.M  102.0 : last
STEP.M    0.5 : step
NULL. -999.25 : null
WELL.  A-1    : WELL
~Curve
DEPT.M        : depth
GR  .gAPI     : gamma ray
RHOB.g/cm3    : density
"""
ROWS = "100.0 50.0 2.10\n100.5 60.0 2.20\n101.0 -999.25 2.30\n101.5 80.0 2.40\n102.0 90.0 2.50\n"
PLAIN = f"{WELL}~Ascii\n{ROWS}"

GR = np.array([50, 60, np.nan, 80, 90])
RHOB = np.array([2.1, 2.2, 2.3, 2.4, 2.5])
DEPTH = np.array([100, 100.5, 101, 101.5, 102])


def written(folder, text, *, name="a.las", encoding="utf-8", newline="\n"):
    """The path of a file that holds a text."""
    path = folder / name
    path.write_bytes(text.replace("\n", newline).encode(encoding))
    return path
