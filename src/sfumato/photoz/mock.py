r"""A mock survey whose every probability is known, so that calibration has a truth.

**Population.** True i magnitudes follow counts :math:`\propto 10^{0.3 m}` between 18 and 25.3.
Class (elliptical, spiral, irregular) and redshift follow the prior of Benítez (2000), equations
22-24, with its parameters from the Hubble Deep Field North, cut at redshift 3.5. Spectral type is
uniform within a class: 0 to 0.5, 0.5 to 2.5, 2.5 to 3 (see `sfumato.photoz.templates`).

**Scatter.** Every galaxy's band fluxes differ from its template's by 3 % (Gaussian, independent).

**Noise.** LSST's error model (Ivezić et al. 2019) as implemented by ``photerr``, at five depths;
fluxes below the 1-sigma limit are not detected: magnitude and error 99.

`exact_posterior` integrates the same prior and likelihood, so it is the calibrated answer.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy import special

from sfumato.errors import optional_module
from sfumato.pdfs import GridPDFs
from sfumato.photoz.templates import BANDS, flux_table

DEPTH_YEARS = (0.1, 0.4, 1.5, 4.0, 10.0)
"""Years of LSST behind each depth; depth 1 is the noisiest, depth 5 the full survey."""

M5_VISIT = {"u": 23.78, "g": 24.81, "r": 24.35, "i": 23.92, "z": 23.34, "y": 22.45}
"""5-sigma depth of one visit for point sources (Bianco et al. 2022, table 2)."""

VISITS_PER_YEAR = {"u": 5.6, "g": 8.0, "r": 18.4, "i": 18.4, "z": 16.0, "y": 16.0}
"""Visits per year and band (Ivezić et al. 2019, table 1, over ten years)."""

GAMMA = {"u": 0.038, "g": 0.039, "r": 0.039, "i": 0.039, "z": 0.039, "y": 0.039}
SIGMA_SYSTEMATIC = 0.005
NOT_DETECTED = 99.0
TEMPLATE_SCATTER = 0.03
MAG_LIMITS = (18.0, 25.3)
MAX_REDSHIFT = 3.5

_CLASS_EDGES = (0.0, 0.5, 2.5, 3.0)
_SHARE_AT_20, _FALL = (0.35, 0.50), (0.450, 0.147)
_ALPHA, _Z0, _KM = (2.465, 1.806, 0.906), (0.431, 0.390, 0.0626), (0.0913, 0.0636, 0.123)
"""Parameters of Benítez (2000), table 1."""


# -- prior -----------------------------------------------------------------------------------------


def _fainter_than_20(mag_i: np.ndarray) -> np.ndarray:
    """Magnitudes beyond 20; brighter galaxies, which the prior does not know, count as 20."""
    return np.clip(mag_i, 20.0, None) - 20.0


def class_shares(mag_i: np.ndarray) -> np.ndarray:
    """Probability of each class at true magnitudes (n,), (n, 3); Benítez (2000), equation 24."""
    faint = _fainter_than_20(mag_i)[:, None]
    first = np.asarray(_SHARE_AT_20) * np.exp(-np.asarray(_FALL) * faint)
    return np.concatenate([first, 1 - first.sum(axis=1, keepdims=True)], axis=1)


def redshift_density(redshift: np.ndarray, mag_i: np.ndarray, galaxy_class: int) -> np.ndarray:
    """p(z | class, magnitude) on a grid, (n, z), normalised below `MAX_REDSHIFT`.

    Benítez (2000), equation 23: z^a exp(-(z / z_m)^a), with z_m linear in magnitude.
    """
    a = _ALPHA[galaxy_class]
    scale = _Z0[galaxy_class] + _KM[galaxy_class] * _fainter_than_20(mag_i)[:, None]
    density = redshift**a * np.exp(-((redshift / scale) ** a))
    whole = flux_table().redshift
    norm = np.trapezoid(whole**a * np.exp(-((whole / scale) ** a)), whole, axis=1)
    return density / np.reshape(norm, (-1, 1))


# -- noise -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Depth:
    """Noise of a survey of some years: Ivezić et al. (2019), equations 4 and 5, in flux."""

    years: float

    def noise_to_signal(self, mag: np.ndarray) -> np.ndarray:
        """Standard deviation over flux at true magnitudes (..., bands)."""
        m5, gamma, visits = (
            np.array([table[b] for b in BANDS]) for table in (M5_VISIT, GAMMA, VISITS_PER_YEAR)
        )
        x = 10 ** (0.4 * (mag - m5))
        random = ((0.04 - gamma) * x + gamma * x**2) / (visits * self.years)
        return np.sqrt(random + (10 ** (SIGMA_SYSTEMATIC / 2.5) - 1) ** 2)

    def error_model(self):  # noqa: ANN201 - photerr's own type
        """The same noise as an error model of ``photerr``, which draws the observations."""
        photerr = optional_module("photerr", extra="photoz")
        return photerr.LsstErrorModel(
            nYrObs=self.years,
            m5=M5_VISIT,
            nVisYr=VISITS_PER_YEAR,
            gamma=GAMMA,
            sigmaSys=SIGMA_SYSTEMATIC,
            sigLim=1,
            ndFlag=NOT_DETECTED,
        )


def observe(
    true_mag: np.ndarray, depth: Depth, *, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Observed magnitudes and errors (n, bands) of true magnitudes; 99 where not detected."""
    pandas = optional_module("pandas", extra="photoz")
    frame = pandas.DataFrame(true_mag, columns=list(BANDS))
    seen = depth.error_model()(frame, random_state=rng)
    errors = [f"{band}_err" for band in BANDS]
    return seen[list(BANDS)].to_numpy(), seen[errors].to_numpy()


