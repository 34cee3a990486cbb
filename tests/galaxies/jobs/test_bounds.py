"""Tables and maps of the Cramér–Rao bound."""

import numpy as np
import pytest

from galaxy_cases import TRUTH
from sfumato.errors import DataError, IncompatibleError
from sfumato.galaxies import (
    POPULATIONS,
)
from sfumato.galaxies.jobs.bounds import BoundAt, bound_galaxy, bound_map, bound_table, parse_axis
from sfumato.galaxies.jobs.sources import PSFSource


def at(**change):
    galaxy = dict(
        zip(("flux", "sersic_index", "half_light_radius", "g1", "g2"), TRUTH, strict=True)
    )
    values = {
        "galaxy": galaxy,
        "psf": PSFSource("moffat", 0.5),
        "noise": 200.0,
        "gain": 1.0,
        "pixels": 64,
        "pixel_scale": 0.23,
        "free": tuple(galaxy),
    }
    return BoundAt(**{**values, **change})


def test_the_published_bound_and_what_knowing_others_gains():
    table = bound_table(at())
    published = [0.0565e5, 0.777, 0.0287, 0.0543, 0.0549]
    np.testing.assert_allclose(table["bound"].values, published, rtol=0.01)
    alone = bound_table(at(free=("flux",)))
    np.testing.assert_allclose(alone["bound"].values[0], table["others_known"].values[0], rtol=1e-4)
    same = bound_table(at(noise=1.0).of_population(POPULATIONS["snr60"]))
    np.testing.assert_allclose(same["bound"].values, table["bound"].values, rtol=1e-5)


def test_a_map_holds_the_bound_of_every_place():
    x, y = parse_axis("half_light_radius:0.2:0.4:3"), parse_axis("sersic_index:1:3:2")
    columns = bound_map(at(), x, y)
    np.testing.assert_allclose(columns["half_light_radius"].values, [0.2, 0.3, 0.4] * 2)
    np.testing.assert_allclose(columns["bound_sersic_index"].values[4], 0.777, rtol=0.01)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("size:0:1:3", "unknown parameter 'size'"),
        ("flux:2:1:3", "must be like flux:LOW:HIGH:NUMBER"),
        ("flux:1:2", "must be like"),
        ("flux:1:2:100000", "at most 400 places"),
    ],
)
def test_axes_of_maps_are_checked(text, message):
    with pytest.raises(ValueError, match=message):
        parse_axis(text)


def test_impossible_bounds_are_refused():
    with pytest.raises(ValueError, match="noise must be positive"):
        at(noise=0.0)
    with pytest.raises(IncompatibleError, match="needs one PSF"):
        at(psf=PSFSource("columns"))
    with pytest.raises(IncompatibleError, match="'v1' has many galaxies"):
        at().of_population(POPULATIONS["v1"])
    with pytest.raises(ValueError, match="must be among the free"):
        bound_map(at(free=("flux",)), parse_axis("g1:0:0.1:2"), parse_axis("flux:1:2:2"))


def test_a_job_writes_what_it_returns_and_refuses_before_it_works(tmp_path):
    table = tmp_path / "bound.csv"
    columns = bound_galaxy(at(free=("flux", "sersic_index")), output=table)
    kept = np.genfromtxt(table, delimiter=",", names=True, dtype=None, encoding="utf-8")
    np.testing.assert_allclose(kept["bound"], columns["bound"].values, rtol=1e-6)
    with pytest.raises(DataError, match="exists"):
        bound_galaxy(at(), output=table)
    with pytest.raises(ValueError, match="--figure is a picture of --map"):
        bound_galaxy(at(), figure=tmp_path / "map.png")
    assert not (tmp_path / "map.png").exists()
