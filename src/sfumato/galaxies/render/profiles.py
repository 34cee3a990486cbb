"""Light profiles of galaxies: what their parameters mean, and their Fourier transforms.

A Sérsic profile has no closed transform. It is tabulated once, by a fast Hankel transform, over
the logarithms of wave number and index; everything a renderer needs is then a cubic in one and a
Chebyshev series in the other, smooth in all parameters.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jax.typing import ArrayLike
from jaxtyping import Array
from numpy.polynomial import chebyshev
from scipy import fft, interpolate, special

from sfumato.galaxies.render.pixels import PixelGrid, squared_wave_number


@runtime_checkable
class Profile(Protocol):
    """What the renderer asks of light and of point-spread functions alike."""

    def transform(self, grid: PixelGrid) -> Array:
        """Fourier transform (2, Ky, Kx) at the wave numbers of the grid, 1 at 0; JAX."""
        ...


@runtime_checkable
class Light(Profile, Protocol):
    """A profile with a flux (counts) and a place on the stamp (arcsec, None for its centre)."""

    @property
    def flux(self) -> ArrayLike:
        """Total counts."""
        ...

    @property
    def x(self) -> ArrayLike | None:
        """Offset along x."""
        ...

    @property
    def y(self) -> ArrayLike | None:
        """Offset along y."""
        ...


SERSIC_INDEX_RANGE = (0.5, 6.0)
"""Below 0.5 the transform changes sign; above 6 over a fifth of the light lies beyond three
half-light radii and no stamp can hold it."""

GAUSSIAN, EXPONENTIAL, DE_VAUCOULEURS = 0.5, 1.0, 4.0

LARGEST_LOSS = 0.5
"""Share of the light that may lie outside of a stamp."""

_LOG_K = (-9.0, 9.6)  # natural logarithm of wave number times half-light radius
_N_INTERVALS = 480
_DEGREE = 22  # of the series in log n; its error is 3e-9
_BIAS = -0.3
_STEP = (_LOG_K[1] - _LOG_K[0]) / _N_INTERVALS


class Sersic(NamedTuple):
    r"""A Sérsic galaxy, sheared and shifted as GalSim does it.

    .. math:: I(r) \propto \exp\left[-b_n (r / r_e)^{1/n}\right]

    Every field is a number or an array of one shape; fields are arrays of JAX under `jit`.

    Parameters
    ----------
    flux : total counts.
    sersic_index : n, 0.5 (Gaussian) to 6; 1 is the exponential, 4 the de Vaucouleurs profile.
    half_light_radius : radius that holds half of the flux before shear, arcsec. Shear keeps areas,
        so this is the geometric mean of the half axes of the half-light ellipse.
    g1, g2 : reduced shear, ``|g| = (1 - q) / (1 + q)`` of axis ratio q, at most below 1;
        g1 > 0 stretches along x, g2 > 0 along the diagonal x = y.
    x, y : offset of the centre from that of the stamp, arcsec; None is exactly 0 and cheaper.

    References
    ----------
    Graham & Driver (2005), PASA 22, 118, equations 1 and 4.
    """

    flux: ArrayLike
    sersic_index: ArrayLike
    half_light_radius: ArrayLike
    g1: ArrayLike = 0.0
    g2: ArrayLike = 0.0
    x: ArrayLike | None = None
    y: ArrayLike | None = None

    def transform(self, grid: PixelGrid) -> Array:
        """Transform (2, Ky, Kx) of unit flux at the wave numbers of the grid, centred; 1 at 0."""
        squared = squared_wave_number(grid, self.g1, self.g2)
        log_k = 0.5 * jnp.log(jnp.maximum(squared, 1e-12)) + jnp.log(self.half_light_radius)
        return sersic_transform(log_k, jnp.asarray(self.sersic_index, log_k.dtype))


PARAMETERS = Sersic._fields
LABELS: Mapping[str, str] = {
    "sersic_index": "Sérsic index",
    "half_light_radius": "half-light radius",
}
"""Names in pictures, where they differ from those in the code."""
UNITS: Mapping[str, str] = {
    "flux": "count",
    "sersic_index": "",
    "half_light_radius": "arcsec",
    "g1": "",
    "g2": "",
    "x": "arcsec",
    "y": "arcsec",
    "background": "count / pixel",
}


def gaussian(*, flux: ArrayLike, half_light_radius: ArrayLike, **rest: ArrayLike) -> Sersic:
    """The Gaussian profile; its sigma is the half-light radius / sqrt(2 ln 2)."""
    return Sersic(flux, GAUSSIAN, half_light_radius, **rest)


def exponential(*, flux: ArrayLike, half_light_radius: ArrayLike, **rest: ArrayLike) -> Sersic:
    """The exponential disc; its scale length is the half-light radius / 1.6783."""
    return Sersic(flux, EXPONENTIAL, half_light_radius, **rest)


def de_vaucouleurs(*, flux: ArrayLike, half_light_radius: ArrayLike, **rest: ArrayLike) -> Sersic:
    """The de Vaucouleurs (1948) bulge, index 4."""
    return Sersic(flux, DE_VAUCOULEURS, half_light_radius, **rest)


def light_within(radius: ArrayLike, sersic_index: ArrayLike) -> np.ndarray:
    """Share of the flux inside `radius`, in units of the half-light radius (Graham 2005, eq. 2)."""
    n = np.asarray(sersic_index, float)
    b = special.gammaincinv(2 * n, 0.5)
    return special.gammainc(2 * n, b * np.asarray(radius, float) ** (1 / n))


def surface_brightness(
    radius: ArrayLike, *, flux: ArrayLike, sersic_index: ArrayLike, half_light_radius: ArrayLike
) -> np.ndarray:
    """Counts per square arcsec of the unsheared profile at `radius` in arcsec."""
    n, r = np.asarray(sersic_index, float), np.asarray(half_light_radius, float)
    b = special.gammaincinv(2 * n, 0.5)
    total = 2 * np.pi * n * b ** (-2 * n) * special.gamma(2 * n) * r**2
    return np.asarray(flux) / total * np.exp(-b * (np.asarray(radius, float) / r) ** (1 / n))


def check_galaxy(galaxy: Sersic, *, side: float | None = None) -> None:
    """Refuse parameters that cannot be rendered.

    Parameters
    ----------
    galaxy : with numbers or arrays as fields.
    side : of the stamp, arcsec, to refuse a stamp that holds less than half of the light.

    Raises
    ------
    ValueError
        A parameter is not finite or out of its range; the message says which and why.
    """
    given = {name: v for name, v in galaxy._asdict().items() if v is not None}
    values = {name: np.asarray(v, float) for name, v in given.items()}
    for name, value in values.items():
        if not np.all(np.isfinite(value)):
            raise ValueError(f"`{name}` must be finite; got {value}.")
    if np.any(values["flux"] <= 0):
        raise ValueError(f"`flux` must be positive counts; got {values['flux'].min():g}.")
    low, high = SERSIC_INDEX_RANGE
    n, r = values["sersic_index"], values["half_light_radius"]
    if np.any((n < low) | (n > high)):
        message = f"`sersic_index` must lie within {low} to {high}; got {_outside(n, low, high)}"
        raise ValueError(f"{message}. Beyond, the transform is not tabulated.")
    if np.any(r <= 0):
        raise ValueError(f"`half_light_radius` must be positive arcsec; got {r.min():g}.")
    size = np.hypot(values["g1"], values["g2"])
    if np.any(size >= 1):
        message = f"|g| must be below 1, where the axis ratio is 0; got {size.max():g}"
        raise ValueError(f"{message}. Reduce g1 or g2.")
    if side is not None:
        lost = float(np.max(1 - light_within(0.5 * side / r, n)))
        if lost > LARGEST_LOSS:
            message = f"The stamp of {side:.4g} arcsec is too small: {lost:.0%} of the light of"
            raise ValueError(f"{message} a galaxy lies outside. Use more pixels.")


def _outside(values: np.ndarray, low: float, high: float) -> str:
    bad = np.ravel(values)[np.ravel((values < low) | (values > high))]
    return f"{bad[0]:g}"


@jax.custom_jvp
def sersic_transform(log_k: Array, sersic_index: Array) -> Array:
    """Fourier transform of the round Sérsic profile of unit flux and half-light radius.

    Parameters
    ----------
    log_k : (...) natural logarithm of the wave number times the half-light radius; outside
        (-9, 9.6) the value at the bound is given (1 to 1e-6, and below 5e-6).
    sersic_index : scalar, 0.5 to 6.

    Returns
    -------
    (...) values from 1 to 0, within 6e-7 of quadrature; derivatives within 1e-5.
    """
    index, t = _locate(log_k)
    return _polynomial(_cubics(sersic_index)[index], t)


def _sersic_transform_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    """Value and derivatives from one look into the table."""
    (log_k, sersic_index), (d_log_k, d_index) = primals, tangents
    index, t = _locate(log_k)
    tables, tangent = [_cubics(sersic_index)], jnp.zeros_like(log_k)
    if not _is_zero(d_index):
        tables.append(_cubics(sersic_index, derivative=True))
    c = jnp.concatenate(tables, axis=1)[index]
    if not _is_zero(d_log_k):
        tangent += (c[..., 1] + t * (2 * c[..., 2] + t * 3 * c[..., 3])) / _STEP * d_log_k
    if not _is_zero(d_index):
        tangent += _polynomial(c[..., 4:], t) * d_index
    return _polynomial(c, t), tangent


sersic_transform.defjvp(_sersic_transform_jvp, symbolic_zeros=True)


def _is_zero(tangent: object) -> bool:
    """Whether nothing depends on this argument: its table is then not looked into."""
    return isinstance(tangent, SymbolicZero)


def _locate(log_k: Array) -> tuple[Array, Array]:
    """Interval of the table, and the place in it from 0 to 1."""
    # a hair inside, so that rounding never points behind the last interval
    place = jnp.clip((log_k - _LOG_K[0]) / _STEP, 0.0, _N_INTERVALS - 1e-4)
    index = place.astype(jnp.int32)
    return index, place - index


def _polynomial(c: Array, t: Array) -> Array:
    return c[..., 0] + t * (c[..., 1] + t * (c[..., 2] + t * c[..., 3]))


def _cubics(sersic_index: Array, *, derivative: bool = False) -> Array:
    """Coefficients (intervals, 4) of one index's transform, or of their derivative by the index."""
    low, high = np.log(SERSIC_INDEX_RANGE)
    x = 2 * (jnp.log(sersic_index) - low) / (high - low) - 1
    series, slopes = _table()
    if derivative:
        scale = 2 / ((high - low) * sersic_index)
        return jnp.tensordot(_chebyshev(x) * scale, slopes.astype(np.float32), axes=1)
    return jnp.tensordot(_chebyshev(x), series.astype(np.float32), axes=1)


