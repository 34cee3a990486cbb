"""A table of measured galaxies from files of stamps: fits and posteriors, batch after batch."""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from jax.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning

from sfumato import engine
from sfumato.errors import DataError
from sfumato.galaxies.fit.maximum_likelihood import FLAGS, Fits, fit_stamps
from sfumato.galaxies.fit.scene import Scene
from sfumato.galaxies.fit.stamps import Stamps
from sfumato.galaxies.jobs.sources import StampSource
from sfumato.galaxies.population.population import Population, Uniform
from sfumato.galaxies.posterior.chains import LARGEST_R_HAT, run_chains
from sfumato.galaxies.posterior.pixels import Posteriors, sample_stamps
from sfumato.galaxies.posterior.prior import Prior
from sfumato.galaxies.render.pixels import PixelGrid
from sfumato.galaxies.render.profiles import UNITS
from sfumato.io.output import Column
from sfumato.pdfs import SamplePDFs

CHUNK = 256  # galaxies of one batch
QUANTILES = {"q16": 0.16, "median": 0.5, "q84": 0.84}
_WIDE = 10.0  # times the faintest and brightest fitted flux, of the prior that nobody gave
_LEAST_SIZE = 500.0  # effective draws that a posterior should be worth
_TURNS = 4  # in which those that are not are sampled again
_FEW = 16  # galaxies at a time


@dataclass(frozen=True)
class MeasuringPlan:
    """What is measured.

    Parameters
    ----------
    free, fixed, bands : as in `Scene`.
    correct_bias : whether estimates are freed of their bias to second order.
    posterior : whether posteriors are sampled.
    chains : rows of galaxies whose posteriors come from Markov chains instead.
    prior : population for them; by default wide ranges around the fits.
    seed : of the sampling.
    """

    free: tuple[str, ...]
    fixed: dict[str, float] = field(default_factory=dict)
    bands: tuple[int, ...] = (0,)
    correct_bias: bool = True
    posterior: bool = False
    chains: tuple[int, ...] = ()
    prior: Population | None = None
    seed: int = 0

    def scene(self, grid: PixelGrid) -> Scene:
        """The scene on a grid."""
        return Scene(grid, self.free, self.fixed, self.bands)


class Measured(NamedTuple):
    """One batch: which galaxies, what they were fitted on, and what came out."""

    rows: np.ndarray
    stamps: Stamps
    scene: Scene
    fits: Fits
    posteriors: Posteriors | None

    @property
    def n_clean(self) -> int:
        """Galaxies whose fit carries no flag."""
        return int(np.sum(self.fits.flags == 0))

    def without_stamps(self) -> "Measured":
        """What came out, without the images."""
        return self._replace(stamps=self.stamps.take(np.zeros(0, int)))


def measure_source(
    source: StampSource, plan: MeasuringPlan, *, on_galaxies: Callable[[int], None] = lambda n: None
) -> list[Measured]:
    """Measure all galaxies of a source, a few batches at a time.

    Without a prior for the posteriors, all are fitted before the first is sampled, because the
    range of their fluxes is the prior's.

    Parameters
    ----------
    on_galaxies : called with the number of galaxies finished since the last call.
    """
    if plan.prior is not None:  # a prior that does not fit is refused before the work
        Prior(plan.scene(PixelGrid(4096, 4096, source.pixel_scale)), plan.prior)

    def fit(part: tuple[np.ndarray, PixelGrid, Stamps]) -> Measured:
        rows, grid, stamps = part
        scene = plan.scene(grid)
        n, padded = len(rows), _padded(stamps)
        fits = fit_stamps(padded, scene, correct_bias=plan.correct_bias)
        kept = Fits(fits.names, *(values[:n] for values in fits[1:]))
        return Measured(rows, stamps, scene, kept, None)

    fitted = engine.map(fit, source.parts(CHUNK))
    if not plan.posterior:
        return _lean(fitted, on_galaxies)
    population = plan.prior
    if population is None:
        fitted = list(fitted)
        population = wide_population([batch.fits for batch in fitted], source.pixel_scale)
    sample = _Sampling(population, plan.seed, plan.chains)
    return _lean(engine.map(sample, fitted), on_galaxies)


def _lean(batches: Iterable[Measured], on_galaxies: Callable[[int], None]) -> list[Measured]:
    """Batches as they come; only the one with the most clean fits keeps its stamps, to be drawn."""
    done: list[Measured] = []
    best = 0
    for batch in batches:
        if done and batch.n_clean > done[best].n_clean:
            done[best] = done[best].without_stamps()
            best = len(done)
        done.append(batch if best == len(done) else batch.without_stamps())
        on_galaxies(len(batch.rows))
    return done


