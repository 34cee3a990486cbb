"""Conditions on rows, such as ``zspec > 0 and flags in (3, 4)``: parsed, never executed as code.

The grammar is that of Python's comparisons: ``and``, ``or``, ``not``, ``in``, ``< <= > >= == !=``
(chained too), ``+ - * / ** %``, numbers, words in quotes, ``true``, ``false``; names of columns as
they are, or between backticks where they hold blanks or signs; ``missing(x)`` and ``abs(x)``. What
is missing fulfils no comparison but ``!=`` and ``not in``.
"""

import ast
import keyword
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeGuard

import pyarrow as pa

from sfumato.io.tables.compute import pc
from sfumato.io.tables.contract import TEXTS

Value = pa.ChunkedArray | pa.Scalar | bool | int | float | str | Decimal | None
"""What a part of a condition is: a column, or a constant."""


_NUMBERS = int | float | Decimal


def _is_number(value: Value) -> TypeGuard[float]:
    return isinstance(value, _NUMBERS) and not isinstance(value, bool)


def _is_column(value: Value) -> TypeGuard[pa.ChunkedArray]:
    return isinstance(value, pa.ChunkedArray)


_QUOTED = r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\""
_NAMED = re.compile(rf"{_QUOTED}|`(?P<ticked>[^`]+)`|(?P<bare>[^\W\d]\w*)")
"""Words in quotes, which stay as they are, and names of columns."""

_GRAMMAR = {"and", "or", "not", "in", "is", "if", "else", "for", "True", "False", "None"}
_PYTHONS = frozenset(keyword.kwlist) - _GRAMMAR
"""Words of Python's that have no meaning in a condition: names of columns, such as class."""

_COMPARE: dict[type, Callable] = {
    ast.Lt: pc.less,
    ast.LtE: pc.less_equal,
    ast.Gt: pc.greater,
    ast.GtE: pc.greater_equal,
    ast.Eq: pc.equal,
    ast.NotEq: pc.equal,  # and turned round
}
_WHOLE: dict[type, Callable] = {
    ast.Add: pc.add_checked,
    ast.Sub: pc.subtract_checked,
    ast.Mult: pc.multiply_checked,
    # the sign of the divisor, as in Python
    ast.Mod: lambda a, b: _whole_rest(a, b),
}
"""Of whole numbers, exact."""

