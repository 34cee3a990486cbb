"""Units that tables state of their columns: compared by what they mean, never converted."""

from collections.abc import Mapping

from sfumato.errors import optional_module


def other_units(known: Mapping[str, str], stated: Mapping[str, str]) -> list[str]:
    """In words, the columns that are stated to be in other units than the known ones, by name."""
    return [
        f"{name} is in {stated[name]} and was in {unit}"
        for name, unit in known.items()
        if name in stated and not _same(stated[name], unit)
    ]


def _same(first: str, second: str) -> bool:
    """Whether two texts name one unit, in any spelling that astropy knows."""
    units = optional_module("astropy.units", extra="io")
    a, b = (units.Unit(text, parse_strict="silent") for text in (first, second))
    if isinstance(a, units.UnrecognizedUnit) or isinstance(b, units.UnrecognizedUnit):
        # of units that are known, mJy is not MJy; MAG is mag
        plain = [text.replace(" ", "").lower() for text in (first, second)]
        return plain[0] == plain[1]
    return bool(a == b)
