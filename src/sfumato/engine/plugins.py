"""What installed packages announce to sfumato, by entry points."""

import warnings
from importlib.metadata import EntryPoint, entry_points


def announced(group: str) -> dict[str, object]:
    """Everything announced in a group, by name; what cannot be imported is named and left out."""
    found = {}
    for point in entry_points(group=group):
        try:
            found[point.name] = point.load()
        except Exception as error:  # whatever a stranger's module does when it is imported
            _say_broken(point, error)
    return found


def _say_broken(point: EntryPoint, error: Exception) -> None:
    package = "a package" if point.dist is None else f"the package {point.dist.name}"
    what = f"{point.value} of {package}, announced as {point.name!r} in {point.group}"
    warnings.warn(f"{what}, cannot be loaded ({error}). Install it again.", stacklevel=4)
