"""How each kind of PDFs lies in a file: header and bytes of an object. One table by kind."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Generic, TypeAlias, TypeVar

import numpy as np

from sfumato._typing import Json
from sfumato.families import MixtureFamily, family_from_dict
from sfumato.io.encoding import decode, encode, row_bytes
from sfumato.pdfs import Gridded, GridPDFs, JointPDFs, ParametricPDFs, SamplePDFs, make_pdfs

FORMAT = 1
EFFECTIVE_SIZE = "effective_size"
STORED_DRAWS = 500
"""Draws of each object in a file, where they had weights; `SamplePDFs.resampled` gives others."""

Header: TypeAlias = dict[str, Json]
"""JSON's types; a damaged one raises what `PDFsFile` turns into an error."""

Storable: TypeAlias = ParametricPDFs | JointPDFs | GridPDFs | SamplePDFs
Stored = TypeVar("Stored", bound=Storable)


class Codec(ABC, Generic[Stored]):
    """One kind of PDFs: from and to what lies in a file."""

    kind: ClassVar[str]
    """Its name in headers."""

    def stored(self, pdfs: Stored) -> tuple[Stored, dict[str, np.ndarray]]:
        """The PDFs as they are stored, and further columns (n,) that say what was lost."""
        return pdfs, {}

    @abstractmethod
    def header(self, pdfs: Stored, *, precision: int) -> Header:
        """What a file says of such PDFs."""

    @abstractmethod
    def rows(self, pdfs: Stored, *, precision: int) -> np.ndarray:
        """Bytes (n, width) of the objects."""

    @abstractmethod
    def width(self, header: Header) -> int:
        """Bytes of one object; raises where the header is damaged."""

    @abstractmethod
    def read(self, header: Header, rows: np.ndarray) -> Storable:
        """The PDFs of rows of bytes (n, width)."""

    def is_vector(self, header: Header) -> bool:
        """Whether the target has several coordinates."""
        return False


class MixtureCodec(Codec[ParametricPDFs | JointPDFs]):
    """Parameters, in the codes of `sfumato.io.encoding`."""

    kind = "mixture"

    def header(self, pdfs: ParametricPDFs | JointPDFs, *, precision: int) -> Header:
        """Family, members, precision, and the density of the training targets if it is kept."""
        about = family_header(pdfs.family, n_members=pdfs.n_members, precision=precision)
        return about | prior_header([prior.to_grid() for prior in pdfs.training_priors])

    def rows(self, pdfs: ParametricPDFs | JointPDFs, *, precision: int) -> np.ndarray:
        """Codes of the parameters."""
        if pdfs.member_log_weights is not None:
            raise ValueError("Unequal member weights cannot be stored. Use to_grid() first.")
        return encode(pdfs.family, pdfs.params, precision=precision)

    def width(self, header: Header) -> int:
        """By family, members and precision."""
        count, precision = header["n_members"], header["precision"]
        return row_bytes(family_from_dict(header), n_members=count, precision=precision)

    def read(self, header: Header, rows: np.ndarray) -> ParametricPDFs | JointPDFs:
        """Mixtures, with the density of the training targets if it is kept."""
        family = family_from_dict(header)
        n_members, precision = header["n_members"], header["precision"]
        params = decode(family, rows, n_members=n_members, precision=precision)
        pdfs = make_pdfs(family, params)
        return pdfs.with_training_priors(priors_of(header))

    def is_vector(self, header: Header) -> bool:
        """By the family."""
        return family_from_dict(header).kind == "vector"


class GridCodec(Codec[GridPDFs]):
    """Densities on a grid, float32."""

    kind = "grid"

    def header(self, pdfs: GridPDFs, *, precision: int) -> Header:
        """The grid."""
        return {"format": FORMAT, "object": self.kind, "grid": pdfs.grid.tolist()}

    def rows(self, pdfs: GridPDFs, *, precision: int) -> np.ndarray:
        """The densities."""
        return _bytes(pdfs.density)

    def width(self, header: Header) -> int:
        """Four bytes a point."""
        return 4 * len(header["grid"])

    def read(self, header: Header, rows: np.ndarray) -> GridPDFs:
        """Densities, normalised again."""
        return GridPDFs(np.asarray(header["grid"]), rows.view("<f4").astype(float))


