"""What every set of predicted joint distributions tells, however it is known."""

from abc import abstractmethod

import numpy as np
from numpy.typing import ArrayLike

from sfumato._numerics import doubles
from sfumato.errors import ShapeError
from sfumato.pdfs._base import AbstractPDFs
from sfumato.pdfs._objects import Objects


class AbstractJointPDFs(Objects):
    """n predicted densities of a target with d coordinates; axis 0 is the object. Immutable."""

    @property
    @abstractmethod
    def event_size(self) -> int:
        """Coordinates d of a target."""

    @abstractmethod
    def log_prob(self, y: ArrayLike) -> np.ndarray:
        """Joint log-density of object i at ``y[i]``, y of shape (n, d), (n,)."""

    @abstractmethod
    def mean(self) -> np.ndarray:
        """Expectation (n, d)."""

    @abstractmethod
    def covariance(self) -> np.ndarray:
        """Covariance (n, d, d)."""

    @abstractmethod
    def sample(self, n_draws: int, *, random_state: int | np.random.Generator = 0) -> np.ndarray:
        """Joint draws (n_draws, n, d)."""

    @abstractmethod
    def marginal(self, index: int) -> AbstractPDFs:
        """The distribution of one coordinate."""

    def variance(self) -> np.ndarray:
        """Variances of the coordinates (n, d)."""
        return np.diagonal(self.covariance(), axis1=1, axis2=2).copy()

    def std(self) -> np.ndarray:
        """Standard deviations of the coordinates (n, d)."""
        return np.sqrt(self.variance())

    def _own(self, y: ArrayLike) -> np.ndarray:
        values, expected = np.asarray(doubles(y), float), (len(self), self.event_size)
        if values.shape != expected:
            raise ShapeError(f"`y` must have shape {expected}; got {values.shape}.")
        return values

    def _index(self, index: int) -> int:
        if not -self.event_size <= index < self.event_size:
            allowed = f"0 to {self.event_size - 1}"
            raise ValueError(f"There is no coordinate {index}; there are {allowed}.")
        return index % self.event_size
