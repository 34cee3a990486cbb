"""Options that several verbs share, and how their texts become values."""

import itertools
import tomllib
from math import isfinite
from pathlib import Path
from typing import Annotated

import typer

from sfumato._typing import Json
from sfumato.errors import DataError, suggest

Tables = Annotated[
    list[Path], typer.Argument(help="Tables: .parquet, .csv, .hdf5 or .fits.", show_default=False)
]
Group = Annotated[str | None, typer.Option(help="HDF5 group (or FITS extension) of the table.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an output that exists.")]
DropMissing = Annotated[
    bool, typer.Option("--drop-missing", help="Leave out rows without a true value.")
]
PDFs = Annotated[
    Path, typer.Argument(help="A file written by `sfumato predict`.", show_default=False)
]


def split(text: str | None) -> tuple[str, ...]:
    """Comma-separated names, without spaces and empty ones."""
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def numbers(text: str, *, option: str) -> tuple[float, ...]:
    """Comma-separated numbers.

    Raises
    ------
    ValueError
        One is not a number.
    """
    try:
        values = tuple(float(part) for part in split(text))
    except ValueError:
        values = (float("nan"),)
    if not all(isfinite(value) for value in values):
        raise ValueError(f"{option} must be numbers separated by commas; got {text!r}.")
    return values


def edges(text: str) -> tuple[float, ...]:
    """Bin edges: at least two, increasing."""
    values = numbers(text, option="--edges")
    if len(values) < 2 or any(b <= a for a, b in itertools.pairwise(values)):
        raise ValueError(f"--edges must be at least two increasing numbers; got {text!r}.")
    return values


def read_toml(path: Path, *, option: str) -> dict[str, Json]:
    """Values of a TOML file.

    Raises
    ------
    DataError
        The file is missing or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist. Check {option}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise DataError(f"{path} is not valid TOML ({error}).") from error


def from_config(context: typer.Context, _parameter: Json, path: Path | None) -> Path | None:
    """Callback of ``--config``: a TOML file's values become the options' defaults."""
    if path is None:
        return None
    values = read_toml(path, option="--config")
    # an option may be called --drop-missing and its parameter drop_missing
    names = {
        option.removeprefix("--"): parameter
        for parameter in context.command.params
        for option in parameter.opts
        if option.startswith("--")
    }
    defaults = {}
    for key, value in values.items():
        name = key.replace("_", "-")
        if name not in names:
            raise DataError(f"{path}: unknown option {key!r}. {suggest(name, list(names))}")
        parameter = names[name]
        if parameter.multiple:
            defaults[parameter.name] = value if isinstance(value, list) else [value]
        else:
            text = ",".join(map(str, value)) if isinstance(value, list) else value
            defaults[parameter.name] = text
    context.default_map = {**(context.default_map or {}), **defaults}
    return path
