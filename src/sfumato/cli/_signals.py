"""Interruptions: one line, what is left to do, and the exit code that programs expect."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

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

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Note a signal, and let the run clean up behind itself."""
        self.number = number
        raise KeyboardInterrupt

    @property
    def exit_code(self) -> int:
        """As shells give it: 128 and the number of the signal."""
        return 128 + (signal.SIGINT if self.number is None else self.number)

    def message(self, verb: str | None) -> str:
        """What happened, and how this verb goes on."""
        what = "Terminated" if self.number == signal.SIGTERM else "Interrupted"
        return f"{what}. {GOES_ON.get(verb or '', _AGAIN)}."


@contextmanager
def heeded() -> Iterator[Interruption]:
    """SIGINT and SIGTERM as `KeyboardInterrupt`, which removes what is half written."""
    interruption, before = Interruption(), {}
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            before[number] = signal.signal(number, interruption)
    except ValueError:
        pass  # another thread than the main one gets no signals
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
