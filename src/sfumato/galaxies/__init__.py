"""Galaxy images: rendered, simulated, bounded, fitted, and their posteriors sampled."""

from sfumato.galaxies.fit.fisher import crb as crb
from sfumato.galaxies.fit.fisher import fisher as fisher
from sfumato.galaxies.fit.levenberg_marquardt import maximise as maximise
from sfumato.galaxies.fit.maximum_likelihood import fit_stamps as fit_stamps
from sfumato.galaxies.fit.scene import Scene as Scene
from sfumato.galaxies.fit.stamps import Stamps as Stamps
from sfumato.galaxies.population.population import POPULATIONS as POPULATIONS
from sfumato.galaxies.population.population import Population as Population
from sfumato.galaxies.population.population import Uniform as Uniform
from sfumato.galaxies.posterior.pixels import sample_stamps as sample_stamps
from sfumato.galaxies.render.noise import Noise as Noise
from sfumato.galaxies.render.pixels import PixelGrid as PixelGrid
from sfumato.galaxies.render.profiles import Sersic as Sersic
from sfumato.galaxies.render.profiles import de_vaucouleurs as de_vaucouleurs
from sfumato.galaxies.render.profiles import exponential as exponential
from sfumato.galaxies.render.profiles import gaussian as gaussian
from sfumato.galaxies.render.psf import Gaussian as Gaussian
from sfumato.galaxies.render.psf import ImagePSF as ImagePSF
from sfumato.galaxies.render.psf import Moffat as Moffat
from sfumato.galaxies.render.renderer import render as render
from sfumato.galaxies.render.spergel import Spergel as Spergel
