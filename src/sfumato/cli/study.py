"""``sfumato study``: one page on a model and its mock survey, or on a set of wells."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from sfumato.cli._bundles import takes
from sfumato.cli._console import console, progress
from sfumato.cli._model_options import MODEL, ModelChoices
from sfumato.cli._options import READING, Overwrite, Tables
from sfumato.errors import IncompatibleError
from sfumato.io.tables import Reading
from sfumato.photoz import study as of_surveys
from sfumato.welllogs import study as of_wells

Output = Annotated[Path, typer.Option(help="HTML file.", show_default=False)]


class _Studies(TyperGroup):
    """What is no name of a study is a model, and its study that of a survey."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """With the name of the study before its arguments."""
        if args and args[0] not in (*self.commands, "--help"):
            args = ["photoz", *args]
        return super().parse_args(ctx, args)


@contextmanager
def _steps(steps: Sequence[str]) -> Iterator[Callable[[str], None]]:
    """A progress bar, by what is called with each step as it begins."""
    with progress() as bar:
        task = bar.add_task("Studying", total=len(steps))
        yield lambda name: bar.update(task, advance=1, description=name)


app = typer.Typer(
    cls=_Studies,
    no_args_is_help=True,
    help="One page on a model and its mock survey, or on a set of wells.",
    epilog="`sfumato study model survey` is short for `sfumato study photoz model survey`.",
)


@app.command()
def photoz(
    model: Annotated[
        Path, typer.Argument(help="Folder written by `sfumato fit`.", show_default=False)
    ],
    survey: Annotated[
        Path,
        typer.Argument(help="Folder written by `sfumato simulate photoz`.", show_default=False),
    ],
    output: Output,
    overwrite: Overwrite = False,
) -> None:
    """One page on a model and its mock survey: every depth, point, PIT, stack and the exact p(z).

    Example:

        sfumato study photoz model survey --output report.html
    """
    with _steps(of_surveys.STEPS) as step:
        of_surveys.write_study(model, survey, output, overwrite=overwrite, on_step=step)
    console.print(f"Report written to {output}")


@app.command()
@takes(reading=READING, model=MODEL)
def welllog(
    tables: Tables,
    output: Output,
    target: Annotated[str, typer.Option(help="Log to predict.", show_default=False)],
    folds: Annotated[
        int, typer.Option(help="Parts the wells are held out in; each takes a training.", min=2)
    ] = of_wells.N_FOLDS,
    tops: Annotated[
        Path | None,
        typer.Option(
            help="Table of tops of formations, drawn beside the tracks.", show_default=False
        ),
    ] = None,
    *,
    reading: Reading,
    overwrite: Overwrite = False,
    model: ModelChoices,
) -> None:
    """One page on a log predicted in wells: each by models that have not seen it.

    Every well by itself, tracks of the best and the worst, what random samples would have
    promised, what missing inputs cost, and where the rock is unlike that of training.

    Example:

        sfumato study welllog wells/*.las --target DTC --output report.html
    """
    if model.preset not in (None, "welllog"):
        raise IncompatibleError(
            "--preset: a study of wells is of the preset welllog. Leave it out."
        )
    with _steps(of_wells.STEPS) as step:
        of_wells.write_study(
            tables,
            output,
            target=target,
            answers=model.answers,
            settings=model.settings,
            reading=reading,
            n_folds=folds,
            tops=tops,
            overwrite=overwrite,
            on_step=step,
        )
    console.print(f"Report written to {output}")
