"""From magnitudes (or fluxes) and their errors to what a network sees.

Each band is in one of three states. *Observed*: a finite magnitude. *Not detected*: 99 or another
value above 90, +inf, or NaN with a finite error; its flux is taken as 0, which the asinh scale
carries without a special value. *Not observed*: -99 or another value below -50, -inf, or NaN with
a NaN error; its features are missing and filled with the typical ones. The last two set separate
flags. With fluxes, every finite value is observed, negative ones included, and NaN or infinite
ones are not observed.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from sfumato._typing import Json
from sfumato.photoz import doubts
from sfumato.preprocessing import FeatureTransform
from sfumato.preprocessing.features import NewGaps
from sfumato.preprocessing.units import Units, no_units, power_of_two

POGSON = 2.5 / np.log(10.0)
"""Magnitudes per natural logarithm of flux."""

SENTINEL = 90.0
"""Magnitudes above this are codes and not measurements."""

BRIGHTEST = -50.0
"""So are those below: the Sun has -27, and the flux of -71 does not fit in single precision."""

_LEAST_SOFTENING = 1e-6
"""Of the median flux: below, an asinh magnitude has no digits left."""

NOT_DETECTED_ERROR = POGSON
"""Magnitude error at a signal-to-noise ratio of 1, given to bands without a detection."""


_NOT_DETECTED = "are not detected in {}, as no training row was: their distributions are a guess"
_NOT_OBSERVED = (
    "are not observed in {}, as no training row was: they are predicted without it. If they were "
    "observed and not detected, say so: 99, or no magnitude beside an error"
)


class PhotometryFeatures(FeatureTransform):
    r"""Asinh magnitudes, their adjacent differences (colours), log errors and two flags per band.

    .. math:: \mu = -\frac{2.5}{\ln 10} \left[\operatorname{asinh}\frac{f}{2b} + \ln b\right]

    (Lupton, Gunn & Szalay 1999, equation 3), with flux f relative to a source of magnitude 25 and
    the softening b, per band, the typical flux error of the fainter training galaxies. It equals
    the magnitude for bright sources, stays finite at f <= 0, and its error is bounded.

    Attributes
    ----------
    bands : names, in order of wavelength; columns are all values in this order, then all errors.
    has_errors : whether error columns are given.
    unit : ``"magnitude"`` (AB) or ``"flux"`` (any linear unit).
    softening : (b,) fitted softening b; None before `fit`.
    error_features : whether the log errors are features, as they should be wherever the depth
        varies; without variation they repeat the magnitudes.
    jitter : noise added in training, in units of each flux error; it regularises small samples.
    undetected, unobserved : (b,) whether training had non-detections in a band, and rows in which
        it was not observed; None if that is not known.
    drop_fraction : share of the rows in each pass of training in which random bands are marked as
        not observed, so that the model has seen galaxies with missing bands.
    """

    bands: tuple[str, ...] = eqx.field(static=True)
    has_errors: bool = eqx.field(static=True, default=True)
    unit: Literal["magnitude", "flux"] = eqx.field(static=True, default="magnitude")
    softening: Float[Array, " b"] | None = None
    error_features: bool = eqx.field(static=True, default=True)
    jitter: float = eqx.field(static=True, default=1.0)
    drop_fraction: float = eqx.field(static=True, default=0.05)
    undetected: tuple[bool, ...] | None = eqx.field(static=True, default=None)
    unobserved: tuple[bool, ...] | None = eqx.field(static=True, default=None)
    kind: ClassVar[str] = "photometry"

    @property
    def n_columns(self) -> int:
        """One column per band, two with errors."""
        return len(self.bands) * (2 if self.has_errors else 1)

    @property
    def _uses_errors(self) -> bool:
        return self.has_errors and self.error_features

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features, in order."""
        bands = self.bands
        colours = [f"colour_{a}-{b}" for a, b in itertools.pairwise(bands)]
        errors = [f"log_err_{band}" for band in bands] if self._uses_errors else []
        flags = [f"not_detected_{band}" for band in bands]
        flags += [f"not_observed_{band}" for band in bands]
        return tuple([f"asinh_mag_{band}" for band in bands] + colours + errors + flags)

    def measured(self, x: np.ndarray) -> np.ndarray:
        """Magnitudes, and their errors, that are measured; a flux may be any number."""
        if self.unit == "flux":
            return x
        n = len(self.bands)
        out = np.array(x, float)
        known = (out[:, :n] >= BRIGHTEST) & (out[:, :n] <= SENTINEL)
        out[:, :n][~known] = np.nan
        if self.has_errors:
            errors = out[:, n:]
            known &= ~np.isinf(errors)
            out[:, :n][~known] = np.nan
            errors[~known | (errors < 0)] = np.nan
        return out

    @property
    def likely(self) -> tuple[np.ndarray, np.ndarray]:
        """Magnitudes are not 0; errors may well be."""
        low, high = super().likely
        if self.unit == "magnitude":
            low[: len(self.bands)], high[: len(self.bands)] = doubts.LIKELY
        return low, high

    def doubt(self, x: np.ndarray) -> str | None:
        """Whether magnitudes may be fluxes or the other way, or errors are not what they should."""
        n = len(self.bands)
        is_flux = self.unit == "flux"
        measured = self.measured(x)[:, :n]
        found = doubts.of_values(x[:, :n], self.bands, is_flux=is_flux)
        found = found or doubts.of_constants(measured, self.bands)
        if found or not self.has_errors:
            return found
        return doubts.of_errors(measured, x[:, n:], self.bands, is_flux=is_flux)

    def new_gaps(self, x: np.ndarray) -> Sequence[NewGaps]:
        """Bands that are not detected, or not observed, as they never were in training."""
        with np.errstate(over="ignore"):  # beyond single precision lie codes
            rows = jnp.asarray(x.T.astype(np.float32))
        *_, undetected, unobserved = (np.asarray(part).T > 0 for part in self._measurements(rows))
        found = []
        for here, before, told in (
            (undetected, self.undetected, _NOT_DETECTED),
            (unobserved, self.unobserved, _NOT_OBSERVED),
        ):
            if before is not None:
                gaps = np.zeros(x.shape, bool)
                gaps[:, : len(self.bands)] = here & ~np.array(before)
                found.append(NewGaps(gaps, told))
        return found

    def unsuited(self, units: Sequence[str | None]) -> list[int]:
        """Columns that state fluxes where magnitudes are meant, or the other way."""
        return doubts.of_units(units, is_flux=self.unit == "flux")

    @property
    def takes_fluxes(self) -> bool:
        """Or magnitudes."""
        return self.unit == "flux"

    def units(self, x: np.ndarray) -> Units:
        """Fluxes and their errors by the typical flux of the band; magnitudes as they are."""
        n, units = len(self.bands), no_units(x.shape[1])
        if self.unit == "flux":
            for band in range(n):
                sizes = np.abs(x[:, band])
                sizes = sizes[np.isfinite(sizes) & (sizes > 0)]
                units.scale[band::n] = power_of_two(float(np.median(sizes))) if sizes.size else 1.0
        return units

    def fit(self, x: np.ndarray) -> "PhotometryFeatures":
        """A copy whose softenings are fitted to training rows x, (n, n_columns)."""
        flux, error, not_detected, not_observed = (
            np.asarray(part, float) for part in self._measurements(jnp.asarray(x.T, jnp.float32))
        )
        softening = []
        for band in range(len(self.bands)):
            seen = (not_detected[band] + not_observed[band] == 0) & (flux[band] > 0)
            if not seen.any():
                softening.append(1.0)
                continue
            middle = np.median(flux[band][seen])
            errors = (flux[band] * error[band] / POGSON)[seen & (flux[band] <= middle)]
            known = errors[np.isfinite(errors) & (errors > 0)]
            typical = 0.1 * np.quantile(flux[band][seen], 0.01)
            if known.size:
                typical = np.median(known)
            softening.append(float(max(typical, _LEAST_SOFTENING * middle)))
        undetected, unobserved = (
            tuple(map(bool, np.any(part > 0, axis=1))) for part in (not_detected, not_observed)
        )
        return replace(
            self,
            softening=jnp.asarray(softening, jnp.float32),
            undetected=undetected,
            unobserved=unobserved,
        )

    def _measurements(self, x: Float[Array, "c *n"]) -> tuple[Array, Array, Array, Array]:
        """Flux, magnitude error and the two flags, each (b, ...); flux in units of magnitude 25."""
        n = len(self.bands)
        value = x[:n]
        error = x[n:] if self.has_errors else jnp.zeros_like(value)
        endless = jnp.isinf(error)  # with such an error nothing is known of the band
        error = jnp.where(error <= 0, jnp.nan, error)  # 0, -1, -99: no error is known
        if self.unit == "flux":
            not_observed = ~jnp.isfinite(value) | endless
            not_detected = jnp.zeros_like(not_observed)
            flux = value
            error = POGSON * error / jnp.maximum(jnp.abs(value), 1e-30)
        else:
            unknown = jnp.isnan(value)
            no_error = jnp.isnan(error) if self.has_errors else jnp.ones_like(unknown)
            not_detected = (value > SENTINEL) | (unknown & ~no_error & ~endless)
            not_observed = (value < BRIGHTEST) | (unknown & no_error) | (endless & ~not_detected)
            usable = ~(not_observed | not_detected)
            flux = jnp.where(usable, 10 ** (-0.4 * (jnp.where(usable, value, 25.0) - 25.0)), 0.0)
        return flux, error, not_detected.astype(x.dtype), not_observed.astype(x.dtype)

    def __call__(self, x: Float[Array, "c *n"]) -> Float[Array, "f *n"]:
        """Features of one row (c,); NaN where a band was not observed."""
        flux, error, not_detected, not_observed = self._measurements(x)
        b = self._softening_of(x)
        asinh_mag = -POGSON * (jnp.arcsinh(flux / (2 * b)) + jnp.log(b)) + 25.0
        asinh_mag = jnp.where(not_observed > 0, jnp.nan, asinh_mag)
        parts = [asinh_mag, asinh_mag[:-1] - asinh_mag[1:]]
        if self._uses_errors:
            error = jnp.where(not_detected > 0, NOT_DETECTED_ERROR, jnp.clip(error, 0.002, 5.0))
            parts.append(jnp.where(not_observed > 0, jnp.nan, jnp.log(error)))
        return jnp.concatenate([*parts, not_detected, not_observed], axis=0)

    def _softening_of(self, x: Array) -> Array:
        """Softenings shaped to broadcast against (b,) or (b, n)."""
        if self.softening is None:
            raise ValueError("PhotometryFeatures must be fitted first: use features.fit(X).")
        return self.softening.astype(x.dtype).reshape(-1, *(1,) * (x.ndim - 1))

    def perturb(
        self, x: Float[Array, "c n"], *, key: PRNGKeyArray, noise: Array | float
    ) -> Float[Array, "c n"]:
        """Columns as another night might have measured them, for one pass of training.

        Fluxes get Gaussian noise of `noise` times `jitter` times their errors (the softening,
        where there is no detection), and in a share `drop_fraction` of the rows random bands
        become not observed. The errors of the fluxes stay, so those of magnitudes change with
        these: otherwise they would tell what the magnitude had been without the noise.
        """
        n, rows = len(self.bands), x.shape[1]
        noise_key, row_key, band_key = jax.random.split(key, 3)
        if self.jitter > 0:
            draws = jax.random.normal(noise_key, (n, rows))
            x = self._jittered(x, noise * self.jitter * draws)
        chosen = jax.random.uniform(row_key, (rows,)) < self.drop_fraction
        lost = chosen & (jax.random.uniform(band_key, (n, rows)) < 1.5 / n)
        code = jnp.nan if self.unit == "flux" else -99.0
        return jnp.concatenate([jnp.where(lost, code, x[:n]), x[n:]], axis=0)

    def _jittered(self, x: Float[Array, "c n"], noise: Float[Array, "b n"]) -> Float[Array, "c n"]:
        """Columns with noise in units of the flux error; codes stay what they are."""
        flux, error, not_detected, not_observed = self._measurements(x)
        b = self._softening_of(x)
        # a magnitude error above about 1 is a limit or a code; the noise then is the sky's, as b
        sigma = jnp.minimum(jnp.abs(flux) * jnp.nan_to_num(error) / POGSON, 3 * b + 0.2 * flux)
        sigma = jnp.where(not_detected > 0, b, jnp.maximum(sigma, 0.0))
        moved = flux + noise * sigma
        value, errors = x[: len(self.bands)], x[len(self.bands) :]
        if self.unit == "flux":
            return jnp.concatenate([jnp.where(not_observed > 0, value, moved), errors], axis=0)
        is_code, positive = not_observed + not_detected > 0, moved > 1e-12
        mag = jnp.where(positive, 25.0 - 2.5 * jnp.log10(jnp.where(positive, moved, 1.0)), 99.0)
        if self.has_errors:
            fainter = jnp.where(positive & ~is_code, flux / jnp.where(positive, moved, 1.0), 1.0)
            errors = errors * fainter
        return jnp.concatenate([jnp.where(is_code, value, mag), errors], axis=0)

    def to_dict(self) -> dict[str, object]:
        """Constructor arguments, for a model file."""
        return {
            "bands": self.bands,
            "has_errors": self.has_errors,
            "unit": self.unit,
            "softening": None if self.softening is None else np.asarray(self.softening).tolist(),
            "error_features": self.error_features,
            "jitter": self.jitter,
            "drop_fraction": self.drop_fraction,
            "undetected": self.undetected,
            "unobserved": self.unobserved,
        }

    @classmethod
    def from_dict(cls, values: dict[str, Json]) -> "PhotometryFeatures":
        """The inverse of `to_dict`, from JSON's lists."""
        softening = values["softening"]
        return cls(
            **{
                **values,
                "bands": tuple(values["bands"]),
                "undetected": tuple(values["undetected"]) if values.get("undetected") else None,
                "unobserved": tuple(values["unobserved"]) if values.get("unobserved") else None,
                "softening": None
                if softening is None
                else jax.device_put(np.asarray(softening, np.float32)),
            }
        )
