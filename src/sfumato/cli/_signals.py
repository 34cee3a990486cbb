"""Interruptions: one line, what is left to do, and the exit code that programs expect."""

import atexit
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import current_thread, main_thread
from types import FrameType
from typing import Any

_AGAIN = "Nothing was written"
GOES_ON = {
    "predict": "Rows that are finished are kept: the same command goes on behind them",
    "tune": "Trials that are finished are kept: the same command goes on behind them",
}
"""What the next run does, by verb, where it does not begin anew."""


class Interruption:
    """The signal that ended a run, if one did."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._is_heard = False

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Note a signal, and let the run clean up behind itself."""
        self.number = number
        self.again()

    def again(self, *_: object) -> None:
        """End the run for the signal that was noted before, unless it is ending."""
        if not self._is_heard:
            raise KeyboardInterrupt

    @property
    def exit_code(self) -> int:
        """As shells give it: 128 and the number of the signal."""
        return 128 + (signal.SIGINT if self.number is None else self.number)

    def message(self, verb: str | None, *, is_done: bool = False) -> str:
        """What happened, and how this verb goes on; further signals change nothing."""
        self._is_heard = True
        what = "Terminated" if self.number == signal.SIGTERM else "Interrupted"
        if is_done:
            return f"{what} when the work was done: what was asked for is written."
        return f"{what}. {GOES_ON.get(verb or '', _AGAIN)}."

    def leave(self) -> None:
        """End the process at once: threads that were left in their work may crash its end."""
        if self.number is not None:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(self.exit_code)

    def unraisable(self, lost: Any) -> None:  # of a class that only stubs know
        """Deliver a signal again that came where no exception can be raised, as in a finaliser."""
        if lost.exc_type is not KeyboardInterrupt:
            sys.__unraisablehook__(lost)
        else:
            _ring_in(0.01)


def _ring_in(seconds: float) -> None:
    with suppress(AttributeError):  # not on every system
        signal.setitimer(signal.ITIMER_REAL, seconds)


def raise_pending() -> None:
    """End the work if a signal came and was lost in somebody's `except`."""
    handler = signal.getsignal(signal.SIGINT)
    lost = isinstance(handler, Interruption) and handler.number is not None
    if lost and current_thread() is main_thread():
        raise KeyboardInterrupt


@contextmanager
def heeded() -> Iterator[Interruption]:
    """SIGINT and SIGTERM as `KeyboardInterrupt`, which removes what is half written."""
    interruption, before, hook = Interruption(), {}, sys.unraisablehook
    atexit.register(interruption.leave)  # the first that is registered is the last that runs
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, interruption)
        before[signal.SIGALRM] = signal.signal(signal.SIGALRM, interruption.again)
        sys.unraisablehook = interruption.unraisable
    except (ValueError, AttributeError):
        pass  # another thread than the main one gets no signals, another system not all of them
    try:
        yield interruption
    finally:
        sys.unraisablehook = hook
        _ring_in(0)
        for number, handler in before.items():
            signal.signal(number, handler)
