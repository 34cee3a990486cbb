"""What checks the annotations of arrays in sfumato while its tests run."""

import types
from typing import get_args

from beartype import beartype
from jaxtyping import AbstractArray


def _states_a_shape(hint):
    return any(map(_states_a_shape, get_args(hint))) or (
        isinstance(hint, type) and issubclass(hint, AbstractArray)
    )


def shapes(function):
    """The function, checking the arguments and results whose annotation states a shape.

    Other annotations are the type checker's: tests hand over wrong types to read the message.
    """
    hints = {name: hint for name, hint in function.__annotations__.items() if _states_a_shape(hint)}
    if not hints:
        return function
    copy = types.FunctionType(
        function.__code__,
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__, copy.__annotations__ = function.__kwdefaults__, hints
    copy.__module__, copy.__qualname__ = function.__module__, function.__qualname__
    return beartype(copy)
