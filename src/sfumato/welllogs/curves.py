"""Which column is which log, in which unit: by the names and units that companies give them."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np

from sfumato._typing import Arguments
from sfumato.errors import DataError, suggest


@dataclass(frozen=True)
class Log:
    """A log: what it is called and measured in.

    Parameters
    ----------
    name : of the log, such as ``RHOB``.
    description : in words.
    names : regular expressions of the names of its curves, the likeliest first.
    unit : what its values are converted to.
    units : by unit in lower case, what values in it are multiplied by.
    inverse : by unit in lower case, what is divided by values in it, as of conductivities.
    range : lowest and highest value that can have been measured, in `unit`.
    typical : between them the median of a log lies, if its unit is the one that is stated.
    logarithm : limits that values are clipped to before log10 is taken; None for none.
    """

    name: str
    description: str = ""
    names: tuple[str, ...] = ()
    unit: str = ""
    units: Mapping[str, float] = field(default_factory=dict)
    inverse: Mapping[str, float] = field(default_factory=dict)
    range: tuple[float, float] = (-np.inf, np.inf)
    typical: tuple[float, float] | None = None
    logarithm: tuple[float, float] | None = None

    def factor(self, unit: str) -> float | None:
        """What values in `unit` are multiplied by; None if that is not known."""
        word = unit.strip().lower()
        return 1.0 if word and word == self.unit.lower() else self.units.get(word)


Logs = Mapping[str, Log]
"""By name in capitals."""


def known_logs(text: str = "", *, where: str = "--curves") -> Logs:
    """The logs that sfumato knows, and those of TOML of the same form, whose names come first.

    Parameters
    ----------
    text : sections as in ``curves.toml``.
    where : what messages call it.

    Raises
    ------
    DataError
        It is no TOML, or says something of a log that nothing is known by.
    """
    own = _own_logs()
    given = _parsed(text, where)
    merged = dict(own)
    for name, log in given.items():
        old = own.get(name, Log(name))
        stated = {key: value for key, value in vars(log).items() if value not in _EMPTY}
        joined = {
            "names": log.names + old.names,
            "units": {**old.units, **log.units},
            "inverse": {**old.inverse, **log.inverse},
        }
        merged[name] = replace(old, **stated | joined)
    return merged


_EMPTY: tuple[object, ...] = ("", (), {}, None, (-np.inf, np.inf))


@cache
def _own_logs() -> Logs:
    return _parsed(files("sfumato.welllogs").joinpath("curves.toml").read_text("utf-8"), "curves")


def _parsed(text: str, where: str) -> Logs:
    try:
        entries = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{where}: {error}. Write a section for each log, as [RHOB].") from error
    return {name.upper(): _log(name.upper(), entry, where) for name, entry in entries.items()}


def _log(name: str, entry: object, where: str) -> Log:
    known = {key for key in Log.__dataclass_fields__ if key != "name"}
    if not isinstance(entry, dict):
        raise DataError(f"{where}: {name} is no section. Write [{name}] and its keys below.")
    if strangers := sorted(set(entry) - known):
        near = suggest(strangers[0], sorted(known))
        raise DataError(f"{where}: [{name}] has an unknown key {strangers[0]!r}. {near}")
    values: Arguments = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}
    try:
        for pattern in values.get("names", ()):
            re.compile(pattern)
        units, inverse = (
            {str(k).lower(): float(v) for k, v in values.pop(key, {}).items()}
            for key in ("units", "inverse")
        )
        return Log(name, units=units, inverse=inverse, **values)
    except (re.error, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{where}: [{name}] cannot be read ({error}).") from error


class Found(NamedTuple):
    """The column of a log, and others that would do."""

    log: Log
    column: str
    others: tuple[str, ...] = ()


def find(wanted: str, columns: Sequence[str], logs: Logs) -> Found | None:
    """The column that holds a log, or None.

    Parameters
    ----------
    wanted : name of a log, or of a column that is taken as it is.
    columns : of the table. A name such as ``GR:2``, the second of its kind, counts as ``GR``.
    """
    log = logs.get(wanted.upper())
    if log is None:
        return Found(Log(wanted), wanted) if wanted in columns else None
    ranked = []
    for place, column in enumerate(columns):
        plain = re.sub(r":\d+$", "", column)
        for rank, pattern in enumerate((re.escape(wanted), *log.names)):
            if re.fullmatch(pattern, plain, re.IGNORECASE):
                ranked.append((rank, column != plain, place, column))
                break
    if not ranked:
        return None
    first, *others = (column for *_, column in sorted(ranked))
    return Found(log, first, tuple(others))


class Converted(NamedTuple):
    """Values (n,) of a log in its unit, NaN where none can have been measured, and what was done.

    Parameters
    ----------
    factor : what they were multiplied by.
    doubt : what was assumed against or without what is stated; or None.
    n_outside : values outside the range of the log, which are gaps now.
    """

    values: np.ndarray
    factor: float
    doubt: str | None
    n_outside: int


def convert(found: Found, values: np.ndarray, unit: str) -> Converted:
    """Bring values (n,) to the unit of their log.

    The unit that is stated counts, unless it is unknown, or puts the median outside the log's range
    where another unit puts it inside.
    """
    log, doubt = found.log, None
    if (divided := log.inverse.get(unit.strip().lower())) is not None:
        with np.errstate(divide="ignore"):
            values, unit = divided / values, log.unit
        doubt = f"{found.column} is turned over into {log.unit}"
    stated = log.factor(unit)
    factor = 1.0 if stated is None else stated
    middle = float(np.nanmedian(values)) if np.isfinite(values).any() else np.nan
    if log.unit and np.isfinite(middle):
        name, factor = _plausible(log, unit, middle, factor)
        if name is not None and (stated is None or factor != stated):
            what = f"states {unit!r}" if unit.strip("_ ") else "states no unit"
            doubt = f"{found.column} {what}: taken for {name} (median {middle:.4g})"
    scaled = values * factor
    low, high = log.range
    outside = np.isfinite(scaled) & ((scaled < low) | (scaled > high))
    return Converted(
        np.where(outside, np.nan, scaled),
        factor,
        doubt,
        int(outside.sum()),
    )


def _plausible(log: Log, unit: str, middle: float, factor: float) -> tuple[str | None, float]:
    """The stated unit, or the first that puts the median inside the range; and its factor."""
    low, high = log.typical or log.range

    def fits(f: float) -> bool:
        return low <= middle * f <= high

    if log.factor(unit) is not None and fits(factor):
        return unit, factor
    for name, other in {log.unit: 1.0, **log.units}.items():
        if fits(other):
            return name, other
    return (unit if log.factor(unit) is not None else log.unit), factor
