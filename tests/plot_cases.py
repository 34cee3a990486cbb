"""What tests of pictures share."""

import io


def drawn(axes, label):
    """The line of that label."""
    return next(line for line in axes.lines if line.get_label() == label)


def written(figure):
    """The bytes of the picture."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=50)
    return stream.getvalue()
