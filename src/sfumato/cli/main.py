"""The program ``sfumato``: its verbs, and how errors reach a person."""

import os
import sys
import warnings
from importlib import import_module

import typer
from rich.markup import escape

from sfumato import __version__
from sfumato._typing import Foreign
from sfumato.cli._console import console, errors
from sfumato.engine.compiled import use_compilation_cache

VERBS = (
    "simulate",
    "measure",
    "bound",
    "fit",
    "tune",
    "predict",
    "evaluate",
    "stack",
    "plot",
    "export",
    "study",
    "info",
)

# typer carries its own copy of click in some versions and not in others
_CLICK_ERRORS: Foreign = tuple(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)
_INTERRUPTED = 130


def make_app(verbs: tuple[str, ...] = VERBS) -> typer.Typer:
    """The program with these verbs; each verb's module is imported only if it is among them."""
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
    app.callback(invoke_without_command=True)(_main)
    for verb in verbs:
        module = import_module(f"sfumato.cli.{verb}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=verb)
        else:
            app.command(verb)(getattr(module, verb))
    return app


def _main(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    if version:
        console.print(f"sfumato {__version__}")
        raise typer.Exit


def run(arguments: list[str] | None = None) -> None:
    """Entry point: bad input is one line on standard error and exit code 2."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    use_compilation_cache()
    warnings.showwarning = _show_warning
    given = sys.argv[1:] if arguments is None else arguments
    code: object = 0
    try:
        code = make_app((given[0],) if given and given[0] in VERBS else VERBS)(
            given, standalone_mode=False
        )
    except _CLICK_ERRORS as error:
        code = _usage(error)
    except (typer.Abort, KeyboardInterrupt):
        code = _INTERRUPTED
    except (ValueError, ImportError) as error:
        _fail(str(error))
        code = 2
    if code == _INTERRUPTED:
        _fail("Interrupted. `sfumato predict` goes on where it was with the same command.")
    sys.exit(code if isinstance(code, int) else 0)


def _usage(error: Foreign) -> int:
    """Report a wrong command line; without any arguments, the help is the message."""
    message = error.format_message()
    if type(error).__name__ == "NoArgsIsHelpError":
        console.print(message)
    else:
        _fail(f"{message} See sfumato --help.")
    return 2


def _fail(message: str) -> None:
    errors.print(f"[bold red]Error:[/] {escape(' '.join(message.split()))}", soft_wrap=True)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    errors.print(f"[yellow]Warning:[/] {escape(' '.join(str(message).split()))}", soft_wrap=True)
