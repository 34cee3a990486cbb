"""Options that ``fit`` and ``tune`` share: those of the model, and those of the presets.

Both are generated: a row of `estimators.options` and a question of a preset are written once.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from sfumato._typing import Foreign
from sfumato.cli._options import from_config, split
from sfumato.estimators.options import OPTIONS, Option
from sfumato.jobs.presets import Answers, Roles, Settings, presets, questions

ASKED = {option.name: option for option in OPTIONS if not option.verb}
"""Rows that are options of their own on the command line."""

Values = dict[str, Foreign]
"""What Typer parsed, by the name of the parameter."""

Target = Annotated[
    str,
    typer.Option(help="Column to predict; of vectors, all, as in `a,b`.", show_default=False),
]
Features = Annotated[
    str | None, typer.Option(help="Columns to predict from, where no preset names them.")
]
Categorical = Annotated[
    str | None, typer.Option(help="Those of the columns that hold words or codes.")
]
Noise = Annotated[
    str | None,
    typer.Option(help="Template of the columns' standard errors, as in `{column}_err`."),
]
Weight = Annotated[str | None, typer.Option(help="Column of row weights.")]
Config = Annotated[
    Path | None,
    typer.Option(
        help="TOML file of options, such as `members = 3`; the command line wins.",
        callback=from_config,
        is_eager=True,
    ),
]


def takes_model_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options of models and presets in the place of its ``**values``."""
    added = [_preset_parameter(), *_question_parameters(), *map(_parameter, ASKED.values())]
    return with_parameters(command, added)


def _keyword(
    name: str, kind: Foreign, option: Foreign, *, default: object = None
) -> inspect.Parameter:
    annotation = Annotated[kind, option]
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def _parameter(option: Option) -> inspect.Parameter:
    """One row as Typer's parameter; None means that it was not given."""
    assert option.form is not None  # noqa: S101 - those without have a `verb`
    kind, flags = option.form.kind, [f"--{flag}" for flag in option.flags]
    if kind is bool:
        flags = [f"--{flag}/--no-{flag}" for flag in option.flags]
    return _keyword(option.name, kind | None, typer.Option(*flags, help=option.help))


def _preset_parameter() -> inspect.Parameter:
    known = "; ".join(f"`{preset.name}`, {preset.help}" for preset in presets().values())
    return _keyword("preset", str | None, typer.Option(help=f"A domain's settings: {known}."))


def _question_parameters() -> list[inspect.Parameter]:
    return [
        _keyword(
            question.name,
            bool if isinstance(question.default, bool) else str | None,
            typer.Option(*_switch(question.name, question.default), help=question.help),
            default=question.default,
        )
        for question in questions().values()
    ]


def _switch(name: str, default: object) -> list[str]:
    """Flags of a question: a switch that is off has no counterpart to turn it off."""
    flag = f"--{name.replace('_', '-')}"
    return [f"{flag}/--no-{name.replace('_', '-')}"] if default is True else [flag]


def settings_of(values: Values) -> Settings:
    """Arguments of the estimator that were given, parsed."""
    return {
        name: option.parse(values[name])
        for name, option in ASKED.items()
        if values.get(name) not in (None, [], ())
    }


def answers_of(values: Values) -> Answers:
    """Answers to the presets' questions."""
    return {name: values[name] for name in questions()}


def roles_of(
    target: str,
    *,
    weight: str | None,
    features: str | None,
    categorical: str | None,
    noise: str | None,
) -> Roles:
    """What the columns are for."""
    return Roles(split(target), weight, split(features), split(categorical), noise)


def renaming_parameters() -> list[inspect.Parameter]:
    """Questions that ``predict`` asks too, without defaults."""
    return [
        _keyword(
            name,
            str | None,
            typer.Option(help=f"{question.help.rstrip('.')}, if not the model's."),
        )
        for name, question in questions(renames=True).items()
    ]


def with_parameters(
    command: Callable[..., None], added: list[inspect.Parameter]
) -> Callable[..., None]:
    """The command with parameters in the place of its ``**values``."""
    own = list(inspect.signature(command).parameters.values())[:-1]
    generated: Foreign = command  # Typer reads these two attributes of a function
    generated.__signature__ = inspect.Signature(own + added)
    generated.__annotations__ = {p.name: p.annotation for p in own + added}
    return generated
