"""What can be rendered."""

import numpy as np
import pytest

from sfumato.galaxies import (
    Sersic,
)
from sfumato.galaxies.render.profiles import check_galaxy


@pytest.mark.parametrize(
    ("galaxy", "message"),
    [
        (Sersic(1.0, 7.0, 0.3), "within 0.5 to 6.0; got 7. Beyond"),
        (Sersic(1.0, 2.0, -0.3), "positive arcsec; got -0.3"),
        (Sersic(1.0, 2.0, 0.3, 0.8, 0.7), r"\|g\| must be below 1"),
        (Sersic(np.nan, 2.0, 0.3), "`flux` must be finite"),
        (Sersic(1.0, 4.0, 30.0), "too small: 88% of the light"),
    ],
)
def test_what_cannot_be_rendered_is_refused(galaxy, message):
    with pytest.raises(ValueError, match=message):
        check_galaxy(galaxy, side=10.0)