_ARITHMETIC: dict[type, Callable] = {
    ast.Add: pc.add,
    ast.Sub: pc.subtract,
    ast.Mult: pc.multiply,
    ast.Div: pc.divide,
    ast.Pow: pc.power,
    ast.Mod: lambda a, b: pc.subtract(a, pc.multiply(b, pc.floor(pc.divide(a, b)))),
}
_WORDS = {"true": True, "false": False, "True": True, "False": False}
_TRUTHS = {**_WORDS, 1: True, 0: False}


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
        except (pa.ArrowException, TypeError, OverflowError) as error:
            held = [f"{name} holds {_kind(batch[name].type)}" for name in self.columns]
            message = f"--where {self.text!r} does not fit the columns: {', '.join(held)}"
            cure = "Words stand in quotes, numbers do not; dates are as '2021-01-31'"
            raise ValueError(f"{message}. {cure}.") from error
        return self._condition(found)

    def _condition(self, found: Value) -> pa.ChunkedArray:
        """Truth values without nulls."""
        found = _truths(found)
        if not _is_column(found) or not pa.types.is_boolean(found.type):
            raise ValueError(f"--where {self.text!r} is no condition on columns.")
        return pc.fill_null(found, fill_value=False)

    def _value(self, node: ast.expr, batch: pa.Table) -> Value:
        match node:
            case ast.Constant(value=value):
                return _literal(value)
            case ast.Name(id=name):
                return _column(batch[self._names[name]]) if name in self._names else _WORDS[name]
            case ast.BoolOp(op=op, values=parts):
                join = pc.and_ if isinstance(op, ast.And) else pc.or_
                found = [self._condition(self._value(part, batch)) for part in parts]
                for other in found[1:]:
                    found[0] = join(found[0], other)
                return found[0]
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                return pc.invert(self._condition(self._value(inner, batch)))
            case ast.UnaryOp(op=op, operand=inner):
                return _signed(self._value(inner, batch), turned=isinstance(op, ast.USub))
            case ast.BinOp(left=left, op=op, right=right):
                return _combined(type(op), self._value(left, batch), self._value(right, batch))
            case ast.Compare():
                return self._compared(node, batch)
            case ast.Call(func=ast.Name(id=name), args=[inner]):
                return _FUNCTIONS[name](self._value(inner, batch))
        raise ValueError(f"--where {self.text!r}: {ast.unparse(node)!r} has no meaning here.")

    def _compared(self, node: ast.Compare, batch: pa.Table) -> Value:
        left, found = self._value(node.left, batch), None
        for op, other in zip(node.ops, node.comparators, strict=True):
            if isinstance(op, ast.In | ast.NotIn):
                right, part = left, self._listed(left, _items(other), batch)
            else:
                right = self._value(other, batch)
                pair = _constant(left, beside=right), _constant(right, beside=left)
                if any(isinstance(value, bool) for value in pair):
                    pair = tuple(map(_truths, pair))
                part = pc.fill_null(_COMPARE[type(op)](*pair), fill_value=False)
            part = pc.invert(part) if isinstance(op, ast.NotIn | ast.NotEq) else part
            found = part if found is None else pc.and_(found, part)
            left = right
        return found

    def _listed(self, left: Value, items: list[ast.expr], batch: pa.Table) -> Value:
        """Which rows have one of the values of a list."""
        values = [_constant(self._value(item, batch), beside=left) for item in items]
        if not _is_column(left) or any(_is_column(value) for value in values):
            message = "`in` takes a column and a list of numbers or words"
            raise ValueError(f"--where {self.text!r}: {message}.")
        if pa.types.is_integer(left.type):
            # 2.5 and 1e30 are no row's
            values = [v for v in values if isinstance(v, str) or _is_whole_number(v)]
        return pc.is_in(left, pa.array(values).cast(left.type))


