"""Stamps, noise and PSFs of a file, as what is fitted: arrays of one shape at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sfumato.errors import DataError, IncompatibleError, ShapeError, suggest
from sfumato.galaxies.fit.stamps import Stamps
from sfumato.galaxies.render.pixels import PixelGrid
from sfumato.galaxies.render.profiles import PARAMETERS
from sfumato.galaxies.render.psf import PSF, Gaussian, ImagePSF, Moffat
from sfumato.io.images import StampFile, open_stamps
from sfumato.io.output import Column

# stamps of different shapes are framed to one of these sides (or the next odd one): few programs
_SIDES = (32, 48, 64, 96, 128, 192, 256, 384, 512)
_PSF_SUM_TOLERANCE = 0.01
_MAD = 1.4826


@dataclass(frozen=True)
class PSFSource:
    """Where the PSF comes from.

    Parameters
    ----------
    kind : ``"moffat"`` or ``"gaussian"`` of one width, ``"columns"`` (column ``psf_fwhm`` of the
        stamps), ``"stamps"`` (an image with every stamp) or ``"image"``.
    fwhm, beta : of the profiles, arcsec.
    image : (h, w) of kind ``"image"``.
    pixel_scale : arcsec per pixel of PSF images; by default that of the stamps.
    includes_pixel : whether PSF images hold the pixel's response.
    mend : cut PSF images to the stamp, and scale their sum to 1, instead of refusing them.
    text : how it was asked for, to be kept with the results.
    """

    kind: str
    fwhm: float = 0.0
    beta: float = 2.0
    image: np.ndarray | None = None
    pixel_scale: float | None = None
    includes_pixel: bool = True
    mend: bool = False
    text: str = ""

    @property
    def is_own(self) -> bool:
        """Whether every galaxy has a PSF of its own."""
        return self.kind in ("columns", "stamps")

    def narrowest(self, file: StampFile) -> float:
        """Smallest width of the profiles, arcsec; 0 if that is not known."""
        if self.kind == "columns":
            return float(np.min(self.widths(file)))
        return self.fwhm

    @staticmethod
    def widths(file: StampFile) -> np.ndarray:
        """Column ``psf_fwhm`` (n,), arcsec.

        Raises
        ------
        DataError
            A width is not positive.
        """
        values = np.asarray(file.column("psf_fwhm"), float)
        bad = np.flatnonzero(~((values > 0) & np.isfinite(values)))
        if bad.size:
            message = f"{file.path}: psf_fwhm of stamp {bad[0]} is {values[bad[0]]:g}"
            raise DataError(f"{message}; it must be positive arcsec. Mend the column.")
        return values


def parse_psf(
    text: str,
    *,
    pixel_scale: float | None = None,
    includes_pixel: bool = True,
    mend: bool = False,
) -> PSFSource:
    """A PSF from a text: ``0.7``, ``moffat:0.7:2.5``, ``gaussian:0.7``, ``columns``, ``stamps``
    or the name of an image file.

    Raises
    ------
    DataError
        The text is none of these, a width is not positive, or a file cannot be read.
    """  # noqa: D205 - the forms are the summary
    if pixel_scale is not None and not 0 < pixel_scale < np.inf:
        raise DataError(f"--psf-scale must be positive arcsec per pixel; got {pixel_scale}.")
    options = {"pixel_scale": pixel_scale, "includes_pixel": includes_pixel, "mend": mend}
    options["text"] = text
    kind, *rest = text.split(":")
    if kind in ("columns", "stamps") and not rest:
        return PSFSource(kind, **options)
    try:
        values = [float(part) for part in (rest or [kind])]
    except ValueError:
        values = []
    if not rest and values:
        kind = "moffat"
    if kind in ("moffat", "gaussian") and values:
        fwhm, beta = values[0], values[1] if len(values) > 1 else 2.0
        if len(values) > 2 or not 0 < fwhm < np.inf or not 1.5 <= beta < np.inf:
            message = "A PSF needs a positive width in arcsec and a Moffat beta of at least 1.5"
            raise DataError(f"{message}; got {text!r}.")
        return PSFSource(kind, fwhm, beta, **options)
    if not Path(text).exists():
        message = "is neither a width, moffat:FWHM:BETA, gaussian:FWHM, columns, stamps nor a file"
        raise DataError(f"--psf {text!r} {message}.")
    file = open_stamps(text)
    if file.n != 1:
        message = f"{text} holds {file.n} images and --psf needs one"
        raise DataError(f"{message}. For a PSF per galaxy, store them with the stamps.")
    return PSFSource("image", image=file.read_one(0), **options)


@dataclass(frozen=True)
class StampSource:
    """Files of stamps of the same galaxies, one per exposure, and how to read them.

    Parameters
    ----------
    files : one per exposure.
    psfs : one per exposure, or one for all.
    noise : Gaussian noise in counts per pixel; or the name of a column; or ``"weight"`` for maps of
        inverse variance in the files, or ``"border"``: from the spread of the outermost 3 pixels.
    gain : electrons per count; 0 for no Poisson noise.
    pixel_scale : arcsec.
    mask_bad : leave NaN and infinite pixels out instead of refusing them.
    """

    files: tuple[StampFile, ...]
    psfs: tuple[PSFSource, ...]
    noise: float | str
    gain: float
    pixel_scale: float
    mask_bad: bool = False

    def __post_init__(self) -> None:
        first = self.files[0]
        for other in self.files[1:]:
            if other.n != first.n:
                message = f"{first.path} has {first.n} stamps and {other.path} has {other.n}"
                raise ShapeError(f"{message}. Exposures must hold the same galaxies in order.")
            if other.shape != first.shape:
                message = f"{first.path} has stamps of {first.shape} and {other.path} of"
                raise ShapeError(f"{message} {other.shape}. Exposures must have one shape.")
        if isinstance(self.noise, float) and not 0 < self.noise < np.inf:
            raise ValueError(f"The noise must be positive counts per pixel; got {self.noise:g}.")
        if not 0 <= self.gain < np.inf:
            raise ValueError(f"The gain must be at least 0 electrons per count; got {self.gain}.")
        if not 0 < self.pixel_scale < np.inf:
            raise ValueError(f"The pixel scale must be positive; got {self.pixel_scale}.")
        if len(self.psfs) not in (1, len(self.files)):
            message = f"{len(self.files)} exposures need one PSF or {len(self.files)}"
            raise IncompatibleError(f"{message}; got {len(self.psfs)}.")
        if len({psf.is_own for psf in self.psfs}) > 1:
            raise IncompatibleError("Either all exposures have a PSF for every galaxy, or none.")

    @property
    def n(self) -> int:
        """Number of galaxies."""
        return self.files[0].n

    def parts(self, chunk: int) -> Iterator[tuple[np.ndarray, PixelGrid, Stamps]]:
        """Row numbers, grid and stamps, at most `chunk` galaxies at a time, of one shape each."""
        if all(file.shape is not None for file in self.files):
            for rows in self.files[0].iterate(chunk):
                numbers = np.arange(self.n)[rows]
                yield numbers, *self._stamps(numbers, None)
            return
        sides = np.array([_frame_side(self.files[0].read_one(i).shape) for i in range(self.n)])
        for side in np.unique(sides):
            numbers = np.flatnonzero(sides == side)
            for start in range(0, numbers.size, chunk):
                some = numbers[start : start + chunk]
                yield some, *self._stamps(some, int(side))

    def _stamps(self, rows: np.ndarray, side: int | None) -> tuple[PixelGrid, Stamps]:
        exposures = [self._exposure(file, rows, side) for file in self.files]
        images, weights = (np.stack(part, axis=1) for part in zip(*exposures, strict=True))
        sources = self.psfs * (len(self.files) // len(self.psfs))
        fwhm = min(source.narrowest(file) for source, file in zip(sources, self.files, strict=True))
        height, width = images.shape[2:]
        grid = PixelGrid.seeing(height, width, self.pixel_scale, fwhm=fwhm)
        psfs = tuple(
            self._psf(source, file, rows, grid)
            for source, file in zip(sources, self.files, strict=True)
        )
        return grid, Stamps(images, weights, psfs, self.gain, sources[0].is_own)

    def _exposure(
        self, file: StampFile, rows: np.ndarray, side: int | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Images and inverse variances (n, h, w); frames around smaller stamps have none."""
        pairs = [self._pair(file, int(row)) for row in rows]
        if side is not None:
            pairs = [(_framed(image, side), _framed(weight, side)) for image, weight in pairs]
        images, weights = (np.stack(part) for part in zip(*pairs, strict=True))
        return images, weights

    def _pair(self, file: StampFile, row: int) -> tuple[np.ndarray, np.ndarray]:
        image = file.read_one(row).astype(np.float32)
        if self.noise == "weight":
            weight = file.read_one(row, "weight").astype(np.float32)
        else:
            sigma = self._sigma(file, row, image)
            weight = np.full(image.shape, 1 / sigma**2, np.float32)
        if weight.shape != image.shape:
            message = f"{file.path}: stamp {row} has shape {image.shape} and weight {weight.shape}"
            raise ShapeError(f"{message}. They must agree.")
        if "mask" in file.names:
            weight = np.where(file.read_one(row, "mask") != 0, 0.0, weight)
        bad = ~np.isfinite(image) | ~np.isfinite(weight)
        if np.any(bad & (weight != 0)) and not self.mask_bad:
            count = int(np.sum(bad & (weight != 0)))
            message = f"{file.path}: stamp {row} has {count} pixels that are NaN or infinite"
            if np.isfinite(image).all():
                message += " in its weight map"
            raise DataError(f"{message}. Pass --mask-bad to leave them out.")
        if np.any(weight < 0):
            raise DataError(f"{file.path}: stamp {row} has negative weights. Mend the map.")
        return image, np.where(bad, 0.0, weight).astype(np.float32)

    def _sigma(self, file: StampFile, row: int, image: np.ndarray) -> float:
        if self.noise == "border":
            inner = np.ones(image.shape, bool)
            inner[3:-3, 3:-3] = False
            values = image[inner & np.isfinite(image)]
            sigma = _MAD * float(np.median(np.abs(values - np.median(values))))
        elif isinstance(self.noise, str):
            sigma = float(file.column(self.noise)[row])
        else:
            sigma = self.noise
        if not 0 < sigma < np.inf:
            message = f"{file.path}: the noise of stamp {row} is {sigma:g}"
            raise DataError(f"{message}; it must be positive. Check --noise.")
        return sigma

    def _psf(self, source: PSFSource, file: StampFile, rows: np.ndarray, grid: PixelGrid) -> PSF:
        if source.kind == "moffat":
            return Moffat(source.fwhm, source.beta)
        if source.kind == "gaussian":
            return Gaussian(source.fwhm)
        if source.kind == "columns":
            beta = attribute(file, "psf_beta", source.beta)
            fwhm = source.widths(file)[rows].astype(np.float32)
            full = np.ones_like(fwhm)
            return Moffat(fwhm, beta * full, 0 * full, 0 * full)
        scale = source.pixel_scale or self.pixel_scale
        if source.kind == "image":
            assert source.image is not None  # noqa: S101 - made by `parse_psf`
            image = checked_psf(source, source.image, grid, where="--psf")
            return ImagePSF(image, scale, source.includes_pixel)
        images = [
            checked_psf(
                source,
                file.read_one(int(row), "psf"),
                grid,
                where=f"{file.path}, PSF of stamp {row}",
            )
            for row in rows
        ]
        side = max(max(image.shape) for image in images)
        odd = {n % 2 for image in images for n in image.shape}
        if len(odd) > 1:
            message = f"{file.path}: PSF images must all have odd sides, or all even ones"
            raise ShapeError(f"{message}. Cut or pad them.")
        side += (side - next(iter(odd))) % 2
        stack = np.stack([_framed(image, side) for image in images])
        n = np.ones(len(rows), np.float32)
        return ImagePSF(stack, scale * n, source.includes_pixel * n)


