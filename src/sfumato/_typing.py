"""Names for types that recur, so that signatures read like the notation page."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import numpy as np
from jaxtyping import Array

Params: TypeAlias = dict[str, Array]
HostParams: TypeAlias = dict[str, np.ndarray]

Json: TypeAlias = Any
"""A value of JSON or TOML read from a file: nested, and checked by whoever takes it apart."""

Arguments: TypeAlias = dict[str, Any]
"""Arguments of a constructor by name: values of every kind."""

AnyArray = TypeVar("AnyArray", Array, np.ndarray)
"""Arrays of JAX in training, of NumPy in results: what comes in goes out."""

if TYPE_CHECKING:
    import optuna
    from numpyro import distributions

    class FitsCard(Protocol):
        """What is used of astropy's lines of FITS headers."""

        keyword: str
        value: object

    class FitsHeader(Protocol):
        """What is used of astropy's FITS headers."""

        cards: Sequence[FitsCard]

        def __getitem__(self, keyword: str) -> Any: ...  # a number or a word
        def get(self, keyword: str) -> Any: ...  # the same

    class FitsColumn(Protocol):
        """What is used of astropy's columns of FITS tables."""

        name: str
        unit: str | None
        null: float | str | None
        bzero: float | str | None
        format: str
        ascii: bool
        dtype: np.dtype

    class FitsColumns(Protocol):
        """What is used of astropy's sets of them."""

        names: list[str]
        dtype: np.dtype

        def __iter__(self) -> Iterator[FitsColumn]: ...

    class FitsPart(Protocol):
        """What is used of astropy's images and tables."""

        name: str
        header: FitsHeader
        columns: FitsColumns
        data: np.ndarray
        section: np.ndarray
        shape: tuple[int, ...]
        is_image: bool
        _data_offset: int

        def verify_datasum(self) -> int:
            """1 where the data are those of their checksum, 0 where not, 2 where there is none."""
            ...

        def fileinfo(self) -> dict[str, int]: ...

    class Hdf5Node(Protocol):
        """What is used of h5py's groups and arrays."""

        name: str
        shape: tuple[int, ...]
        ndim: int
        dtype: np.dtype
        file: "Hdf5Node"
        filename: str
        attrs: Mapping[str, Any]  # of every kind

        def __iter__(self) -> Iterator[str]: ...
        def __len__(self) -> int: ...
        def __contains__(self, name: str) -> bool: ...
        def __getitem__(self, key: object) -> Any: ...  # a node, or an array
        def get(self, name: str) -> Any: ...  # a node; None where a link leads nowhere

    FitsParts: TypeAlias = Sequence[FitsPart]
    NumpyroDistribution: TypeAlias = distributions.Distribution
    NumpyroConstraint: TypeAlias = distributions.constraints.Constraint
    Study: TypeAlias = optuna.Study
    RunningTrial: TypeAlias = optuna.Trial
    FinishedTrial: TypeAlias = optuna.trial.FrozenTrial
    Sampler: TypeAlias = optuna.samplers.BaseSampler
    Pruner: TypeAlias = optuna.pruners.BasePruner
    Storage: TypeAlias = optuna.storages.BaseStorage
else:  # of packages that not every installation has, or that take their time
    FitsPart = FitsParts = FitsHeader = FitsColumn = Hdf5Node = object
    NumpyroDistribution = NumpyroConstraint = object
    Study = RunningTrial = FinishedTrial = Sampler = Pruner = Storage = object
