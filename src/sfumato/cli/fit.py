"""``sfumato fit``: train a model on tables."""

from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli._bundles import takes
from sfumato.cli._console import console, progress
from sfumato.cli._model_options import MODEL, ROLES, Config, ModelChoices
from sfumato.cli._options import READING, DropMissing, Overwrite, Tables
from sfumato.estimators.regressor import MDNRegressor
from sfumato.io.tables import Reading
from sfumato.jobs.fitting import fit_tables
from sfumato.jobs.presets import Roles


@takes(roles=ROLES, reading=READING, model=MODEL)
def fit(
    tables: Tables,
    output: Annotated[Path, typer.Option(help="Folder of the model.", show_default=False)],
    *,
    roles: Roles,
    shift_to: Annotated[
        Path | None,
        typer.Option(help="Table to predict: weigh rows by how like its rows they are."),
    ] = None,
    validation: Annotated[
        Path | None,
        typer.Option(help="Table to stop by and recalibrate with; no network trains on it."),
    ] = None,
    drop_missing: DropMissing = False,
    reading: Reading,
    overwrite: Overwrite = False,
    config: Config = None,
    model: ModelChoices,
) -> None:
    """Train a model: a mixture density network ensemble.

    Examples
    --------
        sfumato fit survey/train.parquet \\
        --preset photoz --bands u,g,r,i,z,y \\
        --magnitude 'mag_{band}_lsst' --error 'mag_err_{band}_lsst' \\
        --target redshift --output model

        sfumato fit table.csv --features a,b,c --target y --family auto --output model
    """
    with progress() as bar:
        task = bar.add_task("Compiling", total=None)
        fitted = fit_tables(
            tables,
            output,
            roles=roles,
            **model._asdict(),
            reading=reading,
            drop_missing=drop_missing,
            shift_to=shift_to,
            validation=validation,
            config=config,
            overwrite=overwrite,
            on_start=lambda regressor: bar.update(task, total=regressor.max_epochs),
            on_epoch=lambda epoch, train, valid: bar.update(
                task,
                completed=epoch + 1,
                description=f"Training  loss {train:.3f}  valid {valid:.3f}",
            ),
        )
    _report(fitted.regressor, output)
    if (size := fitted.about["effective_rows"]) is not None:
        n_rows = fitted.about["rows"]
        console.print(f"With their weights, {n_rows:,} rows are worth {size:,.0f} of equal weight.")


def _report(regressor: MDNRegressor, output: Path) -> None:
    history = regressor.history_
    console.print(
        f"Best epochs {', '.join(str(epoch + 1) for epoch in history.best_epoch)} of "
        f"{history.n_epochs}; validation loss {history.valid_loss.min(axis=0).mean():.3f} nats."
    )
    if regressor.family == "auto":
        console.print(f"Family {regressor.family_.component.name}: {regressor.family_reason_}.")
    if regressor.n_clipped_:
        low, high = regressor.family_.support
        where = f"on or beyond the bounds {low:g} and {high:g}"
        console.print(f"{regressor.n_clipped_} targets lay {where} and were moved in.")
    if (skipped := int(history.n_skipped_steps.sum())) > 0:
        console.print(f"{skipped} steps were left out: their gradients were not finite.")
    console.print(f"Model written to {output}")
