r"""A linear basis of noiseless stamps, and an emulator of galaxies in it.

Noiseless stamps of one instrument fill a tiny part of the space of images: about a hundred numbers
say what 4,096 pixels say. Turning a galaxy by an angle multiplies the parts of its image by
phases, so an image is a sum over angular orders m

.. math:: I(x) = F \sum_{m} \sum_j p_{mj}(n, r, |g|^2) \left[
              C_{mj}(x)\, \mathrm{Re} (g_1 + i g_2)^m + S_{mj}(x)\, \mathrm{Im} (g_1 + i g_2)^m
          \right]

with stamps C and S found by singular value decomposition and smooth functions p of the index, the
radius and the squared shear alone: Chebyshev series found by least squares. This holds for any
PSF and pixel, because only the galaxy turns. White noise of the pixels is white noise of the
orthonormal coefficients; other noise has a covariance there.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array
from numpy.polynomial import chebyshev
from scipy.stats import qmc

from sfumato.engine.compiled import CPU_OPTIONS, over_rows
from sfumato.galaxies.render.pixels import PixelGrid
from sfumato.galaxies.render.profiles import Sersic
from sfumato.galaxies.render.psf import PSF, Moffat
from sfumato.galaxies.render.renderer import optics, through

_HIGHEST_ORDER = 11
_ORIENTATIONS = 2 * _HIGHEST_ORDER + 2
_RANK = 40  # modes per angular order that are looked for
REFERENCE_SIGNAL_TO_NOISE = 100.0


class Ranges(NamedTuple):
    """The galaxies that a basis serves, and the PSFs.

    Parameters
    ----------
    sersic_index, half_light_radius : lowest and highest; radii in arcsec.
    shear : highest |g|.
    fwhm : lowest and highest width of a Moffat PSF (beta `moffat_beta`), arcsec; None: one PSF.
    """

    sersic_index: tuple[float, float] = (0.5, 6.0)
    half_light_radius: tuple[float, float] = (0.1, 0.6)
    shear: float = 0.67
    fwhm: tuple[float, float] | None = None
    moffat_beta: float = 2.0


@dataclass(frozen=True)
class BasisError:
    """Distance between true stamps and their emulation, in noise sigmas at signal-to-noise 100.

    Parameters
    ----------
    worst, percentile_99, median : of the distance ``|image - emulation|`` over fresh galaxies.
    worst_pixel : largest deviation of any pixel.
    """

    worst: float
    percentile_99: float
    median: float
    worst_pixel: float


class StampBasis(eqx.Module):
    """Orthonormal stamps and the emulator of galaxies in them; made by `build_basis`.

    Parameters
    ----------
    ranges, grid : what it was made for.
    modes : (d, pixels) orthonormal stamps.
    mixing : (d, d) from polar coefficients to those of `modes`.
    series : (f, c) Chebyshev series of the functions p, one column for each.
    degrees : degree (f, 3 or 4) of each term in each variable.
    orders : angular order of each of the c functions.
    error : measured on galaxies that took no part in making it.
    """

    modes: Array
    mixing: Array
    series: Array
    ranges: Ranges = eqx.field(static=True)
    grid: PixelGrid = eqx.field(static=True)
    degrees: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    orders: tuple[int, ...] = eqx.field(static=True)
    error: BasisError | None = eqx.field(static=True, default=None)

    @property
    def n_modes(self) -> int:
        """Numbers d that stand for a stamp."""
        return self.modes.shape[0]

    def project(self, images: Array) -> Array:
        """Coefficients (..., d) of images (..., height, width)."""
        flat = images.reshape(*images.shape[:-2], self.grid.n_pixels)
        return flat @ self.modes.T

    def images(self, coefficients: Array) -> Array:
        """Images (..., height, width) of coefficients (..., d)."""
        flat = jnp.asarray(coefficients @ self.modes)
        return jnp.reshape(flat, (*flat.shape[:-1], *self.grid.shape))

    def coefficients(self, galaxy: Sersic, fwhm: Array | None = None) -> Array:
        """Coefficients (s, d) of s noiseless stamps, for a galaxy with fields of shape (s,).

        Galaxies outside the ranges are extrapolated and mean nothing; x and y are not served.
        """
        return (self.mixing @ self.polar(galaxy, fwhm)).T

    def polar(self, galaxy: Sersic, fwhm: Array | None = None) -> Array:
        """Polar coefficients (d, s): what `mixing` multiplies."""
        squared = jnp.square(galaxy.g1) + jnp.square(galaxy.g2)
        variables = _unit_variables(
            self.ranges, galaxy.sersic_index, galaxy.half_light_radius, squared, fwhm
        )
        functions = self.series.T @ _features(variables, self.degrees)  # (c, s)
        real, imaginary = [jnp.ones_like(squared)], [jnp.zeros_like(squared)]
        for _ in range(_HIGHEST_ORDER):
            a, b = real[-1], imaginary[-1]
            real.append(a * galaxy.g1 - b * galaxy.g2)
            imaginary.append(a * galaxy.g2 + b * galaxy.g1)
        order = np.array(self.orders)
        turned = order > 0
        cosine = functions * jnp.stack(real)[order]
        sine = functions[turned] * jnp.stack(imaginary)[order[turned]]
        return jnp.multiply(galaxy.flux, jnp.concatenate([cosine, sine]))


def build_basis(
    grid: PixelGrid,
    *,
    psf: PSF | None = None,
    ranges: Ranges = Ranges(),  # noqa: B008 - an immutable default
    tolerance: float = 0.03,
    degree: int | None = None,
    random_state: int = 0,
) -> StampBasis:
    """Find the modes of an instrument's stamps, and emulate galaxies in them.

    Parameters
    ----------
    grid : the stamp.
    psf : the one PSF; None where `ranges` give widths of a Moffat.
    ranges : galaxies to serve.
    tolerance : largest distance of any stamp's order-m part from the span of its modes, in noise
        sigmas at signal-to-noise 100.
    degree : total degree of the series; by default 14 for one PSF and 11 for a range of widths.

    Raises
    ------
    ValueError
        Both, or neither, of `psf` and ``ranges.fwhm`` are given.
    """
    if (psf is None) == (ranges.fwhm is None):
        raise ValueError(
            "Give either `psf` or `ranges.fwhm`, the widths of a Moffat, and not both."
        )
    n_variables = 3 if ranges.fwhm is None else 4
    degrees = _degrees(n_variables, degree or {3: 14, 4: 11}[n_variables])
    parts_of = _angular_parts(grid, psf, ranges)
    modes = _polar_modes(parts_of, _design(ranges, 10, random_state), tolerance)
    # six galaxies for every term of the series
    points = _design(ranges, int(np.ceil(np.log2(6 * len(degrees)))), random_state + 1)
    targets, norms = _polar_coefficients(parts_of, points, modes)
    orders = tuple(m for m, stamps in enumerate(modes) for _ in stamps)
    series = _fit_series(ranges, points, targets / norms[:, None], 1 / norms, orders, degrees)
    cosines = [stamps[:, 0] for stamps in modes]
    sines = [stamps[:, 1] for stamps in modes[1:]]
    q, r = np.linalg.qr(np.concatenate(cosines + sines).T.astype(float))
    basis = StampBasis(
        modes=jnp.asarray(q.T, jnp.float32),
        mixing=jnp.asarray(r, jnp.float32),
        series=jnp.asarray(series, jnp.float32),
        ranges=ranges,
        grid=grid,
        degrees=degrees,
        orders=orders,
    )
    return replace(basis, error=_measure(basis, psf, random_state + 2))


# How it is made -------------------------------------------------------------------------------

_Parts = Callable[[Array], Array]


def _angular_parts(grid: PixelGrid, psf: PSF | None, ranges: Ranges) -> _Parts:
    """Function from (n, r, g[, fwhm]) to the stamps (orders, 2, pixels) of unit flux.

    They multiply the cosines and the sines of twice the orientation times the order.
    """
    angles = np.pi * np.arange(_ORIENTATIONS) / _ORIENTATIONS
    twice = 2 * np.arange(_HIGHEST_ORDER + 1)[:, None] * angles
    phases = np.stack([np.cos(twice), np.sin(twice)], axis=1) * 2 / _ORIENTATIONS
    phases[0] /= 2
    flat_phases = jnp.asarray(phases.reshape(-1, _ORIENTATIONS), jnp.float32)
    turned = jnp.asarray(np.stack([np.cos(2 * angles), np.sin(2 * angles)], 1), jnp.float32)
    shared = None if psf is None else optics(psf, grid)

    def parts(point: Array) -> Array:
        n, r, g = point[:3]
        glass = optics(Moffat(point[3], ranges.moffat_beta), grid) if shared is None else shared
        stamps = over_rows(
            lambda e: through(Sersic(1.0, n, r, g * e[0], g * e[1]), glass, grid), turned
        )
        return (flat_phases @ stamps.reshape(_ORIENTATIONS, -1)).reshape(-1, 2, grid.n_pixels)

    return parts


def _polar_modes(parts_of: _Parts, points: np.ndarray, tolerance: float) -> list[np.ndarray]:
    """Modes (j, 2, pixels) of every order, as many as the worst of the galaxies needs."""
    run = jax.jit(partial(over_rows, parts_of), compiler_options=CPU_OPTIONS)
    parts = np.asarray(run(jnp.asarray(points, jnp.float32)))  # (n, orders, 2, pixels)
    norms = _norms(parts)
    rng = np.random.default_rng(0)
    modes = []
    for m in range(parts.shape[1]):
        rows = (parts[:, m] / norms[:, None, None]).reshape(len(parts), -1)
        # randomised range finder: Halko, Martinsson & Tropp (2011), algorithm 4.1
        sketch = rows @ rng.standard_normal((rows.shape[1], _RANK + 10)).astype(np.float32)
        q = np.linalg.qr(sketch)[0]
        stamps = np.linalg.svd(q.T @ rows, full_matrices=False)[2][:_RANK]
        energy = np.square((rows @ stamps.T).astype(float))
        left = np.sqrt(np.cumsum(energy[:, ::-1], axis=1)[:, ::-1]).max(axis=0)
        n_kept = int(np.sum(REFERENCE_SIGNAL_TO_NOISE * left > tolerance))
        if n_kept == 0:
            break
        modes.append(stamps[:n_kept].reshape(n_kept, 2, -1))
    return modes


def _norms(parts: np.ndarray | Array) -> np.ndarray:
    """Root mean square over orientations of the norm of each galaxy's stamp."""
    square = np.sum(np.square(parts), axis=(-2, -1))  # (..., orders)
    return np.sqrt(square[..., 0] + 0.5 * square[..., 1:].sum(axis=-1))


