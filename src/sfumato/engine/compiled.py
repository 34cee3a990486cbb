"""Compiled programs kept on disk between runs."""

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import equinox as eqx
import jax
from jaxtyping import PyTree

from sfumato.engine.system import after_fork

CPU_OPTIONS = {"xla_cpu_prefer_vector_width": 512, "xla_backend_optimization_level": 1}
"""Compiler options of all programs: full-width vectors, 20 to 40 % faster where a CPU has them,
without effect elsewhere; and LLVM's first level, whose programs are as fast as those of its third
and compiled in half to nine tenths of the time. Results differ by rounding, if at all; level 0 does
without fused multiplication and addition and is slow."""

Out = TypeVar("Out")

OFF = {"0", "off", "no", "false"}


_process = {"ran": False, "forked": False}


def _after_fork() -> None:
    _process["forked"] = _process["ran"]


after_fork(_after_fork)


def use_compilation_cache() -> None:
    """Keep compiled programs in ``$SFUMATO_CACHE`` (default ``~/.cache/sfumato``), unless "off".

    A directory that the user has given to JAX already is left as it is.

    Raises
    ------
    RuntimeError
        This process was forked from one that has run compiled programs: JAX's threads are not in
        it, and the next program would wait for them for ever.
    OSError
        JAX finds no device of those it was told to take.
    """
    if _process["forked"]:
        message = "This process was forked after its parent had used sfumato, and JAX would hang"
        cure = "Start workers with multiprocessing.get_context('spawn'), or fork before the first"
        raise RuntimeError(f"{message}. {cure} fit or predict.")
    try:
        jax.default_backend()
    except (RuntimeError, AssertionError) as error:
        told = os.environ.get("JAX_PLATFORMS", "")
        reason = f" ({error})" if str(error) else ""
        message = f"JAX finds no device for JAX_PLATFORMS={told!r}{reason}"
        raise OSError(f"{message}. Unset it, or set it to cpu.") from error
    _process["ran"] = True
    wish = os.environ.get("SFUMATO_CACHE", "")
    if wish.lower() in OFF or jax.config.values["jax_compilation_cache_dir"] is not None:
        return
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    jax.config.update("jax_compilation_cache_dir", wish or str(Path(base) / "sfumato"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    # where the cache cannot be read or written, programs are compiled: nothing is lost but time
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation")


def program(function: Callable[..., Out]) -> Callable[..., Out]:
    """`function` compiled: arrays are its inputs, and all else it is given part of the program."""
    # the stubs do not know the options that are handed to jax.jit
    return eqx.filter_jit(function, compiler_options=CPU_OPTIONS)  # pyright: ignore[reportCallIssue]


def over_rows(function: Callable[..., Out], *arrays: PyTree) -> Out:
    """`function` of every row of the arrays, stacked: ``vmap`` where that is fast.

    On a CPU the rows go one after another: what one row needs fits into the cache, look-ups into
    its tables need no batch index, and an iteration ends when its own row has converged.
    """
    if jax.default_backend() == "cpu":
        return jax.lax.map(lambda row: function(*row), arrays)
    return jax.vmap(function)(*arrays)