# -- population ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Galaxies:
    """True properties: redshift, spectral type (n,) and magnitudes (n, bands)."""

    redshift: np.ndarray
    kind: np.ndarray
    mag: np.ndarray

    def __len__(self) -> int:
        return self.redshift.size


def draw_galaxies(n: int, *, rng: np.random.Generator) -> Galaxies:
    """Draw n galaxies from the population described at the top of this module."""
    low, high = (10 ** (0.3 * m) for m in MAG_LIMITS)
    mag_i = np.log10(low + (high - low) * rng.random(n)) / 0.3
    shares = np.cumsum(class_shares(mag_i), axis=1)
    galaxy_class = np.sum(rng.random((n, 1)) > shares[:, :2], axis=1)
    edges = np.asarray(_CLASS_EDGES)
    kind = edges[galaxy_class] + rng.random(n) * np.diff(edges)[galaxy_class]
    redshift = _draw_redshifts(mag_i, galaxy_class, rng=rng)
    flux = flux_table().at(redshift, kind)
    flux = flux * (1 + TEMPLATE_SCATTER * rng.normal(size=flux.shape))
    flux /= flux_table().at(redshift, kind)[:, [BANDS.index("i")]]
    with np.errstate(divide="ignore", invalid="ignore"):
        mag = mag_i[:, None] - 2.5 * np.log10(flux)
    return Galaxies(redshift, kind, np.where(np.isfinite(mag), np.minimum(mag, 45.0), 45.0))


def _draw_redshifts(
    mag_i: np.ndarray, galaxy_class: np.ndarray, *, rng: np.random.Generator
) -> np.ndarray:
    """Exact draws: z = z_m g^(1/a) with g from a Gamma distribution, redrawn beyond the limit."""
    a = np.asarray(_ALPHA)[galaxy_class]
    scale = np.asarray(_Z0)[galaxy_class] + np.asarray(_KM)[galaxy_class] * _fainter_than_20(mag_i)
    redshift = np.full(mag_i.size, np.inf)
    while (beyond := redshift >= MAX_REDSHIFT).any():
        shape = (a[beyond] + 1) / a[beyond]
        redshift[beyond] = scale[beyond] * rng.gamma(shape) ** (1 / a[beyond])
    return redshift


# -- catalogues ------------------------------------------------------------------------------------


def train_table(n: int, *, seed: int) -> pa.Table:
    """Training catalogue: n galaxies, a fifth of them at each depth."""
    rng = np.random.default_rng([seed, 1])
    galaxies = draw_galaxies(n, rng=rng)
    depth = rng.permutation(np.arange(n) % len(DEPTH_YEARS)) + 1
    mag, err = np.empty_like(galaxies.mag), np.empty_like(galaxies.mag)
    for number, years in enumerate(DEPTH_YEARS, start=1):
        rows = depth == number
        mag[rows], err[rows] = observe(galaxies.mag[rows], Depth(years), rng=rng)
    columns = {"id": np.arange(n), "redshift": galaxies.redshift, "depth": depth.astype(np.int8)}
    return pa.table(
        columns | _band_columns("mag_{band}_lsst", mag) | _band_columns("mag_err_{band}_lsst", err)
    )


def test_table(n: int, *, seed: int) -> pa.Table:
    """Test catalogue: n other galaxies with true magnitudes and all five depths of each."""
    rng = np.random.default_rng([seed, 2])
    galaxies = draw_galaxies(n, rng=rng)
    columns = {"id": np.arange(n), "redshift": galaxies.redshift, "type": galaxies.kind}
    columns |= _band_columns("mag_{band}_true", galaxies.mag)
    for number, years in enumerate(DEPTH_YEARS, start=1):
        mag, err = observe(galaxies.mag, Depth(years), rng=rng)
        columns |= _band_columns(f"mag_{{band}}_depth{number}", mag)
        columns |= _band_columns(f"mag_err_{{band}}_depth{number}", err)
    return pa.table(columns)


def _band_columns(template: str, values: np.ndarray) -> dict[str, np.ndarray]:
    return {
        template.format(band=band): values[:, i].astype(np.float32) for i, band in enumerate(BANDS)
    }