class SampleCodec(Codec[SamplePDFs]):
    """Draws of equal weight, float32."""

    kind = "samples"

    def stored(self, pdfs: SamplePDFs) -> tuple[SamplePDFs, dict[str, np.ndarray]]:
        """The same distributions by draws that need no weights, and what they were worth before."""
        worth = {EFFECTIVE_SIZE: pdfs.effective_size}
        if pdfs.log_weights is None:
            return pdfs, worth
        if np.all(np.ptp(pdfs.weights, axis=1) <= 1e-9 / pdfs.n_draws):
            return SamplePDFs(pdfs.draws, None, pdfs.bounds), worth
        return pdfs.resampled(STORED_DRAWS), worth

    def header(self, pdfs: SamplePDFs, *, precision: int) -> Header:
        """Draws and bounds; None in place of an infinite bound."""
        bounds = [bound if np.isfinite(bound) else None for bound in pdfs.bounds]
        about = {"format": FORMAT, "object": self.kind, "n_draws": pdfs.n_draws}
        return about | {"bounds": bounds}

    def rows(self, pdfs: SamplePDFs, *, precision: int) -> np.ndarray:
        """The draws."""
        if np.any(np.abs(pdfs.draws) > np.finfo(np.float32).max):
            message = "Draws beyond 3e38 do not fit in float32"
            raise ValueError(f"{message}; got {np.abs(pdfs.draws).max():g}. Choose other units.")
        return _bytes(pdfs.draws)

    def width(self, header: Header) -> int:
        """Four bytes a draw."""
        low, high = _bounds(header)
        if not low < high:
            raise ValueError(f"its bounds are {header['bounds']}")
        return 4 * header["n_draws"]

    def read(self, header: Header, rows: np.ndarray) -> SamplePDFs:
        """Draws; rounding to float32 may have carried one across a bound."""
        bounds = _bounds(header)
        return SamplePDFs(np.clip(rows.view("<f4").astype(float), *bounds), None, bounds)


_MIXTURES = MixtureCodec()
_CODECS: dict[type, Codec] = {
    GridPDFs: GridCodec(),
    SamplePDFs: SampleCodec(),
    ParametricPDFs: _MIXTURES,
    JointPDFs: _MIXTURES,
}
"""The one table from a class of PDFs, or one it is a case of, to its codec."""

CODECS: dict[str, Codec] = {codec.kind: codec for codec in _CODECS.values()}
"""The same by the kind that a header names."""


def codec_of(pdfs: object) -> Codec:
    """The codec of a set of PDFs.

    Raises
    ------
    ValueError
        There is none for its kind.
    """
    for kind in type(pdfs).__mro__:
        if kind in _CODECS:
            return _CODECS[kind]
    raise ValueError(f"{type(pdfs).__name__} cannot be stored. Use to_grid() first.")


def family_header(family: MixtureFamily, *, n_members: int, precision: int) -> Header:
    """What a file of mixtures says of itself."""
    return {
        "format": FORMAT,
        "object": MixtureCodec.kind,
        **family.to_dict(),
        "n_members": n_members,
        "precision": precision,
    }


def prior_header(priors: Sequence[Gridded]) -> Header:
    """The densities of the training targets, one for each coordinate, as a part of a header.

    In units of their highest value: digits that are left do not depend on the unit of y.
    """
    stored = [
        {"grid": prior.grid.tolist(), "density": np.round(relative, 9).tolist()}
        for prior in priors
        for relative in [prior.density[0] / prior.density[0].max()]
    ]
    # a single one has been written without a list since before there were several
    return {"training_prior": stored[0] if len(stored) == 1 else stored} if stored else {}


def priors_of(header: Header) -> list[GridPDFs]:
    """What `prior_header` put into a header."""
    stored = header.get("training_prior", [])
    curves = stored if isinstance(stored, list) else [stored]
    # in units of y such as 1e-10, versions to 0.1 rounded all of it away
    known = [c for c in curves if np.any(np.asarray(c["density"]) > 0)]
    return [GridPDFs(np.asarray(c["grid"]), np.asarray(c["density"])[None]) for c in known]


def _bounds(header: Mapping[str, Json]) -> tuple[float, float]:
    """Bounds of the draws in a file, None read as none."""
    low, high = header["bounds"]
    return -np.inf if low is None else float(low), np.inf if high is None else float(high)


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values.astype("<f4")).view(np.uint8)
