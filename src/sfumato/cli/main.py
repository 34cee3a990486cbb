"""The program ``sfumato``: its verbs, and how errors reach a person."""

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import typer
from rich.markup import escape

import sfumato
from sfumato.cli._console import console, errors, set_quiet
from sfumato.cli._signals import heeded
from sfumato.engine.system import check_address_space

VERBS = {
    "simulate": "Simulate data whose truth is known.",
    "measure": "Fit a Sérsic galaxy to every stamp: maximum likelihood, and on request its "
    "posterior.",
    "bound": "The Cramér–Rao bound of a galaxy, a map of it, or the Bayesian floor of a "
    "population.",
    "fit": "Train a model: a mixture density network ensemble.",
    "tune": "Search architecture and training by cross-validation; train the best on all rows.",
    "predict": "Predict a PDF for every row, in order, streaming.",
    "evaluate": "All metrics with errors, overall and in bins, as table, JSON, CSV, figures and a "
    "page.",
    "stack": "Stack the PDFs in bins of a point estimate: n(z) per bin, its mean and error, and a "
    "picture.",
    "plot": "Draw chosen objects (components, truth and statistics), PIT, points or coverage.",
    "export": "Write a file of `qp`, which `qp.read` opens.",
    "study": "One page on a model and its mock survey, or on a set of wells.",
    "info": "Say what a model, a file of PDFs or a table holds, and what made it.",
}
"""The verbs and the first line of their help, so that a list of them imports none."""

_ENDED = (typer.Abort, KeyboardInterrupt)

# typer carries its own copy of click in some versions and not in others
_CLICK_ERRORS: Any = tuple(  # classes of two libraries
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)


def make_app(verbs: Sequence[str] = ()) -> typer.Typer:
    """The program with these verbs ready to run; the others are only listed."""
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
    for verb, line in VERBS.items():
        if verb not in verbs:
            app.command(verb, help=line)(_listed)
            continue
        found = vars(import_module(f"sfumato.cli.{verb}"))
        if "app" in found:
            app.add_typer(found["app"], name=verb)
        else:
            app.command(verb)(found[verb])
    return app


def _listed() -> None:
    """A verb that is only listed."""


def _main(
    version: bool = typer.Option(False, "--version", help="Print the version."),
    quiet: bool = typer.Option(False, "--quiet", help="Print errors and warnings only."),
) -> None:
    set_quiet(on=quiet)
    if version:
        console.print(f"sfumato {sfumato.__version__}")
        raise typer.Exit


def run(arguments: list[str] | None = None) -> None:
    """Entry point: bad input is one line on standard error and exit code 2."""
    warnings.showwarning = _show_warning
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # an ASCII terminal gets "?" for a µ, no traceback
            stream.reconfigure(errors="replace")
    given = sys.argv[1:] if arguments is None else arguments
    verbs = [word for word in given if not word.startswith("-")][:1]
    verbs = [word for word in verbs if word in VERBS]
    code: object = 0
    with heeded() as interruption:
        try:
            app = _app(verbs)
            interruption.begin()
            code = _run(app, given)
            if interruption.number is not None:  # typer answers one with a code
                _fail(interruption.message(next(iter(verbs), None), is_done=code in (None, 0)))
                code = interruption.exit_code
        except BaseException as error:
            if interruption.number is None and not isinstance(error, _ENDED):
                code = _answer(error)
            else:  # whatever it was taken for on its way
                _fail(interruption.message(next(iter(verbs), None)))
                code = interruption.exit_code
        interruption.end()
    sys.exit(code if isinstance(code, int) else 0)


def _answer(error: BaseException) -> int:
    """One line on what went wrong, and the exit code; faults of our own are raised."""
    if isinstance(error, _CLICK_ERRORS):
        return _usage(error)
    if isinstance(error, OSError) and error.filename is None and error.strerror:
        _fail(f"Standard output or a file cannot be written ({error.strerror}).")
        return 2
    if isinstance(error, ValueError | ImportError | OSError):
        _fail(str(error))
        return 2
    if isinstance(error, MemoryError) or "can't start new thread" in str(error):
        _fail("There is not enough memory for this. Give fewer rows, or a machine with more.")
        return 2
    raise error


def _app(verbs: list[str]) -> typer.Typer:
    """The program for a verb, with seconds of imports."""
    if verbs:
        check_address_space()
        from sfumato.engine.compiled import use_compilation_cache

        use_compilation_cache()
    return make_app(verbs)


def _run(app: typer.Typer, given: list[str]) -> object:
    # before or behind the verb, as people try
    others = [word for word in given if word != "--quiet"]
    given = ["--quiet"] * (len(others) < len(given)) + others
    return app(given, standalone_mode=False)


def _usage(error: Any) -> int:  # of either
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
