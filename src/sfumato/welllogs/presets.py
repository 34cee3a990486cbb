"""Ready-made estimators for missing well logs: configured objects, no new classes."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from sfumato._typing import Arguments, Json
from sfumato.errors import DataError, IncompatibleError
from sfumato.estimators.regressor import MDNRegressor
from sfumato.io.tables import TableFile
from sfumato.jobs.columns import Columns
from sfumato.jobs.presets import Answers, Preset, Question, Roles, Settings
from sfumato.preprocessing import FeatureTransform
from sfumato.welllogs.curves import known_logs
from sfumato.welllogs.features import WINDOWS_M, LogFeatures, check_inputs
from sfumato.welllogs.wells import GROUP, Wells

INPUTS = ("GR", "RHOB", "NPHI", "RDEP", "CALI", "DRHO", "TVD")
"""What most wells have; caliper and density correction tell where the hole spoilt the others."""

SETTINGS: Arguments = {
    "family": "normal",
    "n_components": 3,
    "n_members": 16,
    "hidden_sizes": (64, 64),
    "backbone": "mlp",
    "embedding": "piecewise-linear",
    "dropout_rate": 0.2,
    "dropout_fade": None,
    "weight_decay": 0.1,
    "batch_size": 256,
    "averaging": 0.98,
    "max_steps": 2000,
    "patience": None,
    "validation_fraction": 0.25,
    "recalibrate": True,
}
"""Chosen by cross-validation over 22 wells of FORCE 2020."""


FEW_INPUTS = ("GR", "RHOB", "NPHI", "RDEP", "DTC")
FEW_WINDOWS_M = (5.0,)
FEW_SETTINGS: Arguments = {
    "n_members": 8,
    "n_components": 1,
    "embedding": "none",
    "weight_decay": 1.0,
    "max_steps": 800,
}
"""For a handful of wells, chosen by leaving out one by one the five of FORCE 2020 that have DTS.

