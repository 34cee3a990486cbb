"""Conditions on rows, such as ``zspec > 0 and flags in (3, 4)``: parsed, never executed as code.

The grammar is that of Python's comparisons: ``and``, ``or``, ``not``, ``in``, ``< <= > >= == !=``
(chained too), ``+ - * / ** %``, numbers, words in quotes, ``true``, ``false``; names of columns as
they are, or between backticks where they hold blanks or signs; ``missing(x)`` and ``abs(x)``. What
is missing fulfils no comparison but ``!=`` and ``not in``.
"""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import pyarrow as pa

from sfumato._typing import Foreign
from sfumato.io.tables.compute import pc

_TICKED = re.compile(r"`([^`]+)`")
_COMPARE: dict[type, Callable] = {
    ast.Lt: pc.less,
    ast.LtE: pc.less_equal,
    ast.Gt: pc.greater,
    ast.GtE: pc.greater_equal,
    ast.Eq: pc.equal,
    ast.NotEq: pc.equal,  # and turned round
}
_ARITHMETIC: dict[type, Callable] = {
    ast.Add: pc.add,
    ast.Sub: pc.subtract,
    ast.Mult: pc.multiply,
    ast.Div: pc.divide,
    ast.Pow: pc.power,
    ast.Mod: lambda a, b: pc.subtract(a, pc.multiply(b, pc.floor(pc.divide(a, b)))),
}
_WORDS = {"true": True, "false": False, "True": True, "False": False}


@dataclass(frozen=True)
class Condition:
    """A parsed condition.

    Parameters
    ----------
    text : as it was written.
    columns : that it names, in order.
    """

    text: str
    columns: tuple[str, ...]
    _tree: ast.expr
    _names: dict[str, str]

    def __call__(self, batch: pa.Table) -> pa.ChunkedArray:
        """Which rows fulfil it, (n,) without nulls.

        Raises
        ------
        ValueError
            A column is of a type that the comparison is not for.
        """
        try:
            found = self._value(self._tree, batch)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            raise ValueError(f"--where {self.text!r} does not fit the columns: {error}.") from error
        if not isinstance(found, pa.ChunkedArray) or not pa.types.is_boolean(found.type):
            raise ValueError(f"--where {self.text!r} is no condition on columns.")
        return pc.fill_null(found, fill_value=False)

    def _value(self, node: ast.expr, batch: pa.Table) -> Foreign:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return _column(batch[self._names[name]]) if name in self._names else _WORDS[name]
            case ast.BoolOp(op=op, values=parts):
                join = pc.and_ if isinstance(op, ast.And) else pc.or_
                found = [pc.fill_null(self._value(p, batch), fill_value=False) for p in parts]
                for other in found[1:]:
                    found[0] = join(found[0], other)
                return found[0]
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                return pc.invert(pc.fill_null(self._value(inner, batch), fill_value=False))
            case ast.UnaryOp(op=op, operand=inner):
                value = self._value(inner, batch)
                return pc.negate(value) if isinstance(op, ast.USub) else value
            case ast.BinOp(left=left, op=op, right=right):
                a, b = self._value(left, batch), self._value(right, batch)
                return _ARITHMETIC[type(op)](_real(a), _real(b))
            case ast.Compare():
                return self._compared(node, batch)
            case ast.Call(func=ast.Name(id=name), args=[inner]):
                value = self._value(inner, batch)
                return pc.is_null(value) if name == "missing" else pc.abs(value)
        raise ValueError(f"--where {self.text!r}: {ast.unparse(node)!r} has no meaning here.")

    def _compared(self, node: ast.Compare, batch: pa.Table) -> Foreign:
        left, found = self._value(node.left, batch), None
        for op, other in zip(node.ops, node.comparators, strict=True):
            if isinstance(op, ast.In | ast.NotIn):
                values = pa.array([self._value(item, batch) for item in _items(other)])
                kind = cast(pa.ChunkedArray, left).type
                part = pc.is_in(left, values.cast(kind))
                right = left
            else:
                right = self._value(other, batch)
                part = pc.fill_null(_COMPARE[type(op)](left, right), fill_value=False)
            part = pc.invert(part) if isinstance(op, ast.NotIn | ast.NotEq) else part
            found = part if found is None else pc.and_(found, part)
            left = right
        return found


def parse_condition(text: str) -> Condition:
    """The condition that a text is.

    Raises
    ------
    ValueError
        The text is none; the message says what is not understood.
    """
    ticked: dict[str, str] = {}

    def placeholder(match: re.Match) -> str:
        name = f"column_{len(ticked)}_"
        ticked[name] = match[1]
        return name

    try:
        tree = ast.parse(_TICKED.sub(placeholder, text).strip(), mode="eval").body
    except SyntaxError as error:
        example = "as in --where 'zspec > 0 and flags in (3, 4)'"
        raise ValueError(f"--where {text!r} cannot be read ({error.msg}); {example}.") from error
    names: dict[str, str] = {}
    _check(tree, text, ticked, names)
    return Condition(text, tuple(dict.fromkeys(names.values())), tree, names)


_MOST_NODES = 500


def _check(tree: ast.expr, text: str, ticked: dict[str, str], names: dict[str, str]) -> None:
    """Refuse what is not of the grammar; collects the names of columns."""
    nodes = list(ast.walk(tree))
    if len(nodes) > _MOST_NODES:
        raise ValueError(f"--where {text[:40]!r}…: too long a condition.")
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    for node in nodes:
        if problem := _problem(node, is_called=id(node) in called):
            raise ValueError(f"--where {text!r}: {problem}.")
        if isinstance(node, ast.Name) and id(node) not in called and node.id not in _WORDS:
            names[node.id] = ticked.get(node.id, node.id)


_ALLOWED = (
    *(ast.BoolOp, ast.UnaryOp, ast.Compare, ast.Name, ast.Tuple, ast.List, ast.Load),
    *(ast.boolop, ast.Not, ast.USub, ast.UAdd, ast.In, ast.NotIn, *_COMPARE, *_ARITHMETIC),
)
_FUNCTIONS = ("missing", "abs")


def _problem(node: ast.AST, *, is_called: bool) -> str | None:
    """What is wrong with one node of a condition; None where it is of the grammar."""
    if isinstance(node, ast.BinOp):
        signs = isinstance(node.op, ast.BitAnd | ast.BitOr)
        return "write `and` and `or` for & and |" if signs else None
    if isinstance(node, ast.Is | ast.IsNot):
        return "write missing(x) for `is None`"
    if isinstance(node, ast.Call):
        return None if len(node.args) == 1 and not node.keywords else "functions take one column"
    if is_called and isinstance(node, ast.Name):
        return None if node.id in _FUNCTIONS else f"it knows missing(x) and abs(x), not {node.id!r}"
    if isinstance(node, ast.Constant):
        known = isinstance(node.value, bool | int | float | str)
        return None if known else f"{node.value!r} has no meaning here; is it missing(x)?"
    if isinstance(node, _ALLOWED):
        return None
    what = ast.unparse(node) if isinstance(node, ast.expr) else type(node).__name__
    return f"{what!r} has no meaning here"


def _items(node: ast.expr) -> list[ast.expr]:
    """What stands behind ``in``."""
    return list(node.elts) if isinstance(node, ast.Tuple | ast.List) else [node]


def _column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column whose NaN are missing, and whose categories are words."""
    if pa.types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return column


def _real(value: Foreign) -> Foreign:
    """Numbers as doubles: whole ones would be divided without a rest."""
    if isinstance(value, pa.ChunkedArray):
        return value.cast(pa.float64(), safe=False)
    return float(value) if isinstance(value, int) else value
