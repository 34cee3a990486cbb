"""The mock survey as a folder of tables."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from sfumato.io._files import Folder, reserved, whole, write_json
from sfumato.io.pdfs import write_pdfs
from sfumato.photoz import mock

FOLDER = Folder("survey.json", ("train.parquet", "test.parquet", "posteriors.parquet"))

FEWEST_GALAXIES = 50


@dataclass(frozen=True)
class SurveyPlan:
    """What to simulate.

    Parameters
    ----------
    n_galaxies : rows of the training table; the test table has half as many.
    seed : of everything random.
    n_posteriors : test galaxies, the first ones, to give the exact posterior of.
    posterior_depth : depth, from 1, at which.

    Raises
    ------
    ValueError
        A number is out of range.
    """

    n_galaxies: int
    seed: int
    n_posteriors: int = 0
    posterior_depth: int = 5

    def __post_init__(self) -> None:
        if self.n_galaxies < FEWEST_GALAXIES:
            raise ValueError(
                f"--galaxies must be at least {FEWEST_GALAXIES}; got {self.n_galaxies}."
            )
        if not 0 <= self.n_posteriors <= self.n_test:
            message = f"--posteriors must be 0 to {self.n_test}, the number of test galaxies"
            raise ValueError(f"{message}; got {self.n_posteriors}.")
        if not 1 <= self.posterior_depth <= len(mock.DEPTH_YEARS):
            raise ValueError(f"--posterior-depth must be 1 to 5; got {self.posterior_depth}.")

    @property
    def n_test(self) -> int:
        """Rows of the test table."""
        return self.n_galaxies // 2

    @property
    def n_steps(self) -> int:
        """Steps that `simulate_survey` reports: the two tables, and each posterior."""
        return 2 + self.n_posteriors


def simulate_survey(
    plan: SurveyPlan,
    folder: Path | str,
    *,
    overwrite: bool = False,
    on_steps: Callable[[int], None] | None = None,
) -> Path:
    """Write the survey's folder, whole or not at all; its path.

    Raises
    ------
    DataError
        The folder exists, or cannot be written.
    """
    folder = Path(folder)
    report = on_steps or (lambda _n: None)
    with reserved(folder, overwrite=overwrite, folder=FOLDER):
        with whole(folder, folder=FOLDER) as temporary:
            temporary.mkdir()
            train = mock.train_table(plan.n_galaxies, seed=plan.seed)
            pq.write_table(train, temporary / "train.parquet", write_page_checksum=True)
            report(1)
            test = mock.test_table(plan.n_test, seed=plan.seed)
            pq.write_table(test, temporary / "test.parquet", write_page_checksum=True)
            report(1)
            if plan.n_posteriors:
                _write_posteriors(plan, test, temporary / "posteriors.parquet", report)
            write_json(temporary / "survey.json", describe(plan))
        return folder


def _write_posteriors(plan, test, path: Path, report: Callable[[int], None]) -> None:  # noqa: ANN001 - a table of pyarrow
    chosen = test.slice(0, plan.n_posteriors)
    names = [f"mag_{band}_depth{plan.posterior_depth}" for band in mock.BANDS]
    mag = np.stack([chosen[name].to_numpy() for name in names], axis=1).astype(float)
    depth = mock.Depth(mock.DEPTH_YEARS[plan.posterior_depth - 1])
    pdfs = mock.exact_posterior(mag, depth, on_object=lambda: report(1))
    columns = {name: chosen[name] for name in ("id", "redshift")}
    write_pdfs(pdfs, path, columns=columns, about=describe(plan))


def describe(plan: SurveyPlan) -> dict:
    """What went into the survey, for people and for other programs."""
    return {
        **asdict(plan),
        "bands": list(mock.BANDS),
        "depth_years": list(mock.DEPTH_YEARS),
        "m5_visit": mock.M5_VISIT,
        "visits_per_year": mock.VISITS_PER_YEAR,
        "template_scatter": mock.TEMPLATE_SCATTER,
        "mag_i_limits": list(mock.MAG_LIMITS),
        "max_redshift": mock.MAX_REDSHIFT,
        "prior": "Benitez (2000), table 1; counts 10^(0.3 m)",
        "igm": "Madau (1995)",
        "not_detected": mock.NOT_DETECTED,
    }
