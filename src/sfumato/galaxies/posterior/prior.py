"""A population as the prior of a scene's parameters, in coordinates without bounds."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array

from sfumato.errors import IncompatibleError
from sfumato.galaxies.fit.scene import Scene
from sfumato.galaxies.population.population import Population, Uniform

_LARGEST = 0.999  # of a shear's share of its largest size, when coordinates are sought


@dataclass(frozen=True)
class Prior:
    """Distribution of a scene's free parameters, and coordinates z in which it is smooth.

    Flux, index and radius have the logit of their cumulative probability as coordinate. The shear
    has a vector of its own direction, whose length is the inverse hyperbolic tangent of the
    cumulative probability of |g|. Offsets of the centre are Normal with a deviation of two pixels,
    backgrounds Normal with that of `background_sigma`; both are coordinates in units of these.

    Parameters
    ----------
    scene, population : whose parameters, and how they are distributed.
    background_sigma : counts per pixel.

    Raises
    ------
    IncompatibleError
        A parameter is free in the scene and fixed in the population, or one shear alone is free.
    """

    scene: Scene
    population: Population
    background_sigma: float = 1.0

    def __post_init__(self) -> None:
        for name in ("flux", "sersic_index", "half_light_radius"):
            if name in self.scene.free and getattr(self.population, name).is_fixed:
                message = f"{name} is free in the scene and fixed in the prior"
                raise IncompatibleError(f"{message}. Fix it in both or give the prior a range.")
        shears = {"g1", "g2"} & set(self.scene.free)
        spread = self.population.shear_fixed is None and not self.population.shear.is_fixed
        if len(shears) == 1 or (shears and not spread):
            raise IncompatibleError(
                "A prior needs both shears free, and a range of their size |g|. "
                "Free or fix g1 and g2 together."
            )

    @property
    def _shear(self) -> tuple[int, int] | None:
        """Places of g1 and g2 in the vector."""
        names = self.scene.names
        return (names.index("g1"), names.index("g2")) if "g1" in names else None

    def _distribution(self, name: str) -> Uniform | None:
        stem = name.rsplit("_", 1)[0] if name.startswith("flux_") else name
        return getattr(self.population, stem) if stem in _LOGITS else None

    def _deviation(self, name: str) -> float:
        is_background = name.startswith("background")
        return self.background_sigma if is_background else 2 * self.scene.grid.pixel_scale

    def to_theta(self, z: Array) -> Array:
        """Parameters (p, ...) at coordinates (p, ...)."""
        rows = []
        for i, name in enumerate(self.scene.names):
            drawn = self._distribution(name)
            if drawn is not None:
                rows.append(drawn.at(jax.nn.sigmoid(z[i])))
            elif name in ("g1", "g2"):
                rows.append(z[i])
            else:
                rows.append(z[i] * self._deviation(name))
        if self._shear is not None:
            g1, g2 = self._shear
            length = jnp.sqrt(z[g1] ** 2 + z[g2] ** 2 + 1e-12)
            scale = self.population.shear.at(jnp.tanh(length)) / length
            rows[g1], rows[g2] = z[g1] * scale, z[g2] * scale
        return jnp.stack(rows)

    def to_coordinates(self, theta: Array) -> Array:
        """Coordinates (p, ...) of parameters (p, ...), those outside the prior moved into it."""
        rows = []
        for i, name in enumerate(self.scene.names):
            drawn = self._distribution(name)
            if drawn is not None:
                share = drawn.share(theta[i])
                rows.append(jnp.log(share) - jnp.log1p(-share))
            elif name in ("g1", "g2"):
                rows.append(theta[i])
            else:
                rows.append(theta[i] / self._deviation(name))
        if self._shear is not None:
            g1, g2 = self._shear
            size = jnp.sqrt(theta[g1] ** 2 + theta[g2] ** 2 + 1e-12)
            share = self.population.shear.share(size)
            length = jnp.arctanh(jnp.minimum(share, _LARGEST))
            rows[g1], rows[g2] = theta[g1] / size * length, theta[g2] / size * length
        return jnp.stack(rows)

    def log_density(self, z: Array) -> Array:
        """Log-density (...) in the coordinates (p, ...), normalised.

        The direction of the shear is uniform: in its plane the density of a uniform size is
        proportional to 1 / |g|.
        """
        total = jnp.zeros(z.shape[1:])
        for i, name in enumerate(self.scene.names):
            if self._distribution(name) is not None:
                total += jax.nn.log_sigmoid(z[i]) + jax.nn.log_sigmoid(-z[i])
            elif name not in ("g1", "g2"):
                total += -0.5 * z[i] ** 2 - 0.5 * jnp.log(2 * jnp.pi)
        if self._shear is not None:
            g1, g2 = self._shear
            size = jnp.sqrt(z[g1] ** 2 + z[g2] ** 2 + 1e-12)
            total -= 2 * (jnp.logaddexp(size, -size) - jnp.log(2.0))
            total -= jnp.log(2 * jnp.pi * size)
        return total


_LOGITS = ("flux", "sersic_index", "half_light_radius")
LOGISTIC_DEVIATION = 1.8138
"""pi / sqrt(3): the deviation of the logistic distribution that the logits have."""
