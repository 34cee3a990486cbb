"""THE table of options: whatever a user may set about a model, one row each.

scikit-learn wants the constructors' signatures written out, and they hold the defaults. All else
is derived from the rows: range checks, the options of ``sfumato fit`` and ``tune``, the keys of
``--config``, the form in model files, the search space, the page of options in the documentation.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from sfumato.estimators.forms import (
    BOUNDS,
    CATEGORICAL,
    CENTRES,
    FLAG,
    INTEGER,
    MAYBE_PAIR,
    MAYBE_REAL,
    PRIORS,
    REAL,
    SEED,
    SIZES,
    STRATEGY,
    WORD,
    Form,
)
from sfumato.estimators.search import Floats, Integers, Layers, Search, Words
from sfumato.families.table import REGRESSION
from sfumato.networks.architecture import BACKBONES, EMBEDDINGS
from sfumato.networks.mlp import ACTIVATIONS
from sfumato.preprocessing import SCALERS
from sfumato.uncertainty._base import Strategy
from sfumato.uncertainty.strategies import STRATEGIES

Value: TypeAlias = object
"""Whatever somebody passed: a row's `holds` looks before anything else does."""


@dataclass(frozen=True)
class Option:
    """One row.

    Parameters
    ----------
    name : of the constructor's argument.
    help : one line for the command line and the documentation.
    form : how its value is written as text and in JSON; None where no text can say it.
    must : what is required of a value, as a message goes on after the name.
    holds : whether a value is as required.
    flag : of the command line, where it is not the name with hyphens.
    search : where ``tune`` looks for it, if it does.
    verb : what sets it on the command line, where it is not an option of its own.
    """

    name: str
    help: str
    form: Form | None = None
    must: str = ""
    holds: Callable[[Value], bool] = lambda _value: True
    flag: str = ""
    search: Search | None = None
    verb: str = ""

    @property
    def flags(self) -> tuple[str, ...]:
        """Names on the command line and in ``--config`` files, the usual one first."""
        plain = self.name.replace("_", "-")
        return (self.flag, plain) if self.flag else (plain,)

    def check(self, value: Value) -> None:
        """Refuse a value that is not as required.

        Raises
        ------
        ValueError
            The message says what is required and what was given.
        """
        if not self.holds(value):
            raise ValueError(f"`{self.name}` {self.must}; got {value!r}.")

    def parse(self, text: object) -> Value:
        """The value that a text of the command line or of a ``--config`` file means.

        Raises
        ------
        ValueError
            The text is not of the form.
        """
        if self.form is None:
            raise ValueError(f"`{self.name}` cannot be given as text.")
        try:
            return self.form.parse(text)
        except (ValueError, TypeError, IndexError) as error:
            raise ValueError(f"--{self.flags[0]} {self.form.must}; got {text!r}.") from error


def _is_whole(value: Value) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _count(value: Value) -> bool:
    return _is_whole(value) and value >= 1  # type: ignore[operator]


def _in(low: float, high: float, *, low_open: bool, high_open: bool) -> Callable[[Value], bool]:
    def holds(value: Value) -> bool:
        if not _is_number(value):
            return False
        number = float(value)  # type: ignore[arg-type]
        above = low < number if low_open else low <= number
        return above and (number < high if high_open else number <= high)

    return holds


def _or_none(holds: Callable[[Value], bool]) -> Callable[[Value], bool]:
    return lambda value: value is None or holds(value)


def _sizes(value: Value) -> bool:
    return isinstance(value, tuple | list) and len(value) > 0 and all(_count(v) for v in value)


def _fade(value: Value) -> bool:
    pair = isinstance(value, tuple | list) and len(value) == 2 and all(map(_is_number, value))
    return pair and 0 <= value[0] <= value[1]  # type: ignore[index]


def _bounds(value: Value) -> bool:
    pair = isinstance(value, tuple | list) and len(value) == 2
    return pair and all(b is None or (_is_number(b) and np.isfinite(b)) for b in value)  # type: ignore[union-attr]


def _count_row(
    name: str, text: str, *, none: bool = False, flag: str = "", search: Search | None = None
) -> Option:
    holds = _or_none(_count) if none else _count
    return Option(
        name,
        text,
        INTEGER,
        "must be an integer of at least 1",
        holds,
        flag=flag,
        search=search,
    )


def _real_row(
    name: str,
    text: str,
    *,
    must: str,
    within: Callable[[Value], bool],
    form: Form = REAL,
    search: Search | None = None,
) -> Option:
    return Option(name, text, form, must, within, search=search)


def _word_row(name: str, text: str, words: Mapping | tuple, search: Search | None = None) -> Option:
    allowed = ", ".join(map(repr, words))
    return Option(
        name,
        f"{text}: {', '.join(words)}.",
        WORD,
        f"must be one of {allowed}",
        lambda value: isinstance(value, str) and value in words,
        search=search,
    )


_POSITIVE = _in(0, np.inf, low_open=True, high_open=True)
_SHARE = _in(0, 1, low_open=False, high_open=True)

