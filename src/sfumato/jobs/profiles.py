"""What is reported of a kind of target: its metrics, its bins, its one picture.

The core reports of any number what `PLAIN` says. A domain says more in a `Profile` of its own,
announced as an entry point of the group ``sfumato.profiles``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from sfumato.engine.plugins import announced
from sfumato.errors import choose
from sfumato.io.pdfs import PDFsFile
from sfumato.metrics.evaluation import METRICS, Metrics, ObjectScores, quantile_edges
from sfumato.plots.points import plot_estimates

GROUP = "sfumato.profiles"


class Wish(NamedTuple):
    """What a picture of a domain is asked to show besides its PDFs.

    Parameters
    ----------
    truth : column of true values.
    marks : places with names: a column, or the path of a table, as the domain reads them.
    """

    truth: str | None = None
    marks: str | None = None


class Picture(NamedTuple):
    """A kind of picture that a domain draws: as a figure, and as an HTML page if it can."""

    draw: Callable[[PDFsFile, Wish], Figure]
    page: Callable[[PDFsFile, Wish], str] | None = None


@dataclass(frozen=True)
class Profile:
    """How predictions of one kind of target are judged and shown.

    Parameters
    ----------
    name : what ``--profile`` calls it.
    metrics : by name, a function of `ObjectScores`.
    edges : true values (n,) to the edges of the bins they are reported in.
    other_edges : the same of another column, and `other` what such bins are called in files.
    value : what a target is called in pictures.
    shown : metrics that are drawn in bins.
    labels : what their axes say, where that is not the name.
    plot : the picture of estimates against truth.
    caption : of that picture.
    least : the least that a true value can be; what is below stands for a missing one.
    features : kinds of feature transforms whose predictions are such targets.
    pictures : kinds of pictures of its own.
    """

    name: str
    metrics: Metrics
    edges: Callable[[np.ndarray], np.ndarray]
    value: str
    shown: tuple[str, ...]
    plot: Callable[[ObjectScores], Figure]
    caption: str
    labels: Mapping[str, str] = field(default_factory=dict)
    other_edges: Callable[[np.ndarray], np.ndarray] = quantile_edges
    other: str = "by_column"
    least: float | None = None
    features: tuple[str, ...] = ()
    pictures: Mapping[str, Picture] = field(default_factory=dict)


PLAIN = Profile(
    name="plain",
    metrics=METRICS,
    edges=quantile_edges,
    value="value",
    shown=("crps", "rmse", "pit_ks"),
    plot=lambda objects: plot_estimates(objects.mean, objects.truth),
    caption="Mean against truth, and their difference.",
    labels={"pit_ks": "KS distance of the PIT", "crps": "CRPS", "rmse": "RMSE of the mean"},
)
"""What is reported of any number."""


@cache
def profiles() -> dict[str, Profile]:
    """All profiles by name: the plain one, and those that domains have announced."""
    found = announced(GROUP)
    others = {name: profile for name, profile in found.items() if isinstance(profile, Profile)}
    return {PLAIN.name: PLAIN, **others}


def profile_of(name: str) -> Profile:
    """The profile called `name`.

    Raises
    ------
    ValueError
        There is none of that name.
    """
    return choose(name, profiles(), what="--profile")


def profile_for(file: PDFsFile) -> Profile:
    """The profile of the features that a file's PDFs were predicted from, or the plain one."""
    kind = file.header.get("about", {}).get("features")
    return next((p for p in profiles().values() if kind in p.features), PLAIN)