def _polar_coefficients(
    parts_of: _Parts, points: np.ndarray, modes: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (n, c) of galaxies in the polar modes, and norms (n,) of their stamps."""
    stamps = [jnp.asarray(part.reshape(len(part), -1)) for part in modes]

    def of_one(point: Array) -> tuple[Array, Array]:
        parts = parts_of(point)
        flat = parts.reshape(parts.shape[0], -1)
        square = jnp.sum(flat**2, axis=1)
        norm = jnp.sqrt(square[0] + 0.5 * square[1:].sum())
        return jnp.concatenate([s @ flat[m] for m, s in enumerate(stamps)]), norm

    run = jax.jit(partial(over_rows, of_one), compiler_options=CPU_OPTIONS)
    values, norms = run(jnp.asarray(points, jnp.float32))
    return np.asarray(values, float), np.asarray(norms, float)


# The emulator ---------------------------------------------------------------------------------


def _design(ranges: Ranges, log2_n: int, random_state: int) -> np.ndarray:
    """Galaxies (2^log2_n, 3 or 4): n, r, |g| (and width), denser towards the bounds."""
    n_variables = 3 if ranges.fwhm is None else 4
    uniform = qmc.Sobol(n_variables, rng=random_state).random_base2(log2_n)
    x = np.cos(np.pi * uniform)  # the density at which Chebyshev series are fitted best
    bounds = _variable_bounds(ranges)
    values = [low + (x[:, i] + 1) / 2 * (high - low) for i, (low, high) in enumerate(bounds)]
    columns = [np.exp(values[0]), np.exp(values[1]), np.sqrt(values[2])]
    return np.stack([*columns, *values[3:]], axis=1)


def _variable_bounds(ranges: Ranges) -> list[tuple[float, float]]:
    """Bounds of the variables of the series: log n, log r, |g|^2 (and width)."""
    bounds = [tuple(np.log(pair)) for pair in (ranges.sersic_index, ranges.half_light_radius)]
    bounds.append((0.0, ranges.shear**2))
    return bounds + ([] if ranges.fwhm is None else [ranges.fwhm])


def _unit_variables(
    ranges: Ranges, n: ArrayLike, r: ArrayLike, squared_shear: ArrayLike, fwhm: ArrayLike | None
) -> list[Array]:
    """Variables of the series, from -1 to 1."""
    values = [jnp.log(n), jnp.log(r), squared_shear, *([] if ranges.fwhm is None else [fwhm])]
    pairs = zip(values, _variable_bounds(ranges), strict=True)
    return [2 * (value - low) / (high - low) - 1 for value, (low, high) in pairs]


def _degrees(n_variables: int, total: int) -> tuple[tuple[int, ...], ...]:
    """All tuples of degrees up to a total."""
    every = itertools.product(range(total + 1), repeat=n_variables)
    return tuple(degrees for degrees in every if sum(degrees) <= total)


def _features(variables: list[Array], degrees: tuple[tuple[int, ...], ...]) -> Array:
    """Products (f, s) of Chebyshev polynomials of the variables (s,) each."""
    powers = np.array(degrees)
    product = jnp.ones_like(variables[0])
    for column, x in zip(powers.T, variables, strict=True):
        terms = [jnp.ones_like(x), x]
        for _ in range(int(powers.max()) - 1):
            terms.append(2 * x * terms[-1] - terms[-2])
        chosen = jnp.stack(terms)[column]
        product = product * chosen
    return product


def _fit_series(
    ranges: Ranges,
    points: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    orders: tuple[int, ...],
    degrees: tuple[tuple[int, ...], ...],
) -> np.ndarray:
    """Series (f, c) whose products with ``|g|^m`` fit weighted targets (n, c) by least squares."""
    bounds = np.array(_variable_bounds(ranges)).T
    variables = np.column_stack([np.log(points[:, :2]), points[:, 2] ** 2, points[:, 3:]])
    unit = 2 * (variables - bounds[0]) / (bounds[1] - bounds[0]) - 1
    highest = max(max(d) for d in degrees)
    columns = [
        chebyshev.chebvander(x, highest)[:, d]
        for x, d in zip(unit.T, np.transpose(degrees), strict=True)
    ]
    features = np.prod(columns, axis=0) * weights[:, None]
    out = np.empty((len(degrees), len(orders)))
    for m in sorted(set(orders)):
        chosen = np.array(orders) == m
        scaled = features * points[:, 2:3] ** m
        out[:, chosen] = np.linalg.lstsq(scaled, targets[:, chosen], rcond=1e-12)[0]
    return out


def _measure(basis: StampBasis, psf: PSF | None, random_state: int) -> BasisError:
    """Errors on 2,048 fresh galaxies of random orientation."""
    points = _design(basis.ranges, 11, random_state)
    angle = np.random.default_rng(random_state).uniform(0, np.pi, len(points))
    g1, g2 = points[:, 2] * np.cos(2 * angle), points[:, 2] * np.sin(2 * angle)
    columns = np.column_stack([np.ones(len(points)), points[:, :2], g1, g2, points[:, 3:]])
    shared = None if psf is None else optics(psf, basis.grid)

    def stamp(row: Array) -> Array:
        beta = basis.ranges.moffat_beta
        glass = optics(Moffat(row[5], beta), basis.grid) if shared is None else shared
        return through(Sersic(*row[:5]), glass, basis.grid)

    rows = jnp.asarray(columns, jnp.float32)
    exact = np.asarray(jax.jit(partial(over_rows, stamp), compiler_options=CPU_OPTIONS)(rows))
    fwhm = None if psf is not None else rows[:, 5]
    emulated = basis.images(jax.jit(StampBasis.coefficients)(basis, Sersic(*rows[:, :5].T), fwhm))
    scale = REFERENCE_SIGNAL_TO_NOISE / np.sqrt(np.sum(exact**2, axis=(1, 2)))
    difference = np.abs(exact - np.asarray(emulated)) * scale[:, None, None]
    distance = np.sqrt(np.sum(difference**2, axis=(1, 2)))
    return BasisError(
        worst=float(distance.max()),
        percentile_99=float(np.quantile(distance, 0.99)),
        median=float(np.median(distance)),
        worst_pixel=float(difference.max()),
    )
