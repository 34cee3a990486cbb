"""``sfumato study``: the report on a mock survey."""

from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli._console import console, progress
from sfumato.cli._options import Overwrite
from sfumato.photoz.study import STEPS, write_study


def study(
    model: Annotated[
        Path, typer.Argument(help="Folder written by `sfumato fit`.", show_default=False)
    ],
    survey: Annotated[
        Path,
        typer.Argument(help="Folder written by `sfumato simulate photoz`.", show_default=False),
    ],
    output: Annotated[Path, typer.Option(help="HTML file.", show_default=False)],
    overwrite: Overwrite = False,
) -> None:
    """One page on a model and its mock survey: every depth, point, PIT, stack and the exact p(z).

    Example:

        sfumato study model survey --output report.html
    """
    with progress() as bar:
        task = bar.add_task("Studying", total=len(STEPS))

        def step(name: str) -> None:
            bar.update(task, advance=1, description=name)

        write_study(model, survey, output, overwrite=overwrite, on_step=step)
    console.print(f"Report written to {output}")
