"""What one prediction can be: unconstrained reals to a distribution."""

from sfumato.families.beta import Beta as Beta
from sfumato.families.mixture import MixtureFamily as MixtureFamily
from sfumato.families.normal import Normal as Normal

COMPONENTS = {component.name: component for component in (Beta(), Normal())}
"""The one table from the name of a component family to its definition."""
