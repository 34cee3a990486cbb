"""What comes out: sets of predicted distributions, immutable, and everything one asks of them."""

from sfumato.pdfs._base import AbstractPDFs as AbstractPDFs
from sfumato.pdfs.combine import concatenate as concatenate
from sfumato.pdfs.grid import GridPDFs as GridPDFs
from sfumato.pdfs.parametric import ParametricPDFs as ParametricPDFs
from sfumato.pdfs.statistics import Statistic as Statistic
from sfumato.pdfs.statistics import summarise as summarise
