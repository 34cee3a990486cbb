"""What comes out: sets of predicted distributions, immutable, and everything one asks of them."""

from sfumato._typing import HostParams
from sfumato.families import MixtureFamily
from sfumato.pdfs._base import AbstractPDFs as AbstractPDFs
from sfumato.pdfs._base import Gridded as Gridded
from sfumato.pdfs.combine import concatenate as concatenate
from sfumato.pdfs.counts import CountPDFs as CountPDFs
from sfumato.pdfs.grid import GridPDFs as GridPDFs
from sfumato.pdfs.grid import density_of as density_of
from sfumato.pdfs.grid import frequencies_of as frequencies_of
from sfumato.pdfs.joint import JointPDFs as JointPDFs
from sfumato.pdfs.parametric import ParametricPDFs as ParametricPDFs
from sfumato.pdfs.recalibrated import RecalibratedPDFs as RecalibratedPDFs
from sfumato.pdfs.reweighted import ReweightedJointPDFs as ReweightedJointPDFs
from sfumato.pdfs.samples import SamplePDFs as SamplePDFs
from sfumato.pdfs.statistics import Statistic as Statistic
from sfumato.pdfs.statistics import summarise as summarise

KINDS: dict[str, type[ParametricPDFs] | type[JointPDFs]] = {
    "continuous": ParametricPDFs,
    "count": CountPDFs,
    "vector": JointPDFs,
}
"""The one table from the kind of a family to the class of its PDFs."""


def make_pdfs(family: MixtureFamily, params: HostParams) -> ParametricPDFs | JointPDFs:
    """The PDFs of a family with these parameters."""
    return KINDS[family.kind](family, params)
