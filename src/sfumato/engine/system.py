"""What systems do differently: cores, memory, forks."""

import os
from collections.abc import Callable
from pathlib import Path

_GROUP = Path("/sys/fs/cgroup")
_RESERVED = 2.5e9
"""Address space that compiled programs and threads reserve and hardly touch."""


def n_threads() -> int:
    """Cores this process may use: its affinity, which a batch system or container may restrict."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def free_memory() -> float:
    """Bytes that this process may still take; infinite where the system does not say.

    The least of what the machine has available, what its control group leaves and what its limit
    of address space does.
    """
    return min(_of_machine(), _of_group(), _of_address_space())


def _of_machine() -> float:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return float("inf")
    found = dict(line.split(":", 1) for line in lines)
    return 1024.0 * int(found["MemAvailable"].split()[0])


def _of_group() -> float:
    try:
        most, taken = ((_GROUP / f"memory.{name}").read_text() for name in ("max", "current"))
        return float("inf") if most.strip() == "max" else float(most) - float(taken)
    except OSError:
        return float("inf")


def _of_address_space() -> float:
    try:
        import resource  # not on every system

        most, _ = resource.getrlimit(resource.RLIMIT_AS)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):
        return float("inf")
    taken = pages * resource.getpagesize() + _RESERVED
    return float("inf") if most == resource.RLIM_INFINITY else most - taken


def after_fork(function: Callable[[], None]) -> None:
    """Have `function` called in every child that this process forks."""
    try:
        os.register_at_fork(after_in_child=function)
    except AttributeError:  # a system that does not fork
        return
