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
from sfumato.tabular import (
    Columns,
    TabularModel,
    check_finite,
    load_training,
    shifted_weights,
)


def fit(
    tables: Tables,
    target: Annotated[
        str,
        typer.Option(help="Column to predict; of vectors, all, as in `a,b`.", show_default=False),
    ],
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
    categorical: Annotated[
        str | None, typer.Option(help="Those of the columns that hold words or codes.")
    ] = None,
    missing: Annotated[
        str | None, typer.Option(help="Missing features: `error`, or `flag` to fill and flag them.")
    ] = None,
    noise: Annotated[
        str | None,
        typer.Option(help="Template of the columns' standard errors, as in `{column}_err`."),
    ] = None,
    weight: Annotated[str | None, typer.Option(help="Column of row weights.")] = None,
    shift_to: Annotated[
        Path | None,
        typer.Option(help="Table to predict: weigh rows by how like its rows they are."),
    ] = None,
    family: Annotated[
        str | None, typer.Option(help="normal, beta, gamma, poisson, ... or `auto`.")
    ] = None,
    trials: Annotated[int | None, typer.Option(help="Trials of `binomial`.")] = None,
    components: Annotated[int | None, typer.Option(help="Components of each network.")] = None,
    uncertainty: Annotated[
        str | None,
        typer.Option(
            help="none, ensemble, dropout, variational, laplace, batch-ensemble, nuts or svi."
        ),
    ] = None,
    members: Annotated[
        int | None, typer.Option(help="Networks, or draws of their weights.")
    ] = None,
    prior: Annotated[
        list[str] | None,
        typer.Option(help="Prior or penalty of a layer, as in `head=normal:1` or `all=l2:1e-4`."),
    ] = None,
    backbone: Annotated[str | None, typer.Option(help="mlp or residual.")] = None,
    embedding: Annotated[
        str | None, typer.Option(help="Of numbers: periodic, piecewise-linear or none.")
    ] = None,
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

        sfumato fit table.csv --features a,b,c --target y --family auto --output model
    """
    check_output(output, overwrite=overwrite, mark=HEADER)
    settings = settings_of(
        family=family,
        trials=trials,
        n_components=components,
        uncertainty=uncertainty,
        n_members=members,
        priors=_priors(prior),
        backbone=backbone,
        embedding=embedding,
        missing=missing,
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
    columns, regressor = prepare(
        preset=preset,
        names=(split(features), split(bands)),
        templates=(magnitude, error),
        roles={
            "targets": split(target),
            "weight": weight,
            "categorical": split(categorical),
            "noise": () if noise is None else _noise_columns(noise, split(features)),
        },
        photometry={"unit": "flux" if flux else "magnitude", "error_features": error_features},
        settings=settings,
    )
    data = load_training(open_tables(tables, group), columns, drop_missing_targets=drop_missing)
    if regressor.features is None and regressor.missing == "error":
        check_finite(data.X, columns, where=str(tables[0]))
    row_weight = data.weight
    if shift_to is not None:
        row_weight = shifted_weights(data, columns, open_tables([shift_to], group)[0])
    with progress() as bar:
        task = bar.add_task("Compiling", total=regressor.max_epochs)
        regressor.on_epoch = lambda epoch, train, valid: bar.update(
            task, completed=epoch + 1, description=f"Training  loss {train:.3f}  valid {valid:.3f}"
        )
        regressor.fit(data.X, data.y, row_weight, X_err=data.X_err)
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


def settings_of(**values: Any) -> dict[str, Any]:
    """Those estimator's arguments that were given."""
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


def _priors(texts: list[str] | None) -> dict[str, tuple[str, float]] | None:
    """Priors by layer, from texts such as ``head=normal:1``."""
    if not texts:
        return None
    priors = {}
    for text in texts:
        layer, _, prior = text.partition("=")
        name, _, scale = prior.partition(":")
        try:
            priors[layer] = (name, float(scale))
        except ValueError as error:
            message = f"--prior must look like head=normal:1 or all=l2:1e-4; got {text!r}."
            raise ValueError(message) from error
    return priors


def _noise_columns(template: str, features: tuple[str, ...]) -> tuple[str, ...]:
    """The column of standard errors of each feature."""
    if "{column}" not in template:
        message = "--noise must contain {column}, as in '{column}_err'"
        raise ValueError(f"{message}; got {template!r}.")
    return tuple(template.replace("{column}", name) for name in features)


def prepare(
    *,
    preset: str | None,
    names: tuple[tuple[str, ...], tuple[str, ...]],
    templates: tuple[str, str | None],
    roles: dict[str, Any],
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
        columns = Columns(features, **roles)
        strangers = [name for name in columns.categorical if name not in features]
        if strangers:
            raise ValueError(f"--categorical names {strangers[0]!r}, which is not in --features.")
        categorical = columns.categorical_indices or None
        return columns, MDNRegressor(categorical=categorical, **settings)
    if roles["categorical"] or roles["noise"]:
        raise IncompatibleError("--categorical and --noise go with --features, not with --bands.")
    repeated = sorted({band for band in bands if bands.count(band) > 1})
    if repeated:
        raise ValueError(f"--bands names {repeated[0]!r} more than once.")
    magnitude, error = templates
    values = band_columns(magnitude, bands, option="--magnitude")
    errors = () if error is None else band_columns(error, bands, option="--error")
    regressor = presets.mdn(bands, has_errors=error is not None, **photometry, **settings)
    return Columns(values + errors, **roles, errors=errors), regressor


def _report(regressor: MDNRegressor, output: Path) -> None:
    history = regressor.history_
    console.print(
        f"Best epochs {', '.join(str(epoch + 1) for epoch in history.best_epoch)} of "
        f"{history.n_epochs}; validation loss {history.valid_loss.min(axis=0).mean():.3f} nats."
    )
    if regressor.family == "auto":
        console.print(f"Family {regressor.family_.component.name}: {regressor.family_reason_}.")
    if regressor.n_clipped_:
        console.print(f"{regressor.n_clipped_} targets lay on or beyond a bound and were moved in.")
    if (skipped := int(history.n_skipped_steps.sum())) > 0:
        console.print(f"{skipped} steps were left out: their gradients were not finite.")
    console.print(f"Model written to {output}")
