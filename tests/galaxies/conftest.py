"""What tests of galaxies share: a basis, and a batch of labelled galaxies."""

import jax
import pytest

from galaxy_cases import PSF, SMALL
from sfumato.galaxies.basis.stamp_basis import Ranges, build_basis
from sfumato.galaxies.population.labelled import draw_batch


@pytest.fixture(scope="session")
def basis():
    ranges = Ranges((0.8, 4.0), (0.2, 0.5), 0.4)
    return build_basis(SMALL.grid, psf=PSF, ranges=ranges, degree=8)


@pytest.fixture(scope="session")
def batch():
    """A hundred and twenty labelled galaxies of the small population."""
    return jax.jit(lambda key: draw_batch(key, SMALL, 120))(jax.random.key(3))