def checked_psf(source: PSFSource, image: np.ndarray, grid: PixelGrid, *, where: str) -> np.ndarray:
    """A PSF image that sums to 1 and fits into the stamp.

    Raises
    ------
    DataError
        It does not, and is not to be mended; or it has no light.
    """
    if not np.isfinite(image).all():
        raise DataError(f"{where}: the image has NaN or infinite pixels. Mend it.")
    scale = source.pixel_scale or grid.pixel_scale
    side = [n * grid.pixel_scale for n in grid.shape]
    room = [int(length / scale + 1e-6) for length in side]
    total = float(image.sum())
    if any(n > most for n, most in zip(image.shape, room, strict=True)):
        if not source.mend:
            sizes = [" x ".join(f"{v:.4g}" for v in (*(n * scale for n in image.shape),))]
            message = f"the image of {sizes[0]} arcsec is larger than the stamp of"
            room_text = " x ".join(f"{v:.4g}" for v in side)
            raise DataError(f"{where}: {message} {room_text}. Cut it, or pass --mend-psf.")
        image = _cut(image, room)
    if abs(total - 1) > _PSF_SUM_TOLERANCE and not source.mend:
        message = f"the image sums to {total:.4f} instead of 1"
        raise DataError(f"{where}: {message}. Normalise it, or pass --mend-psf.")
    if not image.sum() > 0:
        raise DataError(f"{where}: the image has no light. Check which image it is.")
    return (image / image.sum()).astype(np.float32)


