"""Options of the verbs for galaxy images, and how their texts become values."""

from dataclasses import replace
from pathlib import Path

from sfumato.cli._options import numbers, read_toml, split
from sfumato.errors import choose
from sfumato.galaxies.population.population import POPULATIONS, Population, Uniform, population_from


def population_of(
    name: str,
    path: Path | None,
    *,
    psf: str | None = None,
    psf_beta: float | None = None,
    noise: str | None = None,
) -> Population:
    """A named population, or that of a file, with PSF and noise changed."""
    if path is None:
        population = choose(name, dict(POPULATIONS), what="--set")
    else:
        population = population_from(read_toml(path, option="--prior"), where=str(path))
    changes = {}
    if psf is not None:
        changes["psf_fwhm"] = _range(psf, option="--psf")
    if psf_beta is not None:
        changes["psf_beta"] = psf_beta
    if noise is not None:
        changes["noise_sigma"] = _range(noise, option="--noise")
    return replace(population, **changes) if changes else population


def _range(text: str, *, option: str) -> Uniform:
    values = numbers(text, option=option)
    if len(values) not in (1, 2):
        raise ValueError(f"{option} must be one number or low,high; got {text!r}.")
    return Uniform(values[0], values[-1])


def fixed_values(text: str | None) -> dict[str, float]:
    """Values such as ``x=0,sersic_index=4``.

    Raises
    ------
    ValueError
        A part is not a name and a number.
    """
    out = {}
    for part in split(text):
        name, _, value = part.partition("=")
        try:
            out[name.strip()] = float(value)
        except ValueError:
            raise ValueError(f"--fix must be like x=0,sersic_index=4; got {part!r}.") from None
    return out
