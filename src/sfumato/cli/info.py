"""``sfumato info``: what a model, a file of PDFs or a table is."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.pretty import pretty_repr
from rich.table import Table

from sfumato.cli._bundles import takes
from sfumato.cli._console import console
from sfumato.cli._options import PART
from sfumato.io.tables import Reading
from sfumato.jobs.description import describe


@takes(reading=PART)
def info(
    path: Annotated[
        Path, typer.Argument(help="A model folder, a file of PDFs or a table.", show_default=False)
    ],
    everything: Annotated[
        bool, typer.Option("--all", help="The whole header of a model or of PDFs.")
    ] = False,
    *,
    reading: Reading,
) -> None:
    """Say what a model, a file of PDFs or a table holds, and what made it.

    Example:

        sfumato info model
    """
    found = describe(path, reading=reading)
    console.print(f"[bold]{escape(found.title)}[/]", soft_wrap=True)
    if everything and found.header is not None:
        console.print(pretty_repr(found.header), markup=False)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, text in found.lines:
        table.add_row(escape(name), escape(text))
    console.print(table)