@dataclass(frozen=True)
class _Sampling:
    population: Population
    seed: int
    chains: tuple[int, ...]

    def __call__(self, batch: Measured) -> Measured:
        deviation = np.sqrt(
            1 / np.median(batch.stamps.inverse_variance[batch.stamps.inverse_variance > 0])
        )
        # a power of 2: batches of like noise share one program
        sky = float(2.0 ** np.ceil(np.log2(deviation)))
        prior = Prior(batch.scene, self.population, sky)
        n, padded = len(batch.rows), _padded(batch.stamps)
        fits = Fits(batch.fits.names, *(_repeated(v, len(padded)) for v in batch.fits[1:]))
        seed = self.seed + 1_000_003 * int(batch.rows[0])
        found = sample_stamps(padded, batch.scene, prior, fits, random_state=seed)
        found = Posteriors(found.names, *(v[:n] for v in found[1:]))
        for turn in range(_TURNS):
            fitted = np.isfinite(batch.fits.theta).all(axis=1)
            weak = np.flatnonzero(fitted & (found.effective_size < _LEAST_SIZE))
            for start in range(0, weak.size, _FEW):
                rows = weak[start : start + _FEW]
                _improve(batch, prior, found, rows, seed + 1 + turn * n + start)
        for row in np.flatnonzero(np.isin(batch.rows, self.chains)):
            _run_chains(batch, prior, found, int(row), self.seed)
        return batch._replace(posteriors=found)


def _run_chains(batch: Measured, prior: Prior, found: Posteriors, row: int, seed: int) -> None:
    """The posterior of one galaxy by Markov chains, written into what was found."""
    if not np.isfinite(batch.fits.theta[row]).all():
        return
    fits = Fits(batch.fits.names, *(v[row : row + 1] for v in batch.fits[1:]))
    chosen, r_hat = run_chains(
        batch.stamps.take(slice(row, row + 1)),
        batch.scene,
        prior,
        fits,
        n_draws=found.log_weights.shape[1],
        random_state=seed,
    )
    if r_hat > LARGEST_R_HAT:
        warnings.warn(
            f"The chains of stamp {batch.rows[row]} have not mixed: R-hat is {r_hat:.3f}.",
            ConvergenceWarning,
            stacklevel=2,
        )
    for values, new in zip(found[1:], chosen[1:], strict=True):
        values[row] = new[0]


def _improve(batch: Measured, prior: Prior, found: Posteriors, rows: np.ndarray, seed: int) -> None:
    """More draws for some galaxies, written into what was found."""
    chosen = rows[np.minimum(np.arange(_FEW), rows.size - 1)]
    fits = Fits(batch.fits.names, *(v[chosen] for v in batch.fits[1:]))
    before = Posteriors(found.names, *(v[chosen] for v in found[1:]))
    more = sample_stamps(
        batch.stamps.take(chosen), batch.scene, prior, fits, random_state=seed, before=before
    )
    for values, new in zip(found[1:], more[1:], strict=True):
        values[rows] = new[: rows.size]


def wide_population(fits: list[Fits], pixel_scale: float) -> Population:
    """A prior for stamps about which nothing is known: all that a renderer can draw.

    Fluxes are spread evenly in the logarithm, from a tenth of the faintest fitted one to ten times
    the brightest; radii evenly in the logarithm, from a fifth of a pixel to a hundred pixels.

    Raises
    ------
    DataError
        No galaxy was fitted.
    """
    columns = [i for i, name in enumerate(fits[0].names) if name.startswith("flux")]
    fluxes = np.concatenate([fit.theta[:, columns].ravel() for fit in fits])
    fluxes = fluxes[np.isfinite(fluxes) & (fluxes > 0)]
    if fluxes.size == 0 and columns:
        raise DataError("No galaxy could be fitted, so there is nothing to sample around.")
    low, high = (fluxes.min(), fluxes.max()) if columns else (1.0, 1.0)
    return Population(
        flux=Uniform(float(low) / _WIDE, float(high) * _WIDE, log=True),
        half_light_radius=Uniform(0.2 * pixel_scale, 100 * pixel_scale, log=True),
        shear=Uniform(0.0, 0.95),
        signal_to_noise=(0.0, np.inf),
        pixels=1024,
        pixel_scale=pixel_scale,
        name="wide",
    )


