"""What tests of pictures share."""

import io

import numpy as np
from matplotlib import image


def drawn(axes, label):
    """The line of that label."""
    return next(line for line in axes.lines if line.get_label() == label)


def panels_with_ink(figure):
    """Of the picture as it is written, the share of the visible panels that are not one colour."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=50)
    picture = image.imread(io.BytesIO(stream.getvalue()), format="png")[..., :3]
    height, width = picture.shape[:2]
    found = []
    for axes in figure.axes:
        if axes.get_visible():
            box = axes.get_position()
            rows = slice(int((1 - box.y1) * height), int((1 - box.y0) * height))
            columns = slice(int(box.x0 * width), int(box.x1 * width))
            found.append(picture[rows, columns].std() > 0)
    return np.mean(found)