_MODEL: tuple[Option, ...] = (
    _word_row("family", "Family of the target", ("auto", *REGRESSION)),
    _count_row(
        "n_components",
        "Components of each network's mixture.",
        flag="components",
        search=Integers(1, 10),
    ),
    Option(
        "bounds",
        "Range of the target, as in `0,3`; `none` in a place takes it from the data.",
        BOUNDS,
        "must be a pair of finite numbers or None",
        _or_none(_bounds),
    ),
    _count_row("trials", "Trials of `binomial` and `multinomial`.", none=True),
    _count_row("n_bins", "Bins of `histogram` and `spline`."),
    _count_row("rank", "Rank of `multivariate-normal-low-rank`."),
    Option("centres", "Where components start: `quantiles`, `kmeans`, or the centres.", CENTRES),
    Option(
        "uncertainty",
        f"What weights are uncertain about: {', '.join(STRATEGIES)}; with options as in "
        "`dropout:rate=0.2`.",
        STRATEGY,
        f"must be one of {', '.join(map(repr, STRATEGIES))}",
        lambda value: isinstance(value, Strategy) or value in STRATEGIES,
    ),
    _count_row("n_members", "Networks, or draws of their weights.", none=True, flag="members"),
    Option(
        "priors",
        "Prior or penalty of a layer, as in `head=normal:1` or `all=l2:1e-4`.",
        PRIORS,
        flag="prior",
    ),
    _word_row("backbone", "Dense layers", BACKBONES),
    Option(
        "hidden_sizes",
        "Widths of the hidden layers, as in `128,128,128`.",
        SIZES,
        "must be positive integers",
        _or_none(_sizes),
        flag="hidden",
        search=Layers(16, 256, most=3),
    ),
    _word_row("activation", "Of the hidden layers", ACTIVATIONS, Words(sorted(ACTIVATIONS))),
    _real_row(
        "dropout_rate",
        "Share of activations dropped while training.",
        must="must lie in [0, 1)",
        within=_SHARE,
        search=Floats(0.0, 0.3),
    ),
    Option(
        "dropout_fade",
        "Shares of the run between which dropout fades, as in `0.05,0.2`; `none` keeps it.",
        MAYBE_PAIR,
        "must increase from 0 on",
        _or_none(_fade),
    ),
    _word_row("embedding", "Of numbers", EMBEDDINGS),
    _count_row("n_frequencies", "Frequencies of the periodic embedding."),
    _real_row(
        "frequency_spread",
        "Their first deviation, cycles per scaled unit.",
        must="must be positive",
        within=_POSITIVE,
    ),
    _count_row("embedding_size", "Numbers that a feature becomes in the periodic embedding."),
    _word_row("x_scaler", "Scaling of the features", SCALERS),
    Option("features", "Transform of the columns.", verb="--preset"),
    Option(
        "categorical",
        "Those of the columns that hold words or codes.",
        CATEGORICAL,
        verb="--categorical, names of columns",
    ),
    _word_row("missing", "Missing features, refused or filled and flagged", ("error", "flag")),
)

_TRAINING: tuple[Option, ...] = (
    _real_row(
        "learning_rate",
        "Peak learning rate.",
        must="must be positive",
        within=_POSITIVE,
        search=Floats(1e-4, 5e-2, log=True),
    ),
    _real_row(
        "weight_decay",
        "Decay of the weights per step, times the rate.",
        must="must be at least 0",
        within=_in(0, np.inf, low_open=False, high_open=True),
        search=Floats(1e-6, 1e-1, log=True),
    ),
    _real_row(
        "averaging",
        "Decay of the running mean of the weights that is kept.",
        must="must lie in [0, 1)",
        within=_SHARE,
    ),
    _count_row("batch_size", "Rows of one step.", none=True, search=Integers(32, 512, log=True)),
    _count_row(
        "max_epochs",
        "Most passes over the data.",
        none=True,
        flag="epochs",
        search=Integers(30, 300, log=True),
    ),
    _count_row(
        "max_steps",
        "Steps of training, where no number of epochs is given.",
        none=True,
        flag="steps",
    ),
    _real_row(
        "patience",
        "Epochs without improvement before it stops; below 1 a share of all; `none` for never.",
        must="must be positive or None",
        within=_or_none(_in(0, np.inf, low_open=True, high_open=False)),
        form=MAYBE_REAL,
    ),
    _real_row(
        "validation_fraction",
        "Share of the rows that each network holds out.",
        must="must lie in (0, 0.5]",
        within=_or_none(_in(0, 0.5, low_open=True, high_open=False)),
        form=MAYBE_REAL,
    ),
    Option(
        "recalibrate",
        "Sharpen or widen by what held-out rows ask for.",
        FLAG,
        "must be True or False",
        lambda value: isinstance(value, bool | np.bool_),
    ),
    Option("random_state", "Seed: the same gives the same model.", SEED, flag="seed"),
    Option("on_epoch", "Called after every epoch.", verb="the progress bar"),
)

PANELS: dict[str, tuple[Option, ...]] = {"Model": _MODEL, "Training": _TRAINING}
"""The rows by the heading they are shown under."""

OPTIONS: tuple[Option, ...] = (*_MODEL, *_TRAINING)

TABLE: dict[str, Option] = {option.name: option for option in OPTIONS}
"""The rows by the name of the constructor's argument."""

SPACE: dict[str, Search] = {o.name: o.search for o in OPTIONS if o.search is not None}
"""What `tune` can search."""


def check_options(parameters: Mapping[str, Value]) -> None:
    """Refuse constructor arguments out of range; scikit-learn forbids checking them earlier.

    Raises
    ------
    ValueError
        The message names the argument, what is required and what was given.
    """
    for name, value in parameters.items():
        TABLE[name].check(value)


def to_json(parameters: Mapping[str, Value]) -> dict[str, Value]:
    """Constructor arguments in JSON's types; what has no such form becomes null."""
    forms = {name: TABLE[name].form for name in parameters}
    return {n: None if f is None else f.to_json(parameters[n]) for n, f in forms.items()}


def from_json(stored: Mapping[str, Value]) -> dict[str, Value]:
    """The inverse of `to_json`.

    Raises
    ------
    ValueError
        An argument is unknown.
    """
    if extra := sorted(set(stored) - set(TABLE)):
        raise ValueError(f"unknown parameters {extra}")
    forms = {name: TABLE[name].form for name in stored}
    return {n: stored[n] if f is None else f.from_json(stored[n]) for n, f in forms.items()}