# -- the exact answer ------------------------------------------------------------------------------


def exact_posterior(
    mag: np.ndarray,
    depth: Depth,
    *,
    n_types: int = 61,
    n_mags: int = 25,
    on_object: Callable[[], None] | None = None,
) -> GridPDFs:
    r"""p(z | observed magnitudes) by quadrature over redshift, type and true magnitude.

    .. math:: p(z|d) \propto \sum_c \int\!\!\int p(m)\, p(c|m)\, p(z|c,m)\, p(t|c)
              \prod_b L_b(d_b | z, t, m) \, dt \, dm

    with a Gaussian likelihood in flux, or, for a band without a detection, the probability of
    falling below the 1-sigma limit. Template scatter adds to the noise in quadrature. The true
    magnitude is integrated over 5 standard deviations around the best detection.

    Parameters
    ----------
    mag : (n, bands) observed magnitudes, 99 where not detected.
    depth : the noise they were observed with.
    n_types, n_mags : points of the inner integrals.
    on_object : called after each object; for progress bars.
    """
    table = flux_table()
    kinds = (np.arange(n_types) + 0.5) * (_CLASS_EDGES[-1] / n_types)
    shapes = np.stack([table.at(table.redshift, np.full(table.redshift.size, k)) for k in kinds])
    shapes = shapes / shapes[..., [BANDS.index("i")]]
    limits = depth.error_model().getLimitingMags(nSigma=1)
    limit_flux = 10 ** (-0.4 * np.array([limits[band] for band in BANDS]))
    density = np.empty((len(mag), table.redshift.size))
    for row, observed in enumerate(mag):
        density[row] = _posterior_of(observed, depth, shapes, kinds, limit_flux, n_mags=n_mags)
        if on_object is not None:
            on_object()
    return GridPDFs(table.redshift, density)


def _posterior_of(
    observed: np.ndarray,
    depth: Depth,
    shapes: np.ndarray,
    kinds: np.ndarray,
    limit_flux: np.ndarray,
    *,
    n_mags: int,
) -> np.ndarray:
    """Unnormalised p(z | d) of one object (z,)."""
    redshift = flux_table().redshift
    detected = observed < 90
    mags = _magnitudes_to_try(observed, depth, n_mags=n_mags)
    total = np.full((mags.size, kinds.size, redshift.size), -np.inf)
    flux_seen = 10 ** (-0.4 * np.where(detected, observed, 50.0))
    for i, m in enumerate(mags):
        flux = 10 ** (-0.4 * m) * shapes  # (types, z, bands)
        with np.errstate(divide="ignore"):
            true_mag = np.minimum(-2.5 * np.log10(flux), 45.0)
        variance = (depth.noise_to_signal(true_mag) ** 2 + TEMPLATE_SCATTER**2) * np.maximum(
            flux, 10 ** (-0.4 * 45.0)
        ) ** 2
        gauss = -0.5 * (flux_seen - flux) ** 2 / variance - 0.5 * np.log(variance)
        below = special.log_ndtr((limit_flux - flux) / np.sqrt(variance))
        total[i] = np.where(detected, gauss, below).sum(axis=-1)
        total[i] += np.log(_prior(np.array([m]), kinds, redshift) + 1e-300)
    peak = total.max()
    return np.exp(total - peak).sum(axis=(0, 1))


def _magnitudes_to_try(observed: np.ndarray, depth: Depth, *, n_mags: int) -> np.ndarray:
    """True i magnitudes, equally spaced, that the i-band observation leaves possible."""
    seen = observed[BANDS.index("i")]
    if seen > 90:
        return np.linspace(*MAG_LIMITS, 4 * n_mags)
    ratio = np.sqrt(depth.noise_to_signal(observed)[BANDS.index("i")] ** 2 + TEMPLATE_SCATTER**2)
    low = seen - 2.5 * np.log10(1 + 5 * ratio)
    high = seen - 2.5 * np.log10(max(1 - 5 * ratio, 0.02))
    return np.linspace(max(low, MAG_LIMITS[0]), max(min(high, MAG_LIMITS[1]), low + 0.01), n_mags)


def _prior(mag_i: np.ndarray, kinds: np.ndarray, redshift: np.ndarray) -> np.ndarray:
    """p(m) p(class | m) p(z | class, m) p(type | class), (types, z), at one magnitude."""
    shares = class_shares(mag_i)[0]
    edges = np.asarray(_CLASS_EDGES)
    prior = np.empty((kinds.size, redshift.size))
    for number in range(3):
        rows = (kinds >= edges[number]) & (kinds < edges[number + 1])
        weight = shares[number] / (edges[number + 1] - edges[number])
        prior[rows] = weight * redshift_density(redshift, mag_i, number)[0]
    return 10 ** (0.3 * mag_i[0]) * prior
