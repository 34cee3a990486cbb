"""What systems do differently: cores, forks."""

import os
from collections.abc import Callable


def n_threads() -> int:
    """Cores this process may use: its affinity, which a batch system or container may restrict."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def after_fork(function: Callable[[], None]) -> None:
    """Have `function` called in every child that this process forks."""
    try:
        os.register_at_fork(after_in_child=function)
    except AttributeError:  # a system that does not fork
        return
