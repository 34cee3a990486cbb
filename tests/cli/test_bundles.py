"""Options that stand for one argument: read as one value, told as the words they came from."""

import inspect

import pytest
from typer import Option

from sfumato.cli._bundles import REQUIRED, Bundle, option, takes
from sfumato.cli._options import READING
from sfumato.io.tables import Reading


def test_a_bundle_takes_the_place_of_its_argument():
    pair = Bundle([option("a", int, Option(), default=REQUIRED), option("b", int, Option())], tuple)
    pair = pair._replace(value=lambda a, b: (a, b))
    seen = {}

    @takes(pair=pair)
    def command(path: str, *, pair: tuple[int, int], last: int = 3) -> None:
        seen.update(path=path, pair=pair, last=last)

    shown = inspect.signature(command).parameters
    assert list(shown) == ["path", "a", "b", "last"]
    assert shown["a"].default is REQUIRED
    assert (shown["b"].default, shown["last"].default) == (None, 3)
    command(path="p", a=1, b=2, last=4)
    assert seen == {"path": "p", "pair": (1, 2), "last": 4}


@pytest.mark.parametrize(
    "texts",
    [
        {},
        {"group": "2", "where": "z > 0"},
        {"rename": "redshift=z_spec,id=ID"},
        {"zero_point": "mag_u=0.02,mag_g=-1e-05", "extinction": "EBV:mag_u=4.81,mag_g=3.64"},
    ],
)
def test_how_tables_are_read_is_told_as_the_options_that_ask_for_it(texts):
    given = {p.name: texts.get(p.name) for p in READING.options}
    reading = READING.value(**given)
    assert isinstance(reading, Reading)
    told = {name.replace("-", "_"): text for name, text in reading.options.items()}
    assert told == texts
    assert READING.value(**{**dict.fromkeys(given), **told}) == reading
