"""How a value is written: as text of a command line or a TOML file, and in JSON."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Generic, SupportsFloat, SupportsInt, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from sfumato.uncertainty._base import Strategy
from sfumato.uncertainty.strategies import STRATEGIES

Text = str | int | float | bool | list[str]
Priors = Mapping[str, tuple[str, float]]
Columns = str | Sequence[int | str] | None
Value = TypeVar("Value")


def plain(value: object) -> object:
    """A value in JSON's types; what has no such form becomes None."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    return value if isinstance(value, str | int | float | bool | None) else None


def has_lost(value: object, stored: object) -> bool:
    """Whether JSON holds None where the value has something."""
    if isinstance(stored, Mapping) and isinstance(value, Mapping):
        return any(has_lost(value[key], stored[str(key)]) for key in value)
    return stored is None and value is not None


@dataclass(frozen=True)
class Form(Generic[Value]):
    """One way to write values of a type.

    Parameters
    ----------
    kind : of the command line's own parsing.
    parse : text to value; a `ValueError` where it is none.
    show : value to what `parse` reads, for TOML.
    must : what is required of the text, as a message goes on after the option.
    to_json, from_json : to and from JSON's types.
    """

    kind: object
    parse: Callable[[object], Value]
    show: Callable[[Value], Text]
    must: str
    to_json: Callable[[Value], object] = plain
    from_json: Callable[[object], Value | object] = lambda value: value


def _split(text: object) -> list[str]:
    return [part.strip() for part in str(text).split(",") if part.strip()]


def _is_none(text: object) -> bool:
    return str(text).strip().lower() in ("none", "")


def _numbers(text: object) -> tuple[float, ...]:
    values = tuple(float(part) for part in _split(text))
    if not values or not all(map(np.isfinite, values)):
        raise ValueError("not numbers")
    return values


def _sizes(text: object) -> tuple[int, ...] | None:
    if _is_none(text):
        return None
    return tuple(int(part) for part in _split(text))


def _pair(text: object) -> tuple[float, float] | None:
    if _is_none(text):
        return None
    first, second = _numbers(text)
    return first, second


def _bounds(text: object) -> tuple[float | None, float | None]:
    low, high = (None if _is_none(part) else _numbers(part)[0] for part in str(text).split(","))
    return low, high


def _centres(text: object) -> str | np.ndarray:
    """A word, numbers, or vectors divided by semicolons."""
    if str(text) in ("quantiles", "kmeans"):
        return str(text)
    rows = [_numbers(part) for part in str(text).split(";")]
    return np.array(rows) if len(rows) > 1 else np.array(rows[0])


def _show_centres(value: str | ArrayLike) -> str:
    if isinstance(value, str):
        return value
    rows = np.atleast_1d(np.asarray(value))
    joined = (_join(row) for row in rows)
    return ";".join(joined) if rows.ndim == 2 else _join(rows)


def _join(values: Iterable[float | None]) -> str:
    return ",".join("none" if value is None else f"{value:.17g}" for value in values)


def _priors(texts: object) -> Priors:
    given = texts if isinstance(texts, Iterable) and not isinstance(texts, str) else [texts]
    priors = {}
    for text in given:
        layer, _, prior = str(text).partition("=")
        name, _, scale = prior.partition(":")
        priors[layer] = (name, float(scale))
    return priors


def _show_priors(value: Priors | None) -> list[str]:
    return [f"{layer}={name}:{scale:.17g}" for layer, (name, scale) in (value or {}).items()]


def _strategy(text: object) -> str | Strategy:
    """A name, or one with options: ``dropout:rate=0.2,prior_length=0.5``."""
    name, _, rest = str(text).partition(":")
    if not rest:
        return name
    pairs = (part.partition("=") for part in _split(rest))
    return STRATEGIES[name](**{key.strip(): _literal(value) for key, _, value in pairs})


def _literal(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _show_strategy(value: str | Strategy) -> str:
    if isinstance(value, str):
        return value
    options = ",".join(
        f"{key}={v if isinstance(v, str) else json.dumps(v)}" for key, v in vars(value).items()
    )
    return f"{value.name}:{options}" if options else value.name


def _strategy_to_json(value: str | Strategy) -> object:
    if isinstance(value, str) or type(value) not in STRATEGIES.values():
        return value if isinstance(value, str) else None
    return {"strategy": value.name, "options": asdict(value)}  # type: ignore[call-overload]


def _strategy_from_json(value: object) -> object:
    if isinstance(value, dict):
        return STRATEGIES[value["strategy"]](**value["options"])
    return value


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _real(text: object) -> float:
    return float(text if isinstance(text, SupportsFloat) else str(text))


def _whole(text: object) -> int:
    return int(text if isinstance(text, SupportsInt) else str(text))


def _maybe_real(text: object) -> float | None:
    return None if _is_none(text) else _real(text)


def _show_whole(value: int | None) -> Text:
    return "none" if value is None else int(value)


def _show_maybe(value: float | None) -> Text:
    return "none" if value is None else float(value)


def _categorical(text: object) -> Columns:
    """``auto``, none, or names and indices of columns."""
    if _is_none(text):
        return None
    if str(text) == "auto":
        return "auto"
    return [int(part) if part.isdigit() else part for part in _split(text)]


def _show_categorical(value: Columns) -> str:
    if value is None or isinstance(value, str):
        return str(value).lower()
    return ",".join(map(str, value))


CATEGORICAL = Form(str, _categorical, _show_categorical, "must be auto, none or names of columns")
INTEGER = Form(
    int,
    lambda value: None if _is_none(value) else _whole(value),
    _show_whole,
    "must be a whole number",
)
REAL = Form(float, _real, float, "must be a number")
WORD = Form(str, str, str, "must be a word")
FLAG = Form(bool, bool, bool, "must be true or false")
SEED = replace(INTEGER, parse=_whole)
MAYBE_REAL = Form(str, _maybe_real, _show_maybe, "must be a number or none")
SIZES = Form(
    str,
    _sizes,
    lambda v: "none" if v is None else ",".join(map(str, v)),
    "must be whole numbers",
    from_json=_tuple,
)
MAYBE_PAIR = Form(
    str,
    _pair,
    lambda v: "none" if v is None else _join(v),
    "must be two numbers, as in 0.05,0.2, or none",
    from_json=_tuple,
)
BOUNDS = Form(str, _bounds, _join, "must be two numbers, as in 0,3", from_json=_tuple)
CENTRES = Form(
    str, _centres, _show_centres, "must be quantiles, kmeans or numbers, vectors as in 0,1;2,3"
)
PRIORS = Form(list[str], _priors, _show_priors, "must look like head=normal:1 or all=l2:1e-4")
STRATEGY = Form(
    str,
    _strategy,
    _show_strategy,
    "must be a strategy's name, with options as in dropout:rate=0.2",
    _strategy_to_json,
    _strategy_from_json,
)
