"""``sfumato simulate``: data whose truth is known."""

from pathlib import Path
from typing import Annotated

import typer

from sfumato.cli._console import console, progress
from sfumato.cli._options import Overwrite
from sfumato.photoz.survey import SurveyPlan, simulate_survey

app = typer.Typer(no_args_is_help=True, help="Simulate data whose truth is known.")


@app.callback()
def _simulate() -> None:
    pass


@app.command("photoz")
def photoz(
    output: Annotated[Path, typer.Option(help="Folder for the tables.", show_default=False)],
    galaxies: Annotated[
        int, typer.Option(help="Training galaxies; half as many for testing.")
    ] = 150_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same survey.")] = 0,
    posteriors: Annotated[
        int, typer.Option(help="First test galaxies to give the exact p(z) of, by quadrature.")
    ] = 0,
    posterior_depth: Annotated[int, typer.Option(help="Depth, 1 to 5, of the exact p(z).")] = 5,
    overwrite: Overwrite = False,
) -> None:
    """A galaxy survey in ugrizy at five depths, from templates, prior and noise model.

    Writes `train.parquet` (a fifth of the galaxies at each depth), `test.parquet` (true magnitudes
    and all five depths of each galaxy) and `survey.json`; with `--posteriors`, also
    `posteriors.parquet`, the exact p(z | magnitudes).

    Example:

        sfumato simulate photoz --galaxies 20000 --seed 1 \\
        --posteriors 50 --output survey
    """
    plan = SurveyPlan(galaxies, seed, posteriors, posterior_depth)
    with progress() as bar:
        task = bar.add_task("Simulating", total=plan.n_steps)
        simulate_survey(plan, output, overwrite=overwrite, on_steps=lambda n: bar.advance(task, n))
    console.print(f"Survey written to {output}")
