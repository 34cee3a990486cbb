r"""The pixel grid of a stamp, and the way from Fourier space to its pixels.

An image is the inverse Fourier integral of its spectrum, taken at the pixel centres:

.. math:: I(x, y) = \frac{1}{4 \pi^2} \int \hat I(k_x, k_y)\, e^{i (k_x x + k_y y)}\, dk_x\, dk_y

A fast Fourier transform would sample the spectrum evenly, and wide wings of galaxies and PSFs
would come in again at the opposite side of the stamp. Here the integral is a trapezoid rule in a
stretched variable: wave numbers lie densely near 0, where wings live, and as sparsely as the
stamp's size allows elsewhere. The sum over nodes is two small matrix products.
"""

from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array

from sfumato.errors import ShapeError

# near k = 0 the nodes are as dense as in a transform of this many stamp sizes
_PERIODS = 32.0
_DENSE_NODES = 6.0  # width, in nodes, of the dense region
_SMALLEST_PERIOD = 48  # pixels; a smaller stamp is a cut from one of this size


@dataclass(frozen=True)
class PixelGrid:
    """A stamp of square pixels; its centre is the origin, x to the right and y up.

    The centre of pixel (row i, column j) is at ``x = (j - (width - 1) / 2) * pixel_scale`` and
    ``y = (i - (height - 1) / 2) * pixel_scale``: GalSim's true centre.

    Parameters
    ----------
    height, width : pixels, at least 1.
    pixel_scale : arcsec per pixel.
    k_max : largest wave number along an axis, in units of the Nyquist wave number pi / pixel.
        Above 1 the light that is sampled too coarsely is folded back, as in a real detector.

    Raises
    ------
    ShapeError
        A side has no pixel.
    ValueError
        The pixel scale or `k_max` is not positive.
    """

    height: int
    width: int
    pixel_scale: float
    k_max: float = 2.0

    def __post_init__(self) -> None:
        if min(self.height, self.width) < 1:
            got = f"{self.height} x {self.width}"
            raise ShapeError(f"A stamp needs at least 1 x 1 pixels; got {got}.")
        if not 0 < self.pixel_scale < np.inf:
            message = "`pixel_scale` must be positive arcsec per pixel"
            raise ValueError(f"{message}; got {self.pixel_scale}.")
        if not 0 < self.k_max < np.inf:
            raise ValueError(f"`k_max` must be positive; got {self.k_max}.")

    @staticmethod
    def seeing(height: int, width: int, pixel_scale: float, *, fwhm: float) -> "PixelGrid":
        """A stamp under a smooth PSF: one over two pixels wide needs fewer wave numbers."""
        k_max = 1.75 if fwhm > 2 * pixel_scale else 2.0
        return PixelGrid(height, width, pixel_scale, k_max)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.height, self.width

    @property
    def n_pixels(self) -> int:
        """Pixels of the stamp."""
        return self.height * self.width

    @cached_property
    def axes(self) -> tuple["Axis", "Axis"]:
        """The y axis and the x axis."""
        return tuple(Axis.make(n, self.k_max) for n in self.shape)  # pyright: ignore

    def positions(self) -> tuple[np.ndarray, np.ndarray]:
        """Coordinates x (width,) and y (height,) of the pixel centres, arcsec."""
        y, x = ((np.arange(n) - (n - 1) / 2) * self.pixel_scale for n in self.shape)
        return x, y

    def wave_numbers(self) -> tuple[Array, Array]:
        """Kx (2, 1, Kx) with both signs and ky (1, Ky, 1), radians per arcsec."""
        ky, kx = (jnp.asarray(axis.k / self.pixel_scale, jnp.float32) for axis in self.axes)
        return jnp.stack([kx, -kx])[:, None, :], ky[None, :, None]

    def pixel_response(self) -> Array:
        """Transform (1, Ky, Kx) of a square pixel of unit flux."""
        ky, kx = (np.sinc(axis.k / (2 * np.pi)) for axis in self.axes)
        return jnp.asarray(ky[:, None] * kx, jnp.float32)[None]

    def image(self, spectrum: Array, x: Array | None = None, y: Array | None = None) -> Array:
        """Counts per pixel (height, width) of a spectrum, moved by x and y.

        Parameters
        ----------
        spectrum : (2, Ky, Kx) at `wave_numbers`; real if the image is point-symmetric about its
            centre, otherwise complex.
        x, y : shift in arcsec; None is no shift.
        """
        y_axis, x_axis = self.axes
        parts = _parities(spectrum)
        if x is not None:
            parts = _shift_x(parts, jnp.asarray(x_axis.k, jnp.float32) * (x / self.pixel_scale))
        if y is not None:
            angle = jnp.asarray(y_axis.k, jnp.float32)[:, None] * (y / self.pixel_scale)
            parts = _transpose(_shift_x(_transpose(parts), angle))
        quadrants: _Parts = {
            parity: jnp.asarray(y_axis.waves[parity[0]].T @ part @ x_axis.waves[parity[1]])
            for parity, part in parts.items()
        }
        even, odd = (
            _unfold(quadrants.get(y + "c"), quadrants.get(y + "s"), self.width) for y in "cs"
        )
        turned = (None if part is None else part.T for part in (even, odd))
        image = _unfold(*turned, n=self.height)
        assert image is not None  # noqa: S101 - a spectrum has a part
        return image.T


