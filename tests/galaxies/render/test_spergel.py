"""The second light profile: GalSim's images, and what is known in closed form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from sfumato.galaxies import Moffat, PixelGrid, Sersic, Spergel, render
from sfumato.galaxies.render import spergel
from sfumato.galaxies.render.galsim_twin import ACCURATE

GRID = PixelGrid(64, 64, 0.23)
PSF = Moffat(0.5, 2.0)


def test_half_of_the_light_lies_inside_the_half_light_radius():
    for nu in (-0.85, -0.5, 0.0, 0.5, 2.0, 4.0):
        u = float(spergel.half_light_ratio(jnp.float32(nu)))
        f = (u / 2) ** (nu + 1) * special.kv(nu + 1, u) / special.gamma(nu + 2)
        assert 1 - 2 * (1 + nu) * f == pytest.approx(0.5, abs=1e-5)  # Spergel 2010, equation 8


@pytest.mark.slow
def test_index_one_half_is_the_exponential_disc():
    disc = render(Sersic(1e5, 1.0, 0.4, 0.2, 0.1), PSF, GRID)
    ours = render(Spergel(1e5, 0.5, 0.4, 0.2, 0.1), PSF, GRID)
    np.testing.assert_allclose(ours, disc, atol=2e-5 * float(disc.max()))


@pytest.mark.parametrize("nu", [-0.85, -0.6, 0.0, 1.5, 4.0])
def test_images_are_galsims(nu):
    galsim = pytest.importorskip("galsim")
    settings = galsim.GSParams(**ACCURATE)
    for radius, g1, g2 in ((0.3, 0.1, -0.3), (0.6, 0.5, 0.2)):
        theirs = galsim.Spergel(nu, half_light_radius=radius, flux=1e5, gsparams=settings)
        psf = galsim.Moffat(beta=2, fwhm=0.5, gsparams=settings)
        seen = galsim.Convolve(theirs.shear(g1=g1, g2=g2), psf, gsparams=settings)
        image = seen.drawImage(nx=64, ny=64, scale=0.23, dtype=float).array
        ours = np.asarray(render(Spergel(1e5, nu, radius, g1, g2), PSF, GRID))
        # the sharpest centre is the hardest: its transform falls as k^-0.3
        np.testing.assert_allclose(ours, image, atol=1e-5 * image.max())
        assert ours.sum() == pytest.approx(image.sum(), rel=2e-6)


@pytest.mark.slow
def test_it_adds_to_other_profiles_and_has_derivatives():
    bulge, disc = Spergel(3e4, -0.6, 0.2), Sersic(7e4, 1.0, 0.5)
    together = render([bulge, disc], PSF, GRID)
    apart = render(bulge, PSF, GRID) + render(disc, PSF, GRID)
    np.testing.assert_allclose(together, apart, rtol=1e-5, atol=1e-2)

    def peak(nu):
        return render(Spergel(1e5, nu, 0.4), PSF, GRID)[32, 32]

    slope = float(jax.grad(peak)(0.3))
    ends = [float(peak(jnp.float32(0.3 + step))) for step in (-0.02, 0.02)]
    assert slope == pytest.approx((ends[1] - ends[0]) / 0.04, rel=2e-2)
