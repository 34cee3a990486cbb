"""Galaxy images: rendered, simulated, bounded, fitted, and their posteriors sampled."""

from sfumato.galaxies.crb import crb as crb
from sfumato.galaxies.crb import fisher as fisher
from sfumato.galaxies.fitting import fit_stamps as fit_stamps
from sfumato.galaxies.likelihood import Scene as Scene
from sfumato.galaxies.mle import maximise as maximise
from sfumato.galaxies.noise import Noise as Noise
from sfumato.galaxies.pixels import PixelGrid as PixelGrid
from sfumato.galaxies.population import POPULATIONS as POPULATIONS
from sfumato.galaxies.population import Population as Population
from sfumato.galaxies.population import Uniform as Uniform
from sfumato.galaxies.profiles import Sersic as Sersic
from sfumato.galaxies.profiles import de_vaucouleurs as de_vaucouleurs
from sfumato.galaxies.profiles import exponential as exponential
from sfumato.galaxies.profiles import gaussian as gaussian
from sfumato.galaxies.psf import Gaussian as Gaussian
from sfumato.galaxies.psf import ImagePSF as ImagePSF
from sfumato.galaxies.psf import Moffat as Moffat
from sfumato.galaxies.renderer import render as render
from sfumato.galaxies.sampling import sample_stamps as sample_stamps
from sfumato.galaxies.stamps import Stamps as Stamps
