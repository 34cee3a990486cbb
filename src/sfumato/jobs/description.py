"""What a model, a file of PDFs or a table is, in as many lines as fit a screen."""

from collections import Counter
from inspect import signature
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from sfumato._typing import Json
from sfumato.estimators.options import to_json
from sfumato.estimators.regressor import MDNRegressor
from sfumato.io.archive import read_archive
from sfumato.io.pdfs import PDFsFile, as_pdfs
from sfumato.io.tables import DEFAULT, Reading, TableFile

MOST_NAMES = 40
"""Columns of a table that are listed."""


class Description(NamedTuple):
    """A title, lines of a name and what is so called, and all that the file says of itself."""

    title: str
    lines: list[tuple[str, str]]
    header: Json


def describe(path: Path | str, *, reading: Reading = DEFAULT) -> Description:
    """What stands in a model's folder, a file of PDFs or a table.

    Parameters
    ----------
    reading : which part of a table.

    Raises
    ------
    DataError
        It is none of these, or damaged.
    """
    path = Path(path)
    if path.is_dir():
        header, _ = read_archive(path)
        return Description(f"Model {path}", _of_model(header), header)
    table = reading.open(path)
    file = as_pdfs(table)
    if file is None:
        counts = Counter(table.columns)
        schema = table.schema([name for name, n in counts.items() if n == 1])
        lines = [(name, f"{n} columns of one name") for name, n in counts.items() if n > 1]
        lines = [*((field.name, _column(field, table)) for field in schema), *lines][:MOST_NAMES]
        rest = len(counts) - len(lines)
        lines += [("…", f"{rest} more")] if rest else []
        return Description(f"Table {path}: {table.n_rows:,} rows", lines, None)
    size = path.stat().st_size / file.n_rows
    title = f"PDFs {path}: {file.n_rows:,} objects, {size:.1f} bytes each on disk"
    return Description(title, _of_pdfs(file), file.header)


def _column(field: pa.Field, table: TableFile) -> str:
    """Type, unit and description of a column, those that are known."""
    unit, told = table.units.get(field.name), table.descriptions.get(field.name)
    words = [str(field.type), f"[{unit}]" if unit else "", told or ""]
    return " ".join(word for word in words if word)


def _of_model(header: dict[str, Json]) -> list[tuple[str, str]]:
    columns, about = header.get("columns") or {}, header.get("about") or {}
    features = header.get("features") or {}
    names = columns.get("features") or header.get("feature_names_in") or []
    sizes = header["architecture"]["hidden_sizes"]
    network = f"{header['n_members']} of {header['architecture']['backbone']} {sizes}"
    best = ", ".join(str(epoch + 1) for epoch in header["best_epoch"])
    lines = [
        ("predicts", ", ".join(columns.get("targets") or ["y"])),
        ("from", _listed(names) or f"{header.get('n_features_in')} columns"),
        ("features", features.get("kind", "the columns themselves")),
        ("family", _family(header["family"])),
        ("networks", f"{network}, best epochs {best}"),
        ("settings", _settings(header["parameters"])),
        *_provenance(about),
    ]
    return [*lines, *(("warning", text) for text in header.get("warnings", []))]


def _of_pdfs(file: PDFsFile) -> list[tuple[str, str]]:
    header = file.header
    about = header.get("about") or {}
    kind = header["object"]
    lines = [("columns", ", ".join(file.columns) or "none"), ("kind", kind)]
    if "component" in header:
        lines.append(("family", _family(header)))
        lines.append(("members", str(header.get("n_members", 1))))
    if "model" in about:
        lines.append(("model", str(about["model"])))
    return lines + _provenance(about)


def _family(header: dict[str, Json]) -> str:
    shift, scale = header.get("shift"), header.get("scale")
    n_components, component = header.get("n_components"), header.get("component")
    return f"{n_components} components {component}, times {_short(scale)} plus {_short(shift)}"


def _short(value: object) -> str:
    if isinstance(value, list):
        return "(" + ", ".join(map(_short, value)) + ")"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _settings(parameters: dict[str, object]) -> str:
    """Those that are not the defaults."""
    defaults = {name: p.default for name, p in signature(MDNRegressor).parameters.items()}
    plain = to_json({name: value for name, value in defaults.items() if name in parameters})
    plain.pop("features", None)  # a line of its own
    changed = {k: v for k, v in parameters.items() if k in plain and v != plain[k]}
    return ", ".join(f"{name}={_short(value)}" for name, value in changed.items()) or "the defaults"


def _provenance(about: dict[str, Json]) -> list[tuple[str, str]]:
    lines = []
    if about.get("tables"):
        rows = f" ({about['rows']:,} rows)" if "rows" in about else ""
        lines.append(("tables", _listed(about["tables"]) + rows))
    lines += [(name, str(about[name])) for name in ("where", "corrections") if about.get(name)]
    versions = about.get("versions") or {}
    if versions:
        text = ", ".join(f"{name} {version}" for name, version in versions.items())
        lines.append(("made", f"{about.get('made', '')} by {text}"))
    return lines


def _listed(names: list[str]) -> str:
    shown = ", ".join(map(str, names[:MOST_NAMES]))
    return shown + (f", … ({len(names)})" if len(names) > MOST_NAMES else "")