def _padded(stamps: Stamps) -> Stamps:
    """Stamps repeated to the next of few sizes, so that few programs are compiled."""
    n = len(stamps)
    size = next(size for size in (_FEW, 64, CHUNK) if size >= n)
    if n == size:
        return stamps
    psfs = stamps.psfs
    if stamps.own_psf:
        psfs = tuple(type(psf)(*(_repeated(leaf, size) for leaf in psf)) for psf in psfs)
    return replace(
        stamps,
        images=_repeated(stamps.images, size),
        inverse_variance=_repeated(stamps.inverse_variance, size),
        psfs=psfs,
    )


def _repeated(values: ArrayLike, size: int) -> np.ndarray:
    array = np.asarray(values)
    return array[np.minimum(np.arange(size), len(array) - 1)]


# Results ----------------------------------------------------------------------------------------


def results(
    done: list[Measured], plan: MeasuringPlan, *, covariance: bool = False
) -> dict[str, Column]:
    """Columns of the table of all galaxies, in the order of the source.

    Estimates are freed of their bias to second order if the plan says so; ``*_error`` are the
    standard deviations of the Cramér–Rao bound at the fit.
    """
    order = np.argsort(np.concatenate([batch.rows for batch in done]))

    def joined(values: Callable[[Measured], np.ndarray]) -> np.ndarray:
        return np.concatenate([values(batch) for batch in done])[order]

    names = done[0].fits.names
    theta = joined(lambda b: b.fits.theta - b.fits.bias)
    errors = joined(lambda b: b.fits.errors)
    matrix = joined(lambda b: b.fits.covariance)
    columns: dict[str, Column] = {}
    how = "maximum likelihood" + (", bias removed" if plan.correct_bias else "")
    for i, name in enumerate(names):
        unit = _unit(name)
        columns[name] = Column(theta[:, i], unit, how)
        columns[f"{name}_error"] = Column(errors[:, i], unit, "standard deviation")
    if covariance:
        for i, first in enumerate(names):
            for j, second in enumerate(names[:i]):
                columns[f"covariance_{second}_{first}"] = Column(matrix[:, j, i])
    columns["chi2_per_degree"] = Column(joined(lambda b: b.fits.chi2_per_degree))
    columns["n_pixels"] = Column(joined(lambda b: b.fits.n_pixels), "", "pixels fitted")
    columns["signal_to_noise"] = Column(joined(lambda b: b.fits.signal_to_noise))
    columns["n_iterations"] = Column(joined(lambda b: b.fits.n_iterations))
    text = "; ".join(f"{bit} {what}" for bit, what in FLAGS.items())
    columns["flags"] = Column(joined(lambda b: b.fits.flags).astype(np.int32), "", text)
    if plan.posterior:
        rows, marginals = posterior_pdfs(done)
        for name, pdfs in marginals.items():
            columns |= _posterior_columns(name, rows, pdfs, len(order))
        size = joined(lambda b: b.posteriors.effective_size)  # pyright: ignore
        columns["effective_size"] = Column(size, "", "independent draws of the posterior")
    return columns


def _posterior_columns(name: str, rows: np.ndarray, pdfs: SamplePDFs, n: int) -> dict[str, Column]:
    """Statistics of one parameter; NaN for galaxies without a posterior."""
    statistics = {"mean": pdfs.mean(), "std": pdfs.std()}
    statistics |= dict(zip(QUANTILES, pdfs.quantiles(list(QUANTILES.values())).T, strict=True))
    columns = {}
    for key, values in statistics.items():
        full = np.full(n, np.nan)
        full[rows] = values
        columns[f"{name}_{key}"] = Column(full, _unit(name), "posterior")
    return columns


def posterior_pdfs(done: list[Measured]) -> tuple[np.ndarray, dict[str, SamplePDFs]]:
    """Rows of the galaxies that have a posterior, and the marginals of every parameter."""
    order = np.argsort(np.concatenate([batch.rows for batch in done]))
    found = [batch.posteriors for batch in done if batch.posteriors is not None]
    theta, log_weights, size = (
        np.concatenate([values(p) for p in found])[order]
        for values in (
            lambda p: p.theta,
            lambda p: p.log_weights,
            lambda p: p.effective_size,
        )
    )
    rows = np.flatnonzero(size > 0)
    marginals = {
        name: SamplePDFs(theta[rows, i], log_weights[rows]) for i, name in enumerate(found[0].names)
    }
    return rows, marginals


def _unit(name: str) -> str:
    return UNITS.get(name.split("_")[0] if name[-1].isdigit() and "_" in name else name, "")


def count_flags(flags: np.ndarray) -> dict[str, int]:
    """How many galaxies are clean, and how many have each flag."""
    counts = {"clean": int(np.sum(flags == 0))}
    for bit, what in FLAGS.items():
        n = int(np.sum(flags & bit > 0))
        if n:
            counts[what] = n
    return counts
