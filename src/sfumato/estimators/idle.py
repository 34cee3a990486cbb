"""Options that were set and have no effect beside the others: named, not passed over."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import NamedTuple

from sfumato.families._base import Component, options_of
from sfumato.uncertainty._base import Strategy


class Setting(NamedTuple):
    """What decides whether an option has an effect."""

    options: Mapping[str, object]
    strategy: Strategy
    component: Component


class Rule(NamedTuple):
    """When options have an effect, and on what they have none otherwise."""

    names: tuple[str, ...]
    used: Callable[[Setting], bool]
    otherwise: str
    purpose: str


_FAMILY, _STRATEGY = "the family {component.name!r}", "uncertainty={strategy.name!r}"
_EMBEDDING = "embedding={options[embedding]!r}"

RULES = (
    Rule(
        ("bounds",),
        lambda s: s.component.scaling == "bounds",
        _FAMILY,
        "it is for families with two bounds, such as 'beta'",
    ),
    Rule(
        ("trials",),
        lambda s: s.component.needs_trials,
        _FAMILY,
        "it is for 'binomial' and 'multinomial'",
    ),
    Rule(
        ("n_bins",),
        lambda s: bool({"n_bins", "edges"} & {f.name for f in fields(s.component)}),  # type: ignore[arg-type]
        _FAMILY,
        "it is for 'histogram' and 'spline'",
    ),
    Rule(
        ("rank",),
        lambda s: "rank" in options_of(s.component),
        _FAMILY,
        "it is for 'multivariate-normal-low-rank'",
    ),
    Rule(
        ("n_components",),
        lambda s: not s.component.constants,
        _FAMILY,
        "it has a component for each of its places",
    ),
    Rule(
        ("n_members",),
        lambda s: s.strategy.n_members(7) == 7,
        _STRATEGY,
        "that is one network",
    ),
    Rule(
        ("dropout_rate", "dropout_fade"),
        lambda s: not s.strategy.keeps_dropout,
        _STRATEGY,
        "which has a rate of its own, as in MonteCarloDropout(rate=0.1)",
    ),
    Rule(
        ("weight_decay",),
        lambda s: s.strategy.decays,
        _STRATEGY,
        "whose prior takes its place",
    ),
    Rule(
        ("n_frequencies", "frequency_spread", "embedding_size"),
        lambda s: s.options["embedding"] == "periodic",
        _EMBEDDING,
        "it is for 'periodic'",
    ),
    Rule(
        ("max_steps",),
        lambda s: s.options["max_epochs"] is None,
        "max_epochs={options[max_epochs]}",
        "these are the budget",
    ),
)
"""One row for each reason why options may have no effect."""


def warn_of_idle(setting: Setting, defaults: Mapping[str, object]) -> None:
    """Name options that are not at their defaults and have no effect."""
    for rule in RULES:
        if rule.used(setting):
            continue
        for name in rule.names:
            if name in defaults and not _same(setting.options[name], defaults[name]):
                where = rule.otherwise.format(**setting._asdict())
                message = f"`{name}` has no effect on {where}: {rule.purpose}."
                warnings.warn(message, stacklevel=4)


def _same(value: object, default: object) -> bool:
    return value == default or (_is_nothing(value) and _is_nothing(default))


def _is_nothing(value: object) -> bool:
    """Whether a value stands for none: None, or a pair of them."""
    return value is None or value == (None, None)
