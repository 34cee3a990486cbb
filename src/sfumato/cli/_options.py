"""Options that several verbs share, and how their texts become values."""

import itertools
import tomllib
from math import isfinite
from pathlib import Path
from typing import Annotated

import typer

from sfumato._typing import Json
from sfumato.cli._bundles import Bundle, text_option
from sfumato.cli._console import console
from sfumato.errors import DataError, suggest
from sfumato.io.tables import Reading

Tables = Annotated[
    list[Path],
    typer.Argument(
        help="Tables: Parquet, CSV, HDF5, FITS, VOTable, LAS, text.", show_default=False
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an output that exists.")]
DropMissing = Annotated[
    bool, typer.Option("--drop-missing", help="Leave out rows without a true value.")
]
PDFs = Annotated[
    Path, typer.Argument(help="A file written by `sfumato predict`.", show_default=False)
]


def _reading(
    *,
    group: str | None = None,
    where: str | None = None,
    rename: str | None = None,
    zero_point: str | None = None,
    extinction: str | None = None,
) -> Reading:
    reddening, colon, coefficients = (extinction or "").partition(":")
    if extinction is not None and not (colon and reddening.strip()):
        raise ValueError(f"--extinction must be as in EBV:mag_u=4.81; got {extinction!r}.")
    return Reading(
        group,
        rename=_pairs(rename, option="--rename"),
        zero_points=_numbers_of(zero_point, option="--zero-point"),
        extinction=_numbers_of(coefficients, option="--extinction"),
        reddening=reddening.strip() or None,
        where=where,
        on_filtered=lambda path, kept, n: console.print(f"{path}: {kept:,} of {n:,} rows taken."),
    )


_READING = "Reading tables"

_TABLE = text_option(
    "group", "HDF5 group, FITS extension (name or number) or table of a VOTable.", panel=_READING
)
_WHERE = text_option(
    "where", "Rows to take, as in `zspec > 0 and flags in (3, 4)`.", panel=_READING
)
_RENAME = text_option(
    "rename", "Columns under new names, as in `redshift=z_spec,id=ID`.", panel=_READING
)
_ZERO_POINT = text_option(
    "zero_point", "Added to columns of magnitudes, as in `mag_u=0.02,mag_g=-0.01`.", panel=_READING
)
_EXTINCTION = text_option(
    "extinction",
    "E(B - V) and what it takes from magnitudes, as in `EBV:mag_u=4.81,mag_g=3.64`.",
    panel=_READING,
)

READING = Bundle([_TABLE, _WHERE, _RENAME, _ZERO_POINT, _EXTINCTION], _reading)
"""How tables are to be read."""

PART = Bundle([_TABLE], _reading)
"""Which table of a file."""

ROWS = Bundle([_WHERE], _reading)
"""Which rows of a file of PDFs."""


def _pairs(text: str | None, *, option: str) -> dict[str, str]:
    """``a=b,c=d`` as a table."""
    found = {}
    for part in split(text):
        name, sign, value = (piece.strip() for piece in part.partition("="))
        if not (name and sign and value):
            raise ValueError(f"{option} must be as in a=b,c=d; got {part!r}.")
        if name in found:
            raise ValueError(f"{option} names {name!r} twice.")
        found[name] = value
    return found


def _numbers_of(text: str | None, *, option: str) -> dict[str, float]:
    return {
        name: numbers(value, option=f"{option} {name}")[0]
        for name, value in _pairs(text, option=option).items()
    }


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


def whole_numbers(text: str, *, option: str) -> tuple[int, ...]:
    """Comma-separated whole numbers.

    Raises
    ------
    ValueError
        One is none.
    """
    values = numbers(text, option=option)
    if not all(value.is_integer() for value in values):
        raise ValueError(f"{option} must be whole numbers separated by commas; got {text!r}.")
    return tuple(map(int, values))


def grid(text: str) -> tuple[float, float, int]:
    """Ends of a grid and the number of its points."""
    values = numbers(text, option="--grid")
    if len(values) != 3 or values[0] >= values[1] or values[2] < 2 or values[2] % 1:
        raise ValueError(f"--grid must be LOW,HIGH,POINTS, as in 0,3,301; got {text!r}.")
    return values[0], values[1], int(values[2])


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
            # true as the word: Python's is the number 1 too
            defaults[parameter.name] = str(text).lower() if isinstance(text, bool) else text
    context.default_map = {**(context.default_map or {}), **defaults}
    return path
