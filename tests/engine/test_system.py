"""What the system says of itself."""

import subprocess
import sys

import pytest

from sfumato.engine import system


def test_free_memory_is_the_least_of_what_limits_it(tmp_path, monkeypatch):
    monkeypatch.setattr(system, "_GROUP", tmp_path)
    of_machine = system.free_memory()
    assert 1e8 < of_machine < 1e14
    (tmp_path / "memory.max").write_text("50000000\n")
    (tmp_path / "memory.current").write_text("20000000\n")
    assert system.free_memory() == 30_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert system.free_memory() == pytest.approx(of_machine, rel=0.5)


def test_free_memory_heeds_a_limit_of_address_space():
    code = "from sfumato.engine.system import free_memory; print(free_memory())"
    limited = f"ulimit -v 3000000 && exec {sys.executable} -c '{code}'"
    said = subprocess.run(["bash", "-c", limited], capture_output=True, text=True, check=True)
    assert float(said.stdout) < 3000000 * 1024 - 2.5e9
