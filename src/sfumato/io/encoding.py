r"""Parameters of mixtures in two bytes each.

Each number is mapped to [0, 1] by a function whose errors matter equally everywhere, and rounded
to one of 65,536 steps:

* a log-weight, linearly over [-20, 0] (0.03 % of the weight);
* the mean m of a Beta component as :math:`(2/\pi) \arcsin\sqrt m`, which makes the rounding a
  constant share of the component's own width for a given precision (the variance-stabilising
  transform of a proportion);
* a precision or a scale, by its logarithm;
* the location of a Normal component, which has no bounds, in four bytes as it is.

Codes are little-endian and stored component after component, parameter after parameter.
"""

import numpy as np

from sfumato._typing import HostParams
from sfumato.errors import choose
from sfumato.families import MixtureFamily

_STEPS = 65_535
_LOG_WEIGHT = (-20.0, 0.0)
_LOG_PRECISION = (np.log(1e-3), np.log(1e8))
_LOG_SCALE = (np.log(1e-6), np.log(1e6))


def _to_code(values: np.ndarray, low: float, high: float) -> np.ndarray:
    scaled = (np.clip(values, low, high) - low) * (_STEPS / (high - low))
    return np.rint(scaled).astype("<u2")


def _from_code(codes: np.ndarray, low: float, high: float) -> np.ndarray:
    return codes.astype(np.float32) * np.float32((high - low) / _STEPS) + np.float32(low)


def _encode_beta(alpha: np.ndarray, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # the angle of (sqrt(beta), sqrt(alpha)) is arcsin(sqrt(mean)), without cancellation
    angle = np.arctan2(np.sqrt(alpha), np.sqrt(beta))
    return _to_code(angle, 0.0, np.pi / 2), _to_code(np.log(alpha + beta), *_LOG_PRECISION)


def _decode_beta(angle: np.ndarray, precision: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # half a step inside: a mean of exactly 0 or 1 is no Beta distribution
    turned = np.clip(angle.astype(float), 0.5, _STEPS - 0.5) * (np.pi / 2 / _STEPS)
    total = np.exp(_from_code(precision, *_LOG_PRECISION))
    alpha, beta = total * np.sin(turned) ** 2, total * np.cos(turned) ** 2
    return alpha.astype(np.float32), beta.astype(np.float32)


def _encode_normal(loc: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return loc.astype("<f4"), _to_code(np.log(scale), *_LOG_SCALE)


def _decode_normal(loc: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return loc.astype(np.float32), np.exp(_from_code(scale, *_LOG_SCALE))


CODECS = {
    "beta": (_encode_beta, _decode_beta, ("<u2", "<u2")),
    "normal": (_encode_normal, _decode_normal, ("<f4", "<u2")),
}
"""The one table from a component's name to its encoder, decoder and stored types."""


def encode(family: MixtureFamily, params: HostParams, *, precision: int) -> np.ndarray:
    """Parameters (n, m, K) to rows of bytes (n, bytes).

    Parameters
    ----------
    precision : 16 for codes as described in this module, 32 for plain float32 values.
    """
    encoder, _, _ = choose(family.component.name, CODECS, what="The component")
    arrays = [np.asarray(params[name]) for name in ("log_weights", *family.component.parameters)]
    if precision == 16:
        arrays = [_to_code(arrays[0], *_LOG_WEIGHT), *encoder(arrays[1], arrays[2])]
    else:
        arrays = [array.astype("<f4") for array in arrays]
    flat = [
        np.ascontiguousarray(a.reshape(len(a), int(np.prod(a.shape[1:])))).view(np.uint8)
        for a in arrays
    ]
    return np.concatenate(flat, axis=1)


def decode(
    family: MixtureFamily, rows: np.ndarray, *, n_members: int, precision: int
) -> HostParams:
    """Invert `encode`: rows of bytes to float32 parameters (n, m, K), weights normalised."""
    _, decoder, kinds = choose(family.component.name, CODECS, what="The component")
    kinds = ("<u2", *kinds) if precision == 16 else ("<f4", "<f4", "<f4")
    count = n_members * family.n_components
    arrays, start = [], 0
    for kind in kinds:
        stop = start + count * np.dtype(kind).itemsize
        block = np.ascontiguousarray(rows[:, start:stop]).view(kind)
        arrays.append(block.reshape(len(rows), n_members, family.n_components))
        start = stop
    first, second = arrays[1:]
    if precision == 16:
        arrays[0] = _from_code(arrays[0], *_LOG_WEIGHT)
        first, second = decoder(first, second)
    log_weights = arrays[0] - np.logaddexp.reduce(arrays[0], axis=2, keepdims=True)
    names = family.component.parameters
    return {"log_weights": log_weights, names[0]: first, names[1]: second}


def row_bytes(family: MixtureFamily, *, n_members: int, precision: int) -> int:
    """Bytes of one object."""
    kinds = ("<u2", *CODECS[family.component.name][2]) if precision == 16 else ("<f4",) * 3
    return n_members * family.n_components * sum(np.dtype(kind).itemsize for kind in kinds)
