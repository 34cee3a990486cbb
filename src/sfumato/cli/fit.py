"""``sfumato fit``: train a model on tables."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sfumato.cli._console import console, progress
from sfumato.cli._options import (
    Group,
    Overwrite,
    Tables,
    band_columns,
    from_config,
    numbers,
    open_tables,
    split,
)
from sfumato.errors import IncompatibleError
from sfumato.io._files import check_output
from sfumato.io.models import HEADER
from sfumato.photoz import presets
from sfumato.regression import MDNRegressor
from sfumato.tabular import Columns, TabularModel, check_finite, load_training


def fit(
    tables: Tables,
    target: Annotated[str, typer.Option(help="Column to predict.", show_default=False)],
    output: Annotated[Path, typer.Option(help="Folder of the model.", show_default=False)],
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
    flux: Annotated[bool, typer.Option("--flux", help="The columns hold fluxes.")] = False,
    error_features: Annotated[
        bool, typer.Option(help="Let the network see the errors, beside training with them.")
    ] = True,
    features: Annotated[str | None, typer.Option(help="Columns, instead of bands.")] = None,
    weight: Annotated[str | None, typer.Option(help="Column of row weights.")] = None,
    family: Annotated[str | None, typer.Option(help="`beta` or `normal`.")] = None,
    components: Annotated[int | None, typer.Option(help="Components of each network.")] = None,
    members: Annotated[int | None, typer.Option(help="Networks in the ensemble.")] = None,
    hidden: Annotated[str | None, typer.Option(help="Hidden layers, as in `128,128,128`.")] = None,
    activation: Annotated[str | None, typer.Option(help="silu, gelu, relu or tanh.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Most passes over the data.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows of one step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak learning rate.")] = None,
    bounds: Annotated[str | None, typer.Option(help="Range of the target, as in `0,3`.")] = None,
    recalibrate: Annotated[
        bool | None, typer.Option(help="Sharpen or widen by what held-out rows ask for.")
    ] = None,
    drop_missing: Annotated[
        bool, typer.Option("--drop-missing", help="Leave out rows without a target.")
    ] = False,
    seed: Annotated[int, typer.Option(help="The same seed gives the same model.")] = 0,
    group: Group = None,
    overwrite: Overwrite = False,
    config: Annotated[
        Path | None,
        typer.Option(
            help="TOML file of options, such as `members = 3`; the command line wins.",
            callback=from_config,
            is_eager=True,
        ),
    ] = None,
) -> None:
    """Train a model: a mixture density network ensemble.

    Examples
    --------
        sfumato fit survey/train.parquet \\
        --preset photoz --bands u,g,r,i,z,y \\
        --magnitude 'mag_{band}_lsst' --error 'mag_err_{band}_lsst' \\
        --target redshift --output model

        sfumato fit table.csv --features a,b,c --target y --output model
    """
    check_output(output, overwrite=overwrite, mark=HEADER)
    settings = _settings(
        family=family,
        n_components=components,
        n_members=members,
        hidden_sizes=_hidden(hidden),
        activation=activation,
        max_epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        bounds=_bounds(bounds),
        recalibrate=recalibrate,
        random_state=seed,
    )
    error = None if error in (None, "none", "") else error
    columns, regressor = _prepare(
        preset=preset,
        names=(split(features), split(bands)),
        templates=(magnitude, error),
        target=target,
        weight=weight,
        photometry={"unit": "flux" if flux else "magnitude", "error_features": error_features},
        settings=settings,
    )
    data = load_training(open_tables(tables, group), columns, drop_missing_targets=drop_missing)
    if regressor.features is None:
        check_finite(data.X, columns, where=str(tables[0]))
    with progress() as bar:
        task = bar.add_task("Compiling", total=regressor.max_epochs)
        regressor.on_epoch = lambda epoch, train, valid: bar.update(
            task, completed=epoch + 1, description=f"Training  loss {train:.3f}  valid {valid:.3f}"
        )
        regressor.fit(data.X, data.y, data.weight)
        bar.update(task, total=regressor.history_.n_epochs)
    regressor.on_epoch = None
    about = {
        "tables": data.sources,
        "rows": len(data.y),
        "rows_without_target": data.n_dropped,
        "config": None if config is None else str(config),
    }
    TabularModel(regressor, columns, about).write(output)
    _report(regressor, output)


def _settings(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _hidden(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    values = numbers(str(text), option="--hidden")
    if any(not value.is_integer() for value in values):
        raise ValueError(f"--hidden must be whole numbers; got {text!r}.")
    return tuple(int(value) for value in values)


def _bounds(text: str | None) -> tuple[float, ...] | None:
    if text is None:
        return None
    values = numbers(text, option="--bounds")
    if len(values) != 2:
        raise ValueError(f"--bounds must be two numbers, as in 0,3; got {text!r}.")
    return values


def _prepare(
    *,
    preset: str | None,
    names: tuple[tuple[str, ...], tuple[str, ...]],
    templates: tuple[str, str | None],
    target: str,
    weight: str | None,
    photometry: dict[str, Any],
    settings: dict[str, Any],
) -> tuple[Columns, MDNRegressor]:
    """The columns to read and the estimator to train."""
    features, bands = names
    if preset not in (None, "photoz"):
        raise ValueError(f"--preset must be 'photoz'; got {preset!r}.")
    if bool(features) == bool(bands):
        raise IncompatibleError("Give either --features or --bands (with --preset photoz).")
    if preset is None and bands:
        raise IncompatibleError("--bands needs --preset photoz.")
    if features:
        return Columns(features, target, weight), MDNRegressor(**settings)
    repeated = sorted({band for band in bands if bands.count(band) > 1})
    if repeated:
        raise ValueError(f"--bands names {repeated[0]!r} more than once.")
    magnitude, error = templates
    values = band_columns(magnitude, bands, option="--magnitude")
    errors = () if error is None else band_columns(error, bands, option="--error")
    regressor = presets.mdn(bands, has_errors=error is not None, **photometry, **settings)
    return Columns(values + errors, target, weight, errors), regressor


def _report(regressor: MDNRegressor, output: Path) -> None:
    history = regressor.history_
    console.print(
        f"Best epochs {', '.join(str(epoch + 1) for epoch in history.best_epoch)} of "
        f"{history.n_epochs}; validation loss {history.valid_loss.min(axis=0).mean():.3f} nats."
    )
    if regressor.n_clipped_:
        console.print(f"{regressor.n_clipped_} targets lay on or beyond a bound and were moved in.")
    if (skipped := int(history.n_skipped_steps.sum())) > 0:
        console.print(f"{skipped} steps were left out: their gradients were not finite.")
    console.print(f"Model written to {output}")
