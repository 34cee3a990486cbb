"""What systems do differently: cores, memory, forks."""

import os
from collections.abc import Callable
from pathlib import Path

_GROUP = Path("/sys/fs/cgroup")
_RESERVED = 2.5e9
"""Address space that compiled programs and threads reserve and hardly touch."""

_LEAST, _PER_THREAD = 3.0e9, 0.1e9
"""Address space, measured with two cores: with less, libraries abort or hang while they load."""


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


def check_address_space() -> None:
    """Refuse to start where compiled libraries would abort, or hang, when they are loaded.

    Raises
    ------
    OSError
        The limit of address space is less than what they reserve.
    """
    most = _most_address_space()
    least = _LEAST + n_threads() * _PER_THREAD
    if most < least:
        message = f"This shell allows {most / 1e9:.1f} GB of address space (ulimit -v)"
        raise OSError(f"{message}, and starting takes {least / 1e9:.1f} GB. Allow more.")


def _most_address_space() -> float:
    try:
        import resource  # not on every system
    except ImportError:
        return float("inf")
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    return float("inf") if most == resource.RLIM_INFINITY else float(most)


def _of_address_space() -> float:
    try:
        import resource  # not on every system

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):
        return float("inf")
    return _most_address_space() - pages * resource.getpagesize() - _RESERVED


def after_fork(function: Callable[[], None]) -> None:
    """Have `function` called in every child that this process forks."""
    try:
        os.register_at_fork(after_in_child=function)
    except AttributeError:  # a system that does not fork
        return