What tells wells apart (wide windows, depth, caliper) is learnt by heart from so few, and without
bins a network goes on straight where rock leaves what they had."""


def few_wells(
    inputs: Sequence[str] = FEW_INPUTS,
    *,
    windows: Sequence[float] = FEW_WINDOWS_M,
    mask_rate: float = 0.25,
    curves: str = "",
    **settings: Json,
) -> MDNRegressor:
    """`mdn` with what suits about eight wells or fewer; the arguments are the same.

    Examples
    --------
    >>> few_wells(["GR", "RHOB"]).features.n_columns
    7
    """
    own = {**FEW_SETTINGS, **settings}
    return mdn(inputs, windows=windows, mask_rate=mask_rate, curves=curves, **own)


def mdn(
    inputs: Sequence[str] = INPUTS,
    *,
    windows: Sequence[float] = WINDOWS_M,
    mask_rate: float = 0.3,
    curves: str = "",
    **settings: Json,
) -> MDNRegressor:
    """An ensemble over logs and what lies around them.

    Parameters
    ----------
    inputs : names of logs, and ``TVD`` for the vertical depth. The columns of X are those that
        `LogFeatures.columns` makes of them, from whole wells.
    windows, mask_rate, curves : see `LogFeatures`.
    **settings : arguments of `MDNRegressor` that replace the preset's.

    Examples
    --------
    >>> model = mdn(["GR", "RHOB"], windows=[5.0])
    >>> model.features.names[:2], model.features.n_columns
    (('gr here', 'rhob here'), 7)
    """
    features = LogFeatures(  # pyright: ignore[reportCallIssue] - n_columns is a property
        inputs=check_inputs(inputs), windows=tuple(windows), mask_rate=mask_rate, curves=curves
    )
    budget = {"max_steps": None} if settings.get("max_epochs") else {}
    return MDNRegressor(**{**SETTINGS, **budget, "features": features, **settings})


def _prepare(roles: Roles, answers: Answers, settings: Settings) -> tuple[Columns, MDNRegressor]:
    """The columns made of the logs, and the estimator for them."""
    if len(roles.targets) != 1:
        raise IncompatibleError("--preset welllog predicts one log: give one --target.")
    if roles.groups is not None:
        message = "--preset welllog holds out whole wells: leave out --groups"
        raise IncompatibleError(f"{message}, and name the wells by --well.")
    (target,) = roles.targets
    few = bool(answers["few_wells"])
    inputs = check_inputs(str(answers["inputs"]).split(","))
    if inputs == INPUTS:  # nobody asked for the target
        own = FEW_INPUTS if few else INPUTS
        inputs = tuple(name for name in own if name != target.upper())
    if target.upper() in {name.upper() for name in inputs}:
        raise ValueError(f"--inputs names {target!r}, the target.")
    _block(answers)
    # what nobody said is as the preset has it
    said = {name: answers[name] for name in ("windows", "mask_rate") if answers[name] is not None}
    readers = {"windows": _windows, "mask_rate": _share}
    regressor = (few_wells if few else mdn)(
        inputs,
        **{name: readers[name](str(text)) for name, text in said.items()},
        curves=_text(answers["curves"]),
        **cast("Arguments", settings),
    )
    features = cast(LogFeatures, regressor.features)
    names = features.names
    return Columns(names, roles.targets, roles.weight, groups=GROUP, optional=names), regressor


def _windows(text: str) -> tuple[float, ...]:
    try:
        widths = tuple(sorted(float(part) for part in text.split(",") if part.strip()))
    except ValueError:
        widths = (-1.0,)
    if any(not 0 < width < float("inf") for width in widths) or len(set(widths)) < len(widths):
        raise ValueError(f"--windows must be widths in metres, as in 1.5,30; got {text!r}.")
    return widths


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError(f"--mask-rate must be a share between 0 and 1; got {text!r}.")
    return share


def _block(answers: Answers) -> float | None:
    text = answers.get("blocks")
    if text is None:
        return None
    try:
        length = float(str(text))
    except ValueError:
        length = -1.0
    if not 0 < length < float("inf"):
        raise ValueError(f"--blocks must be a length in metres; got {text!r}.")
    return length


def _text(path: object) -> str:
    """A file of curves, checked."""
    if path is None:
        return ""
    try:
        text = Path(str(path)).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"--curves {path} cannot be read ({error}).") from error
    known_logs(text, where=str(path))
    return text


def _derived(
    table: TableFile, columns: Columns, features: FeatureTransform, answers: Answers
) -> TableFile:
    """A table of samples with the columns the estimator reads."""
    transform = cast(LogFeatures, features)
    well, depth = (
        None if answers.get(name) is None else str(answers[name]) for name in ("well", "depth")
    )
    wells = Wells(
        transform, columns.target, known_logs(transform.curves), well, depth, _block(answers)
    )
    return wells.open(table)


PRESET = Preset(
    name="welllog",
    help="for a log that is missing, from the others of its well",
    questions=(
        Question(
            "inputs",
            ",".join(INPUTS),
            "Logs to predict from; `TVD` is the vertical depth.",
        ),
        Question("well", None, "Column of the well's name, if not found by itself.", renames=True),
        Question("depth", None, "Column of the measured depth, if not found.", renames=True),
        Question(
            "few_wells",
            default=False,
            help="Settings for about eight wells or fewer: a simpler model that sees less.",
        ),
        Question(
            "windows",
            None,
            "Widths in metres of what is looked at around a sample: "
            f"{','.join(f'{width:g}' for width in WINDOWS_M)}, or "
            f"{','.join(f'{width:g}' for width in FEW_WINDOWS_M)} for few wells.",
        ),
        Question(
            "mask_rate",
            None,
            "Share of the rows that lose inputs in training, so that any may be missing: 0.3, or "
            "0.25 for few wells.",
        ),
        Question(
            "blocks",
            None,
            "Hold out blocks of so many metres instead of whole wells, where there is one well.",
        ),
        Question("curves", None, "TOML file of further names and units of logs."),
    ),
    prepare=_prepare,
    kinds=(LogFeatures.kind,),
    derived=_derived,
)
"""Missing well logs on the command line."""
