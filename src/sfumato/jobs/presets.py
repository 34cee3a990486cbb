"""A domain's ready-made settings, found by name.

A domain announces a `Preset` as an entry point of the group ``sfumato.presets``. It says which
columns a table has to have, makes the configured estimator, and brings options of its own to the
command line. Without one, columns are named one by one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import NamedTuple

from sfumato.engine.plugins import announced
from sfumato.errors import IncompatibleError, choose
from sfumato.estimators.regressor import MDNRegressor
from sfumato.io.tables import TableFile
from sfumato.jobs.columns import Columns
from sfumato.preprocessing import FeatureTransform

GROUP = "sfumato.presets"

Answer = str | bool | None
Answers = Mapping[str, Answer]
Settings = Mapping[str, object]
"""Arguments of `MDNRegressor` by name, as `estimators.options` parses them."""


class Question(NamedTuple):
    """An option that a preset adds to ``fit`` and ``tune``.

    Parameters
    ----------
    name : of the option, with underscores.
    default : text, or a truth value for a switch; None where it must be given.
    help : one line.
    renames : whether ``predict`` asks it too, of tables that name their columns otherwise.
    """

    name: str
    default: Answer
    help: str
    renames: bool = False


class Roles(NamedTuple):
    """What columns are for, besides being features.

    Parameters
    ----------
    targets : the columns to predict.
    weight : the column of row weights, or None.
    features, categorical : names of columns, where they are given one by one.
    noise : template of the columns of the features' standard errors, or None.
    groups : the column of what rows belong to, such as wells, or None.
    """

    targets: tuple[str, ...]
    weight: str | None = None
    features: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    noise: str | None = None
    groups: str | None = None


@dataclass(frozen=True)
class Preset:
    """Settings of a domain.

    Parameters
    ----------
    name : what ``--preset`` calls it.
    help : what it is for, after its name.
    questions : options it adds.
    prepare : roles, answers and settings to the columns to read and the estimator to train.
    kinds : of the feature transforms its estimators have.
    renamed : a model's columns and features, and answers, to the columns of another table.
    derived : a table, a model's columns and features, and answers, to the table with the columns
        that the estimator reads, where these are made of others.
    """

    name: str
    help: str
    questions: tuple[Question, ...]
    prepare: Callable[[Roles, Answers, Settings], tuple[Columns, MDNRegressor]]
    kinds: tuple[str, ...] = ()
    renamed: Callable[[Columns, FeatureTransform, Answers], Columns] = lambda columns, _f, _a: (
        columns
    )
    derived: Callable[[TableFile, Columns, FeatureTransform, Answers], TableFile] = (
        lambda table, _c, _f, _a: table
    )


@cache
def presets() -> dict[str, Preset]:
    """All presets that domains have announced, by name."""
    found = announced(GROUP)
    return {name: preset for name, preset in found.items() if isinstance(preset, Preset)}


def questions(*, renames: bool = False) -> dict[str, Question]:
    """The options of all presets; with `renames`, those that ``predict`` asks too.

    Raises
    ------
    ValueError
        Two presets ask under one name what has different defaults.
    """
    found: dict[str, Question] = {}
    for preset in presets().values():
        for question in preset.questions:
            first = found.setdefault(question.name, question)
            if (first.default, first.renames) != (question.default, question.renames):
                message = f"Two presets ask for --{question.name.replace('_', '-')}"
                raise ValueError(f"{message} with unlike defaults, {preset.name!r} and another.")
    return {name: question for name, question in found.items() if question.renames or not renames}


def prepare(
    roles: Roles, *, preset: str | None, answers: Answers, settings: Settings
) -> tuple[Columns, MDNRegressor]:
    """The columns to read and the estimator to train.

    Raises
    ------
    ValueError
        There is no such preset, or a categorical column is not among the features.
    IncompatibleError
        Options of a preset are given without it, or columns both one by one and by a preset.
    """
    table = presets()
    chosen = None if preset is None else choose(preset, table, what="--preset")
    defaults = {name: question.default for name, question in questions().items()}
    given = {name for name, answer in answers.items() if answer != defaults.get(name)}
    own = {} if chosen is None else {q.name: q.default for q in chosen.questions}
    for other in table.values():
        theirs = {question.name for question in other.questions}
        if strangers := sorted((theirs & given) - own.keys()):
            flag = strangers[0].replace("_", "-")
            raise IncompatibleError(f"--{flag} needs --preset {other.name}.")
    if chosen is None:
        columns, regressor = _named(roles, settings)
        return replace(columns, groups=roles.groups), regressor
    if roles.features or roles.categorical or roles.noise:
        message = f"--preset {chosen.name} names the columns itself"
        raise IncompatibleError(f"{message}: leave out --features, --categorical and --noise.")
    own |= {name: answer for name, answer in answers.items() if name in own}
    columns, regressor = chosen.prepare(roles, own, settings)
    return replace(columns, groups=roles.groups or columns.groups), regressor


def _named(roles: Roles, settings: Settings) -> tuple[Columns, MDNRegressor]:
    """Columns that were named one by one."""
    if not roles.features:
        known = ", ".join(f"--preset {name}" for name in presets())
        raise IncompatibleError(f"Give --features, or the columns of a preset ({known}).")
    strangers = [name for name in roles.categorical if name not in roles.features]
    if strangers:
        raise ValueError(f"--categorical names {strangers[0]!r}, which is not in --features.")
    noise = (
        () if roles.noise is None else from_template(roles.noise, roles.features, option="noise")
    )
    columns = Columns(
        roles.features, roles.targets, roles.weight, categorical=roles.categorical, noise=noise
    )
    categorical = columns.categorical_indices or None
    options: dict = {"categorical": categorical, **settings}
    return columns, MDNRegressor(**options)


def derived(
    table: TableFile, columns: Columns, features: FeatureTransform | None, answers: Answers
) -> TableFile:
    """A table with the columns that an estimator reads; see `Preset`."""
    preset = _preset_of(features)
    if preset is None or features is None:
        return table
    return preset.derived(table, columns, features, answers)


def _preset_of(features: FeatureTransform | None) -> Preset | None:
    """The preset whose estimators have such features."""
    if features is None:
        return None
    return next((p for p in presets().values() if features.kind in p.kinds), None)


def from_template(
    template: str, names: tuple[str, ...], *, option: str, place: str = "column"
) -> tuple[str, ...]:
    """A column for each name from a template such as ``{column}_err``.

    Raises
    ------
    ValueError
        The template has no place for the name.
    """
    mark = f"{{{place}}}"
    if mark not in template:
        raise ValueError(f"--{option} must contain {mark}; got {template!r}.")
    return tuple(template.replace(mark, name) for name in names)


def renamed(columns: Columns, features: FeatureTransform | None, answers: Answers) -> Columns:
    """A model's columns in a table that names them otherwise.

    Raises
    ------
    IncompatibleError
        An answer is given and the model was not fitted with the preset that asks.
    """
    given = {name: answer for name, answer in answers.items() if answer is not None}
    if not given:
        return columns
    preset = _preset_of(features)
    if preset is not None and features is not None:
        own = {question.name for question in preset.questions}
        if given.keys() <= own:
            return preset.renamed(columns, features, given)
        given = {name: answer for name, answer in given.items() if name not in own}
    flags = " and ".join(f"--{name.replace('_', '-')}" for name in sorted(given))
    owners = [p.name for p in presets().values() if {q.name for q in p.questions} & set(given)]
    raise IncompatibleError(f"{flags}: the model was not fitted with --preset {owners[0]}.")
