"""What one prediction can be: unconstrained reals to a distribution."""

from sfumato.families.beta import Beta as Beta
from sfumato.families.mixture import MixtureFamily as MixtureFamily
from sfumato.families.normal import Normal as Normal
from sfumato.families.table import COMPONENTS as COMPONENTS
from sfumato.families.table import bound_component as bound_component
from sfumato.families.table import family_from_dict as family_from_dict
