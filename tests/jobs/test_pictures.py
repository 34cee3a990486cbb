"""Pictures of a file of PDFs, called from Python."""

from pathlib import Path

import matplotlib.image
import pytest

from sfumato.jobs.pictures import PLOTS, draw_file


@pytest.mark.parametrize("kind", PLOTS)
def test_every_kind_is_a_picture_beside_the_file(pdfs, kind):
    path = draw_file(pdfs, kind, truth="y", overwrite=True)
    assert path == Path(pdfs).with_name(f"pdfs-{kind}.png")
    pixels = matplotlib.image.imread(path)[..., :3]
    assert min(pixels.shape[:2]) > 300
    ink = (pixels.min(axis=2) < 0.7).mean()
    assert 0.005 < ink < 0.5


def test_rows_and_kinds_are_checked(pdfs):
    with pytest.raises(ValueError, match="--rows must lie in 0 to 239; got 240"):
        draw_file(pdfs, "pdfs", rows=[240], overwrite=True)
    with pytest.raises(ValueError, match="--kind pit needs --truth"):
        draw_file(pdfs, "pit", overwrite=True)
    with pytest.raises(ValueError, match=r"--tops has no effect on --kind pit\. Leave it out"):
        draw_file(pdfs, "pit", truth="y", marks="tops.csv", overwrite=True)
    with pytest.raises(ValueError, match="--kind must be one of"):
        draw_file(pdfs, "pie")
