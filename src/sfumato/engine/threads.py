"""The one pool of threads, and `map` over the parts of a job.

Compiled programs and file readers let other threads run, so threads are enough on one machine.
A part that is itself made of parts runs them in its own thread: there is no pool inside a pool.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from itertools import islice
from typing import TypeVar

from sfumato.engine.system import after_fork, n_threads

Part = TypeVar("Part")
Result = TypeVar("Result")


class _Here(threading.local):
    """Whether this thread is one of the pool, or works alone."""

    inside = False


_here = _Here()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(n_threads(), "sfumato", initializer=_mark)


def _mark() -> None:
    _here.inside = True


def _forget() -> None:
    """After a fork the threads of the parent are not there."""
    _pool.cache_clear()
    _here.inside = False


after_fork(_forget)


@contextmanager
def alone() -> Iterator[None]:
    """In this thread `map` works its parts itself: it is one of several that share the cores."""
    before = _here.inside
    _here.inside = True
    try:
        yield
    finally:
        _here.inside = before


def map(  # called as `engine.map`
    function: Callable[[Part], Result], parts: Iterable[Part]
) -> Iterator[Result]:
    """Results of `function` for every part, in order, a few worked on ahead on other cores.

    An interruption does not wait for what nobody will read. Parts are drawn from their iterable
    in the caller's thread, one for each result that is taken.
    """
    if _here.inside or n_threads() == 1:
        for part in parts:
            yield function(part)
        return
    waiting, pool = iter(parts), _pool()
    ahead = [pool.submit(function, part) for part in islice(waiting, n_threads() + 1)]
    try:
        while ahead:
            result = ahead.pop(0).result()
            ahead += [pool.submit(function, part) for part in islice(waiting, 1)]
            yield result
    finally:
        for future in ahead:
            future.cancel()