def attribute(file: StampFile, name: str, default: float) -> float:
    """A number that a file says of itself.

    Raises
    ------
    DataError
        It is no number.
    """
    value = file.attributes.get(name, default)
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise DataError(f"{file.path}: attribute {name} is {value!r}, not a number.") from error


def open_source(
    paths: Sequence[Path | str],
    *,
    psfs: Sequence[PSFSource],
    noise: float | str,
    gain: float | None,
    pixel_scale: float | None,
    mask_bad: bool = False,
) -> StampSource:
    """Open stamps; scale and gain not given are taken from what the file says of itself.

    Raises
    ------
    DataError
        There is no pixel scale.
    """
    files = tuple(open_stamps(path) for path in paths)
    scale = attribute(files[0], "pixel_scale", np.nan) if pixel_scale is None else pixel_scale
    if np.isnan(scale):
        raise DataError(f"{files[0].path} does not say its pixel scale. Pass --pixel-scale.")
    chosen = gain if gain is not None else attribute(files[0], "gain", 0.0)
    return StampSource(files, tuple(psfs), noise, chosen, scale, mask_bad)


def kept_columns(source: StampSource, names: Sequence[str]) -> dict[str, Column]:
    """Identifiers of the galaxies, and columns of the first file; true parameters say so.

    Raises
    ------
    DataError
        A column is not there.
    """
    file, columns = source.files[0], {}
    if file.identifiers:
        columns["id"] = Column(np.array(file.identifiers))
    elif "id" in file.columns:
        columns["id"] = Column(file.column("id"))
    for name in names:
        if name not in file.columns:
            message = f"{file.path} has no column {name!r} to keep"
            raise DataError(f"{message}. {suggest(name, file.columns)}")
        columns[f"true_{name}" if name in PARAMETERS else name] = Column(file.column(name))
    return columns


def _frame_side(shape: tuple[int, ...]) -> int:
    """Side of the square frame for a stamp, of the stamp's parity so that centres agree."""
    height, width = shape
    if height % 2 != width % 2:
        message = f"A stamp of {height} x {width} pixels has one odd and one even side"
        raise ShapeError(f"{message}. Cut one row or column.")
    longest, odd = max(height, width), height % 2
    return next((side - odd for side in _SIDES if side - odd >= longest), longest)


def _framed(image: np.ndarray, side: int) -> np.ndarray:
    """The image with zeros around it, its centre kept."""
    pads = [((side - n) // 2, side - n - (side - n) // 2) for n in image.shape]
    return np.pad(image, pads)


def _cut(image: np.ndarray, room: list[int]) -> np.ndarray:
    """The central part of an image, of the same parity."""
    slices = []
    for n, most in zip(image.shape, room, strict=True):
        kept = min(n, most)
        kept -= (n - kept) % 2
        slices.append(slice((n - kept) // 2, (n - kept) // 2 + kept))
    return image[tuple(slices)]
