"""The page of a search: parameters against value, their importance, its history, its best."""

from pathlib import Path
from typing import Any, cast

from sfumato._typing import Study
from sfumato.errors import optional_module
from sfumato.io._files import whole
from sfumato.jobs.search import TuningResult
from sfumato.plots.page import Page


def write_page(result: TuningResult, path: str | Path) -> None:
    """Write one HTML file with the study's figures and best trials; it needs no network.

    Raises
    ------
    DataError
        The file cannot be written.
    MissingDependencyError
        Optuna or Plotly is not installed.
    """
    rows = [row for row in result.trials if row["state"] == "complete"]
    rows = sorted(rows, key=lambda row: cast(float, row["value"]))
    states = [str(row["state"]) for row in result.trials]
    counts = ", ".join(f"{states.count(state)} {state}" for state in sorted(set(states)))
    page = Page(f"Study {result.study.study_name}")
    page.text(f"{counts}. Best negative log-likelihood: {result.best_value:.6g}.")
    for index, (heading, drawn) in enumerate(_figures(result.study, rows).items()):
        page.heading(heading)
        drawn.update_layout(title=None, template="plotly_white", margin={"t": 50})
        # the library is 5 MB: only the first figure brings it
        options = {"include_plotlyjs": index == 0, "div_id": f"figure-{index}"}
        page.html(drawn.to_html(full_html=False, default_height="480px", **options))
    page.heading("Best ten trials")
    header = [name for name in rows[0] if name not in ("state", "error")]
    page.table(header, [[_shown(row[name]) for name in header] for row in rows[:10]])
    with whole(Path(path)) as temporary:
        temporary.write_text(page.render(), encoding="utf-8")


def _figures(study: Study, rows: list[dict[str, object]]) -> dict[str, Any]:  # Plotly's
    """Plotly's figures by heading; importances need trials that differ."""
    optional_module("plotly", extra="tune")
    optuna = optional_module("optuna", extra="tune")
    draw, label = optuna.visualization, {"target_name": "negative log-likelihood"}
    figures = {"Parameters and value": draw.plot_parallel_coordinate(study, **label)}
    if len({row["value"] for row in rows}) > 1:
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        figures["Importance"] = draw.plot_param_importances(study, evaluator, **label)
    return figures | {"History": draw.plot_optimization_history(study, **label)}


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
