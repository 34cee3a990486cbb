"""``sfumato tune``: search the parameters of a model, then train the best."""

from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from sfumato.cli._bundles import takes
from sfumato.cli._console import console, progress
from sfumato.cli._model_options import MODEL, ROLES, Config, ModelChoices
from sfumato.cli._options import READING, DropMissing, Overwrite, Tables, split
from sfumato.estimators.options import SPACE
from sfumato.io.tables import Reading
from sfumato.jobs.presets import Roles
from sfumato.jobs.tuning import tune_tables


@takes(roles=ROLES, reading=READING, model=MODEL)
def tune(
    tables: Tables,
    output: Annotated[
        Path, typer.Option(help="Folder of the best model, trained anew.", show_default=False)
    ],
    *,
    roles: Roles,
    parameters: Annotated[
        str | None, typer.Option(help=f"What to search [all]: {', '.join(SPACE)}.")
    ] = None,
    n_trials: Annotated[int, typer.Option(help="Trials of the study, earlier ones included.")] = 50,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds after which no trial starts.")
    ] = None,
    folds: Annotated[int, typer.Option(help="Folds of the cross-validation.")] = 3,
    pruner: Annotated[
        Literal["median", "asha", "none"], typer.Option(help="What stops hopeless trials.")
    ] = "median",
    workers: Annotated[int, typer.Option(help="Trials at a time.")] = 1,
    storage: Annotated[
        Path | None, typer.Option(help=".db or .journal file that keeps the study [OUTPUT.db].")
    ] = None,
    page: Annotated[Path | None, typer.Option(help="Page of the study [OUTPUT.html].")] = None,
    drop_missing: DropMissing = False,
    reading: Reading,
    overwrite: Overwrite = False,
    config: Config = None,
    model: ModelChoices,
) -> None:
    """Search architecture and training by cross-validation; train the best on all rows.

    Stopped at any moment, the same command goes on behind the last finished trial. The page shows
    parallel coordinates, importances and the best trials; OUTPUT.toml holds the settings found,
    for `sfumato fit --config`.

    Example:

        sfumato tune table.csv --features a,b,c --target y \\
        --parameters hidden_sizes,learning_rate --n-trials 40 --output model
    """
    with progress() as bar:
        task = bar.add_task("Searching", total=n_trials)
        found = tune_tables(
            tables,
            output,
            roles=roles,
            **model._asdict(),
            parameters=split(parameters) or None,
            n_trials=n_trials,
            timeout=timeout,
            n_folds=folds,
            pruner=pruner,
            n_jobs=workers,
            storage=storage,
            page=page,
            reading=reading,
            drop_missing=drop_missing,
            overwrite=overwrite,
            on_trial=lambda row: bar.update(task, completed=cast(int, row["number"]) + 1),
        )
    result = found.result
    console.print(f"Best value {result.best_value:.4f} nats of {len(result.trials)} trials:")
    for name, value in result.best_parameters.items():
        shown = f"{value:.4g}" if isinstance(value, float) else value
        console.print(f"  {name} = {shown}")
    console.print(f"Model written to {output}, page to {found.page}, settings to {found.config}")