def parse_condition(text: str) -> Condition:
    """The condition that a text is.

    Raises
    ------
    ValueError
        The text is none; the message says what is not understood.
    """
    ticked: dict[str, str] = {}
    stem = "ticked"
    while stem in text:
        stem += "_"

    def placeholder(match: re.Match) -> str:
        # Python takes other forms of a letter, as µ and μ, for the same, and has words of its own
        bare = match["bare"]
        is_plain = bare is None or (bare.isascii() and bare not in _PYTHONS)
        if match["ticked"] is None and is_plain:
            return match[0]
        name = f"{stem}{len(ticked)}_"
        ticked[name] = match["ticked"] or match["bare"]
        return name

    try:
        tree = ast.parse(_NAMED.sub(placeholder, text).strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        example = "as in --where 'zspec > 0 and flags in (3, 4)'"
        reason = error.msg if isinstance(error, SyntaxError) else "too deep"
        message = f"--where {_short(text)} cannot be read ({reason})"
        raise ValueError(f"{message}; {example}. Names with signs stand in `backticks`.") from error
    names: dict[str, str] = {}
    _check(tree, text, ticked, names)
    return Condition(text, tuple(dict.fromkeys(names.values())), tree, names)


_MOST_NODES = 500


def _check(tree: ast.expr, text: str, ticked: dict[str, str], names: dict[str, str]) -> None:
    """Refuse what is not of the grammar; collects the names of columns."""
    nodes = list(ast.walk(tree))
    if len(nodes) > _MOST_NODES:
        raise ValueError(f"--where {_short(text)}: too long a condition.")
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
_FUNCTIONS: dict[str, Callable] = {"missing": pc.is_null, "abs": pc.abs}


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


def _short(text: str) -> str:
    return repr(text) if len(text) <= 200 else f"{text[:40]!r}…"


def _items(node: ast.expr) -> list[ast.expr]:
    """What stands behind ``in``."""
    return list(node.elts) if isinstance(node, ast.Tuple | ast.List) else [node]


def _column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column whose NaN are missing, whose categories are words, and which has room for signs."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_floating(kind):
        return pc.if_else(pc.is_nan(column), pa.scalar(None, kind), column)
    if kind == pa.uint64():
        fits = (pc.max(column).as_py() or 0) < 2**63
        return column.cast(pa.int64() if fits else pa.decimal128(38, 0))
    if pa.types.is_integer(kind):
        return column.cast(pa.int64())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pc.utf8_trim_whitespace(column)
    return column


def _constant(value: Value, *, beside: Value) -> Value:
    """A number or word in the type of the column that it is compared with."""
    if _is_column(value) or not _is_column(beside):
        return value
    if pa.types.is_boolean(beside.type) and value in _TRUTHS:
        return _TRUTHS[value]
    if isinstance(value, str):
        return _moment(value, beside.type) if pa.types.is_temporal(beside.type) else value.strip()
    if pa.types.is_floating(beside.type) and _is_number(value):
        # 0.1 is that of the column, in single precision too
        return pa.scalar(float(value), pa.float64()).cast(beside.type, safe=False).as_py()
    return value


def _moment(text: str, kind: pa.DataType) -> pa.Scalar:
    """A date or time as in ``2021-01-31`` or ``2021-01-31 12:00``, in the zone of the column."""
    if pa.types.is_timestamp(kind) and kind.tz:
        plain = pa.scalar(text.strip()).cast(pa.timestamp(kind.unit))
        return pc.assume_timezone(plain, kind.tz)
    return pa.scalar(text.strip()).cast(kind)


def _truths(value: Value) -> Value:
    """Words of a column that are all truth values as such; everything else as it is."""
    if not _is_column(value) or not pa.types.is_string(value.type):
        return value
    words = pc.utf8_lower(value)
    is_truth = pc.is_in(words, pa.array(["true", "false"]))
    return pc.equal(words, "true") if pc.all(is_truth).as_py() is not False else value


def _kind(kind: pa.DataType) -> str:
    """What a column of a type holds, in words."""
    if pa.types.is_boolean(kind):
        return "truth values"
    numbers = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return "numbers" if numbers else "words" if kind in TEXTS else str(kind)


def _literal(value: Value) -> Value:
    """A number or word; as a decimal where 64 bits do not hold it."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return Decimal(value)
    return value


def _is_whole_number(value: Value) -> bool:
    """Whether a constant is a whole number of 64 bits."""
    return isinstance(value, _NUMBERS) and value % 1 == 0 and abs(value) < 2**63


def _combined(op: type, a: Value, b: Value) -> Value:
    """A sum, product or the like of columns and numbers, exact where these are whole."""
    if op in _WHOLE and _is_whole(a) and _is_whole(b):
        found = _WHOLE[op](a, b)
    else:
        found = _ARITHMETIC[op](_real(a), _real(b))
    return _column(found) if _is_column(found) else found.as_py()


def _is_whole(value: Value) -> bool:
    if _is_column(value):
        return pa.types.is_integer(value.type)
    return isinstance(value, int) and not isinstance(value, bool)


def _whole_rest(a: Value, b: Value) -> Value:
    """The rest of a division of whole numbers, none where the divisor is 0."""
    divisor = b if _is_column(b) else pa.scalar(b, pa.int64())
    divisor = pc.if_else(pc.equal(divisor, 0), pa.scalar(None, pa.int64()), divisor)
    rest = pc.subtract(a, pc.multiply(divisor, pc.divide(a, divisor)))
    other = pc.and_(pc.not_equal(rest, 0), pc.not_equal(pc.sign(rest), pc.sign(divisor)))
    return pc.if_else(other, pc.add(rest, divisor), rest)


def _signed(value: Value, *, turned: bool) -> Value:
    if not turned:
        return value
    return -value if isinstance(value, _NUMBERS) else pc.negate(value)


def _real(value: Value) -> Value:
    """Numbers as doubles: whole ones would be divided without a rest."""
    if _is_column(value):
        return value.cast(pa.float64(), safe=False)
    return float(value) if isinstance(value, int) else value
