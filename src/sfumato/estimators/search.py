"""Where a search looks for the value of an option, as Optuna's trials are asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@runtime_checkable
class Trial(Protocol):
    """What is used of an ``optuna.Trial``."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """A whole number."""
        ...

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """A number."""
        ...

    def suggest_categorical(self, name: str, choices: Sequence[str]) -> str:
        """One of several words."""
        ...


@runtime_checkable
class Search(Protocol):
    """The range of one option; its text stands in the documentation."""

    def suggest(self, trial: Trial, name: str) -> object:
        """The trial's value of the option called `name`."""
        ...


@dataclass(frozen=True)
class Integers:
    """Whole numbers from low to high."""

    low: int
    high: int
    log: bool = False

    def suggest(self, trial: Trial, name: str) -> int:
        """One of them."""
        return trial.suggest_int(name, self.low, self.high, log=self.log)

    def __str__(self) -> str:
        return f"{self.low} to {self.high}{', by logarithm' if self.log else ''}"


@dataclass(frozen=True)
class Floats:
    """Numbers from low to high."""

    low: float
    high: float
    log: bool = False

    def suggest(self, trial: Trial, name: str) -> float:
        """One of them."""
        return trial.suggest_float(name, self.low, self.high, log=self.log)

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}{', by logarithm' if self.log else ''}"


@dataclass(frozen=True)
class Words:
    """One of several words."""

    words: Sequence[str]

    def suggest(self, trial: Trial, name: str) -> str:
        """One of them."""
        return trial.suggest_categorical(name, self.words)

    def __str__(self) -> str:
        return ", ".join(self.words)


@dataclass(frozen=True)
class Layers:
    """Up to `most` layers of one width from low to high."""

    low: int
    high: int
    most: int

    def suggest(self, trial: Trial, name: str) -> tuple[int, ...]:
        """The widths of the layers; `name` is not used: they are two numbers in a trial."""
        width = trial.suggest_int("hidden_width", self.low, self.high, log=True)
        return (width,) * trial.suggest_int("hidden_layers", 1, self.most)

    def __str__(self) -> str:
        return f"1 to {self.most} layers of {self.low} to {self.high}"
