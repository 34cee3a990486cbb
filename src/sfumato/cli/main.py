"""The program ``sfumato``: its verbs, and how errors reach a person."""

import os
import sys
import warnings

import click
import typer
from rich.markup import escape

from sfumato import __version__
from sfumato._compilation import use_compilation_cache
from sfumato.cli import evaluate, export, fit, info, plot, predict, simulate, stack, study
from sfumato.cli._console import console, errors

app = typer.Typer(
    name="sfumato",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Noisy measurements in, full calibrated probability distributions out.\n\n"
    "A first run: `sfumato simulate photoz --galaxies 20000 --output survey`, then "
    "`sfumato fit`, `predict`, `evaluate` and `stack`; each `--help` has an example.",
)
app.add_typer(simulate.app, name="simulate")
app.command("fit")(fit.fit)
app.command("predict")(predict.predict)
app.command("evaluate")(evaluate.evaluate)
app.command("stack")(stack.stack)
app.command("plot")(plot.plot)
app.command("export")(export.export)
app.command("study")(study.study)
app.command("info")(info.info)


@app.callback(invoke_without_command=True)
def _main(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    if version:
        console.print(f"sfumato {__version__}")
        raise typer.Exit


def run(arguments: list[str] | None = None) -> None:
    """Entry point: bad input is one line on standard error and exit code 2."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    use_compilation_cache()
    warnings.showwarning = _show_warning
    try:
        code = app(arguments, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        console.print(error.format_message())
        code = 2
    except click.ClickException as error:
        _fail(error.format_message())
        code = 2
    except (click.Abort, KeyboardInterrupt):
        _fail("Interrupted.")
        code = 130
    except (ValueError, ImportError) as error:
        _fail(str(error))
        code = 2
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str) -> None:
    errors.print(f"[bold red]Error:[/] {escape(' '.join(message.split()))}", soft_wrap=True)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    errors.print(f"[yellow]Warning:[/] {escape(' '.join(str(message).split()))}", soft_wrap=True)