def _chebyshev(x: Array) -> Array:
    """Chebyshev polynomials (degree + 1,) at a scalar, by their recurrence."""
    terms = [jnp.ones_like(x), x]
    for _ in range(_DEGREE - 1):
        terms.append(2 * x * terms[-1] - terms[-2])
    return jnp.stack(terms)


@lru_cache(maxsize=1)
def _table() -> tuple[np.ndarray, np.ndarray]:
    """Series in log n of the cubics, and their derivatives: (degree + 1, intervals, 4) each."""
    low, high = np.log(SERSIC_INDEX_RANGE)
    x = chebyshev.chebpts1(_DEGREE + 1)
    indices = np.exp(low + (x + 1) / 2 * (high - low))
    nodes = np.linspace(*_LOG_K, _N_INTERVALS + 1)
    cubics = np.stack([_hermite(*_hankel(n, nodes)) for n in indices])
    flat = chebyshev.chebfit(x, cubics.reshape(len(x), -1), _DEGREE)
    slopes = np.zeros_like(flat)
    slopes[:-1] = chebyshev.chebder(flat)
    return flat.reshape(cubics.shape), slopes.reshape(cubics.shape)


def _hermite(values: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """Coefficients (m, 4) of the cubics through values and slopes (m + 1,), on [0, 1] each."""
    v0, v1 = values[:-1], values[1:]
    s0, s1 = slopes[:-1] * _STEP, slopes[1:] * _STEP
    return np.stack([v0, s0, 3 * (v1 - v0) - 2 * s0 - s1, 2 * (v0 - v1) + s0 + s1], axis=1)


def _hankel(n: float, log_k: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Transform of the profile of index n at log_k, and its slope, to 1e-10 (Hamilton 2000)."""
    b = special.gammaincinv(2 * n, 0.5)
    n_points, log_r = 4096, np.log([1e-9, 1e7])
    step = (log_r[1] - log_r[0]) / n_points
    r_grid = log_r.mean() + (np.arange(n_points) - (n_points - 1) / 2) * step
    r = np.exp(r_grid)
    flux = 2 * np.pi * n * b ** (-2 * n) * special.gamma(2 * n)
    # the bias damps what the periodic transform folds back at small wave numbers
    offset = fft.fhtoffset(step, mu=0, bias=_BIAS)
    brightness = np.exp(-b * r ** (1 / n)) / flux
    transform = fft.fht(r * brightness, step, mu=0, offset=offset, bias=_BIAS)
    k_grid = offset - r_grid[::-1]
    curve = interpolate.CubicSpline(k_grid, 2 * np.pi * np.asarray(transform) / np.exp(k_grid))
    return curve(log_k), curve(log_k, 1)
