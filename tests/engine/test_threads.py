"""The one pool: order, laziness, errors, and no pool inside a pool."""

import threading

import pytest

from sfumato import engine
from sfumato.engine import threads


def test_results_come_in_order_and_parts_are_drawn_as_they_are_needed():
    drawn = []

    def parts():
        for part in range(50):
            drawn.append(part)
            yield part

    results = engine.map(lambda part: part**2, parts())
    assert next(results) == 0
    # one for each thread, one ahead, and the one that took the place of the first result
    assert len(drawn) <= threads.n_threads() + 2
    assert list(results) == [part**2 for part in range(1, 50)]


def test_a_part_of_a_part_stays_in_its_thread():
    def inner(_part):
        return threading.get_ident()

    def outer(_part):
        return threading.get_ident(), list(engine.map(inner, range(3)))

    for mine, theirs in engine.map(outer, range(4)):
        assert theirs == [mine] * 3


def test_an_error_reaches_the_caller_and_the_pool_goes_on():
    def fail(part):
        if part == 2:
            raise ValueError("part 2 is bad")
        return part

    with pytest.raises(ValueError, match="part 2 is bad"):
        list(engine.map(fail, range(9)))
    assert list(engine.map(lambda part: part, range(3))) == [0, 1, 2]
