"""How a value is written: as text of a command line or a TOML file, and in JSON."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np

from sfumato._typing import Given
from sfumato.uncertainty._base import Strategy
from sfumato.uncertainty.strategies import STRATEGIES

Text = str | int | float | bool | list[str]


def plain(value: Given) -> Given:  # whatever a user passed
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
class Form:
    """One way to write values.

    Parameters
    ----------
    kind : of the command line's own parsing.
    parse : text to value; a `ValueError` where it is none.
    show : value to what `parse` reads, for TOML.
    must : what is required of the text, as a message goes on after the option.
    to_json, from_json : to and from JSON's types.
    """

    kind: type | Given  # list[str] is no type
    parse: Callable[[Given], Given]
    show: Callable[[Given], Text]
    must: str
    to_json: Callable[[Given], Given] = plain
    from_json: Callable[[Given], Given] = lambda value: value


def _split(text: Given) -> list[str]:
    return [part.strip() for part in str(text).split(",") if part.strip()]


def _is_none(text: Given) -> bool:
    return str(text).strip().lower() in ("none", "")


def _numbers(text: Given) -> tuple[float, ...]:
    values = tuple(float(part) for part in _split(text))
    if not values or not all(map(np.isfinite, values)):
        raise ValueError("not numbers")
    return values


def _sizes(text: Given) -> tuple[int, ...] | None:
    if _is_none(text):
        return None
    return tuple(int(part) for part in _split(text))


def _pair(text: Given) -> tuple[float, float] | None:
    if _is_none(text):
        return None
    first, second = _numbers(text)
    return first, second


def _bounds(text: Given) -> tuple[float | None, float | None]:
    low, high = (None if _is_none(part) else _numbers(part)[0] for part in str(text).split(","))
    return low, high


def _centres(text: Given) -> Given:
    """A word, numbers, or vectors divided by semicolons."""
    if str(text) in ("quantiles", "kmeans"):
        return str(text)
    rows = [_numbers(part) for part in str(text).split(";")]
    return np.array(rows) if len(rows) > 1 else np.array(rows[0])


def _show_centres(value: Given) -> str:
    if isinstance(value, str):
        return value
    rows = np.atleast_1d(np.asarray(value))
    joined = (_join(row) for row in rows)
    return ";".join(joined) if rows.ndim == 2 else _join(rows)


def _join(values: Given) -> str:
    return ",".join("none" if value is None else f"{value:.17g}" for value in values)


def _priors(texts: Given) -> dict[str, tuple[str, float]]:
    given = [texts] if isinstance(texts, str) else list(texts)
    priors = {}
    for text in given:
        layer, _, prior = text.partition("=")
        name, _, scale = prior.partition(":")
        priors[layer] = (name, float(scale))
    return priors


def _show_priors(value: Given) -> list[str]:
    return [f"{layer}={name}:{scale:.17g}" for layer, (name, scale) in (value or {}).items()]


def _strategy(text: Given) -> str | Strategy:
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


def _strategy_to_json(value: str | Strategy) -> Given:
    if isinstance(value, str) or type(value) not in STRATEGIES.values():
        return value if isinstance(value, str) else None
    return {"strategy": value.name, "options": asdict(value)}  # type: ignore[call-overload]


def _strategy_from_json(value: Given) -> Given:
    if isinstance(value, dict):
        return STRATEGIES[value["strategy"]](**value["options"])
    return value


def _tuple(value: Given) -> Given:
    return None if value is None else tuple(value)


def _maybe_real(text: Given) -> float | None:
    return None if _is_none(text) else float(text)


def _show_maybe(value: float | None) -> Text:
    return "none" if value is None else float(value)


def _categorical(text: Given) -> Given:
    """``auto``, none, or names and indices of columns."""
    if _is_none(text):
        return None
    if str(text) == "auto":
        return "auto"
    return [int(part) if part.isdigit() else part for part in _split(text)]


def _show_categorical(value: Given) -> str:
    if value is None or isinstance(value, str):
        return str(value).lower()
    return ",".join(map(str, value))


CATEGORICAL = Form(str, _categorical, _show_categorical, "must be auto, none or names of columns")
INTEGER = Form(
    int, lambda value: None if _is_none(value) else int(value), int, "must be a whole number"
)
REAL = Form(float, float, float, "must be a number")
WORD = Form(str, str, str, "must be a word")
FLAG = Form(bool, bool, bool, "must be true or false")
SEED = replace(INTEGER, parse=int)
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
