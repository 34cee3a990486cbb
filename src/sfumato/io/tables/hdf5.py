"""Tables of HDF5 files: a group of arrays, or one array of records."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from sfumato._typing import Hdf5Node
from sfumato.errors import DataError, optional_module, suggest
from sfumato.io.tables.contract import (
    Batches,
    TableFile,
    arrow_of,
    first_schema,
    of_elements,
    split_vector,
    vector_names,
)
from sfumato.io.tables.seal import MARK, check_mark

_KINDS = "biufSO"
"""What a column can hold: truth values, numbers, words."""

_ASTROPY = "__table_column_meta__"
"""Behind the names of the arrays of text in which astropy keeps units and descriptions."""

_CODES = ("_FillValue", "missing_value")


def open_hdf5(path: Path, group: str | None) -> TableFile:
    """A table of an HDF5 file; only the columns that are asked for are ever read."""
    h5py = optional_module("h5py", extra="io")
    with h5py.File(path) as file:
        place = _table_of(file, group, path=path)
        shapes = _shapes(file[place])
        units = _stated(file[place], "unit", "units")
        descriptions = _stated(file[place], "description", "long_name")
        mark = file[place].attrs.get(MARK)
    # the columns are those of one length; beside them may lie a list of bands, or an image
    n_rows = max(Counter(s[0] for s in shapes.values()).items(), key=lambda item: item[::-1])[0]
    sizes = {name: shape[1] if len(shape) == 2 else None for name, shape in shapes.items()}
    columns = tuple(
        column
        for name, shape in shapes.items()
        if shape[0] == n_rows
        for column in vector_names(name, sizes[name])
    )

    def read(names: Sequence[str], start: int, batch_rows: int) -> Batches:
        with h5py.File(path) as file:
            node = file[place]
            for begin in range(start, n_rows, batch_rows):
                rows = slice(begin, min(begin + batch_rows, n_rows))
                yield pa.table([_column(node, n, sizes, rows) for n in names], names=list(names))

    others = {
        name: f"has {shape[0]:,} rows and the table {n_rows:,}: it is no column of it."
        for name, shape in shapes.items()
        if shape[0] != n_rows
    }
    table = TableFile(
        path,
        columns,
        n_rows,
        read,
        first_schema(read),
        group,
        others=others,
        units=of_elements(units, sizes),
        descriptions=of_elements(descriptions, sizes),
    )
    check_mark(mark if isinstance(mark, str) else None, table)
    return table


def _table_of(file: Hdf5Node, group: str | None, *, path: Path) -> str:
    """The place of the table: the group that was asked for, the root, or the only one."""
    if group is not None:
        node = file.get(group)
        if node is None or not _shapes(node):
            near = suggest(group, list(_tables(file)))
            raise DataError(f"{path}: no group {group!r} with columns. {near}")
        return group
    if _shapes(file):
        return "/"
    tables = list(_tables(file))
    if len(tables) == 1:
        return tables[0]
    if not tables:
        raise DataError(f"{path}: holds no table: no array of records, no group of columns.")
    known = ", ".join(tables)
    raise DataError(f"{path}: say which group holds the table with --group. There are: {known}.")


def _tables(file: Hdf5Node, place: str = "") -> Iterator[str]:
    """Places below one that hold a table."""
    for name in file:
        node = file.get(name)  # None where a link leads nowhere
        if node is None:
            continue
        below = f"{place}/{name}".removeprefix("/")
        if _shapes(node):
            yield below
        else:
            h5py = optional_module("h5py", extra="io")
            if isinstance(node, h5py.Group):
                yield from _tables(node, below)


def _shapes(node: Hdf5Node) -> dict[str, tuple[int, ...]]:
    """Shapes (n,) or (n, size) of the columns of a group or of an array of records, by name."""
    h5py = optional_module("h5py", extra="io")
    if isinstance(node, h5py.Dataset):
        if node.dtype.names is None or node.ndim != 1:
            return {}
        parts = {name: node.dtype[name] for name in node.dtype.names}
        return {
            name: (len(node), *part.shape)
            for name, part in parts.items()
            if len(part.shape) < 2 and part.base.kind in _KINDS
        }
    if not isinstance(node, h5py.Group):
        return {}
    if node.name.endswith("/columns") and _are_groups_of_data(node):
        message = f"{node.file.filename}: {node.name} has a group for each column, as vaex writes"
        raise DataError(f"{message}. Write it with `export_parquet`.")
    if "pandas_type" in node.attrs:
        message = f"{node.file.filename}: {node.name} was written by pandas, in its own layout"
        raise DataError(f"{message}. Write it with `to_parquet`.")
    children = {name: node.get(name) for name in node}
    return {
        name: child.shape
        for name, child in children.items()
        if isinstance(child, h5py.Dataset)
        and child.dtype.names is None
        and child.ndim in (1, 2)
        and child.dtype.kind in _KINDS
        and not name.endswith(_ASTROPY)
    }


def _are_groups_of_data(node: Hdf5Node) -> bool:
    """Whether every child of a group is a group that holds data."""
    h5py = optional_module("h5py", extra="io")
    children = [node.get(name) for name in node]
    return bool(children) and all(isinstance(c, h5py.Group) and "data" in c for c in children)


def _is_true(value: object) -> bool:
    text = value.decode() if isinstance(value, bytes) else str(value)
    return text.lower() == "true"


def _stated(node: Hdf5Node, *keys: str) -> dict[str, str]:
    """What arrays of a group state in one of some attributes."""
    h5py = optional_module("h5py", extra="io")
    if not isinstance(node, h5py.Group):
        return {}
    found = {}
    for name in node:
        child = node.get(name)
        for key in keys:
            if isinstance(child, h5py.Dataset) and key in child.attrs:
                value = child.attrs[key]
                found[name] = value.decode() if isinstance(value, bytes) else str(value)
    return found


def _column(node: Hdf5Node, name: str, sizes: dict[str, int | None], rows: slice) -> pa.Array:
    """One column, or one element of its vectors, in the units and with the nulls of its attributes.

    Those of the Climate and Forecast conventions: fill values, then scale and offset.
    """
    h5py = optional_module("h5py", extra="io")
    base, index = (name, None) if name in sizes else split_vector(name)
    if isinstance(node, h5py.Dataset):
        values, attributes = node[base, rows], {}
    else:
        values = node[base][rows] if index is None else node[base][rows, index]
        attributes = node[base].attrs
    if values.ndim == 2:
        values = values[:, index]
    codes = [np.asarray(attributes[code]).ravel()[0] for code in _CODES if code in attributes]
    if values.dtype.kind == "f":  # -999.9 is that of the column, in single precision too
        codes = [np.asarray(code).astype(values.dtype) for code in codes]
    null = np.isin(values, codes) if codes else None
    if values.dtype.kind == "i" and _is_true(attributes.get("_Unsigned")):
        values = values.view(values.dtype.str.replace("i", "u"))
    if "scale_factor" in attributes or "add_offset" in attributes:
        scale, offset = attributes.get("scale_factor", 1.0), attributes.get("add_offset", 0.0)
        values = values * float(np.ravel(scale)[0]) + float(np.ravel(offset)[0])
    return arrow_of(values, null)
