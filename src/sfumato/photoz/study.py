"""The report on a mock survey: one model, five depths, the artificial set, the exact answer."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa

from sfumato.errors import DataError
from sfumato.estimators.regressor import MDNRegressor
from sfumato.io._files import read_json, reserved, whole
from sfumato.io.pdfs import open_pdfs
from sfumato.io.tables import matrix, open_table, read_table
from sfumato.jobs.model_files import TabularModel
from sfumato.metrics.calibration import pit_ks
from sfumato.metrics.evaluation import ObjectScores, score_objects
from sfumato.pdfs import AbstractPDFs, Gridded, ParametricPDFs
from sfumato.photoz.features import PhotometryFeatures
from sfumato.photoz.metrics import REDSHIFT_METRICS
from sfumato.photoz.plots import plot_data, plot_points
from sfumato.photoz.tomography import bin_stacks
from sfumato.plots.calibration import plot_coverage, plot_pit
from sfumato.plots.page import Page
from sfumato.plots.pdfs import plot_depths, plot_pdfs, plot_stacks
from sfumato.plots.training import plot_history
from sfumato.recalibration.sharpening import Sharpening

STEPS = (
    "Data",
    "Training",
    "Depths",
    "Artificial set",
    "Points",
    "Calibration",
    "Stacks",
    "Exact p(z)",
)
STACK_EDGES = (0.2, 0.6, 1.1, 2.5)
SHOWN = ("log_score", "crps", "pit_ks", "coverage_68", "bias", "sigma_mad", "outlier_fraction")
MOST_SCORED = 20_000
"""Galaxies scored at each depth; n(z) and point pictures use all."""


@dataclass(frozen=True)
class DepthResult:
    """What the model says of the test galaxies at one depth."""

    label: str
    pdfs: ParametricPDFs
    scores: ObjectScores


def write_study(
    model: TabularModel | Path | str,
    survey: Path | str,
    output: Path | str,
    *,
    overwrite: bool = False,
    on_step: Callable[[str], None] = lambda _step: None,
) -> Path:
    """Write the report as one self-contained HTML page; its path.

    Parameters
    ----------
    model : fitted, or the folder it was written to.
    survey : folder of `photoz.survey`, with train.parquet and test.parquet.
    on_step : called with each of `STEPS` as it begins.

    Raises
    ------
    DataError
        The folder is not a survey, the model was made for other columns, or the page is there
        already.
    """
    survey, output = Path(survey), Path(output)
    with reserved(output, overwrite=overwrite):
        fitted = model if isinstance(model, TabularModel) else TabularModel.read(model)
        about = read_json(survey / "survey.json")
        test = open_table(survey / "test.parquet")
        features = fitted.regressor.features
        if not isinstance(features, PhotometryFeatures) or features.bands != tuple(about["bands"]):
            raise DataError(f"The model was not fitted to the bands of {survey}: {about['bands']}.")
        table = read_table(test, test.columns)
        page = Page("Redshift PDFs of a mock survey")
        study = _Study(fitted.regressor, table, about["bands"], about["depth_years"], survey)
        for step, section in zip(STEPS, study.sections(page), strict=True):
            on_step(step)
            section()
        with whole(output) as temporary:
            temporary.write_text(page.render(), encoding="utf-8")
        return output


class _Study:
    """The sections of the page, each from the results the earlier ones needed too."""

    def __init__(
        self,
        regressor: MDNRegressor,
        table: pa.Table,
        bands: list[str],
        depth_years: list[float],
        survey: Path,
    ) -> None:
        self.regressor, self.table, self.bands, self.survey = regressor, table, bands, survey
        self.years = depth_years
        self.truth = matrix(table, ["redshift"])[:, 0]
        self.results: list[DepthResult] = []

    def columns(self, depth: int, *, artificial: bool = False) -> np.ndarray:
        """Magnitudes and errors at a depth; artificial: the true magnitudes with its errors."""
        mags = [f"mag_{b}_{'true' if artificial else f'depth{depth}'}" for b in self.bands]
        values = matrix(self.table, mags + [f"mag_err_{b}_depth{depth}" for b in self.bands])
        if artificial:
            n = len(self.bands)
            # where the real observation has no error, neither has the artificial one a detection
            values[:, :n] = np.where(values[:, n:] > 90, 99.0, values[:, :n])
        return values

    def labels(self) -> list[str]:
        """Names of the depths."""
        return [f"depth {i}: {years:g} yr" for i, years in enumerate(self.years, start=1)]

    def sections(self, page: Page) -> Iterator[Callable[[], None]]:
        """One callable for each of `STEPS`."""
        for section in (
            self.data,
            self.training,
            self.depths,
            self.artificial,
            self.points,
            self.calibration,
            self.stacks,
            self.exact,
        ):
            yield lambda section=section: section(page)

    def data(self, page: Page) -> None:
        """Distributions of the inputs."""
        page.text(
            "A survey simulated from galaxy templates, a redshift prior and LSST's noise model at "
            "five depths, a mixture density network trained on a fifth of its galaxies at each "
            "depth, and its predictions for other galaxies at every depth."
        )
        page.heading("The data")
        mags = {b: matrix(self.table, [f"mag_{b}_true"])[:, 0] for b in self.bands}
        errors = {
            label: matrix(self.table, [f"mag_err_g_depth{i}"])[:, 0]
            for i, label in enumerate(self.labels(), start=1)
        }
        page.figure(
            plot_data(self.truth, mags, errors),
            "True redshifts and magnitudes of the test galaxies, and their g-band errors by depth.",
        )

    def training(self, page: Page) -> None:
        """Losses, then predictions at every depth for the sections that follow."""
        page.heading("Training")
        page.figure(
            plot_history(self.regressor.history_),
            "Loss of each network of the ensemble by epoch, on the scale of the scaled target. "
            "The best epoch of each is kept.",
        )
        for index, label in enumerate(self.labels(), start=1):
            pdfs = _scalar_pdfs(self.regressor, self.columns(index))
            scores = score_objects(pdfs[:MOST_SCORED], self.truth[:MOST_SCORED])
            self.results.append(DepthResult(label, pdfs, scores))
        page.heading("The numbers")
        rows = [
            (result.label, *(f"{REDSHIFT_METRICS[name](result.scores):.4f}" for name in SHOWN))
            for result in self.results
        ]
        page.table(("depth", *SHOWN), rows)
        page.text("Bias, scatter and outliers are of the mode, in (z_p - z) / (1 + z).")

    def depths(self, page: Page) -> None:
        """The same galaxies at all depths, components, and their parameters."""
        page.heading("The same galaxies at five depths")
        chosen = self.chosen()
        page.figure(
            plot_depths(
                [result.pdfs[chosen] for result in self.results],
                truth=self.truth[chosen],
                labels=self.labels(),
            ),
            "p(z | x) of six galaxies; light curves are shallow, dark ones deep.",
        )
        deepest = self.results[-1].pdfs[chosen[:3]]
        page.figure(
            plot_pdfs(
                deepest, truth=self.truth[chosen[:3]], labels=[f"galaxy {i}" for i in chosen]
            ),
            "The deepest PDFs of the first three with their strongest components and statistics.",
        )
        self.parameters(page, chosen)

    def parameters(self, page: Page, chosen: np.ndarray) -> None:
        """Table of the strongest components with mean, variance, deviation and truth."""
        pdfs = self.results[-1].pdfs[chosen]
        names = ", ".join(pdfs.family.component.parameters)
        page.text(
            f"The five strongest components of each (weight, {names}, of scaled redshift) "
            "with the mixture's mean, variance and standard deviation in redshift."
        )
        weights = np.exp(pdfs.log_weights)
        rows = []
        for i, galaxy in enumerate(chosen):
            top = np.argsort(-weights[i])[:5]
            parts = [
                f"{weights[i, k]:.2f} ({', '.join(f'{v[i, k]:.4g}' for v in pdfs.components)})"
                for k in top
            ]
            moments = (pdfs.mean()[i], pdfs.variance()[i], pdfs.std()[i], self.truth[galaxy])
            rows.append((galaxy, *parts, *(f"{value:.4f}" for value in moments)))
        header = (
            "galaxy",
            *(f"component {k}" for k in range(1, 6)),
            "mean",
            "variance",
            "std",
            "truth",
        )
        page.table(header, rows)

    def chosen(self) -> np.ndarray:
        """Six galaxies spread over the widths of their shallowest PDFs."""
        width = self.results[0].pdfs[:5000].std()
        order = np.argsort(width)
        places = np.linspace(0.1, 0.98, 6) * (order.size - 1)
        return order[places.astype(int)]

    def artificial(self, page: Page) -> None:
        """True magnitudes with each depth's errors."""
        page.heading("The artificial set")
        page.text(
            "Each galaxy once more with its true magnitudes and the errors of each depth. The "
            "widths should answer to the stated errors, the centres no longer to the noise. A "
            "band that the real observation did not detect stays undetected."
        )
        chosen = self.chosen()
        dashed = [
            _scalar_pdfs(self.regressor, self.columns(depth, artificial=True)[chosen])
            for depth in range(1, len(self.years) + 1)
        ]
        page.figure(
            plot_depths(
                [result.pdfs[chosen] for result in self.results],
                truth=self.truth[chosen],
                labels=self.labels(),
                dashed=dashed,
                dashed_label="true magnitudes",
            ),
            "Solid: observed magnitudes. Dashed: true magnitudes with the same errors.",
        )

    def points(self, page: Page) -> None:
        """Point estimates against the truth."""
        page.heading("Predicted against true redshift")
        panels = [(r.label, np.asarray(r.scores.mode), r.scores.truth) for r in self.results]
        page.figure(plot_points(panels), "Mode of each PDF; dashed lines at 0.15 (1 + z).")

    def calibration(self, page: Page) -> None:
        """PIT and coverage, before and after recalibration."""
        page.heading("Calibration")
        page.figure(
            plot_coverage({r.label: r.scores.pit for r in self.results}),
            "Share of truths inside central intervals, by depth.",
        )
        after = np.concatenate([r.scores.pit for r in self.results])
        if self.regressor.sharpening_.is_identity:
            page.figure(plot_pit({"predicted": after}), "PIT of all depths.")
            return
        before, offset = self.unrecalibrated()
        page.figure(
            plot_pit({"before": before, "after": after}),
            "PIT of all depths, before and after recalibration.",
        )
        sharpening = self.regressor.sharpening_
        ks = [pit_ks(values) for values in (before, after)]
        page.table(
            ("recalibration", "before", "after"),
            [
                ("PIT KS", f"{ks[0]:.4f}", f"{ks[1]:.4f}"),
                ("stacked mean, shift", "0", f"{offset:.1e}"),
                ("precision factor", "1", f"{np.exp(sharpening.level):.3f}"),
                ("its log, by log precision", "0", f"{sharpening.slope:.3f}"),
            ],
        )

    def unrecalibrated(self) -> tuple[np.ndarray, float]:
        """PIT without the recalibration, and how far the recalibration moved the stacked mean."""
        plain = _without_sharpening(self.regressor)
        pits, shift = [], 0.0
        for index, result in enumerate(self.results, start=1):
            pdfs = _scalar_pdfs(plain, self.columns(index)[:MOST_SCORED])
            pits.append(pdfs.pit(self.truth[:MOST_SCORED]))
            moved = result.pdfs[:MOST_SCORED].mean().mean() - pdfs.mean().mean()
            shift = max(shift, abs(float(moved)))
        return np.concatenate(pits), shift

    def stacks(self, page: Page) -> None:
        """n(z) in three bins per depth, of all galaxies."""
        page.heading("Stacked PDFs against the truth")
        panels = []
        grid = self.results[0].pdfs.default_grid(301)
        for result in self.results:
            point = result.pdfs.mean()
            stacks, rows = bin_stacks(result.pdfs, point, STACK_EDGES, grid=grid)
            panels.append((result.label, stacks, [self.truth[chosen] for chosen in rows]))
        labels = [f"mean in {a:g} to {b:g}" for a, b in itertools.pairwise(STACK_EDGES)]
        page.figure(
            plot_stacks(panels, grid, labels=labels),
            f"All {len(self.truth):,} test galaxies in three bins of the PDF's mean. Filled: their "
            "true redshifts; lines: the stack of their PDFs.",
        )

    def exact(self, page: Page) -> None:
        """The network against the exact posterior, where the survey gives it."""
        path = self.survey / "posteriors.parquet"
        if not path.exists():
            return
        page.heading("Against the exact posterior")
        file = open_pdfs(path)
        depth = int(file.header["about"]["posterior_depth"])
        parts = [(pdfs, matrix(table, ["id"])[:, 0]) for pdfs, table in file.scalars(["id"])]
        exact, rows = parts[0][0].to_grid(), parts[0][1].astype(int)
        ours = self.results[depth - 1].pdfs[rows]
        truth = self.truth[rows]
        shown = rows[:6]
        page.figure(
            plot_depths(
                [ours[: len(shown)]],
                truth=truth[: len(shown)],
                labels=[f"network, {self.results[depth - 1].label}"],
                exact=exact[: len(shown)],
            ),
            "The first test galaxies: the network's p(z | x) and the true posterior, integrated "
            "from the simulation's own prior and noise.",
        )
        page.table(
            (f"{len(rows)} galaxies", "log score", "PIT KS", "mean L1 distance"),
            [
                (
                    "exact posterior",
                    f"{exact.log_prob(truth).mean():.3f}",
                    f"{pit_ks(exact.pit(truth)):.3f}",
                    "0",
                ),
                (
                    "network",
                    f"{ours.log_prob(truth).mean():.3f}",
                    f"{pit_ks(ours.pit(truth)):.3f}",
                    f"{_l1(ours, exact):.3f}",
                ),
            ],
        )


def _without_sharpening(regressor: MDNRegressor) -> MDNRegressor:
    plain = MDNRegressor(**regressor.get_params(deep=False))
    for name, value in vars(regressor).items():
        if name.endswith("_"):
            setattr(plain, name, value)
    plain.sharpening_ = Sharpening()
    return plain


def _l1(pdfs: AbstractPDFs, exact: Gridded) -> float:
    grid = exact.grid[1:-1]
    return float(np.trapezoid(np.abs(pdfs.pdf(grid) - exact.pdf(grid)), grid, axis=1).mean())


def _scalar_pdfs(regressor: MDNRegressor, X: np.ndarray) -> ParametricPDFs:
    """Predictions of a regressor of redshifts, which are single numbers."""
    return cast(ParametricPDFs, regressor.predict_pdfs(X))
