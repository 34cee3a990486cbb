r"""Parameters of mixtures in two bytes each.

Each number is mapped to [0, 1] by a function whose errors matter equally everywhere, and rounded
to one of 65,536 steps:

* a log-weight, linearly over [-20, 0] (0.03 % of the weight);
* the mean m of a Beta component as :math:`(2/\pi) \arcsin\sqrt m`, which makes the rounding a
  constant share of the component's own width for a given precision (the variance-stabilising
  transform of a proportion);
* a precision or a scale, by its logarithm; an alpha or beta that only the rounding of the codes has
  taken below 1, where a density becomes infinite at the bound, is 1;
* the location of a Normal component, which has no bounds, and every parameter of the other
  families, in four bytes as it is.

Codes are little-endian and stored component after component, parameter after parameter.
"""

import numpy as np

from sfumato._typing import HostParams
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
    step = 0.5 * (_LOG_PRECISION[1] - _LOG_PRECISION[0]) / _STEPS
    # d ln sin^2 = 2 cot: what half a step of both codes can have taken from each
    half = np.pi / 4 / _STEPS
    first = _at_least_one(alpha, 2 * half / np.tan(turned) + step)
    return first, _at_least_one(beta, 2 * half * np.tan(turned) + step)


def _at_least_one(values: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """Values that only the rounding of a code, at most `lost` of a logarithm, took below 1: 1."""
    rounded = (values < 1) & (values * np.exp(lost) >= 1)
    return np.where(rounded, 1.0, values).astype(np.float32)


def _encode_normal(loc: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return loc.astype("<f4"), _to_code(np.log(scale), *_LOG_SCALE)


def _decode_normal(loc: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return loc.astype(np.float32), np.exp(_from_code(scale, *_LOG_SCALE))


COMPACT_FORMS = {
    "beta": (_encode_beta, _decode_beta, ("<u2", "<u2")),
    "normal": (_encode_normal, _decode_normal, ("<f4", "<u2")),
}
"""The one table from a component's name to its encoder, decoder and stored types. The parameters
of other components are stored in four bytes as they are."""


def _stored_types(family: MixtureFamily, precision: int) -> dict[str, str]:
    """How each array is stored, weights first."""
    names = family.component.parameters
    if precision == 32:
        return dict.fromkeys(("log_weights", *names), "<f4")
    if family.component.name in COMPACT_FORMS:
        types = COMPACT_FORMS[family.component.name][2]
        return dict(zip(("log_weights", *names), ("<u2", *types), strict=True))
    return {"log_weights": "<u2", **dict.fromkeys(names, "<f4")}


def encode(family: MixtureFamily, params: HostParams, *, precision: int) -> np.ndarray:
    """Parameters (n, m, K, ...) to rows of bytes (n, bytes).

    Parameters
    ----------
    precision : 16 for codes as described in this module, 32 for plain float32 values.
    """
    names = family.component.parameters
    arrays = {name: np.asarray(params[name]) for name in ("log_weights", *names)}
    if precision == 16:
        arrays["log_weights"] = _to_code(arrays["log_weights"], *_LOG_WEIGHT)
        if family.component.name in COMPACT_FORMS:
            encoder = COMPACT_FORMS[family.component.name][0]
            arrays |= dict(zip(names, encoder(*(arrays[name] for name in names)), strict=True))
    flat = [
        np.ascontiguousarray(
            arrays[name].astype(kind).reshape(len(arrays[name]), -1)
            if len(arrays[name])
            else np.zeros((0, int(np.prod(arrays[name].shape[1:]))), kind)
        ).view(np.uint8)
        for name, kind in _stored_types(family, precision).items()
    ]
    return np.concatenate(flat, axis=1)


def decode(
    family: MixtureFamily, rows: np.ndarray, *, n_members: int, precision: int
) -> HostParams:
    """Invert `encode`: rows of bytes to float32 parameters (n, m, K, ...), weights normalised."""
    arrays, start = {}, 0
    for name, kind in _stored_types(family, precision).items():
        shape = (n_members, family.n_components, *family.shape_of(name))
        stop = start + int(np.prod(shape)) * np.dtype(kind).itemsize
        block = np.ascontiguousarray(rows[:, start:stop]).view(kind)
        arrays[name] = block.reshape(len(rows), *shape)
        start = stop
    if precision == 16:
        arrays["log_weights"] = _from_code(arrays["log_weights"], *_LOG_WEIGHT)
        if family.component.name in COMPACT_FORMS:
            decoder, names = COMPACT_FORMS[family.component.name][1], family.component.parameters
            values = decoder(*(arrays[name] for name in names))
            arrays |= dict(zip(names, values, strict=True))
    log_weights = arrays["log_weights"]
    norm = np.logaddexp.reduce(log_weights, axis=2, keepdims=True)
    return {**arrays, "log_weights": log_weights - norm}


def row_bytes(family: MixtureFamily, *, n_members: int, precision: int) -> int:
    """Bytes of one object."""
    return sum(
        n_members
        * family.n_components
        * int(np.prod(family.shape_of(name)))
        * np.dtype(kind).itemsize
        for name, kind in _stored_types(family, precision).items()
    )