@dataclass(frozen=True)
class Axis:
    """Wave numbers along one axis of n pixels, and their waves at half of the pixels."""

    n: int
    k: np.ndarray  # (K,) radians per pixel, from 0
    waves: dict[str, np.ndarray]  # "c", "s": weighted cosines and sines (K, ceil(n / 2))

    @staticmethod
    def make(n: int, k_max: float) -> "Axis":
        """Nodes of the stretched trapezoid rule for n pixels."""
        step = 2 * np.pi / max(n, _SMALLEST_PERIOD)
        dense = (1 - 1 / _PERIODS) * _DENSE_NODES
        last = k_max * np.pi / step + dense * np.pi / 2
        t = np.arange(np.ceil(last) + 1)
        k = step * (t - dense * np.arctan(t / _DENSE_NODES))
        weight = step * (1 - dense / _DENSE_NODES / (1 + (t / _DENSE_NODES) ** 2))
        weight[0] /= 2  # the other half belongs to the negative axis
        half = np.arange((n + 1) // 2) + (0.5 if n % 2 == 0 else 0.0)
        scaled = weight[:, None] / (np.sqrt(2) * np.pi)
        waves = {"c": np.cos(k[:, None] * half), "s": np.sin(k[:, None] * half)}
        return Axis(n, k, {name: (w * scaled).astype(np.float32) for name, w in waves.items()})


# A spectrum's parts by parity: "cs" multiplies cos(ky y) sin(kx x), and so on. -----------------

_Parts = dict[str, Array]


def _parities(spectrum: Array) -> _Parts:
    """Parts of a spectrum known at (+kx, ky) and (-kx, ky)."""
    plus, minus = spectrum
    if not jnp.iscomplexobj(spectrum):
        return {"cc": plus + minus, "ss": minus - plus}
    real, imaginary = plus.real + minus.real, plus.imag + minus.imag
    return {
        "cc": real,
        "ss": minus.real - plus.real,
        "cs": minus.imag - plus.imag,
        "sc": -imaginary,
    }


def _shift_x(parts: _Parts, angle: Array) -> _Parts:
    """Parts of the image moved along x, by the addition theorem."""
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    out = {}
    for y in "cs":
        even, odd = parts.get(y + "c"), parts.get(y + "s")
        zero = 0.0
        c, s = (zero if even is None else even), (zero if odd is None else odd)
        if even is not None or odd is not None:
            out[y + "c"], out[y + "s"] = c * cos - s * sin, c * sin + s * cos
    return out


def _transpose(parts: _Parts) -> _Parts:
    return {parity[::-1]: part for parity, part in parts.items()}


def _unfold(even: Array | None, odd: Array | None, n: int) -> Array | None:
    """All n columns from those on the right of the centre, of an even and an odd part."""
    if even is None or odd is None:
        part, sign = (odd, -1) if even is None else (even, 1)
        if part is None:
            return None
        right, left = part, sign * part
    else:
        right, left = even + odd, even - odd
    return jnp.concatenate([left[:, n % 2 :][:, ::-1], right], axis=1)


def squared_wave_number(grid: PixelGrid, g1: ArrayLike, g2: ArrayLike) -> Array:
    """Squared wave number (2, Ky, Kx), rad^2 / arcsec^2, seen by a profile before its shear.

    A sheared profile's transform is that of the round one at the transposed shear of k.
    """
    kx, ky = grid.wave_numbers()
    g_squared = g1 * g1 + g2 * g2
    along_x, along_y = 1 + 2 * g1 + g_squared, 1 - 2 * g1 + g_squared
    form = jnp.asarray(along_x * kx**2 + 4 * g2 * kx * ky + along_y * ky**2)
    return form / (1 - g_squared)
