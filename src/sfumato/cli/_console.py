"""Where the command line prints, and how it says how far it is."""

import os
import time
from threading import Event, Thread
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from sfumato.cli._signals import raise_pending

_WIDTH = 80 if os.environ.get("COLUMNS") == "0" else None  # or nothing would be printed

console = Console(width=_WIDTH)
errors = Console(stderr=True, width=_WIDTH)

SECONDS_BETWEEN_LINES = 30.0
"""Of progress, where there is no terminal to draw a bar in."""


def set_quiet(*, on: bool) -> None:
    """Print neither results nor progress from now on, or do; errors and warnings always are."""
    console.quiet = on


def progress() -> Progress:
    """A bar with counts and times on standard error; a line now and then without a terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    if console.quiet:
        return _Bar(*columns, console=errors, disable=True)
    kind = _Bar if errors.is_terminal else _Lines
    return kind(*columns, console=errors, transient=True)


class _Bar(Progress):
    """Progress that ends the work if a signal was lost."""

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        raise_pending()
        super().advance(task_id, advance)


class _Lines(_Bar):
    """Progress in lines, for logs: what is done of what, and the time it took."""

    def __enter__(self) -> Self:
        self.disable = True  # nothing is drawn
        self._start_time, self._ended = time.monotonic(), Event()
        self._thread = Thread(target=self._report, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _report(self) -> None:
        while not self._ended.wait(SECONDS_BETWEEN_LINES):
            minutes = (time.monotonic() - self._start_time) / 60
            for task in self.tasks:
                done = f"{task.completed:,.0f}"
                whole = "" if task.total is None else f" of {task.total:,.0f}"
                share = f" ({task.percentage:.0f} %)" if task.total else ""
                self.console.print(
                    f"{task.description}: {done}{whole}{share} after {minutes:.1f} minutes",
                    markup=False,
                    soft_wrap=True,
                )
