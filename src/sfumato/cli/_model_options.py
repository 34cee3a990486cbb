"""Options that ``fit`` and ``tune`` share: those of the model, and those of the presets.

Both are generated: a row of `estimators.options` and a question of a preset are written once.
"""

import inspect
from pathlib import Path
from typing import Annotated, NamedTuple, Optional, cast

import typer

from sfumato.cli._bundles import REQUIRED, Bundle, option, text_option
from sfumato.cli._options import from_config, split
from sfumato.estimators.options import OPTIONS, PANELS, Option
from sfumato.jobs.presets import Answers, Roles, Settings, presets, questions

ASKED = {row.name: row for row in OPTIONS if not row.verb}
"""Rows that are options of their own on the command line."""

Config = Annotated[
    Path | None,
    typer.Option(
        help="TOML file of options, such as `members = 3`; the command line wins.",
        callback=from_config,
        is_eager=True,
    ),
]


_COLUMNS, _PRESET = "Columns", "Preset"


class ModelChoices(NamedTuple):
    """The model that is asked for: a preset, answers to its questions, settings of its own."""

    preset: str | None
    answers: Answers
    settings: Settings


def _parameter(row: Option, panel: str) -> inspect.Parameter:
    """One row as Typer's parameter; None means that it was not given."""
    assert row.form is not None  # noqa: S101 - those without have a `verb`
    kind, flags = row.form.kind, [f"--{flag}" for flag in row.flags]
    if kind is bool:
        flags = [f"--{flag}/--no-{flag}" for flag in row.flags]
    return option(
        row.name,
        Optional[kind],  # noqa: UP045 - list[str] is no type
        typer.Option(*flags, help=row.help),
        panel=panel,
    )


def _rows() -> list[inspect.Parameter]:
    """The rows that are options of their own, by their headings."""
    return [
        _parameter(row, panel) for panel, rows in PANELS.items() for row in rows if not row.verb
    ]


def _preset() -> inspect.Parameter:
    known = "; ".join(f"`{preset.name}`, {preset.help}" for preset in presets().values())
    declared = typer.Option(help=f"A domain's settings: {known}.")
    return option("preset", str | None, declared, panel=_PRESET)


def _questions() -> list[inspect.Parameter]:
    return [
        option(
            question.name,
            bool if isinstance(question.default, bool) else str | None,
            typer.Option(*_switch(question.name, question.default), help=question.help),
            default=question.default,
            panel=_PRESET,
        )
        for question in questions().values()
    ]


def _switch(name: str, default: object) -> list[str]:
    """Flags of a question: a switch that is off has no counterpart to turn it off."""
    flag = f"--{name.replace('_', '-')}"
    return [f"{flag}/--no-{name.replace('_', '-')}"] if default is True else [flag]


def _choices(preset: str | None, **values: object) -> ModelChoices:
    settings = {
        name: row.parse(values[name])
        for name, row in ASKED.items()
        if values.get(name) not in (None, [], ())
    }
    return ModelChoices(preset, _answers(**{name: values[name] for name in questions()}), settings)


def _roles(
    target: str,
    features: str | None,
    categorical: str | None,
    noise: str | None,
    weight: str | None,
    groups: str | None,
) -> Roles:
    return Roles(split(target), weight, split(features), split(categorical), noise, groups)


def _answers(**values: object) -> Answers:
    return cast(Answers, values)


ROLES = Bundle(
    [
        option(
            "target",
            str,
            typer.Option(
                help="Column to predict; of vectors, all, as in `a,b`.", show_default=False
            ),
            default=REQUIRED,
            panel=_COLUMNS,
        ),
        text_option(
            "features", "Columns to predict from, where no preset names them.", panel=_COLUMNS
        ),
        text_option(
            "categorical", "Those of the columns that hold words or codes.", panel=_COLUMNS
        ),
        text_option(
            "noise",
            "Template of the columns' standard errors, as in `{column}_err`.",
            panel=_COLUMNS,
        ),
        text_option("weight", "Column of row weights.", panel=_COLUMNS),
        text_option(
            "groups",
            "Column of what rows belong to (wells, fields): whole groups are held out in training.",
            panel=_COLUMNS,
        ),
    ],
    _roles,
)
"""What the columns are for."""

MODEL = Bundle([_preset(), *_questions(), *_rows()], _choices)
"""What the model is to be."""

RENAMES = Bundle(
    [
        text_option(name, f"{row.help.rstrip('.')}, if not the model's.")
        for name, row in questions(renames=True).items()
    ],
    _answers,
)
"""Questions that ``predict`` asks too, without defaults."""
