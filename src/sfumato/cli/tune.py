"""``sfumato tune``: search the parameters of a model, then train the best."""

from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli._console import console, progress
from sfumato.cli._options import Group, Overwrite, Tables, open_tables, split
from sfumato.cli.fit import prepare, settings_of
from sfumato.io._files import check_output
from sfumato.io.models import HEADER
from sfumato.tabular import TabularModel, check_finite, load_training
from sfumato.tuning import SPACE
from sfumato.tuning import tune as search
from sfumato.tuning_page import write_page


def tune(
    tables: Tables,
    target: Annotated[str, typer.Option(help="Column to predict.", show_default=False)],
    output: Annotated[
        Path, typer.Option(help="Folder of the best model, trained anew.", show_default=False)
    ],
    preset: Annotated[
        str | None, typer.Option(help="`photoz`, for magnitudes with errors.")
    ] = None,
    bands: Annotated[
        str | None, typer.Option(help="Bands by wavelength, as in `u,g,r,i,z,y`.")
    ] = None,
    magnitude: Annotated[
        str, typer.Option(help="Template of the magnitude columns.")
    ] = "mag_{band}",
    error: Annotated[
        str | None, typer.Option(help="Template of the error columns; `none` without errors.")
    ] = "mag_err_{band}",
    features: Annotated[str | None, typer.Option(help="Columns, instead of bands.")] = None,
    weight: Annotated[str | None, typer.Option(help="Column of row weights.")] = None,
    family: Annotated[str | None, typer.Option(help="normal, beta, ... or `auto`.")] = None,
    uncertainty: Annotated[str | None, typer.Option(help="As in `sfumato fit`.")] = None,
    members: Annotated[int | None, typer.Option(help="Networks, or draws of weights.")] = None,
    parameters: Annotated[
        str | None, typer.Option(help=f"What to search [all]: {', '.join(SPACE)}.")
    ] = None,
    n_trials: Annotated[int, typer.Option(help="Trials of the study, earlier ones included.")] = 50,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds after which no trial starts.")
    ] = None,
    folds: Annotated[int, typer.Option(help="Folds of the cross-validation.")] = 3,
    pruner: Annotated[str, typer.Option(help="median, asha or none.")] = "median",
    workers: Annotated[int, typer.Option(help="Trials at a time.")] = 1,
    storage: Annotated[
        Path | None, typer.Option(help=".db or .journal file that keeps the study [OUTPUT.db].")
    ] = None,
    page: Annotated[Path | None, typer.Option(help="Page of the study [OUTPUT.html].")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same study.")] = 0,
    group: Group = None,
    overwrite: Overwrite = False,
) -> None:
    """Search architecture and training by cross-validation; train the best on all rows.

    Stopped at any moment, the same command goes on behind the last finished trial. The page shows
    parallel coordinates, importances and the best trials.

    Example:

        sfumato tune table.csv --features a,b,c --target y \\
        --parameters hidden_sizes,learning_rate --n-trials 40 --output model
    """
    check_output(output, overwrite=overwrite, mark=HEADER)
    names = split(parameters) or None
    columns, regressor = prepare(
        preset=preset,
        names=(split(features), split(bands)),
        templates=(magnitude, None if error in (None, "none", "") else error),
        roles={"targets": split(target), "weight": weight, "categorical": (), "noise": ()},
        photometry={},
        settings=settings_of(
            family=family, uncertainty=uncertainty, n_members=members, random_state=seed
        ),
    )
    data = load_training(open_tables(tables, group), columns)
    if regressor.features is None:
        check_finite(data.X, columns, where=str(tables[0]))
    with progress() as bar:
        task = bar.add_task("Searching", total=n_trials)
        result = search(
            regressor,
            data.X,
            data.y,
            sample_weight=data.weight,
            parameters=names,
            n_trials=n_trials,
            timeout=timeout,
            storage=storage or output.with_name(output.name + ".db"),
            pruner=pruner,  # type: ignore[arg-type]
            n_folds=folds,
            n_jobs=workers,
            random_state=seed,
            on_trial=lambda row: bar.update(task, completed=row["number"] + 1),
        )
    where = page or output.with_name(output.name + ".html")
    write_page(result, where)
    best = regressor.set_params(**result.best_parameters).fit(data.X, data.y, data.weight)
    about = {"tables": data.sources, "rows": len(data.y), "tuned": result.best_parameters}
    TabularModel(best, columns, about).write(output)
    console.print(f"Best value {result.best_value:.4f} nats of {len(result.trials)} trials:")
    for name, value in result.best_parameters.items():
        console.print(
            f"  {name} = {value:.4g}" if isinstance(value, float) else f"  {name} = {value}"
        )
    console.print(f"Model written to {output}, page to {where}")
