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

_WHAT = {signal.SIGTERM: "Terminated", 1: "The terminal was closed"}  # not every system has SIGHUP

_IMPORTER = "<frozen importlib._bootstrap>"


class Interruption:
    """The signal that ended a run, if one did."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._is_heard = self._has_begun = False

    def begin(self) -> None:
        """From now on there may be something to clean up."""
        self._has_begun = True

    def end(self) -> None:
        """From now on a signal changes nothing."""
        self._is_heard = True

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Note a signal, and let the run clean up behind itself; at once if there is nothing yet.

        Compiled modules crash if an exception comes while they are imported.
        """
        if self._is_heard:
            return
        self.number = number
        if self._has_begun:
            self.again(number, frame)
        else:
            with suppress(OSError):  # standard error may be closed
                os.write(2, f"Error: {self.message(None)}\n".encode())
            os._exit(self.exit_code)

    def again(self, _number: int, frame: FrameType | None) -> None:
        """End the run for the signal that was noted before, unless it is ending."""
        if self._is_heard or (_is_importing(frame) and _ring_in(0.02)):
            return
        raise KeyboardInterrupt

    @property
    def exit_code(self) -> int:
        """As shells give it: 128 and the number of the signal."""
        return 128 + (signal.SIGINT if self.number is None else self.number)

    def message(self, verb: str | None, *, is_done: bool = False) -> str:
        """What happened, and how this verb goes on; further signals change nothing."""
        self.end()
        what = _WHAT.get(self.number, "Interrupted")
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


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_code.co_filename != _IMPORTER:
        frame = frame.f_back
    return frame is not None


def _ring_in(seconds: float) -> bool:
    """Deliver the signal again so much later, where the system can."""
    with suppress(AttributeError):
        signal.setitimer(signal.ITIMER_REAL, seconds)
        return True
    return False


def raise_pending() -> None:
    """End the work if a signal came and was lost in somebody's `except`."""
    handler = signal.getsignal(signal.SIGINT)
    lost = isinstance(handler, Interruption) and handler.number is not None
    if lost and current_thread() is main_thread():
        raise KeyboardInterrupt


@contextmanager
def heeded(*, is_last: bool = False) -> Iterator[Interruption]:
    """SIGINT, SIGTERM and SIGHUP as `KeyboardInterrupt`, which removes what is half written.

    Inside another one it is the other.

    Parameters
    ----------
    is_last : whether the process ends behind it: then signals are ignored, as what libraries do at
        the end takes no exception.
    """
    handler = signal.getsignal(signal.SIGINT)
    if isinstance(handler, Interruption):
        yield handler
        return
    interruption, before, hook = Interruption(), {}, sys.unraisablehook
    atexit.register(interruption.leave)  # the first that is registered is the last that runs
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, interruption)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as under nohup
            before[signal.SIGHUP] = signal.signal(signal.SIGHUP, interruption)
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
            signal.signal(number, signal.SIG_IGN if is_last else handler)
