"""A search on tables, its page, its settings as TOML, and the best model: ``sfumato tune``."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from sfumato.errors import IncompatibleError
from sfumato.estimators.options import SPACE, TABLE
from sfumato.io._files import reserved, whole
from sfumato.io.archive import FOLDER
from sfumato.io.tables import DEFAULT, Reading
from sfumato.jobs.fitting import open_task
from sfumato.jobs.model_files import TabularModel
from sfumato.jobs.presets import Answers, Roles, Settings, questions
from sfumato.jobs.search import TuningResult, tune
from sfumato.jobs.search_page import write_page


class Tuned(NamedTuple):
    """What a search on tables leaves: its result, the model, its page and its settings."""

    result: TuningResult
    model: TabularModel
    page: Path
    config: Path


def tune_tables(
    tables: Sequence[Path | str],
    output: Path | str,
    *,
    roles: Roles,
    preset: str | None = None,
    answers: Answers | None = None,
    settings: Settings | None = None,
    parameters: Sequence[str] | None = None,
    n_trials: int = 50,
    timeout: float | None = None,
    n_folds: int = 3,
    pruner: Literal["median", "asha", "none"] = "median",
    n_jobs: int = 1,
    storage: Path | None = None,
    page: Path | None = None,
    reading: Reading = DEFAULT,
    drop_missing: bool = False,
    overwrite: bool = False,
    on_trial: Callable[[dict[str, object]], None] | None = None,
) -> Tuned:
    """Search settings by cross-validation, train the best on all rows and write its folder.

    Beside the folder lie the study (``.db``), its page (``.html``) and the settings found
    (``.toml``), which ``sfumato fit --config`` takes.

    Parameters
    ----------
    tables, roles, preset, answers, settings, reading, drop_missing, overwrite : as in
        `fit_tables`; the `random_state` among the settings is also that of the search.
    parameters : names in `SPACE`; None for all that `settings` does not give.
    n_trials, timeout, n_folds, pruner, n_jobs, on_trial : as in `tune`.
    storage, page : of the study, if not beside the output.

    Raises
    ------
    DataError, IncompatibleError, ValueError
        As `fit_tables` and `tune`.
    """
    output = Path(output)
    with reserved(output, overwrite=overwrite, folder=FOLDER):
        given = {"random_state": 0, **(settings or {})}
        task = open_task(
            tables,
            roles,
            preset=preset,
            answers=answers,
            settings=given,
            reading=reading,
            drop_missing=drop_missing,
        )
        result = tune(
            task.regressor,
            task.data.X,
            task.data.y,
            sample_weight=task.data.weight,
            X_err=task.data.X_err,
            groups=task.data.groups,
            parameters=_searched(parameters, given),
            n_trials=n_trials,
            timeout=timeout,
            storage=storage or output.with_name(output.name + ".db"),
            pruner=pruner,
            n_folds=n_folds,
            n_jobs=n_jobs,
            random_state=given["random_state"],
            on_trial=on_trial,
        )
        where = page or output.with_name(output.name + ".html")
        write_page(result, where)
        task.regressor.set_params(**result.best_parameters)
        model = task.finish(task.data.weight, tuned=result.best_parameters)
        model.write(output)
        config = output.with_name(output.name + ".toml")
        options = {
            **_asked(roles, preset, answers or {}),
            **reading.options,
            **({"drop-missing": True} if drop_missing else {}),
            **as_text({**given, **result.best_parameters}),
        }
        with whole(config) as temporary:
            temporary.write_text(to_toml(options), encoding="utf-8")
        return Tuned(result, model, where, config)


def _searched(parameters: Sequence[str] | None, given: Settings) -> Sequence[str]:
    """What is searched: what was asked for, or all that is not given."""
    if parameters is None:
        return [name for name in SPACE if name not in given]
    if both := [name for name in parameters if name in given]:
        message = f"--{TABLE[both[0]].flags[0]} is given and searched as well"
        raise IncompatibleError(f"{message}. Leave it out, or name other parameters.")
    return parameters


def _asked(roles: Roles, preset: str | None, answers: Answers) -> dict[str, object]:
    """Options of the columns, as they were given."""
    defaults = {name: question.default for name, question in questions().items()}
    values: dict[str, object] = {
        "target": ",".join(roles.targets),
        "weight": roles.weight,
        "groups": roles.groups,
        "features": ",".join(roles.features),
        "categorical": ",".join(roles.categorical),
        "noise": roles.noise,
        "preset": preset,
    }
    values |= {n: v for n, v in answers.items() if v is not None and v != defaults.get(n)}
    return {n.replace("_", "-"): v for n, v in values.items() if v not in (None, "")}


def as_text(settings: Mapping[str, object]) -> dict[str, object]:
    """Arguments of an estimator as options of the command line; those at None are left out."""
    out: dict[str, object] = {}
    for name, value in settings.items():
        option = TABLE[name]
        if option.form is not None and not option.verb and value is not None:
            out[option.flags[0]] = option.form.show(value)
    return out


def to_toml(values: Mapping[str, object]) -> str:
    """Lines of a TOML file; strings, numbers, truth values and lists of them are as in JSON."""
    return "".join(
        f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items()
    )
