"""``sfumato info``: what a model or a file of PDFs is."""

from pathlib import Path
from typing import Annotated

import typer
from rich.pretty import pretty_repr

from sfumato.cli._console import console
from sfumato.io.archive import read_archive
from sfumato.io.pdfs import open_pdfs


def info(
    path: Annotated[
        Path, typer.Argument(help="A model folder or a file of PDFs.", show_default=False)
    ],
) -> None:
    """Say what a model or a file of PDFs holds, and what made it.

    Example:

        sfumato info model
    """
    if path.is_dir():
        header, _ = read_archive(path)
        console.print(f"[bold]Model[/] {path}")
        console.print(pretty_repr(header))
        return
    file = open_pdfs(path)
    size = path.stat().st_size / file.n_rows
    console.print(f"[bold]PDFs[/] {path}: {file.n_rows:,} objects, {size:.1f} bytes each on disk")
    console.print(f"Columns: {', '.join(file.columns) or 'none'}")
    console.print(pretty_repr(file.header))
